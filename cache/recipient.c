/*
 * Addresses are read as RFC 5322 3.4 writes them, and as MTAs do: with or
 * without brackets, with comments, quoted, in lists and groups.  Liberal: what
 * makes no sense is skipped up to the next comma.
 */
#include "cache/recipient.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/field.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

struct scan {
	const char *at, *end;
};

/* Text without blanks, comments and quotes around it. */
struct word {
	struct strbuf text;
	size_t domain;  /* behind the last '@' that was not quoted; 0: none */
	bool is_quoted; /* some of it */
};

static void word_release(struct word *w)
{
	strbuf_release(&w->text);
}

#define auto_word __attribute__((cleanup(word_release)))

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Of a quoted string or comment: the next byte, escapes undone. */
static char next_inside(struct scan *s)
{
	if (*s->at == '\\' && s->at + 1 < s->end)
		s->at++;
	return *s->at++;
}

static void skip_comment(struct scan *s)
{
	size_t depth = 0;
	do {
		bool is_escaped = *s->at == '\\';
		char c = next_inside(s);
		if (c == '(' && !is_escaped)
			depth++;
		else if (c == ')' && !is_escaped)
			depth--;
	} while (depth > 0 && s->at < s->end);
}

static void skip_blanks(struct scan *s)
{
	while (s->at < s->end && (is_blank(*s->at) || *s->at == '('))
		if (*s->at == '(')
			skip_comment(s);
		else
			s->at++;
}

static void add_quoted(struct scan *s, struct word *w)
{
	w->is_quoted = true;
	for (s->at++; s->at < s->end && *s->at != '"';)
		strbuf_putc(&w->text, next_inside(s));
	if (s->at < s->end)
		s->at++;
}

/*
 * A word up to one of ends; blanks end it too, unless it is in brackets, where
 * they count for nothing.  Not empty, unless an end is next.
 */
static void read_word(struct scan *s, const char *ends, bool is_in_brackets,
                      struct word *w)
{
	while (s->at < s->end && strchr(ends, *s->at) == NULL) {
		char c = *s->at;
		if (is_blank(c) || c == '(') {
			if (!is_in_brackets)
				return;
			skip_blanks(s);
		} else if (c == '"') {
			add_quoted(s, w);
		} else {
			strbuf_putc(&w->text, c);
			if (c == '@')
				w->domain = w->text.len;
			s->at++;
		}
	}
}

/* At '<': what is in the brackets, without a route (RFC 5322 4.4). */
static void read_brackets(struct scan *s, struct word *w)
{
	s->at++;
	skip_blanks(s);
	if (s->at < s->end && *s->at == '@') {
		const char *colon =
			memchr(s->at, ':', (size_t)(s->end - s->at));
		s->at = colon == NULL ? s->end : colon + 1;
	}
	read_word(s, ">", true, w);
	if (s->at < s->end)
		s->at++;
}

static char *lower(const char *text, size_t len)
{
	char *out = xstrndup(text, len);
	for (char *c = out; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return out;
}

/* Letters, digits and what a literal has; others are left as they came. */
static bool is_domain(const char *text)
{
	static const char others[] = ".-_[]:";
	for (const char *c = text; *c != '\0'; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') &&
		    strchr(others, *c) == NULL && (unsigned char)*c < 0x80)
			return false;
	return *text != '\0';
}

static void add(struct recipients *out, char *address)
{
	bool is_known = out->count == RECIPIENTS_MAX;
	for (size_t i = 0; i < out->count; i++)
		is_known |= strcmp(out->list[i], address) == 0;
	if (is_known)
		free(address);
	else
		out->list[out->count++] = address;
}

/* True: it was an address. */
static bool add_address(struct recipients *out, const struct word *w)
{
	const char *text = strbuf_text(&w->text);
	size_t len = w->text.len;
	if (w->domain < 2 || len > RECIPIENT_MAX + 1 || strlen(text) != len)
		return false;
	if (text[len - 1] == '.')
		len--;
	auto_free char *domain = lower(text + w->domain, len - w->domain);
	if (len > RECIPIENT_MAX || !is_domain(domain))
		return false;
	add(out, xasprintf("%.*s%s", (int)w->domain, text, domain));
	return true;
}

static void add_user(struct recipients *out, const struct word *w)
{
	const char *text = strbuf_text(&w->text);
	if (w->domain == 0 && !w->is_quoted && w->text.len > 0 &&
	    w->text.len <= 64 && strlen(text) == w->text.len)
		add(out, xstrdup(text));
}

/*
 * A member of a list, up to its comma: what is in brackets, else the last word
 * that has an '@', else the first.
 */
static void read_member(struct scan *s, struct word *out, size_t *words)
{
	bool has_brackets = false;
	while (s->at < s->end && strchr(",;", *s->at) == NULL) {
		auto_word struct word w = { .domain = 0 };
		char c = *s->at;
		if (c == '<')
			read_brackets(s, &w);
		else if (c == ':' || c == '>')
			s->at++;
		else
			read_word(s, ",;:<>", false, &w);
		*words += w.text.len > 0;
		if (!has_brackets &&
		    (c == '<' || w.domain > 0 || out->text.len == 0)) {
			struct word worse = *out;
			*out = w;
			w = worse;
		}
		has_brackets |= c == '<';
		skip_blanks(s);
	}
	if (s->at < s->end)
		s->at++;
}

/* What is behind the field's name. */
static struct scan value_of(const struct mail_field *field)
{
	const char *colon = memchr(field->text, ':', field->len);
	return (struct scan){ colon + 1, field->text + field->len };
}

/* ezmlm marks so what passed through a list: for its readers, not for whom. */
static bool is_list_mark(const struct mail_field *field, struct scan s)
{
	static const char mark[] = "mailing list ";
	size_t len = sizeof(mark) - 1;
	return mail_field_is(field, "Delivered-To") &&
	       (size_t)(s.end - s.at) > len &&
	       strncasecmp(s.at, mark, len) == 0;
}

static void read_field(const struct mail_field *field, struct recipients *out)
{
	struct scan s = value_of(field);
	size_t words = 0;
	skip_blanks(&s);
	if (is_list_mark(field, s))
		return;
	while (s.at < s.end) {
		auto_word struct word w = { .domain = 0 };
		read_member(&s, &w, &words);
		if (!add_address(out, &w) && words == 1 && s.at == s.end)
			add_user(out, &w);
		skip_blanks(&s);
	}
}

/* Read the address behind the "for" of a Received (RFC 5321 4.4). */
static void read_received(const struct mail_field *field,
                          struct recipients *out)
{
	struct scan s = value_of(field);
	bool is_for = false;
	for (skip_blanks(&s); s.at < s.end && *s.at != ';'; skip_blanks(&s)) {
		auto_word struct word w = { .domain = 0 };
		if (*s.at == '<')
			read_brackets(&s, &w);
		else
			read_word(&s, ";<", false, &w);
		if (is_for) {
			(void)add_address(out, &w);
			return;
		}
		is_for = !w.is_quoted &&
		         strcasecmp(strbuf_text(&w.text), "for") == 0;
		/* A byte that no word begins with. */
		if (w.text.len == 0 && s.at < s.end && *s.at == '\0')
			s.at++;
	}
}

void recipients_read(const char *head, size_t len, const char *source,
                     struct recipients *out)
{
	bool is_received = strcasecmp(source, RECIPIENT_RECEIVED_FOR) == 0;
	const char *rest = head;
	struct mail_field field;
	*out = (struct recipients){ .count = 0 };
	while (mail_field_next(&rest, head + len, &field)) {
		if (!mail_field_is(&field, recipient_field(source)))
			continue;
		if (!is_received)
			read_field(&field, out);
		else if (out->count == 0)
			read_received(&field, out);
	}
}

void recipients_release(struct recipients *r)
{
	while (r->count > 0)
		free(r->list[--r->count]);
}

const char *recipient_field(const char *source)
{
	return strcasecmp(source, RECIPIENT_RECEIVED_FOR) == 0 ? "Received"
	                                                       : source;
}

bool recipient_is_of(const char *address, char *const *domains, size_t count)
{
	const char *at = strrchr(address, '@');
	bool is_of = count == 0;
	for (size_t i = 0; i < count && at != NULL; i++)
		is_of |= strcasecmp(at + 1, domains[i]) == 0;
	return is_of;
}

/* How many bytes of text make a character of UTF-8; 0: none. */
static size_t character_len(const unsigned char *text)
{
	size_t len = *text < 0x80 ? 1 : *text < 0xe0 ? 2 : *text < 0xf0 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc2, 0xe0, 0xf0 };
	if (len == 1)
		return 1;
	if (*text < first[len] || *text > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Not the shortest form, half a surrogate pair, beyond the last. */
	bool is_wrong = (*text == 0xe0 && text[1] < 0xa0) ||
	                (*text == 0xed && text[1] > 0x9f) ||
	                (*text == 0xf0 && text[1] < 0x90) ||
	                (*text == 0xf4 && text[1] > 0x8f);
	return is_wrong ? 0 : len;
}

char *recipient_level(const char *address)
{
	struct strbuf level = { 0 };
	const unsigned char *at = (const unsigned char *)address;
	while (*at != '\0') {
		size_t len = character_len(at);
		bool is_plain = len > 0 && *at >= 0x20 && *at != 0x7f &&
		                *at != '/' && *at != '%';
		if (!is_plain)
			strbuf_printf(&level, "%%%02X", *at++);
		else
			strbuf_add(&level, at, len);
		at += is_plain ? len : 0;
	}
	return strbuf_take(&level);
}
