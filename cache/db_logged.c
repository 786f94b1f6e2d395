/*
 * Bodies that the log holds until their files are synced: see logged.h.
 */
#include "cache/db_conn.h"

#include <errno.h>
#include <string.h>

int db_logged_add(struct db_conn *conn, const struct cache_message *message,
                  const void *bytes)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_LOGGED_ADD, "iiiii", message->id,
	                 (int64_t)message->mode, (int64_t)message->uid,
	                 (int64_t)message->gid, db_ns(message->mtime));
	if (s != NULL)
		(void)sqlite3_bind_blob64(s, 6, bytes, message->size,
		                          SQLITE_STATIC);
	return db_run(conn, s);
}

bool db_logged_has(struct db_conn *conn, int64_t message)
{
	sqlite3_stmt *s = db_query(conn, SQL_LOGGED_HAS, "i", message);
	int n = db_step(conn, s);
	(void)sqlite3_reset(s);
	return n == 1;
}

static void fill(sqlite3_stmt *s, struct cache_message *out)
{
	*out = (struct cache_message){
		.id = sqlite3_column_int64(s, 0),
		.mode = (mode_t)sqlite3_column_int64(s, 1),
		.uid = (uid_t)sqlite3_column_int64(s, 2),
		.gid = (gid_t)sqlite3_column_int64(s, 3),
		.mtime = db_time(sqlite3_column_int64(s, 4)),
	};
}

int db_logged_next(struct db_conn *conn, int64_t after,
                   struct cache_message *out, void *bytes, size_t max)
{
	sqlite3_stmt *s = db_query(conn, SQL_LOGGED_NEXT, "i", after);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	fill(s, out);
	const void *found = max > 0 ? sqlite3_column_blob(s, 5) : NULL;
	if (found != NULL) {
		size_t size = (size_t)sqlite3_column_bytes(s, 5);
		out->size = size < max ? size : max;
		memcpy(bytes, found, out->size);
	}
	(void)sqlite3_reset(s);
	return 0;
}

int db_logged_remove(struct db_conn *conn, int64_t message)
{
	return db_run(conn, db_query(conn, SQL_LOGGED_REMOVE, "i", message));
}

int db_logged_totals(struct db_conn *conn, int64_t *last_out,
                     uint64_t *bytes_out)
{
	sqlite3_stmt *s = db_query(conn, SQL_LOGGED_TOTALS, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -EIO;
	*last_out = sqlite3_column_int64(s, 0);
	*bytes_out = (uint64_t)sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
}
