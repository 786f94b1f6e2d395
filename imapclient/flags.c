#include "imapclient/flags.h"

#include "mail/mail.h"

/* $Forwarded is RFC 5788's; some clients leave the dollar out. */
static const struct {
	const char *name;
	unsigned flag;
} names[] = {
	{ "\\SEEN", MAIL_SEEN },         { "\\ANSWERED", MAIL_ANSWERED },
	{ "\\FLAGGED", MAIL_FLAGGED },   { "\\DELETED", MAIL_DELETED },
	{ "\\DRAFT", MAIL_DRAFT },       { "$FORWARDED", MAIL_FORWARDED },
	{ "FORWARDED", MAIL_FORWARDED },
};

static unsigned flag_of(struct imap_text atom)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
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
