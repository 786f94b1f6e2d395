/*
 * The index on disk: schema and every line of SQL.  docs/cache-format.md
 * describes the tables and what is always true of them.
 *
 * There are two connections.  The reader belongs to the thread that makes the
 * "reading" calls of cache.h; it never waits.  The writer is had by db_begin()
 * alone, which locks it until the transaction ends: keep that short (a
 * thousand rows).  Functions that take a connection work with either, unless
 * they write.
 *
 * Results are 0, -ENOENT where something is looked up, or the errno of what
 * SQLite met (-ENOSPC, -EIO, ...), which has been logged.
 */
#ifndef CACHE_DB_H
#define CACHE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"

/* Rows that one transaction may write. */
#define DB_BATCH 1000

struct db;
struct db_conn;

/*
 * Open state_dir/index.db for account, making or migrating it.  A damaged one
 * is moved aside and begun anew.  *why_out is set on error.
 */
int db_open(const char *state_dir, const char *account, struct db **db_out,
            char **why_out);
void db_close(struct db *db);

/* A random number that names this database and its bodies. */
uint64_t db_epoch(const struct db *db);

struct db_conn *db_reader(struct db *db);

/* Take the writer and begin; it is given back by commit or rollback. */
int db_begin(struct db *db, struct db_conn **conn_out);
/* After an error nothing of the transaction was kept. */
int db_commit(struct db_conn *conn);
void db_rollback(struct db_conn *conn);

/*
 * All that is committed survives a power cut from now on.  name: of this sync,
 * see util/sync.h.
 */
int db_sync(struct db *db, const char *name);

/* Is the write-ahead log worth a db_checkpoint()? */
bool db_has_long_log(struct db *db);

/*
 * Move the write-ahead log into the database, if it has grown.  While someone
 * is waiting for a listing to go on, only if it has grown very much.  Never in
 * a transaction, whose end it waits for.
 */
void db_checkpoint(struct db *db, bool is_busy);

/* Folders. */
int db_folder_get(struct db_conn *conn, int64_t id, struct cache_folder *out);
int db_folder_find(struct db_conn *conn, int64_t parent, const char *level,
                   struct cache_folder *out);
int db_folder_next(struct db_conn *conn, int64_t parent, int64_t after,
                   struct cache_folder *out);
/* Any folder with an id above after; the root is not one. */
int db_folder_each(struct db_conn *conn, int64_t after,
                   struct cache_folder *out);
/*
 * A folder has two names, which differ only while the journal has something to
 * say about it: the server's, and its path here, the levels joined by '/'.  To
 * be freed.  NULL: it has none (yet), or is gone.
 */
char *db_folder_name(struct db_conn *conn, int64_t id);
char *db_folder_path(struct db_conn *conn, int64_t id);
int db_folder_by_name(struct db_conn *conn, const char *name,
                      struct cache_folder *out);

/*
 * What the server knows a folder by, whatever it is called: remote_folder.id.
 * To be freed; NULL: it does not tell.
 */
char *db_folder_object(struct db_conn *conn, int64_t id);
int db_folder_set_object(struct db_conn *conn, int64_t id, const char *object);
/* Of those that the server has. */
int db_folder_by_object(struct db_conn *conn, const char *object,
                        struct cache_folder *out);

/* new, cur and tmp. */
#define DB_PLACES_ALL 7
/* Where folders go that are removed here, but not yet on the server. */
#define DB_REMOVED (-2)

/* name: the server's, or NULL. */
int db_folder_add(struct db_conn *conn, int64_t parent, const char *level,
                  unsigned attributes, const char *name, int64_t *id_out);
int db_folder_set_name(struct db_conn *conn, int64_t id, const char *name);
/* The server's names of what is below follow. */
int db_folder_renamed(struct db_conn *conn, const char *from, const char *to);
int db_folder_move(struct db_conn *conn, int64_t id, int64_t parent,
                   const char *level);
int db_folder_set_places(struct db_conn *conn, int64_t id, unsigned places);
int db_folder_set_local(struct db_conn *conn, int64_t id, bool is_local);
int db_folder_set_attributes(struct db_conn *conn, int64_t id,
                             unsigned attributes);
/* A folder without entries and children; also its time above. */
int db_folder_remove(struct db_conn *conn, const struct cache_folder *folder);
/* Renew the time of the folders below. */
int db_folder_touch(struct db_conn *conn, int64_t id);
int db_folder_set_listed(struct db_conn *conn, int64_t id, bool is_listed);

struct db_progress {
	char cursor[REMOTE_CURSOR_MAX + 1];
	char state[REMOTE_CURSOR_MAX + 1]; /* longer ones are never kept */
};
int db_progress_get(struct db_conn *conn, int64_t folder,
                    struct db_progress *out);
int db_progress_set(struct db_conn *conn, int64_t folder,
                    const struct db_progress *progress);

/* What a transaction did to a folder's entries. */
struct db_delta {
	int64_t count[CACHE_PLACES]; /* came less went */
	bool is_changed[CACHE_PLACES];
};
/* Renew the times and counts; in the transaction that made the change. */
int db_folder_apply(struct db_conn *conn, int64_t folder,
                    const struct db_delta *delta);

struct db_totals {
	int64_t folders, folders_listed, messages;
};
int db_totals_get(struct db_conn *conn, struct db_totals *out);

/* Entries and messages. */
int db_message_get(struct db_conn *conn, int64_t id, struct cache_message *out);
int db_entry_find(struct db_conn *conn, int64_t folder, uint64_t identity,
                  struct cache_entry *out);
int db_entry_by_key(struct db_conn *conn, int64_t folder, const char *key,
                    struct cache_entry *out, bool *same_keywords_out,
                    const char *keywords);
/* The first entry that names a message. */
int db_entry_by_message(struct db_conn *conn, int64_t message,
                        struct cache_entry *out);
/* A further one, whose number is not the message's, above after. */
int db_entry_link(struct db_conn *conn, int64_t message, int64_t after,
                  struct cache_entry *out);
int db_entry_by_id(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out);
int db_entry_by_base(struct db_conn *conn, int64_t folder,
                     enum cache_place place, const char *base, int64_t after,
                     struct cache_entry *out);
/* The first above after that the server has since before then. */
int db_entry_due(struct db_conn *conn, int64_t folder, enum cache_place place,
                 int64_t after, int64_t before, struct cache_entry *out);
bool db_entry_any(struct db_conn *conn, int64_t folder, enum cache_place place);
int64_t db_entry_count(struct db_conn *conn, int64_t folder,
                       enum cache_place place);

/* One scan a connection at a time; next returns 1, or 0 at the end. */
int db_scan_begin(struct db_conn *conn, int64_t folder, enum cache_place place,
                  int64_t after, bool names_only);
int db_scan_next(struct db_conn *conn, struct cache_entry *out);
void db_scan_end(struct db_conn *conn);

/* Add a message and the entry that names it; they share their number. */
int db_entry_add(struct db_conn *conn, int64_t folder, enum cache_place place,
                 const struct remote_change *change, int64_t *id_out);
/* The same for one that went and comes back: it has its number again. */
int db_entry_add_again(struct db_conn *conn, int64_t folder,
                       enum cache_place place,
                       const struct remote_change *change, int64_t id);
/*
 * The same for DB_ROWS messages at once, in half the time; by their flags they
 * go to new or cur.  -EEXIST: none was added, for one of them is known.
 */
#define DB_ROWS 20
int db_entry_add_rows(struct db_conn *conn, int64_t folder,
                      const struct remote_change *const changes[DB_ROWS]);
/* Give entry a new place, flags, keywords and key. */
int db_entry_update(struct db_conn *conn, const struct cache_entry *old,
                    enum cache_place place, const struct remote_change *change);
/* Remove an entry.  Counts, links and the message are the caller's. */
int db_entry_remove(struct db_conn *conn, const struct cache_entry *entry);

/* "": it has none. */
int db_entry_key(struct db_conn *conn, const struct cache_entry *entry,
                 char key_out[REMOTE_KEY_MAX + 1]);
int db_entry_set_key(struct db_conn *conn, const struct cache_entry *entry,
                     const char *key);
int db_entry_keywords(struct db_conn *conn, const struct cache_entry *entry,
                      char *keywords_out, size_t size);
int db_entry_set_flags(struct db_conn *conn, const struct cache_entry *old,
                       enum cache_place place, unsigned flags,
                       const char *keywords);
/* Folder, place, base, info, shown, flags and identity become those of new. */
int db_entry_name(struct db_conn *conn, const struct cache_entry *old,
                  const struct cache_entry *new);
/* -EEXIST: the name is taken. */
int db_entry_add_named(struct db_conn *conn, const struct cache_entry *entry);

/*
 * One more name for own's message, which follows it: the same name in another
 * folder, with flags, which show keywords by that folder's numbers.
 */
int db_entry_add_split(struct db_conn *conn, const struct cache_entry *own,
                       const char *keywords, unsigned flags, int64_t folder,
                       struct cache_entry *out);
/* Those of a message follow nothing any more. */
int db_entry_unsplit(struct db_conn *conn, int64_t message);

/* The next of a folder's mail above id, or below. */
int db_entry_above(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out);
int db_entry_below(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out);

/* What was fetched in a day. */
struct db_budget {
	int64_t day; /* since 1970, UTC */
	uint64_t spent;
};
/* A day of 0: none was saved. */
int db_budget_get(struct db_conn *conn, struct db_budget *out);
int db_budget_set(struct db_conn *conn, const struct db_budget *budget);

/* How far INBOX was split. */
#define DB_SPLIT_MAX 64
struct db_split {
	char how[DB_SPLIT_MAX + 1]; /* a digest of what split and domains say */
	int64_t low, high; /* entries from low to high have been looked at */
};
int db_split_get(struct db_conn *conn, struct db_split *out);
int db_split_set(struct db_conn *conn, const struct db_split *split);

/* Counts and times of its folder, for an entry that came (1) or went (-1). */
int db_entry_counted(struct db_conn *conn, const struct cache_entry *entry,
                     int change);
/* The same for one that went from where old is to another place. */
int db_entry_moved(struct db_conn *conn, const struct cache_entry *old,
                   int64_t folder, enum cache_place place);
/* Remove an entry, with its link and count. */
int db_entry_drop(struct db_conn *conn, const struct cache_entry *entry);

/* A number for a new message, entry or both, or row of the journal. */
int64_t db_id_new(struct db_conn *conn);
/* The same outside transactions: the next commit saves it. */
int64_t db_id_ahead(struct db *db);
/* A message whose data is a kept file. */
int db_message_keep(struct db_conn *conn, int64_t id, int64_t folder);
/* It is kept from now on; or not any more, but cached: size bytes. */
int db_message_set_kept(struct db_conn *conn, int64_t id, bool is_kept,
                        uint64_t size, int64_t use);
/* received_at, mode, uid, gid and times. */
int db_message_set(struct db_conn *conn, const struct cache_message *m);
int db_message_link(struct db_conn *conn, int64_t id, int change);
/* The date of a delivery, which has none until it is sent first. */
int db_message_date(struct db_conn *conn, int64_t id, int64_t received_at);
/* What the server says of a delivery; it is known again by that. */
int db_message_redate(struct db_conn *conn, int64_t id, int64_t received_at);
int db_message_set_claimed(struct db_conn *conn, int64_t id, uint64_t size);
int db_message_remove(struct db_conn *conn, int64_t id);
int db_message_kept_next(struct db_conn *conn, int64_t after, int64_t *id_out);

/* Smallest and largest entry id of a folder; -ENOENT when it is empty. */
int db_entry_range(struct db_conn *conn, int64_t folder, int64_t *min_out,
                   int64_t *max_out);

/*
 * Keys in a folder that our own writing was told, until a pull ends that would
 * have named them.  next: the first above *key_io, or -ENOENT.
 */
int db_landed_add(struct db_conn *conn, int64_t folder, const char *key);
bool db_landed_has(struct db_conn *conn, int64_t folder, const char *key);
int db_landed_next(struct db_conn *conn, int64_t folder,
                   char key_io[REMOTE_KEY_MAX + 1]);
int db_landed_remove(struct db_conn *conn, int64_t folder, const char *key);
int db_landed_clear(struct db_conn *conn, int64_t folder);

/*
 * Bodies that the log holds until their files are synced (logged.h).  add: of
 * message, its size, mode, owner and mtime.  next: the first message above
 * after, or -ENOENT; at most max of its bytes, and their size, unless max is 0.
 * totals: the last message, 0 if there is none.
 */
int db_logged_add(struct db_conn *conn, const struct cache_message *message,
                  const void *bytes);
bool db_logged_has(struct db_conn *conn, int64_t message);
int db_logged_next(struct db_conn *conn, int64_t after,
                   struct cache_message *out, void *bytes, size_t max);
int db_logged_remove(struct db_conn *conn, int64_t message);
int db_logged_totals(struct db_conn *conn, int64_t *last_out,
                     uint64_t *bytes_out);

/*
 * Entries whose key the server voided.  They wait in the table void for a
 * message with the same facts; what is left when the pull ends is gone.  One
 * that the user changes meanwhile leaves it for a row of the journal.
 */
int db_void_add(struct db_conn *conn, int64_t folder, int limit,
                int *count_out);
/* The first that may stand for a message, or -ENOENT. */
int db_void_find(struct db_conn *conn, int64_t folder,
                 const struct remote_change *change, struct cache_entry *out);
int db_void_next(struct db_conn *conn, int64_t folder, struct cache_entry *out);
bool db_void_has(struct db_conn *conn, const struct cache_entry *entry);
int db_void_remove(struct db_conn *conn, const struct cache_entry *entry);

/* Bodies. */
struct db_source {
	int64_t folder;
	char key[REMOTE_KEY_MAX + 1]; /* "": voided */
	uint64_t claimed_size;
	bool is_cached;
	uint64_t size; /* exact if cached */
};
int db_source_get(struct db_conn *conn, int64_t message, struct db_source *out);
/* The body of size bytes is here; use orders them for eviction. */
int db_body_set(struct db_conn *conn, int64_t message, uint64_t size,
                int64_t use);
int db_body_clear(struct db_conn *conn, int64_t message);
int db_body_touch(struct db_conn *conn, int64_t message, int64_t use);
int db_body_oldest(struct db_conn *conn, int64_t *message_out,
                   uint64_t *size_out);
int db_body_totals(struct db_conn *conn, uint64_t *bytes_out, int64_t *use_out);

#endif
