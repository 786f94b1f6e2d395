/*
 * What a server says it can do (RFC 9051 7.2.2).  Pure.
 */
#ifndef IMAPCLIENT_CAPABILITY_H
#define IMAPCLIENT_CAPABILITY_H

#include <stdint.h>

#include "imapclient/response.h"

enum imap_capability {
	IMAP_CAP_CONDSTORE = 1 << 0,
	IMAP_CAP_ENABLE = 1 << 1,
	IMAP_CAP_ESEARCH = 1 << 2,
	IMAP_CAP_GMAIL = 1 << 3, /* X-GM-EXT-1 */
	IMAP_CAP_ID = 1 << 4,
	IMAP_CAP_LIST_EXTENDED = 1 << 5,
	IMAP_CAP_LIST_STATUS = 1 << 6,
	/* LITERAL+ or LITERAL-: up to IMAP_LITERAL_MINUS_MAX bytes. */
	IMAP_CAP_LITERAL = 1 << 7,
	IMAP_CAP_NAMESPACE = 1 << 8,
	IMAP_CAP_OBJECTID = 1 << 9,
	IMAP_CAP_QRESYNC = 1 << 10,
	IMAP_CAP_SPECIAL_USE = 1 << 11,
	IMAP_CAP_UNSELECT = 1 << 12,
	IMAP_CAP_LITERAL_PLUS = 1 << 13, /* of any length */
	IMAP_CAP_MOVE = 1 << 14,
	IMAP_CAP_MULTIAPPEND = 1 << 15,
	IMAP_CAP_UIDPLUS = 1 << 16,
	IMAP_CAP_IDLE = 1 << 17,
	IMAP_CAP_NOTIFY = 1 << 18,
	IMAP_CAP_COMPRESS = 1 << 19, /* =DEFLATE */
};

#define IMAP_LITERAL_MINUS_MAX 4096 /* RFC 7888 5 */

/* The set of what the atoms name. */
unsigned imap_capability_parse(struct imap_text atoms);

/*
 * The set of what the user wrote, by commas or blanks, in any case; and what
 * rests on that.  NULL is fine.
 */
unsigned imap_capability_disabled(const char *disable);

/* APPENDLIMIT (RFC 7889): bytes a message may have; UINT64_MAX: not told. */
uint64_t imap_capability_append_limit(struct imap_text atoms);

#endif
