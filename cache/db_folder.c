#include "cache/db_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/mem.h"

static void fill_folder(sqlite3_stmt *s, struct cache_folder *out)
{
	out->id = sqlite3_column_int64(s, 0);
	out->parent = sqlite3_column_int64(s, 1);
	db_column_text(s, 2, out->level, sizeof(out->level));
	out->attributes = (unsigned)sqlite3_column_int64(s, 3);
	out->is_listed = sqlite3_column_int64(s, 4) != 0;
	out->is_local = false;
	out->places = out->attributes & MAIL_FOLDER_NOSELECT ? 0 : 7;
	out->messages = sqlite3_column_int64(s, 5);
	out->changed_ns = sqlite3_column_int64(s, 6);
	out->entries_changed_ns[CACHE_NEW] = sqlite3_column_int64(s, 7);
	out->entries_changed_ns[CACHE_CUR] = sqlite3_column_int64(s, 8);
	out->entries_changed_ns[CACHE_TMP] = out->changed_ns;
	out->entries_changed_ns[CACHE_TOP] = out->changed_ns;
	out->children = sqlite3_column_int64(s, 9);
}

static int one_folder(struct db_conn *conn, sqlite3_stmt *s,
                      struct cache_folder *out)
{
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	fill_folder(s, out);
	(void)sqlite3_reset(s);
	return 0;
}

int db_folder_get(struct db_conn *conn, int64_t id, struct cache_folder *out)
{
	return one_folder(conn, db_query(conn, SQL_FOLDER_GET, "i", id), out);
}

int db_folder_find(struct db_conn *conn, int64_t parent, const char *level,
                   struct cache_folder *out)
{
	return one_folder(conn,
	                  db_query(conn, SQL_FOLDER_FIND, "it", parent, level),
	                  out);
}

int db_folder_next(struct db_conn *conn, int64_t parent, int64_t after,
                   struct cache_folder *out)
{
	return one_folder(conn,
	                  db_query(conn, SQL_FOLDER_NEXT, "ii", parent, after),
	                  out);
}

int db_folder_each(struct db_conn *conn, int64_t after,
                   struct cache_folder *out)
{
	return one_folder(conn, db_query(conn, SQL_FOLDER_EACH, "i", after),
	                  out);
}

char *db_folder_name(struct db_conn *conn, int64_t id)
{
	char *name = NULL;
	struct cache_folder folder;
	for (; id != CACHE_ROOT; id = folder.parent) {
		if (db_folder_get(conn, id, &folder) < 0) {
			free(name);
			return NULL;
		}
		char *longer = name == NULL
		                       ? xstrdup(folder.level)
		                       : xasprintf("%s/%s", folder.level, name);
		free(name);
		name = longer;
	}
	return name;
}

int db_folder_add(struct db_conn *conn, int64_t parent, const char *level,
                  unsigned attributes, int64_t *id_out)
{
	int64_t id = conn->db->next_folder;
	int err = db_run(conn,
	                 db_query(conn, SQL_FOLDER_ADD, "iitii", id, parent,
	                          level, (int64_t)attributes, clock_wall_ns()));
	if (err == 0)
		err = db_folder_touch(conn, parent);
	if (err < 0)
		return err;
	conn->db->next_folder++;
	*id_out = id;
	return 0;
}

int db_folder_set_attributes(struct db_conn *conn, int64_t id,
                             unsigned attributes)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_SET_ATTRIBUTES, "ii",
	                             (int64_t)attributes, id));
}

int db_folder_remove(struct db_conn *conn, const struct cache_folder *folder)
{
	int err = db_run(conn,
	                 db_query(conn, SQL_FOLDER_REMOVE, "i", folder->id));
	return err < 0 ? err : db_folder_touch(conn, folder->parent);
}

int db_folder_touch(struct db_conn *conn, int64_t id)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_TOUCH, "ii", id,
	                             clock_wall_ns()));
}

int db_folder_set_listed(struct db_conn *conn, int64_t id, bool is_listed)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_SET_LISTED, "ii",
	                             (int64_t)is_listed, id));
}

int db_progress_get(struct db_conn *conn, int64_t folder,
                    struct db_progress *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_PROGRESS_GET, "i", folder);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, out->cursor, sizeof(out->cursor));
	db_column_text(s, 1, out->state, sizeof(out->state));
	(void)sqlite3_reset(s);
	return 0;
}

int db_progress_set(struct db_conn *conn, int64_t folder,
                    const struct db_progress *progress)
{
	return db_run(conn,
	              db_query(conn, SQL_PROGRESS_SET, "tti", progress->cursor,
	                       progress->state, folder));
}

int db_folder_apply(struct db_conn *conn, int64_t folder,
                    const struct db_delta *delta)
{
	if (!delta->is_changed[CACHE_NEW] && !delta->is_changed[CACHE_CUR])
		return 0;
	return db_run(conn, db_query(conn, SQL_FOLDER_APPLY, "iiiiii", folder,
	                             clock_wall_ns(), delta->count[CACHE_NEW],
	                             delta->count[CACHE_CUR],
	                             (int64_t)delta->is_changed[CACHE_NEW],
	                             (int64_t)delta->is_changed[CACHE_CUR]));
}

int db_totals_get(struct db_conn *conn, struct db_totals *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_TOTALS, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	out->folders = sqlite3_column_int64(s, 0);
	out->folders_listed = sqlite3_column_int64(s, 1);
	out->messages = sqlite3_column_int64(s, 2);
	(void)sqlite3_reset(s);
	return 0;
}
