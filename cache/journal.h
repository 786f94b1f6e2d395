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
 *	set   another    move
 *	set   NULL       removal
 *
 * A row that was sent is neither changed nor dropped until its outcome is
 * known: the entry may change meanwhile, or go; the difference is taken again
 * then, by journal_took().
 *
 * Rows about a folder itself have no message; see enum journal_kind.
 */
#ifndef CACHE_JOURNAL_H
#define CACHE_JOURNAL_H

#include "cache/db.h"

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
};

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
	unsigned flags;               /* as the server has them */
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
	int64_t not_before; /* wall clock, ms */
	int64_t created_at; /* the same */
	int tries;
	int64_t after; /* a row that must have ended first; 0: none */
	/* Of what was sent: see push.c. */
	char mark[REMOTE_CURSOR_MAX + 1];
	int64_t sent_at;
	uint64_t wire_size;
	int err; /* if refused */
	char why[JOURNAL_WHY_MAX + 1];
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
/* The same of any state. */
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
int journal_wish(struct db_conn *conn, const struct journal_row *row,
                 struct journal_wish *out);

/*
 * Where the server has a copy of a message now, other than this row's: 0, or
 * -ENOENT.
 */
int journal_copy_source(struct db_conn *conn, const struct journal_row *row,
                        int64_t *folder_out, char key_out[REMOTE_KEY_MAX + 1]);

/* When the next row may be sent, wall clock in ms; INT64_MAX: none. */
int64_t journal_due_at(struct db_conn *conn);

/* Save a row's state, not_before, tries, mark, sent_at, wire_size, err, why. */
int journal_update(struct db_conn *conn, const struct journal_row *row);

/*
 * The server now has the message in row->folder under row->key ("": none) with
 * row->flags and row->keywords: take the difference anew.  The row is dropped
 * when there is none (then the entry gets the key), or saved as READY; with
 * neither key nor entry, it is dropped and the message with it.
 */
int journal_took(struct db_conn *conn, struct journal_row *row);

/*
 * The server has no such message any more (row->key is void).  A removal
 * ended well; else the entry goes too: *entry_out is it, for the listeners,
 * if *is_entry_out.
 */
int journal_gone(struct db_conn *conn, const struct journal_row *row,
                 bool *is_entry_out, struct cache_entry *entry_out);

/* The server gave new flags for a row's key: merge them into the entry. */
int journal_merge(struct db_conn *conn, struct journal_row *row, unsigned flags,
                  const char *keywords, bool *is_changed_out,
                  struct cache_entry *old_out);

/* A folder's row ended well: server_name is what it should be. */
int journal_folder_done(struct db_conn *conn, const struct journal_row *row);

int journal_drop(struct db_conn *conn, const struct journal_row *row);

/* For tables of messages without names or rows: files to be removed. */
struct journal_counts {
	int64_t pending, held, refused;
};
int journal_counts_get(struct db_conn *conn, struct journal_counts *out);

#endif
