#include "imapclient/scan.h"

#include <string.h>

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool imap_text_is(struct imap_text text, const char *word)
{
	size_t i = 0;
	for (; i < text.len && word[i] != '\0'; i++) {
		if (upper(text.bytes[i]) != word[i])
			return false;
	}
	return i == text.len && word[i] == '\0';
}

void imap_text_add(struct imap_text text, struct strbuf *sb)
{
	if (!text.is_escaped) {
		strbuf_add(sb, text.bytes, text.len);
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.bytes[i] == '\\' && i + 1 < text.len)
			i++;
		strbuf_putc(sb, text.bytes[i]);
	}
}

bool imap_atom_next(struct imap_text *list, struct imap_text *atom_out)
{
	const char *p = list->bytes;
	const char *end = p == NULL ? NULL : p + list->len;
	while (p < end && *p == ' ')
		p++;
	const char *start = p;
	while (p < end && *p != ' ')
		p++;
	list->bytes = p;
	list->len = (size_t)(end - p);
	*atom_out = (struct imap_text){ .bytes = start,
		                        .len = (size_t)(p - start) };
	return p != start;
}

bool scan_at(const struct scan *s, char c)
{
	return s->p < s->end && *s->p == c;
}

bool scan_accept(struct scan *s, char c)
{
	if (!scan_at(s, c))
		return false;
	s->p++;
	return true;
}

void scan_skip_blanks(struct scan *s)
{
	while (scan_at(s, ' ') || scan_at(s, '\t'))
		s->p++;
}

struct imap_text scan_text_between(const char *start, const char *end)
{
	return (struct imap_text){ .bytes = start,
		                   .len = (size_t)(end - start) };
}

struct imap_text scan_rest_of(struct scan *s)
{
	scan_skip_blanks(s);
	struct imap_text rest = scan_text_between(s->p, s->end);
	s->p = s->end;
	return rest;
}

/* A switch, for a listing asks a hundred times a message. */
static bool ends_atom(char ch)
{
	switch (ch) {
	case '\0':
	case ' ':
	case '(':
	case ')':
	case '"':
	case '\r':
	case '\n':
		return true;
	default:
		return false;
	}
}

struct imap_text scan_atom(struct scan *s)
{
	const char *start = s->p;
	while (s->p < s->end && !ends_atom(*s->p))
		s->p++;
	return scan_text_between(start, s->p);
}

struct imap_text scan_word(struct scan *s)
{
	const char *start = s->p;
	while (s->p < s->end && *s->p != ' ')
		s->p++;
	return scan_text_between(start, s->p);
}

bool scan_number(struct scan *s, uint64_t *out)
{
	if (s->p == s->end || !is_digit(*s->p))
		return false;
	uint64_t n = 0;
	for (; s->p < s->end && is_digit(*s->p); s->p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*s->p - '0'), &n))
			n = UINT64_MAX / 10;
	}
	*out = n;
	return true;
}

static bool quoted(struct scan *s, struct imap_text *out)
{
	const char *start = ++s->p;
	bool is_escaped = false;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '"') {
			*out = scan_text_between(start, s->p++);
			out->is_escaped = is_escaped;
			return true;
		}
		if (*s->p == '\\') {
			is_escaped = true;
			if (++s->p == s->end)
				break;
		}
	}
	return false;
}

static bool literal(struct scan *s, struct imap_text *out)
{
	uint64_t size;
	(void)scan_accept(s, '~');
	s->p++;
	if (!scan_number(s, &size))
		return false;
	(void)scan_accept(s, '+');
	if (!scan_accept(s, '}') || !scan_accept(s, '\r') ||
	    !scan_accept(s, '\n'))
		return false;
	if ((size_t)(s->p - s->line) == s->streamed) {
		s->met_streamed = true;
		*out = (struct imap_text){ 0 };
		return true;
	}
	if (size > (uint64_t)(s->end - s->p))
		return false;
	*out = scan_text_between(s->p, s->p + size);
	s->p += size;
	return true;
}

bool scan_at_literal(const struct scan *s)
{
	return scan_at(s, '{') ||
	       (scan_at(s, '~') && s->p + 1 < s->end && s->p[1] == '{');
}

bool scan_string(struct scan *s, struct imap_text *out)
{
	s->met_streamed = false;
	if (scan_at(s, '"'))
		return quoted(s, out);
	if (scan_at_literal(s))
		return literal(s, out);
	*out = scan_atom(s);
	if (out->len == 0)
		return false;
	if (imap_text_is(*out, "NIL"))
		*out = (struct imap_text){ 0 };
	return true;
}

bool scan_skip_value(struct scan *s)
{
	unsigned depth = 0;
	do {
		struct imap_text ignored;
		scan_skip_blanks(s);
		if (scan_accept(s, '(')) {
			if (++depth > IMAP_NESTING_MAX)
				return false;
		} else if (depth > 0 && scan_accept(s, ')')) {
			depth--;
		} else if (!scan_string(s, &ignored)) {
			return false;
		}
	} while (depth > 0);
	return true;
}

bool scan_atom_list(struct scan *s, struct imap_text *out)
{
	if (!scan_accept(s, '('))
		return false;
	const char *close = memchr(s->p, ')', (size_t)(s->end - s->p));
	if (close == NULL)
		return false;
	*out = scan_text_between(s->p, close);
	s->p = close + 1;
	return true;
}

size_t imap_literal_find(const char *line, size_t len, uint64_t *size_out)
{
	if (len < 3 || line[len - 1] != '}')
		return SIZE_MAX;
	size_t i = len - 1;
	if (line[i - 1] == '+')
		i--;
	size_t digits_end = i;
	while (i > 0 && is_digit(line[i - 1]))
		i--;
	if (i == digits_end || i == 0 || line[i - 1] != '{')
		return SIZE_MAX;
	struct scan s = { line, line + i, line + digits_end,
		          IMAP_NOT_STREAMED };
	(void)scan_number(&s, size_out);
	return i - 1;
}

/* Does text end in BODY[HEADER.FIELDS (…)], without another ']' in it? */
static bool is_head(const char *text, size_t len)
{
	static const char start[] = "BODY[HEADER.FIELDS";
	size_t at = len - 1;
	if (text[at] != ']')
		return false;
	while (at > 0 && text[at - 1] != ']' && text[at - 1] != '[')
		at--;
	size_t before = sizeof("BODY[") - 1;
	if (at <= before || len - at + before < sizeof(start))
		return false;
	struct imap_text name = { .bytes = text + at - before,
		                  .len = sizeof(start) - 1 };
	return (name.bytes[-1] == ' ' || name.bytes[-1] == '(') &&
	       imap_text_is(name, start);
}

bool imap_literal_is_body(const char *text, size_t len)
{
	static const char *const names[] = { "BODY[]", "RFC822" };
	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (len < 2 || text[0] != '*')
		return false;
	for (size_t i = 0; i < 2; i++) {
		struct imap_text tail = { .bytes = text + len - 6, .len = 6 };
		if (len > 7 &&
		    (tail.bytes[-1] == ' ' || tail.bytes[-1] == '(') &&
		    imap_text_is(tail, names[i]))
			return true;
	}
	return is_head(text, len);
}
