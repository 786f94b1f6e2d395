/*
 * IMAP4rev1 and its extensions (RFC 3501, RFC 9051) behind mail/remote.h.
 */
#ifndef IMAPCLIENT_IMAPCLIENT_H
#define IMAPCLIENT_IMAPCLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/remote.h"
#include "net/conn.h"

/* All borrowed: it outlives every remote made from it. */
struct imap_config {
	struct conn_config conn;
	bool read_only;      /* EXAMINE, never SELECT */
	bool compress;       /* COMPRESS=DEFLATE where it is offered */
	const char *disable; /* capabilities not to use, by commas; NULL */
	const char *version; /* of this program, for ID (RFC 2971) */
};

/* One connection, not yet made.  Returns 0 or -errno (-EMFILE, …). */
int imap_remote_new(const struct imap_config *config,
                    struct remote **remote_out);

/*
 * Try an account for `mailmount check`: connect, then capabilities and list.
 * Each line of findings goes to say().  Returns 0 or an error of remote.h.
 */
typedef void imap_say(void *arg, const char *line);
int imap_check(const struct imap_config *config, imap_say *say, void *arg);

#endif
