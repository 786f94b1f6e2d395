/*
 * Inside cache/ only: the journal, what the server must still be told.
 *
 * A row is the difference between what the server has of a message in one
 * folder and what the user wants; it is made, changed and dropped in the
 * transaction that makes, changes or ends the difference.  While there is a
 * row, it alone holds the server's side (key, flags, keywords), and the entry,
 * whose key is then NULL, holds the user's.  So nothing is ever replayed: what
 * is to be sent is read off both, and two changes that cancel each other leave
 * no row.
 *
 *	key   target     what is wanted
 *	NULL  a folder   append (or copy, if another folder has it)
 *	set   the same   flags and keywords
 *	set   another    move; where entry is one that split made, the flags
 *	set   NULL       removal
 *
 * A row that was sent is neither changed nor dropped until its outcome is
 * known: the entry may change meanwhile, or go; the difference is taken again
 * then, by journal_took().
 *
 * Rows about a folder itself have no message; see enum journal_kind.  One that
 * has asked for a name is kept as well until its outcome is known.
 */
#ifndef CACHE_JOURNAL_H
#define CACHE_JOURNAL_H

#include "cache/db.h"
#include "cache/follow.h"

enum journal_kind {
	JOURNAL_MESSAGE,
	JOURNAL_CREATE, /* folder has no server_name, and is to get its path */
	JOURNAL_RENAME, /* folder's server_name is to become its path */
	JOURNAL_DELETE, /* folder is removed here, but has a server_name */
};

enum journal_state {
	JOURNAL_SETTLING, /* a delivery whose dust has not settled */
	JOURNAL_READY,
	JOURNAL_SENT,   /* perhaps done: look before sending again */
	JOURNAL_LANDED, /* done, but its key was not told */
	JOURNAL_HELD,   /* too many deletions at once */
	JOURNAL_REFUSED,
	/*
	 * No wish, but what was sent once and not found, and may appear yet:
	 * of the row after, to folder; target is where a move took it from,
	 * or -1.  See settle.c.
	 */
	JOURNAL_WATCH,
	/*
	 * No wish: the server has it in folder, where it has no name any more;
	 * entry, which split made, stands for it.  Until flags change, or that
	 * goes.
	 */
	JOURNAL_PARKED,
};

/* For journal_row.after: replaced, and there is nothing to wait for. */
#define JOURNAL_REPLACED (-1)

#define JOURNAL_KEYWORDS_MAX 1023
#define JOURNAL_WHY_MAX      159

struct journal_row {
	int64_t id; /* rises with each new row */
	enum journal_kind kind;
	enum journal_state state;
	int64_t message; /* 0: about the folder */
	int64_t entry;   /* its id; of a removal: that it had */
	int64_t folder;  /* which has, or is to have, the server's copy */
	int64_t target;  /* -1: none */
	bool is_void;    /* the key is void; its message will be found again */
	char key[REMOTE_KEY_MAX + 1]; /* "": none */
	unsigned flags; /* as the server has them: enum mail_flag */
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
	/*
	 * Of both, those that were sent, and the answer was lost: whatever the
	 * server says of them may be from before.  The row lasts until they are
	 * told again and answered.
	 */
	unsigned unsure;
	char unsure_keywords[JOURNAL_KEYWORDS_MAX + 1];
	int64_t not_before; /* clock_now_ms(); a restart sets it to 0 */
	int64_t created_at; /* wall clock, ms */
	int tries;
	/*
	 * Of a removal: 0, or the message was replaced, and this row, if it
	 * still is, must have ended first.
	 */
	int64_t after;
	/*
	 * Of what was sent: see push.c.  Of a folder's row: the name that was
	 * asked for, and that the folder perhaps has.
	 */
	char mark[REMOTE_CURSOR_MAX + 1];
	int64_t sent_at; /* clock_now_ms() */
	uint64_t wire_size;
	int err; /* if refused */
	char why[JOURNAL_WHY_MAX + 1];
	/* A birth that can be taken back: its caller waits.  See ack.c. */
	bool is_offered;
};

/* What the user wants of a row's message; read with it. */
struct journal_wish {
	bool is_entry; /* there is one */
	struct cache_entry entry;
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
};

/* The first row of a state with an id above after, or -ENOENT. */
int journal_next(struct db_conn *conn, enum journal_state state, int64_t after,
                 struct journal_row *out);
/* Of those about folders themselves. */
int journal_folder_next(struct db_conn *conn, enum journal_state state,
                        int64_t after, struct journal_row *out);
/* The first of any state. */
int journal_each(struct db_conn *conn, int64_t after, struct journal_row *out);
/* The same of those about a folder's messages, as folder or target. */
int journal_of_folder(struct db_conn *conn, int64_t folder, int64_t after,
                      struct journal_row *out);
int journal_get(struct db_conn *conn, int64_t id, struct journal_row *out);
int journal_by_key(struct db_conn *conn, int64_t folder, const char *key,
                   struct journal_row *out);
/* The first row of a message above after. */
int journal_by_message(struct db_conn *conn, int64_t message, int64_t after,
                       struct journal_row *out);
/* The row whose wish is this entry. */
int journal_by_entry(struct db_conn *conn, const struct cache_entry *entry,
                     struct journal_row *out);
int journal_wish(struct db_conn *conn, const struct journal_row *row,
                 struct journal_wish *out);

/*
 * The row of a message for which a name that split made stands, and that name;
 * -ENOENT.
 */
int journal_stand_in(struct db_conn *conn, int64_t message,
                     struct journal_row *out, struct cache_entry *entry_out);

/*
 * Where the server has a copy of a message now, other than this row's: 0, or
 * -ENOENT.
 */
int journal_copy_source(struct db_conn *conn, const struct journal_row *row,
                        int64_t *folder_out, char key_out[REMOTE_KEY_MAX + 1]);

/* The largest number of a row. */
int64_t journal_last(struct db_conn *conn);

/* When the next row may be sent, clock_now_ms(); INT64_MAX: none. */
int64_t journal_due_at(struct db_conn *conn);

/* Save a row's state, not_before, tries, mark, sent_at, wire_size, err, why. */
int journal_update(struct db_conn *conn, const struct journal_row *row);

/* Flags and keywords are about to be sent. */
int journal_doubt(struct db_conn *conn, struct journal_row *row, unsigned flags,
                  const char *keywords, const char *removed_keywords);
bool journal_is_unsure(const struct journal_row *row);
/* They were answered. */
int journal_be_sure(struct db_conn *conn, struct journal_row *row);

/*
 * The server now has the message in row->folder under row->key ("": none) with
 * row->flags and row->keywords: take the difference anew.  The row is dropped
 * when there is none (then the entry gets the key), or saved as READY; with
 * neither key nor entry, it is dropped and the message with it.
 */
int journal_took(struct db_conn *conn, struct journal_row *row);

/*
 * The server has no such message any more (row->key is void).  A removal
 * ended well; else the entry goes too, and what follows it: *entry_out is it,
 * for the listeners, if *is_entry_out.
 */
int journal_gone(struct db_conn *conn, const struct journal_row *row,
                 bool *is_entry_out, struct cache_entry *entry_out,
                 follow_told *told, void *arg);

/* The server gave new flags for a row's key: merge them into the entry. */
int journal_merge(struct db_conn *conn, struct journal_row *row, unsigned flags,
                  const char *keywords, bool *is_changed_out,
                  struct cache_entry *old_out);

/*
 * A folder's row ended well: the server calls it name now (NULL: it is gone),
 * and what is below accordingly.  If that is not what it is called here, a row
 * says so.
 */
int journal_folder_done(struct db_conn *conn, const struct journal_row *row,
                        const char *name);

int journal_drop(struct db_conn *conn, const struct journal_row *row);

/* Add a JOURNAL_WATCH for what a row, which is about to be READY, had sent. */
int journal_watch(struct db_conn *conn, const struct journal_row *row,
                  int64_t folder, int64_t source);

/*
 * An entry that the pull made of what was found to be another row's message:
 * it goes, and what follows it.  *is_entry_out, *entry_out: for the listeners.
 */
int journal_absorb(struct db_conn *conn, int64_t folder, const char *key,
                   bool *is_entry_out, struct cache_entry *entry_out,
                   follow_told *told, void *arg);

/*
 * Remove a message that has neither names nor rows: true; then, after the
 * commit, its files are to go, file_forget().
 */
int journal_reap(struct db_conn *conn, int64_t message, bool *is_dead_out);

/*
 * For what changes entries.  All keep a row that was sent, and save what it is
 * to become.
 *
 * begin: the row of an entry's copy on the server, made if there is none;
 * -ENOENT: the server does not know of the entry.  Then change the entry, and
 * end: with the entry as it is now (NULL: it went), drop the row or save what
 * is wanted; it may be sent after not_before.
 */
int journal_birth(struct db_conn *conn, const struct cache_entry *entry,
                  int64_t not_before, int64_t *row_out);
int journal_begin(struct db_conn *conn, const struct cache_entry *entry,
                  struct journal_row *out);
int journal_end(struct db_conn *conn, struct journal_row *row,
                const struct cache_entry *now, int64_t not_before);
/*
 * A birth whose caller waits for the server: it is sent at once.  old is what
 * a rename made its entry from; NULL: it was a link.
 */
int journal_offer(struct db_conn *conn, int64_t row,
                  const struct cache_entry *old);
/* It is not offered any more. */
int journal_accept(struct db_conn *conn, int64_t row);
/* It and its name are as if they had not been made; -EEXIST: they cannot be. */
int journal_take_back(struct db_conn *conn, const struct journal_row *row);
/* The first that is offered, or -ENOENT. */
int journal_offered_next(struct db_conn *conn, struct journal_row *out);
/* What the row's entry was, for journal_undo(); before it goes. */
int journal_remember(struct db_conn *conn, const struct journal_row *row,
                     const struct cache_entry *entry);
/* Back comes the entry of a removal; it is *entry_out. */
int journal_undo(struct db_conn *conn, struct journal_row *row,
                 struct cache_entry *entry_out);
/*
 * What the server should call a folder now: its level below what the server
 * calls the one above.  To be freed; NULL: it is gone.
 */
char *journal_goal(struct db_conn *conn, const struct cache_folder *folder);
/* A removal was a replacement: see journal_row.after. */
int journal_set_after(struct db_conn *conn, int64_t row, int64_t after);
/* A folder is about to go from here and there: nothing is left to tell. */
int journal_folder_gone(struct db_conn *conn, int64_t folder);
/* Rows about a folder: make or drop what its two names call for. */
int journal_folder(struct db_conn *conn, int64_t folder);
/* Was a name asked for of which nobody knows whether it has it? */
bool journal_folder_asked(struct db_conn *conn, int64_t folder);
/* SETTLING rows whose time has come are READY, unless is_busy says no. */
int journal_settle(struct db_conn *conn, int64_t now,
                   bool (*is_busy)(void *arg, int64_t message), void *arg);
/*
 * For pulls: keys of a folder are void; the first row above after that may
 * stand for a message, or -ENOENT; and one that is found again.
 */
int journal_void(struct db_conn *conn, int64_t folder);
bool journal_has_void(struct db_conn *conn, int64_t folder);
int journal_void_next(struct db_conn *conn, int64_t folder,
                      const struct remote_change *change, int64_t after,
                      struct journal_row *out);
int journal_void_end(struct db_conn *conn, struct journal_row *row,
                     const char *key);
int journal_restart(struct db_conn *conn);

struct journal_counts {
	int64_t pending, held, refused;
};
int journal_counts_get(struct db_conn *conn, struct journal_counts *out);

#endif
