#include "imapclient/response.h"

#include <errno.h>
#include <string.h>

#include "imapclient/scan.h"
#include "mail/mail.h"

static const struct {
	const char *name;
	enum imap_code code;
	bool has_number;
} codes[] = {
	{ "ALERT", IMAP_CODE_ALERT, false },
	{ "APPENDUID", IMAP_CODE_APPENDUID, false },
	{ "CAPABILITY", IMAP_CODE_CAPABILITY, false },
	{ "CLOSED", IMAP_CODE_CLOSED, false },
	{ "COPYUID", IMAP_CODE_COPYUID, false },
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
	struct imap_text rest = scan_text_between(s->p + 1, close);
	s->p = close + 1;
	if (!imap_atom_next(&rest, &out->code_name))
		return;
	struct scan value = { rest.bytes, rest.bytes, close,
		              IMAP_NOT_STREAMED };
	scan_skip_blanks(&value);
	out->code_text = scan_text_between(value.p, close);
	out->code = IMAP_CODE_OTHER;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (!imap_text_is(out->code_name, codes[i].name))
			continue;
		if (!codes[i].has_number ||
		    scan_number(&value, &out->code_number))
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
		scan_skip_blanks(s);
		if (scan_at(s, '['))
			parse_code(s, out);
		out->text = scan_rest_of(s);
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
	scan_skip_blanks(s);
	if (!scan_string(s, &text) || s->met_streamed)
		return false;
	*out = '\0';
	if (text.len > 0) /* of an escaped one, the last byte is the value */
		*out = text.bytes[text.len - 1];
	return true;
}

static bool parse_list(struct scan *s, struct imap_list *out)
{
	struct imap_text attributes, name;
	if (!scan_atom_list(s, &attributes))
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
	scan_skip_blanks(s);
	/* Extended data (RFC 5258) behind the name is of no use to us. */
	if (scan_at(s, '"') || scan_at_literal(s))
		return scan_string(s, &out->name) && !s->met_streamed;
	/* Some servers send names with parentheses as atoms. */
	out->name = scan_word(s);
	return out->name.len > 0;
}

/* Where the parenthesis opens that the last one closes; NULL: nowhere. */
static const char *last_open(const struct scan *s)
{
	unsigned depth = 0;
	for (const char *p = s->end; p > s->p; p--) {
		depth += p[-1] == ')';
		if (p[-1] == '(' && depth > 0 && --depth == 0)
			return p - 1;
	}
	return NULL;
}

/*
 * Mailutils does not quote a name with blanks in it.  What follows the name is
 * in parentheses, so the name ends where those open.
 */
static bool bare_status_name(struct scan *s, struct imap_text *out)
{
	const char *open = last_open(s);
	if (open == NULL)
		return false;
	const char *end = open;
	while (end > s->p && end[-1] == ' ')
		end--;
	*out = scan_text_between(s->p, end);
	s->p = open;
	return out->len > 0;
}

/* "(F2212ea87)" */
static void status_id(struct scan *s, struct imap_text *out)
{
	const char *p = s->p;
	if (scan_accept(s, '('))
		*out = scan_atom(s);
	s->p = p;
}

static bool parse_status(struct scan *s, struct imap_status *out)
{
	static const char *const names[IMAP_STATUS_ITEMS] = {
		[IMAP_STATUS_MESSAGES] = "MESSAGES",
		[IMAP_STATUS_UIDNEXT] = "UIDNEXT",
		[IMAP_STATUS_UIDVALIDITY] = "UIDVALIDITY",
		[IMAP_STATUS_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	};
	if (scan_at(s, '"') || scan_at_literal(s)) {
		if (!scan_string(s, &out->name) || s->met_streamed)
			return false;
	} else if (!bare_status_name(s, &out->name)) {
		return false;
	}
	out->has = 0;
	out->id = (struct imap_text){ 0 };
	scan_skip_blanks(s);
	if (!scan_accept(s, '('))
		return false;
	while (scan_skip_blanks(s), !scan_accept(s, ')')) {
		struct imap_text name = scan_atom(s);
		if (name.len == 0)
			return false;
		scan_skip_blanks(s);
		for (unsigned i = 0; i < IMAP_STATUS_ITEMS; i++) {
			const char *p = s->p;
			if (imap_text_is(name, names[i]) &&
			    scan_number(s, &out->items[i]))
				out->has |= 1U << i;
			s->p = p;
		}
		if (imap_text_is(name, "MAILBOXID"))
			status_id(s, &out->id);
		if (!scan_skip_value(s))
			return false;
	}
	return true;
}

static bool ends_fetch_name(char ch)
{
	switch (ch) {
	case '\0':
	case ' ':
	case '(':
	case ')':
	case '[':
	case '"':
	case '{':
		return true;
	default:
		return false;
	}
}

/* An item's name: an atom that may carry [a section] and <an origin>. */
static bool fetch_name(struct scan *s, struct imap_text *out)
{
	const char *start = s->p;
	while (s->p < s->end && !ends_fetch_name(*s->p))
		s->p++;
	if (scan_at(s, '[')) {
		const char *close = memchr(s->p, ']', (size_t)(s->end - s->p));
		if (close == NULL)
			return false;
		s->p = close + 1;
		if (scan_at(s, '<')) {
			while (s->p < s->end && *s->p != ' ')
				s->p++;
		}
	}
	*out = scan_text_between(start, s->p);
	return out->len > 0;
}

static bool fetch_number(struct scan *s, uint64_t *out)
{
	/* MODSEQ and some ids come in parentheses. */
	bool is_list = scan_accept(s, '(');
	scan_skip_blanks(s);
	if (!scan_number(s, out))
		return false;
	scan_skip_blanks(s);
	return !is_list || scan_accept(s, ')');
}

static bool fetch_uid(struct scan *s, struct imap_fetch *f)
{
	uint64_t n;
	if (!fetch_number(s, &n))
		return false;
	f->uid = (uint32_t)n;
	if (n >= 1 && n <= UINT32_MAX)
		f->has |= IMAP_FETCH_UID;
	return true;
}

static bool fetch_flags(struct scan *s, struct imap_fetch *f)
{
	f->has |= IMAP_FETCH_FLAGS;
	return scan_atom_list(s, &f->flags);
}

static bool fetch_date(struct scan *s, struct imap_fetch *f)
{
	f->has |= IMAP_FETCH_INTERNALDATE;
	return scan_string(s, &f->date) && !s->met_streamed;
}

static bool fetch_size(struct scan *s, struct imap_fetch *f)
{
	f->has |= IMAP_FETCH_SIZE;
	return fetch_number(s, &f->size);
}

static bool fetch_modseq(struct scan *s, struct imap_fetch *f)
{
	f->has |= IMAP_FETCH_MODSEQ;
	return fetch_number(s, &f->modseq);
}

static bool fetch_object_id(struct scan *s, struct imap_fetch *f)
{
	bool is_list = scan_accept(s, '(');
	scan_skip_blanks(s);
	if (!scan_string(s, &f->object_id) || s->met_streamed)
		return false;
	scan_skip_blanks(s);
	if (f->object_id.len > 0)
		f->has |= IMAP_FETCH_OBJECT_ID;
	return !is_list || scan_accept(s, ')');
}

static bool fetch_body(struct scan *s, struct imap_fetch *f)
{
	if (!scan_string(s, &f->body))
		return false;
	f->is_streamed = s->met_streamed;
	f->has |= IMAP_FETCH_BODY;
	return true;
}

static const struct {
	const char *name;
	bool (*parse)(struct scan *s, struct imap_fetch *f);
} fetch_items[] = {
	{ "UID", fetch_uid },
	{ "FLAGS", fetch_flags },
	{ "INTERNALDATE", fetch_date },
	{ "RFC822.SIZE", fetch_size },
	{ "MODSEQ", fetch_modseq },
	{ "EMAILID", fetch_object_id },
	{ "X-GM-MSGID", fetch_object_id },
	{ "BODY[]", fetch_body },
	{ "RFC822", fetch_body },
};

/* The section is that which was asked for: nobody asks for two kinds. */
static bool is_head_name(struct imap_text name)
{
	static const char start[] = "BODY[HEADER.FIELDS";
	size_t len = sizeof(start) - 1;
	struct imap_text head = { .bytes = name.bytes, .len = len };
	return name.len > len && name.bytes[name.len - 1] == ']' &&
	       imap_text_is(head, start);
}

/* One item's value, by its name. */
static bool fetch_value(struct scan *s, struct imap_text name,
                        struct imap_fetch *f)
{
	for (size_t i = 0; i < sizeof(fetch_items) / sizeof(fetch_items[0]);
	     i++)
		if (imap_text_is(name, fetch_items[i].name))
			return fetch_items[i].parse(s, f);
	return is_head_name(name) ? fetch_body(s, f) : scan_skip_value(s);
}

static bool parse_fetch(struct scan *s, struct imap_fetch *f)
{
	struct imap_text name;
	*f = (struct imap_fetch){ 0 };
	if (!scan_accept(s, '('))
		return false;
	while (scan_skip_blanks(s), !scan_accept(s, ')')) {
		if (!fetch_name(s, &name))
			return false;
		scan_skip_blanks(s);
		if (!fetch_value(s, name, f))
			return false;
	}
	return true;
}

/* NIL, or ((prefix delimiter …)…), RFC 2342. */
static bool parse_namespace_class(struct scan *s, bool is_personal,
                                  struct imap_response *out)
{
	scan_skip_blanks(s);
	if (!scan_accept(s, '('))
		return imap_text_is(scan_atom(s), "NIL");
	while (scan_skip_blanks(s), !scan_accept(s, ')')) {
		struct imap_namespace ns = { .is_personal = is_personal };
		if (!scan_accept(s, '('))
			return false;
		scan_skip_blanks(s);
		if (!scan_string(s, &ns.prefix) || s->met_streamed ||
		    !delimiter(s, &ns.delimiter))
			return false;
		while (scan_skip_blanks(s), !scan_accept(s, ')')) {
			if (!scan_skip_value(s))
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
	if (scan_accept(s, '(')) {
		scan_skip_blanks(s);
		if (!imap_text_is(scan_atom(s), "TAG"))
			return false;
		scan_skip_blanks(s);
		if (!scan_string(s, &out->tag) || s->met_streamed)
			return false;
		scan_skip_blanks(s);
		if (!scan_accept(s, ')'))
			return false;
	}
	while (scan_skip_blanks(s), s->p < s->end) {
		struct imap_text name = scan_atom(s);
		if (name.len == 0)
			return false;
		if (imap_text_is(name, "UID"))
			continue;
		scan_skip_blanks(s);
		if (imap_text_is(name, "ALL"))
			out->text = scan_atom(s);
		else if (!scan_skip_value(s))
			return false;
	}
	return true;
}

static bool parse_vanished(struct scan *s, struct imap_response *out)
{
	struct imap_text earlier;
	out->is_earlier = scan_at(s, '(');
	if (out->is_earlier &&
	    (!scan_atom_list(s, &earlier) || !imap_text_is(earlier, "EARLIER")))
		return false;
	out->text = scan_rest_of(s);
	return true;
}

/* "* 12 EXISTS" and its like. */
static bool parse_numbered(struct scan *s, struct imap_response *out)
{
	scan_skip_blanks(s);
	struct imap_text word = scan_atom(s);
	scan_skip_blanks(s);
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
	if (scan_number(s, &out->number))
		return parse_numbered(s, out);
	struct imap_text word = scan_atom(s);
	if (parse_condition(s, word, out)) {
		out->kind = IMAP_CONDITION;
		return true;
	}
	scan_skip_blanks(s);
	for (size_t i = 0; i < sizeof(plain_kinds) / sizeof(plain_kinds[0]);
	     i++) {
		if (imap_text_is(word, plain_kinds[i].name)) {
			out->kind = plain_kinds[i].kind;
			out->text = scan_rest_of(s);
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
		return scan_atom_list(s, &out->text);
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
	struct scan s = {
		.line = line, .p = line, .end = line + len, .streamed = streamed
	};
	if (scan_accept(&s, '+')) {
		out->kind = IMAP_CONTINUATION;
		out->text = scan_rest_of(&s);
		return 0;
	}
	struct imap_text tag = scan_atom(&s);
	scan_skip_blanks(&s);
	if (imap_text_is(tag, "*"))
		return parse_untagged(&s, out) ? 0 : -EPROTO;
	if (tag.len == 0 || !parse_condition(&s, scan_atom(&s), out))
		return -EPROTO;
	out->kind = IMAP_TAGGED;
	out->tag = tag;
	return 0;
}
