/*
 * A scanner that walks the line once.  Every step checks p against end; there
 * is no NUL to rely on.  A failing step returns false and the line is refused.
 */
#include "imapclient/response.h"

#include <errno.h>
#include <string.h>

#include "mail/mail.h"

struct scan {
	const char *line, *p, *end;
	size_t streamed;
	bool met_streamed; /* the missing literal was the last value */
};

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

static bool at(const struct scan *s, char c)
{
	return s->p < s->end && *s->p == c;
}

static bool accept(struct scan *s, char c)
{
	if (!at(s, c))
		return false;
	s->p++;
	return true;
}

static void skip_blanks(struct scan *s)
{
	while (at(s, ' ') || at(s, '\t'))
		s->p++;
}

static struct imap_text text_between(const char *start, const char *end)
{
	return (struct imap_text){ .bytes = start,
		                   .len = (size_t)(end - start) };
}

static struct imap_text rest_of(struct scan *s)
{
	skip_blanks(s);
	struct imap_text rest = text_between(s->p, s->end);
	s->p = s->end;
	return rest;
}

/* Up to a blank, a parenthesis or a quote. */
static struct imap_text atom(struct scan *s)
{
	const char *start = s->p;
	while (s->p < s->end && strchr(" ()\"\r\n", *s->p) == NULL)
		s->p++;
	return text_between(start, s->p);
}

/* Digits; a number too large becomes the largest. */
static bool number(struct scan *s, uint64_t *out)
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
			*out = text_between(start, s->p++);
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
	(void)accept(s, '~');
	s->p++;
	if (!number(s, &size))
		return false;
	(void)accept(s, '+');
	if (!accept(s, '}') || !accept(s, '\r') || !accept(s, '\n'))
		return false;
	if ((size_t)(s->p - s->line) == s->streamed) {
		s->met_streamed = true;
		*out = (struct imap_text){ 0 };
		return true;
	}
	if (size > (uint64_t)(s->end - s->p))
		return false;
	*out = text_between(s->p, s->p + size);
	s->p += size;
	return true;
}

static bool at_literal(const struct scan *s)
{
	return at(s, '{') ||
	       (at(s, '~') && s->p + 1 < s->end && s->p[1] == '{');
}

/* An atom, a quoted string, a literal, or NIL (bytes NULL). */
static bool string(struct scan *s, struct imap_text *out)
{
	s->met_streamed = false;
	if (at(s, '"'))
		return quoted(s, out);
	if (at_literal(s))
		return literal(s, out);
	*out = atom(s);
	if (out->len == 0)
		return false;
	if (imap_text_is(*out, "NIL"))
		*out = (struct imap_text){ 0 };
	return true;
}

/* Any value, a list included: stepped over. */
static bool skip_value(struct scan *s)
{
	unsigned depth = 0;
	do {
		struct imap_text ignored;
		skip_blanks(s);
		if (accept(s, '(')) {
			if (++depth > IMAP_NESTING_MAX)
				return false;
		} else if (depth > 0 && accept(s, ')')) {
			depth--;
		} else if (!string(s, &ignored)) {
			return false;
		}
	} while (depth > 0);
	return true;
}

/* What is between two parentheses, for lists of atoms such as flags. */
static bool atom_list(struct scan *s, struct imap_text *out)
{
	if (!accept(s, '('))
		return false;
	const char *close = memchr(s->p, ')', (size_t)(s->end - s->p));
	if (close == NULL)
		return false;
	*out = text_between(s->p, close);
	s->p = close + 1;
	return true;
}

static const struct {
	const char *name;
	enum imap_code code;
	bool has_number;
} codes[] = {
	{ "ALERT", IMAP_CODE_ALERT, false },
	{ "CAPABILITY", IMAP_CODE_CAPABILITY, false },
	{ "CLOSED", IMAP_CODE_CLOSED, false },
	{ "EXPUNGEISSUED", IMAP_CODE_EXPUNGEISSUED, false },
	{ "HIGHESTMODSEQ", IMAP_CODE_HIGHESTMODSEQ, true },
	{ "LIMIT", IMAP_CODE_LIMIT, false },
	{ "NOMODSEQ", IMAP_CODE_NOMODSEQ, false },
	{ "NONEXISTENT", IMAP_CODE_NONEXISTENT, false },
	{ "NOPERM", IMAP_CODE_NOPERM, false },
	{ "OVERQUOTA", IMAP_CODE_OVERQUOTA, false },
	{ "PERMANENTFLAGS", IMAP_CODE_PERMANENTFLAGS, false },
	{ "READ-ONLY", IMAP_CODE_READ_ONLY, false },
	{ "READ-WRITE", IMAP_CODE_READ_WRITE, false },
	{ "THROTTLED", IMAP_CODE_THROTTLED, false },
	{ "TRYCREATE", IMAP_CODE_TRYCREATE, false },
	{ "UIDNEXT", IMAP_CODE_UIDNEXT, true },
	{ "UIDVALIDITY", IMAP_CODE_UIDVALIDITY, true },
	{ "UNAVAILABLE", IMAP_CODE_UNAVAILABLE, false },
};

/* The bracket that closes a code: flags and strings may hold one too. */
static const char *code_end(const char *p, const char *end)
{
	bool in_quotes = false;
	bool in_list = false;
	for (; p < end; p++) {
		if (*p == '\\' && in_quotes && p + 1 < end)
			p++;
		else if (*p == '"')
			in_quotes = !in_quotes;
		else if (*p == '(' && !in_quotes)
			in_list = true;
		else if (*p == ')' && !in_quotes)
			in_list = false;
		else if (*p == ']' && !in_quotes && !in_list)
			return p;
	}
	return NULL;
}

static void parse_code(struct scan *s, struct imap_response *out)
{
	const char *close = code_end(s->p + 1, s->end);
	if (close == NULL)
		return;
	struct imap_text rest = text_between(s->p + 1, close);
	s->p = close + 1;
	if (!imap_atom_next(&rest, &out->code_name))
		return;
	struct scan value = { rest.bytes, rest.bytes, close,
		              IMAP_NOT_STREAMED };
	skip_blanks(&value);
	out->code_text = text_between(value.p, close);
	out->code = IMAP_CODE_OTHER;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (!imap_text_is(out->code_name, codes[i].name))
			continue;
		if (!codes[i].has_number || number(&value, &out->code_number))
			out->code = codes[i].code;
		return;
	}
}

static bool parse_condition(struct scan *s, struct imap_text word,
                            struct imap_response *out)
{
	static const char *const words[] = { "OK", "NO", "BAD", "BYE",
		                             "PREAUTH" };
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!imap_text_is(word, words[i]))
			continue;
		out->condition = (enum imap_condition)i;
		out->code = IMAP_CODE_NONE;
		out->code_name = out->code_text = (struct imap_text){ 0 };
		out->code_number = 0;
		skip_blanks(s);
		if (at(s, '['))
			parse_code(s, out);
		out->text = rest_of(s);
		return true;
	}
	return false;
}

static const struct {
	const char *name;
	unsigned bit;
} list_attributes[] = {
	{ "\\NOSELECT", MAIL_FOLDER_NOSELECT },
	{ "\\NONEXISTENT", MAIL_FOLDER_NOSELECT | IMAP_LIST_NONEXISTENT },
	{ "\\NOINFERIORS", IMAP_LIST_NOINFERIORS },
	{ "\\SUBSCRIBED", MAIL_FOLDER_SUBSCRIBED },
	{ "\\ALL", MAIL_FOLDER_ALL },
	{ "\\ARCHIVE", MAIL_FOLDER_ARCHIVE },
	{ "\\DRAFTS", MAIL_FOLDER_DRAFTS },
	{ "\\JUNK", MAIL_FOLDER_JUNK },
	{ "\\SENT", MAIL_FOLDER_SENT },
	{ "\\TRASH", MAIL_FOLDER_TRASH },
};

static bool delimiter(struct scan *s, char *out)
{
	struct imap_text text;
	skip_blanks(s);
	if (!string(s, &text) || s->met_streamed)
		return false;
	*out = '\0';
	if (text.len > 0) /* of an escaped one, the last byte is the value */
		*out = text.bytes[text.len - 1];
	return true;
}

static bool parse_list(struct scan *s, struct imap_list *out)
{
	struct imap_text attributes, name;
	if (!atom_list(s, &attributes))
		return false;
	out->attributes = 0;
	while (imap_atom_next(&attributes, &name)) {
		for (size_t i = 0;
		     i < sizeof(list_attributes) / sizeof(list_attributes[0]);
		     i++) {
			if (imap_text_is(name, list_attributes[i].name))
				out->attributes |= list_attributes[i].bit;
		}
	}
	if (!delimiter(s, &out->delimiter))
		return false;
	skip_blanks(s);
	/* Extended data (RFC 5258) behind the name is of no use to us. */
	if (at(s, '"') || at_literal(s))
		return string(s, &out->name) && !s->met_streamed;
	/* Some servers send names with parentheses as atoms. */
	const char *start = s->p;
	while (s->p < s->end && *s->p != ' ')
		s->p++;
	out->name = text_between(start, s->p);
	return out->name.len > 0;
}

static bool parse_status(struct scan *s, struct imap_status *out)
{
	static const char *const names[IMAP_STATUS_ITEMS] = {
		[IMAP_STATUS_MESSAGES] = "MESSAGES",
		[IMAP_STATUS_UIDNEXT] = "UIDNEXT",
		[IMAP_STATUS_UIDVALIDITY] = "UIDVALIDITY",
		[IMAP_STATUS_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	};
	if (at(s, '"') || at_literal(s)) {
		if (!string(s, &out->name) || s->met_streamed)
			return false;
	} else {
		const char *start = s->p;
		while (s->p < s->end && *s->p != ' ')
			s->p++;
		out->name = text_between(start, s->p);
	}
	out->has = 0;
	skip_blanks(s);
	if (!accept(s, '('))
		return false;
	while (skip_blanks(s), !accept(s, ')')) {
		struct imap_text name = atom(s);
		if (name.len == 0)
			return false;
		skip_blanks(s);
		for (unsigned i = 0; i < IMAP_STATUS_ITEMS; i++) {
			const char *p = s->p;
			if (imap_text_is(name, names[i]) &&
			    number(s, &out->items[i]))
				out->has |= 1U << i;
			s->p = p;
		}
		if (!skip_value(s))
			return false;
	}
	return true;
}

/* An item's name: an atom that may carry [a section] and <an origin>. */
static bool fetch_name(struct scan *s, struct imap_text *out)
{
	const char *start = s->p;
	while (s->p < s->end && strchr(" ()[\"{", *s->p) == NULL)
		s->p++;
	if (at(s, '[')) {
		const char *close = memchr(s->p, ']', (size_t)(s->end - s->p));
		if (close == NULL)
			return false;
		s->p = close + 1;
		if (at(s, '<')) {
			while (s->p < s->end && *s->p != ' ')
				s->p++;
		}
	}
	*out = text_between(start, s->p);
	return out->len > 0;
}

static bool fetch_number(struct scan *s, uint64_t *out)
{
	/* MODSEQ and some ids come in parentheses. */
	bool is_list = accept(s, '(');
	skip_blanks(s);
	if (!number(s, out))
		return false;
	skip_blanks(s);
	return !is_list || accept(s, ')');
}

static bool fetch_object_id(struct scan *s, struct imap_text *out)
{
	bool is_list = accept(s, '(');
	skip_blanks(s);
	if (!string(s, out) || s->met_streamed)
		return false;
	skip_blanks(s);
	return !is_list || accept(s, ')');
}

/* One item's value, by its name. */
static bool fetch_value(struct scan *s, struct imap_text name,
                        struct imap_fetch *f)
{
	uint64_t n;
	if (imap_text_is(name, "UID")) {
		if (!fetch_number(s, &n))
			return false;
		f->uid = (uint32_t)n;
		if (n >= 1 && n <= UINT32_MAX)
			f->has |= IMAP_FETCH_UID;
	} else if (imap_text_is(name, "FLAGS")) {
		if (!atom_list(s, &f->flags))
			return false;
		f->has |= IMAP_FETCH_FLAGS;
	} else if (imap_text_is(name, "INTERNALDATE")) {
		if (!string(s, &f->date) || s->met_streamed)
			return false;
		f->has |= IMAP_FETCH_INTERNALDATE;
	} else if (imap_text_is(name, "RFC822.SIZE")) {
		if (!fetch_number(s, &f->size))
			return false;
		f->has |= IMAP_FETCH_SIZE;
	} else if (imap_text_is(name, "MODSEQ")) {
		if (!fetch_number(s, &f->modseq))
			return false;
		f->has |= IMAP_FETCH_MODSEQ;
	} else if (imap_text_is(name, "EMAILID") ||
	           imap_text_is(name, "X-GM-MSGID")) {
		if (!fetch_object_id(s, &f->object_id))
			return false;
		if (f->object_id.len > 0)
			f->has |= IMAP_FETCH_OBJECT_ID;
	} else if (imap_text_is(name, "BODY[]") ||
	           imap_text_is(name, "RFC822")) {
		if (!string(s, &f->body))
			return false;
		f->is_streamed = s->met_streamed;
		f->has |= IMAP_FETCH_BODY;
	} else {
		return skip_value(s);
	}
	return true;
}

static bool parse_fetch(struct scan *s, struct imap_fetch *f)
{
	struct imap_text name;
	*f = (struct imap_fetch){ 0 };
	if (!accept(s, '('))
		return false;
	while (skip_blanks(s), !accept(s, ')')) {
		if (!fetch_name(s, &name))
			return false;
		skip_blanks(s);
		if (!fetch_value(s, name, f))
			return false;
	}
	return true;
}

/* NIL, or ((prefix delimiter …)…), RFC 2342. */
static bool parse_namespace_class(struct scan *s, bool is_personal,
                                  struct imap_response *out)
{
	skip_blanks(s);
	if (!accept(s, '('))
		return imap_text_is(atom(s), "NIL");
	while (skip_blanks(s), !accept(s, ')')) {
		struct imap_namespace ns = { .is_personal = is_personal };
		if (!accept(s, '('))
			return false;
		skip_blanks(s);
		if (!string(s, &ns.prefix) || s->met_streamed ||
		    !delimiter(s, &ns.delimiter))
			return false;
		while (skip_blanks(s), !accept(s, ')')) {
			if (!skip_value(s))
				return false;
		}
		if (out->namespace_count < IMAP_NAMESPACES_MAX)
			out->namespaces[out->namespace_count++] = ns;
	}
	return true;
}

static bool parse_namespace(struct scan *s, struct imap_response *out)
{
	out->namespace_count = 0;
	return parse_namespace_class(s, true, out) &&
	       parse_namespace_class(s, false, out) &&
	       parse_namespace_class(s, false, out);
}

/* (TAG "x") UID ALL set MODSEQ n, RFC 4731; every part may be missing. */
static bool parse_esearch(struct scan *s, struct imap_response *out)
{
	out->tag = out->text = (struct imap_text){ 0 };
	if (accept(s, '(')) {
		skip_blanks(s);
		if (!imap_text_is(atom(s), "TAG"))
			return false;
		skip_blanks(s);
		if (!string(s, &out->tag) || s->met_streamed)
			return false;
		skip_blanks(s);
		if (!accept(s, ')'))
			return false;
	}
	while (skip_blanks(s), s->p < s->end) {
		struct imap_text name = atom(s);
		if (name.len == 0)
			return false;
		if (imap_text_is(name, "UID"))
			continue;
		skip_blanks(s);
		if (imap_text_is(name, "ALL"))
			out->text = atom(s);
		else if (!skip_value(s))
			return false;
	}
	return true;
}

static bool parse_vanished(struct scan *s, struct imap_response *out)
{
	struct imap_text earlier;
	out->is_earlier = at(s, '(');
	if (out->is_earlier &&
	    (!atom_list(s, &earlier) || !imap_text_is(earlier, "EARLIER")))
		return false;
	out->text = rest_of(s);
	return true;
}

/* "* 12 EXISTS" and its like. */
static bool parse_numbered(struct scan *s, struct imap_response *out)
{
	(void)number(s, &out->number);
	skip_blanks(s);
	struct imap_text word = atom(s);
	skip_blanks(s);
	out->kind = IMAP_OTHER;
	if (imap_text_is(word, "FETCH")) {
		out->kind = IMAP_FETCH;
		return parse_fetch(s, &out->fetch);
	}
	if (imap_text_is(word, "EXISTS"))
		out->kind = IMAP_EXISTS;
	else if (imap_text_is(word, "EXPUNGE"))
		out->kind = IMAP_EXPUNGE;
	else if (imap_text_is(word, "RECENT"))
		out->kind = IMAP_RECENT;
	return true;
}

/* Those whose text is all there is to them. */
static const struct {
	const char *name;
	enum imap_kind kind;
} plain_kinds[] = {
	{ "CAPABILITY", IMAP_CAPABILITY },
	{ "ENABLED", IMAP_ENABLED },
	{ "ID", IMAP_ID },
	{ "SEARCH", IMAP_SEARCH },
};

static bool parse_untagged(struct scan *s, struct imap_response *out)
{
	if (s->p < s->end && is_digit(*s->p))
		return parse_numbered(s, out);
	struct imap_text word = atom(s);
	if (parse_condition(s, word, out)) {
		out->kind = IMAP_CONDITION;
		return true;
	}
	skip_blanks(s);
	for (size_t i = 0; i < sizeof(plain_kinds) / sizeof(plain_kinds[0]);
	     i++) {
		if (imap_text_is(word, plain_kinds[i].name)) {
			out->kind = plain_kinds[i].kind;
			out->text = rest_of(s);
			return true;
		}
	}
	if (imap_text_is(word, "LIST") || imap_text_is(word, "LSUB")) {
		out->kind = IMAP_LIST;
		return parse_list(s, &out->list);
	}
	if (imap_text_is(word, "STATUS")) {
		out->kind = IMAP_STATUS;
		return parse_status(s, &out->status);
	}
	if (imap_text_is(word, "FLAGS")) {
		out->kind = IMAP_FLAGS;
		return atom_list(s, &out->text);
	}
	if (imap_text_is(word, "VANISHED")) {
		out->kind = IMAP_VANISHED;
		return parse_vanished(s, out);
	}
	if (imap_text_is(word, "ESEARCH")) {
		out->kind = IMAP_ESEARCH;
		return parse_esearch(s, out);
	}
	if (imap_text_is(word, "NAMESPACE")) {
		out->kind = IMAP_NAMESPACE;
		return parse_namespace(s, out);
	}
	out->kind = IMAP_OTHER;
	return true;
}

int imap_response_parse(const char *line, size_t len, size_t streamed,
                        struct imap_response *out)
{
	struct scan s = { line, line, line + len, streamed };
	if (accept(&s, '+')) {
		out->kind = IMAP_CONTINUATION;
		out->text = rest_of(&s);
		return 0;
	}
	struct imap_text tag = atom(&s);
	skip_blanks(&s);
	if (imap_text_is(tag, "*"))
		return parse_untagged(&s, out) ? 0 : -EPROTO;
	if (tag.len == 0 || !parse_condition(&s, atom(&s), out))
		return -EPROTO;
	out->kind = IMAP_TAGGED;
	out->tag = tag;
	return 0;
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
	(void)number(&s, size_out);
	return i - 1;
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
	return false;
}
