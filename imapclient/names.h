/*
 * Mailbox names: the server's bytes, and the folder names of mail/remote.h.
 * Pure.
 *
 * Every byte string without NUL, CR and LF has exactly one folder name, and
 * gets it back; but "inbox" in any case is INBOX (RFC 9051 5.1).
 *
 * The prefix of the personal namespace ("INBOX." at Courier's) is left out:
 * INBOX.Sent is Sent.  It stays where the rest begins with INBOX or with the
 * first level of another namespace.  A name outside the prefix that would then
 * be taken for one inside begins with %00.
 */
#ifndef IMAPCLIENT_NAMES_H
#define IMAPCLIENT_NAMES_H

#include <stddef.h>

#include "imapclient/response.h"
#include "util/strbuf.h"

struct imap_names {
	char delimiter; /* '\0': the server has no levels */
	char *prefix;   /* ends in the delimiter; "" or NULL for none */
	char *others[IMAP_NAMESPACES_MAX]; /* prefixes, as the server says */
	size_t other_count;
};

/* Learn from a NAMESPACE response; what was known before is forgotten. */
void imap_names_set(struct imap_names *names,
                    const struct imap_response *response);

void imap_names_release(struct imap_names *names);

/* Append the folder name of a server's name. */
void imap_names_decode(const struct imap_names *names, const char *wire,
                       size_t len, struct strbuf *out);

/*
 * Append the server's name of a folder.  Returns 0, or -ENOENT when no server's
 * name is written so.
 */
int imap_names_encode(const struct imap_names *names, const char *folder,
                      struct strbuf *out);

#endif
