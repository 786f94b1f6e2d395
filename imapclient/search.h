/*
 * UID SEARCH (RFC 9051 6.4.4).
 */
#ifndef IMAPCLIENT_SEARCH_H
#define IMAPCLIENT_SEARCH_H

#include "imapclient/batch.h"

struct imap_uids {
	uint32_t *list; /* ascending, each once */
	size_t count, capacity;
};

void imap_uids_release(struct imap_uids *uids);

#define auto_uids __attribute__((cleanup(imap_uids_release)))

/*
 * Add those that match: "DELETED".  Returns 0, a refusal, or an error of
 * session scope.
 */
int imap_search(struct imap_session *s, const char *criteria,
                struct imap_uids *uids);

/*
 * Keep the items that are there; refuse the others with -ESTALE.  Mailutils
 * does to the next message what was meant for one that is gone.
 */
int imap_search_items(struct imap_session *s, struct imap_items *items);

#endif
