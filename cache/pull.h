/*
 * A pull under way; for the files of the pull alone: pull.c receives and
 * gathers, pull_apply.c says what a change does, pull_sweep.c removes what was
 * not named, pull_batch.c has the transactions.
 *
 * All of it belongs to the thread of the session.  What can fail returns 0 or
 * -errno of SQLite's or the disk's; the transaction is then left open, for
 * pull_batch_abandon().
 */
#ifndef CACHE_PULL_H
#define CACHE_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"
#include "cache/db.h"
#include "cache/keyword.h"
#include "mail/remote.h"
#include "util/strbuf.h"

struct journal_row;

/* An entry that is called otherwise; both, or it came or went. */
struct pull_move {
	bool has_old, has_now;
	struct cache_entry old, now;
};

/* A change, its strings at offsets of pull.text. */
struct gathered {
	struct remote_change change;
	size_t key, keywords;
};

struct pull {
	struct cache *cache; /* borrowed: of the session's thread */
	int64_t folder;
	bool is_listed; /* before: then others may have seen the entries */
	bool has_void;
	bool has_cursor; /* what was there before is not told again */
	bool has_flags;  /* the server: what it says of them is true */
	int64_t known;   /* messages before */
	/* Entries known before, and a bit for each that was named since. */
	int64_t first, last;
	unsigned char *seen; /* NULL: there were none */
	/* Rows of the journal that were named; those above last_row are new. */
	int64_t *rows_seen;
	size_t row_count;
	int64_t last_row;
	struct gathered gathered[DB_BATCH];
	size_t gathered_count;
	struct strbuf text;
	struct keyword_file keyword_file; /* of the transaction */
	/* The transaction under way; NULL: none. */
	struct db_conn *conn;
	int rows;
	int64_t began_at;
	struct db_delta delta;
	struct pull_move *moved;
	size_t moved_count, moved_capacity;
	uint64_t freed, regained; /* bytes of bodies */
};

/* Begins a transaction if none is under way. */
int pull_batch_begin(struct pull *p);

/* Room for another row: in the transaction under way, or in a new one. */
int pull_batch_row(struct pull *p);

/* Commits, if a transaction is under way, and tells the listener. */
int pull_batch_commit(struct pull *p);

/* Rolls back, if a transaction is under way. */
void pull_batch_abandon(struct pull *p);

/*
 * What the entry was and is is to be told after the commit.  old NULL: it
 * came; now NULL: it went.
 */
void pull_entry_moved(struct pull *p, const struct cache_entry *old,
                      const struct cache_entry *now);
/* The same of names that follow; arg is the pull. */
void pull_told(void *arg, const struct cache_entry *old,
               const struct cache_entry *now);
/* No transaction is under way any more, and none will be. */
void pull_batch_release(struct pull *p);

/* Marks what the server told of: an entry, or a row of the journal. */
void pull_entry_see(struct pull *p, int64_t entry);
void pull_row_see(struct pull *p, int64_t row);

/* Removes the entry, and its message if that was the last of it. */
int pull_entry_remove(struct pull *p, const struct cache_entry *old);

/*
 * What a change means to a message of which the journal has something to say.
 * Marks row and entry; the row may be gone after.
 */
int pull_row_apply(struct pull *p, struct journal_row *row,
                   const struct remote_change *change);

/* FLAGS, PRESENT or GONE; of a key that is not known, nothing. */
int pull_known_apply(struct pull *p, const struct remote_change *change);

/* Saves what was gathered, and commits; true, if not all, after an error. */
int pull_apply(struct pull *p);

/* Of a pull that told of all there is: what was not named is gone. */
int pull_sweep_unseen(struct pull *p);

/*
 * What we brought there since the last pull is new to the server: if it was
 * not named, it is gone again.  In the last chunk.
 */
int pull_sweep_landed(struct pull *p);
/* In an earlier one: what was named is known as the rest is. */
int pull_forget_landed(struct pull *p);

/* The last chunk after a reset: who was not matched is gone. */
int pull_sweep_void(struct pull *p);

#endif
