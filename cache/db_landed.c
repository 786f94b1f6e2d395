/*
 * Keys that are here, and that no pull told of which came to its end: of our
 * own writing, and of pulls that broke off.  The server tells that a message is
 * gone only if it was there at the last pull's end.
 */
#include "cache/db_conn.h"

#include <errno.h>

int db_landed_add(struct db_conn *conn, int64_t folder, const char *key)
{
	return db_run(conn, db_query(conn, SQL_LANDED_ADD, "it", folder, key));
}

bool db_landed_has(struct db_conn *conn, int64_t folder, const char *key)
{
	sqlite3_stmt *s = db_query(conn, SQL_LANDED_HAS, "it", folder, key);
	int n = db_step(conn, s);
	(void)sqlite3_reset(s);
	return n == 1;
}

int db_landed_next(struct db_conn *conn, int64_t folder,
                   char key_io[REMOTE_KEY_MAX + 1])
{
	sqlite3_stmt *s = db_query(conn, SQL_LANDED_NEXT, "it", folder, key_io);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, key_io, REMOTE_KEY_MAX + 1);
	(void)sqlite3_reset(s);
	return 0;
}

int db_landed_remove(struct db_conn *conn, int64_t folder, const char *key)
{
	return db_run(conn,
	              db_query(conn, SQL_LANDED_REMOVE, "it", folder, key));
}

int db_landed_clear(struct db_conn *conn, int64_t folder)
{
	return db_run(conn, db_query(conn, SQL_LANDED_CLEAR, "i", folder));
}
