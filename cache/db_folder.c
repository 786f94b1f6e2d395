#include "cache/db_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/db_keyword.h"
#include "util/clock.h"
#include "util/mem.h"

static void fill_folder(sqlite3_stmt *s, struct cache_folder *out)
{
	out->id = sqlite3_column_int64(s, 0);
	out->parent = sqlite3_column_int64(s, 1);
	db_column_text(s, 2, out->level, sizeof(out->level));
	out->attributes = (unsigned)sqlite3_column_int64(s, 3);
	out->is_listed = sqlite3_column_int64(s, 4) != 0;
	out->messages = sqlite3_column_int64(s, 5);
	out->changed_ns = sqlite3_column_int64(s, 6);
	out->entries_changed_ns[CACHE_NEW] = sqlite3_column_int64(s, 7);
	out->entries_changed_ns[CACHE_CUR] = sqlite3_column_int64(s, 8);
	out->children = sqlite3_column_int64(s, 9);
	out->places = (unsigned)sqlite3_column_int64(s, 10);
	out->is_local = sqlite3_column_int64(s, 11) != 0;
	out->entries_changed_ns[CACHE_TMP] = sqlite3_column_int64(s, 12);
	out->entries_changed_ns[CACHE_TOP] = out->changed_ns;
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

char *db_folder_path(struct db_conn *conn, int64_t id)
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

static char *text_of(struct db_conn *conn, enum db_sql which, int64_t id)
{
	sqlite3_stmt *s = db_query(conn, which, "i", id);
	if (db_step(conn, s) <= 0)
		return NULL;
	const char *text = (const char *)sqlite3_column_text(s, 0);
	char *copy = text != NULL ? xstrdup(text) : NULL;
	(void)sqlite3_reset(s);
	return copy;
}

char *db_folder_name(struct db_conn *conn, int64_t id)
{
	return text_of(conn, SQL_FOLDER_SERVER_NAME, id);
}

char *db_folder_object(struct db_conn *conn, int64_t id)
{
	return text_of(conn, SQL_FOLDER_OBJECT, id);
}

int db_folder_set_object(struct db_conn *conn, int64_t id, const char *object)
{
	return db_run(conn,
	              db_query(conn, SQL_FOLDER_SET_OBJECT, "it", id, object));
}

int db_folder_by_object(struct db_conn *conn, const char *object,
                        struct cache_folder *out)
{
	return one_folder(conn,
	                  db_query(conn, SQL_FOLDER_BY_OBJECT, "t", object),
	                  out);
}

int db_folder_by_name(struct db_conn *conn, const char *name,
                      struct cache_folder *out)
{
	return one_folder(conn, db_query(conn, SQL_FOLDER_BY_SERVER, "t", name),
	                  out);
}

int db_folder_add(struct db_conn *conn, int64_t parent, const char *level,
                  unsigned attributes, const char *name, int64_t *id_out)
{
	int64_t id = conn->db->next_folder;
	bool is_mailbox =
		name != NULL && (attributes & MAIL_FOLDER_NOSELECT) == 0;
	int err = db_run(conn,
	                 db_query(conn, SQL_FOLDER_ADD, "iitiiit", id, parent,
	                          level, (int64_t)attributes, clock_wall_ns(),
	                          (int64_t)(is_mailbox ? DB_PLACES_ALL : 0),
	                          name));
	if (err == 0)
		err = db_folder_touch(conn, parent);
	if (err < 0)
		return err;
	conn->db->next_folder++;
	*id_out = id;
	return 0;
}

int db_folder_set_name(struct db_conn *conn, int64_t id, const char *name)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_SET_SERVER_NAME, "it", id,
	                             name));
}

int db_folder_renamed(struct db_conn *conn, const char *from, const char *to)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_MOVE_SERVER_NAMES, "tt",
	                             from, to));
}

int db_folder_move(struct db_conn *conn, int64_t id, int64_t parent,
                   const char *level)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_MOVE, "iit", id, parent,
	                             level));
}

int db_folder_set_places(struct db_conn *conn, int64_t id, unsigned places)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_SET_PLACES, "ii", id,
	                             (int64_t)places));
}

int db_folder_set_local(struct db_conn *conn, int64_t id, bool is_local)
{
	return db_run(conn, db_query(conn, SQL_FOLDER_SET_LOCAL, "ii", id,
	                             (int64_t)is_local));
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
	if (err == 0)
		err = db_keyword_remove_all(conn, folder->id);
	if (err == 0)
		err = db_landed_clear(conn, folder->id);
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
	bool is_any = false;
	for (int i = 0; i < CACHE_PLACES; i++)
		is_any |= delta->is_changed[i];
	if (!is_any)
		return 0;
	return db_run(conn, db_query(conn, SQL_FOLDER_APPLY, "iiiiiiii", folder,
	                             clock_wall_ns(), delta->count[CACHE_NEW],
	                             delta->count[CACHE_CUR],
	                             (int64_t)delta->is_changed[CACHE_NEW],
	                             (int64_t)delta->is_changed[CACHE_CUR],
	                             (int64_t)delta->is_changed[CACHE_TMP],
	                             (int64_t)delta->is_changed[CACHE_TOP]));
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
