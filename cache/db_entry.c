#include "cache/db_conn.h"

#include <errno.h>
#include <string.h>

#define MODE_DEFAULT 0600

/*
 * A place of a folder is one directory, and one number, db_dir(): entries of
 * it are neighbours in the table, in the order of their ids.
 */

/* A column of what a program may have set, or what holds until then. */
static int64_t column_or(sqlite3_stmt *s, int column, int64_t otherwise)
{
	if (sqlite3_column_type(s, column) == SQLITE_NULL)
		return otherwise;
	return sqlite3_column_int64(s, column);
}

/* From MESSAGE_COLUMNS at column at. */
static void fill_message(sqlite3_stmt *s, int at, struct cache_message *out)
{
	out->id = sqlite3_column_int64(s, at);
	out->received_at = sqlite3_column_int64(s, at + 1);
	out->is_size_exact = sqlite3_column_type(s, at + 3) != SQLITE_NULL;
	out->size =
		(uint64_t)sqlite3_column_int64(s, out->is_size_exact ? at + 3
	                                                             : at + 2);
	out->is_kept = sqlite3_column_int64(s, at + 5) != 0;
	out->is_cached =
		out->is_kept || sqlite3_column_type(s, at + 4) != SQLITE_NULL;
	out->links = sqlite3_column_int64(s, at + 6);
	out->mode = (mode_t)column_or(s, at + 7, MODE_DEFAULT);
	out->uid = (uid_t)column_or(s, at + 8, -1);
	out->gid = (gid_t)column_or(s, at + 9, -1);
	int64_t received_ns = out->received_at * NS_PER_S;
	out->mtime = db_time(column_or(s, at + 10, received_ns));
	out->ctime = db_time(column_or(s, at + 11, received_ns));
}

#define MESSAGE_AT 8
#define SPLIT_AT   (MESSAGE_AT + 12)

void db_fill_name(sqlite3_stmt *s, struct cache_entry *out)
{
	int64_t dir = sqlite3_column_int64(s, 0);
	out->folder = dir / CACHE_PLACES;
	out->place = (enum cache_place)(dir % CACHE_PLACES);
	out->id = sqlite3_column_int64(s, 1);
	out->identity = (uint64_t)sqlite3_column_int64(s, 2);
	out->flags = (unsigned)sqlite3_column_int64(s, 3);
	out->base[0] = '\0';
	out->info[0] = '\0';
	out->shown = 0;
	out->is_split = false;
	if (sqlite3_column_type(s, 4) == SQLITE_NULL)
		return;
	db_column_text(s, 4, out->base, sizeof(out->base));
	db_column_text(s, 5, out->info, sizeof(out->info));
	out->shown = (unsigned)sqlite3_column_int64(s, 6);
}

void db_fill_entry(sqlite3_stmt *s, struct cache_entry *out)
{
	db_fill_name(s, out);
	fill_message(s, MESSAGE_AT, &out->message);
	out->is_split = sqlite3_column_int64(s, SPLIT_AT) != 0;
}

int db_one_entry(struct db_conn *conn, sqlite3_stmt *s, struct cache_entry *out)
{
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_fill_entry(s, out);
	(void)sqlite3_reset(s);
	return 0;
}

int db_message_get(struct db_conn *conn, int64_t id, struct cache_message *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_MESSAGE_GET, "i", id);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	fill_message(s, 0, out);
	(void)sqlite3_reset(s);
	return 0;
}

int db_entry_find(struct db_conn *conn, int64_t folder, uint64_t identity,
                  struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_ENTRY_FIND, "ii", folder,
	                             (int64_t)identity),
	                    out);
}

int db_entry_by_key(struct db_conn *conn, int64_t folder, const char *key,
                    struct cache_entry *out, bool *same_keywords_out,
                    const char *keywords)
{
	sqlite3_stmt *s = db_query(conn, SQL_ENTRY_BY_KEY, "it", folder, key);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_fill_entry(s, out);
	const char *known = (const char *)sqlite3_column_text(s, 7);
	*same_keywords_out = known != NULL && keywords != NULL &&
	                     strcmp(known, keywords) == 0;
	(void)sqlite3_reset(s);
	return 0;
}

int db_entry_by_message(struct db_conn *conn, int64_t message,
                        struct cache_entry *out)
{
	int err =
		db_one_entry(conn,
	                     db_query(conn, SQL_ENTRY_BY_MESSAGE, "i", message),
	                     out);
	return err == -ENOENT ? db_entry_link(conn, message, 0, out) : err;
}

int64_t db_entry_count(struct db_conn *conn, int64_t folder,
                       enum cache_place place)
{
	sqlite3_stmt *s = db_query(conn, SQL_ENTRY_COUNT, "i", folder);
	if (db_step(conn, s) <= 0)
		return 0;
	int64_t count = sqlite3_column_int64(s, place == CACHE_NEW ? 0 : 1);
	(void)sqlite3_reset(s);
	return count;
}

int db_scan_begin(struct db_conn *conn, int64_t folder, enum cache_place place,
                  int64_t after, bool names_only)
{
	db_scan_end(conn);
	conn->scan = names_only ? SQL_ENTRY_SCAN_NAMES : SQL_ENTRY_SCAN;
	return db_query(conn, conn->scan, "ii", db_dir(folder, place), after) ==
	                       NULL
	               ? -EIO
	               : 0;
}

int db_scan_next(struct db_conn *conn, struct cache_entry *out)
{
	sqlite3_stmt *s = conn->statements[conn->scan];
	int n = db_step(conn, s);
	if (n <= 0)
		return n;
	if (conn->scan == SQL_ENTRY_SCAN) {
		db_fill_entry(s, out);
		return n;
	}
	db_fill_name(s, out);
	out->message.id = sqlite3_column_int64(s, MESSAGE_AT);
	out->message.received_at = sqlite3_column_int64(s, MESSAGE_AT + 1);
	return n;
}

void db_scan_end(struct db_conn *conn)
{
	(void)sqlite3_reset(conn->statements[conn->scan]);
}

int db_entry_add_again(struct db_conn *conn, int64_t folder,
                       enum cache_place place,
                       const struct remote_change *change, int64_t id)
{
	int err = db_run(conn, db_query(conn, SQL_MESSAGE_ADD, "iiii", id,
	                                folder, change->received_at,
	                                (int64_t)change->claimed_size));
	if (err < 0)
		return err;
	/* Copies may share an identity; names may not. */
	uint64_t identity = change->identity;
	do {
		err = db_run(conn,
		             db_query(conn, SQL_ENTRY_ADD, "iiiititii",
		                      db_dir(folder, place), id, folder, id,
		                      change->key, (int64_t)change->flags,
		                      change->keywords, (int64_t)identity++,
		                      change->received_at));
	} while (err == -EEXIST && identity - change->identity < DB_BATCH);
	return err;
}

int db_entry_add(struct db_conn *conn, int64_t folder, enum cache_place place,
                 const struct remote_change *change, int64_t *id_out)
{
	int64_t id = conn->db->next_id;
	int err = db_entry_add_again(conn, folder, place, change, id);
	if (err < 0)
		return err;
	conn->db->next_id++;
	*id_out = id;
	return 0;
}

int db_entry_add_rows(struct db_conn *conn, int64_t folder,
                      const struct remote_change *const changes[DB_ROWS])
{
	sqlite3_stmt *e = db_query(conn, SQL_ENTRY_ADD_ROWS, "");
	sqlite3_stmt *m = db_query(conn, SQL_MESSAGE_ADD_ROWS, "");
	int64_t id = conn->db->next_id;
	int at = 0, message_at = 0;
	if (e == NULL || m == NULL)
		return -EIO;
	for (size_t i = 0; i < DB_ROWS; i++, id++) {
		const struct remote_change *c = changes[i];
		(void)sqlite3_bind_int64(e, ++at,
		                         db_dir(folder,
		                                (c->flags & MAIL_FLAGS) == 0
		                                        ? CACHE_NEW
		                                        : CACHE_CUR));
		(void)sqlite3_bind_int64(e, ++at, id);
		(void)sqlite3_bind_int64(e, ++at, folder);
		(void)sqlite3_bind_int64(e, ++at, id);
		(void)sqlite3_bind_text(e, ++at, c->key, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(e, ++at, (int64_t)c->flags);
		(void)sqlite3_bind_text(e, ++at, c->keywords, -1,
		                        SQLITE_STATIC);
		(void)sqlite3_bind_int64(e, ++at, (int64_t)c->identity);
		(void)sqlite3_bind_int64(e, ++at, c->received_at);
		(void)sqlite3_bind_int64(m, ++message_at, id);
		(void)sqlite3_bind_int64(m, ++message_at, folder);
		(void)sqlite3_bind_int64(m, ++message_at, c->received_at);
		(void)sqlite3_bind_int64(m, ++message_at,
		                         (int64_t)c->claimed_size);
	}
	int err = db_run(conn, e);
	if (err == 0)
		err = db_run(conn, m);
	if (err == 0)
		conn->db->next_id = id;
	return err;
}

int db_entry_update(struct db_conn *conn, const struct cache_entry *old,
                    enum cache_place place, const struct remote_change *change)
{
	return db_run(conn, db_query(conn, SQL_ENTRY_UPDATE, "iiiitt",
	                             db_dir(old->folder, old->place), old->id,
	                             db_dir(old->folder, place),
	                             (int64_t)change->flags, change->keywords,
	                             change->key));
}

int db_entry_remove(struct db_conn *conn, const struct cache_entry *entry)
{
	int err = db_run(conn, db_query(conn, SQL_ENTRY_REMOVE, "ii",
	                                db_dir(entry->folder, entry->place),
	                                entry->id));
	return err < 0 ? err : db_void_remove(conn, entry);
}

int db_entry_range(struct db_conn *conn, int64_t folder, int64_t *min_out,
                   int64_t *max_out)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_ENTRY_RANGE, "ii", db_dir(folder, CACHE_NEW),
	                 db_dir(folder, CACHE_CUR));
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	bool is_empty = sqlite3_column_type(s, 0) == SQLITE_NULL;
	if (!is_empty) {
		*min_out = sqlite3_column_int64(s, 0);
		*max_out = sqlite3_column_int64(s, 1);
	}
	(void)sqlite3_reset(s);
	return is_empty ? -ENOENT : 0;
}

int db_void_add(struct db_conn *conn, int64_t folder, int limit, int *count_out)
{
	int count;
	for (count = 0; count < limit; count++) {
		sqlite3_stmt *s = db_query(conn, SQL_VOID_PICK, "i", folder);
		int n = db_step(conn, s);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		int64_t dir = sqlite3_column_int64(s, 0);
		int64_t id = sqlite3_column_int64(s, 1);
		int64_t received_at = sqlite3_column_int64(s, 2);
		int64_t claimed_size = sqlite3_column_int64(s, 3);
		(void)sqlite3_reset(s);
		int err = db_run(conn,
		                 db_query(conn, SQL_VOID_ADD, "iiii", folder,
		                          received_at, claimed_size, id));
		if (err == 0)
			err = db_run(conn, db_query(conn, SQL_VOID_KEY, "ii",
			                            dir, id));
		if (err < 0)
			return err;
	}
	*count_out = count;
	return 0;
}

int db_void_find(struct db_conn *conn, int64_t folder,
                 const struct remote_change *change, struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_VOID_FIND, "iiii", folder,
	                             change->received_at,
	                             (int64_t)change->claimed_size,
	                             (int64_t)change->identity),
	                    out);
}

int db_void_next(struct db_conn *conn, int64_t folder, struct cache_entry *out)
{
	return db_one_entry(conn, db_query(conn, SQL_VOID_NEXT, "i", folder),
	                    out);
}

bool db_void_has(struct db_conn *conn, const struct cache_entry *entry)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_VOID_HAS, "ii", entry->folder, entry->id);
	int n = db_step(conn, s);
	(void)sqlite3_reset(s);
	return n == 1;
}

int db_void_remove(struct db_conn *conn, const struct cache_entry *entry)
{
	return db_run(conn, db_query(conn, SQL_VOID_REMOVE, "ii", entry->folder,
	                             entry->id));
}

int db_source_get(struct db_conn *conn, int64_t message, struct db_source *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_SOURCE_GET, "i", message);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	out->folder = sqlite3_column_int64(s, 0);
	db_column_text(s, 1, out->key, sizeof(out->key));
	out->claimed_size = (uint64_t)sqlite3_column_int64(s, 2);
	out->is_cached = sqlite3_column_type(s, 4) != SQLITE_NULL;
	out->size = (uint64_t)sqlite3_column_int64(s, 3);
	(void)sqlite3_reset(s);
	return 0;
}

int db_body_set(struct db_conn *conn, int64_t message, uint64_t size,
                int64_t use)
{
	return db_run(conn, db_query(conn, SQL_BODY_SET, "iii", message,
	                             (int64_t)size, use));
}

int db_body_clear(struct db_conn *conn, int64_t message)
{
	return db_run(conn, db_query(conn, SQL_BODY_CLEAR, "i", message));
}

int db_body_touch(struct db_conn *conn, int64_t message, int64_t use)
{
	return db_run(conn, db_query(conn, SQL_BODY_TOUCH, "ii", message, use));
}

int db_body_oldest(struct db_conn *conn, int64_t *message_out,
                   uint64_t *size_out)
{
	sqlite3_stmt *s = db_query(conn, SQL_BODY_OLDEST, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*message_out = sqlite3_column_int64(s, 0);
	*size_out = (uint64_t)sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
}

int db_body_totals(struct db_conn *conn, uint64_t *bytes_out, int64_t *use_out)
{
	sqlite3_stmt *s = db_query(conn, SQL_BODY_TOTALS, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*bytes_out = (uint64_t)sqlite3_column_int64(s, 0);
	*use_out = sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
}
