/*
 * Inside cache/ only: what else writing needs.
 */
#ifndef CACHE_WRITE_H
#define CACHE_WRITE_H

#include "cache/core.h"

/*
 * The thread that makes changes last: it commits a delivery's name, with its
 * data or after that was synced, and syncs the log, once for all that wait.
 */
struct keeper;

int keeper_new(struct cache *c, struct keeper **keeper_out);
/* Does what is queued, and ends; what comes then gets -ECANCELED. */
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);

struct ack;
struct logged;

/* A change of names, to be made in one transaction. */
struct change {
	int64_t message;
	struct ack *ack; /* who waits for the server; NULL: nobody */
	bool has_from;   /* a rename; else a link */
	struct cache_entry from;
	bool has_over;
	struct cache_entry over;
	struct cache_entry to; /* folder, place, base, info, shown count */
	unsigned was;          /* see cache_name; and is_made */
	bool is_made;
	const struct logged *body; /* to be logged with it; NULL: none */
};

/*
 * Queue it; done runs when it is there for good, or with why not.  If there is
 * an ack, that is told, and not done.
 */
void keeper_add(struct keeper *k, const struct change *change, cache_done *done,
                void *arg);
/* The same without a change: what message has now; 0: only names. */
void keeper_sync(struct keeper *k, int64_t message, cache_done *done,
                 void *arg);

/*
 * The log has grown: move it into the index.  Off line there is nobody else to
 * do so, and it would grow with each change until the disk is full.
 */
void keeper_tidy(struct keeper *k);

/* Make a change in a transaction of its own. */
int change_apply(struct cache *c, const struct change *change);
int change_unname(struct cache *c, const struct cache_entry *entry);
/*
 * Is a change a delivery, or does it make ours the only copy?  Then it must
 * survive a power cut.  message: as it is now.
 */
int change_must_last(struct db_conn *conn, const struct change *change,
                     const struct cache_message *message, bool *must_last_out);
/*
 * Would it make a new message in a mailbox that the server has?  That which
 * takes the place of another is an edit.
 */
int change_is_delivery(struct db_conn *conn, const struct change *change,
                       bool *is_delivery_out);
/* Is what stands there mail, as the server has, or is to have it? */
int change_is_mail(struct db_conn *conn, const struct cache_entry *entry,
                   bool *is_mail_out);

/* A change may be sent when its names have stood still for so long. */
#define WRITE_DUST_MS 1000
/* The operations of one delivery stir it for so long at most, as a rule. */
#define WRITE_SPAN_MS 100
/* A removal later, so that many at once are seen as such. */
#define WRITE_BRAKE_MS 2000

/* The files of a message that has no name and no row any more. */
void write_forget(struct cache *c, int64_t message);
/* What push_journal() is to do has changed. */
void cache_push_soon(struct cache *c);

#endif
