#include "imapclient/flags.h"

#include <string.h>
#include <strings.h>

#include "mail/mail.h"

/* $Forwarded is RFC 5788's; some clients leave the dollar out. */
static const struct {
	const char *name;    /* upper case */
	const char *written; /* NULL: only read */
	unsigned flag;
} names[] = {
	{ "\\SEEN", "\\Seen", MAIL_SEEN },
	{ "\\ANSWERED", "\\Answered", MAIL_ANSWERED },
	{ "\\FLAGGED", "\\Flagged", MAIL_FLAGGED },
	{ "\\DELETED", "\\Deleted", MAIL_DELETED },
	{ "\\DRAFT", "\\Draft", MAIL_DRAFT },
	{ "$FORWARDED", "$Forwarded", MAIL_FORWARDED },
	{ "FORWARDED", NULL, MAIL_FORWARDED },
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static unsigned flag_of(struct imap_text atom)
{
	for (size_t i = 0; i < NAME_COUNT; i++) {
		if (imap_text_is(atom, names[i].name))
			return names[i].flag;
	}
	return 0;
}

unsigned imap_flags_parse(struct imap_text list, struct strbuf *keywords)
{
	unsigned flags = 0;
	struct imap_text atom;
	while (imap_atom_next(&list, &atom)) {
		unsigned flag = flag_of(atom);
		flags |= flag;
		if (flag != 0 || atom.bytes[0] == '\\')
			continue;
		if (keywords->len > 0)
			strbuf_putc(keywords, ' ');
		strbuf_add(keywords, atom.bytes, atom.len);
	}
	return flags;
}

bool imap_flags_has(struct imap_text atoms, const char *word)
{
	struct imap_text atom;
	while (imap_atom_next(&atoms, &atom)) {
		if (imap_text_is(atom, word))
			return true;
	}
	return false;
}

static bool is_allowed(struct imap_text allowed, struct imap_text keyword)
{
	struct imap_text atom;
	if (allowed.bytes == NULL)
		return true;
	while (imap_atom_next(&allowed, &atom)) {
		if (imap_text_is(atom, "\\*") ||
		    (atom.len == keyword.len &&
		     strncasecmp(atom.bytes, keyword.bytes, atom.len) == 0))
			return true;
	}
	return false;
}

/* RFC 9051 9, atom: what a server gave us need not be one. */
static bool is_atom(struct imap_text text)
{
	for (size_t i = 0; i < text.len; i++) {
		char ch = text.bytes[i];
		if (ch <= 0x20 || ch >= 0x7f ||
		    strchr("(){%*\"\\]", ch) != NULL)
			return false;
	}
	return text.len > 0;
}

static void add_name(struct imap_text name, struct strbuf *out)
{
	if (out->len > 0)
		strbuf_putc(out, ' ');
	strbuf_add(out, name.bytes, name.len);
}

void imap_flags_add(unsigned flags, const char *keywords,
                    struct imap_text allowed, struct strbuf *out)
{
	struct imap_text list = { .bytes = keywords, .len = strlen(keywords) };
	struct imap_text atom;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *written = names[i].written;
		if (written == NULL || (flags & names[i].flag) == 0)
			continue;
		struct imap_text name = { .bytes = written,
			                  .len = strlen(written) };
		if (written[0] == '\\' || is_allowed(allowed, name))
			add_name(name, out);
	}
	while (imap_atom_next(&list, &atom)) {
		if (is_atom(atom) && is_allowed(allowed, atom))
			add_name(atom, out);
	}
}
