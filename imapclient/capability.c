#include "imapclient/capability.h"

#include <string.h>

#include "imapclient/scan.h"
#include "util/cleanup.h"
#include "util/mem.h"

static const struct {
	const char *name; /* upper case */
	unsigned capability;
} names[] = {
	{ "COMPRESS=DEFLATE", IMAP_CAP_COMPRESS },
	{ "CONDSTORE", IMAP_CAP_CONDSTORE },
	{ "ENABLE", IMAP_CAP_ENABLE },
	{ "ESEARCH", IMAP_CAP_ESEARCH },
	{ "ID", IMAP_CAP_ID },
	{ "IDLE", IMAP_CAP_IDLE },
	/* RFC 9051 has these in it. */
	{ "IMAP4REV2", IMAP_CAP_ENABLE | IMAP_CAP_ESEARCH | IMAP_CAP_IDLE |
	                       IMAP_CAP_LITERAL | IMAP_CAP_NAMESPACE |
	                       IMAP_CAP_LIST_EXTENDED | IMAP_CAP_LIST_STATUS |
	                       IMAP_CAP_MOVE | IMAP_CAP_SPECIAL_USE |
	                       IMAP_CAP_UIDPLUS | IMAP_CAP_UNSELECT },
	{ "LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED },
	{ "LIST-STATUS", IMAP_CAP_LIST_STATUS },
	{ "LITERAL+", IMAP_CAP_LITERAL | IMAP_CAP_LITERAL_PLUS },
	{ "LITERAL-", IMAP_CAP_LITERAL },
	{ "MOVE", IMAP_CAP_MOVE },
	{ "MULTIAPPEND", IMAP_CAP_MULTIAPPEND },
	{ "NAMESPACE", IMAP_CAP_NAMESPACE },
	{ "NOTIFY", IMAP_CAP_NOTIFY },
	{ "OBJECTID", IMAP_CAP_OBJECTID },
	/* RFC 7162 3.2.3: QRESYNC implies CONDSTORE. */
	{ "QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE },
	{ "SPECIAL-USE", IMAP_CAP_SPECIAL_USE },
	{ "UIDPLUS", IMAP_CAP_UIDPLUS },
	{ "UNSELECT", IMAP_CAP_UNSELECT },
	{ "X-GM-EXT-1", IMAP_CAP_GMAIL },
};

unsigned imap_capability_parse(struct imap_text atoms)
{
	unsigned found = 0;
	struct imap_text atom;
	while (imap_atom_next(&atoms, &atom)) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (imap_text_is(atom, names[i].name))
				found |= names[i].capability;
		}
	}
	return found;
}

unsigned imap_capability_disabled(const char *disable)
{
	auto_free char *copy = xstrdup(disable == NULL ? "" : disable);
	for (char *p = copy; *p != '\0'; p++) {
		if (*p == ',')
			*p = ' ';
	}
	struct imap_text list = { .bytes = copy, .len = strlen(copy) };
	unsigned found = 0;
	struct imap_text atom;
	while (imap_atom_next(&list, &atom)) {
		/* Without CONDSTORE there is no QRESYNC, but not without
		 * QRESYNC no CONDSTORE. */
		if (imap_text_is(atom, "QRESYNC"))
			found |= IMAP_CAP_QRESYNC;
		else
			found |= imap_capability_parse(atom);
		if (imap_text_is(atom, "CONDSTORE"))
			found |= IMAP_CAP_QRESYNC;
	}
	return found;
}

uint64_t imap_capability_append_limit(struct imap_text atoms)
{
	static const char name[] = "APPENDLIMIT=";
	size_t len = sizeof(name) - 1;
	struct imap_text atom;
	while (imap_atom_next(&atoms, &atom)) {
		uint64_t limit;
		struct imap_text head = { .bytes = atom.bytes, .len = len };
		if (atom.len <= len || !imap_text_is(head, name))
			continue;
		struct scan value = { .p = atom.bytes + len,
			              .end = atom.bytes + atom.len };
		if (scan_number(&value, &limit))
			return limit;
	}
	return UINT64_MAX;
}
