/*
 * UID commands about many messages: their sets are cut to lines that servers
 * take, several commands are under way, and each wish learns its fate from the
 * answer to the command that had it in its set.
 */
#ifndef IMAPCLIENT_BATCH_H
#define IMAPCLIENT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imapclient/session.h"
#include "mail/remote.h"

/*
 * So few that their lines fit into any socket's buffers: then writing does not
 * wait for a server that waits for us to read.
 */
#define IMAP_FLIGHT_MAX 4

struct imap_item {
	uint32_t uid;
	struct remote_wish *wish;
};

struct imap_items {
	struct imap_item *list; /* ascending, two may be alike */
	size_t count;
};

/* What is done with a set. */
struct imap_verb {
	const char *name;   /* "UID STORE" */
	const char *rest;   /* behind the set, with its blank; or "" */
	const char *target; /* a mailbox behind the set, on the wire; or NULL */
	bool is_last;       /* its OK is what the wish wanted */
};

enum imap_copyuid {
	IMAP_COPYUID_NONE,
	IMAP_COPYUID_GOOD,
	IMAP_COPYUID_BAD, /* it makes no sense: as if none was sent */
};

struct imap_batch {
	unsigned tag;
	const char *name;              /* of its verb */
	const struct imap_item *items; /* borrowed from imap_items */
	size_t count;
	bool is_last;
	bool is_copy; /* what COPYUID leaves out is gone */
	enum imap_copyuid copyuid;
};

/* The commands under way, oldest first. */
struct imap_flight {
	struct imap_session *s; /* borrowed from the remote */
	struct imap_batch batches[IMAP_FLIGHT_MAX];
	size_t count;
	/*
	 * What is refused because some messages are gone (EXPUNGEISSUED) stays
	 * unsent, to be sent again without them.
	 */
	bool is_retrying;
	bool is_any_unsent;
};

/*
 * The wishes whose key is of the selected mailbox, and that are there as far as
 * can be told.  The others are refused with -ESTALE.  Returns 0 or an error of
 * session scope.
 */
int imap_items_init(struct imap_items *items, struct imap_session *s,
                    struct remote_wish *wishes, size_t count);
void imap_items_release(struct imap_items *items);

/* The first with this UID, or NULL. */
const struct imap_item *imap_items_find(const struct imap_item *items,
                                        size_t count, uint32_t uid);

#define auto_items __attribute__((cleanup(imap_items_release)))

/*
 * Send the verbs, one after the other, for each set of the items (borrowed
 * until they have landed).  A wish that any verb is refused for is refused.
 * Returns 0 or an error of session scope.
 */
int imap_flight_send(struct imap_flight *f, const struct imap_item *items,
                     size_t count, const struct imap_verb *verbs,
                     size_t verb_count);

/* Read until no more than left commands are under way. */
int imap_flight_land(struct imap_flight *f, size_t left);

#endif
