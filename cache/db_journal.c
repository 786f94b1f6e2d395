/*
 * The journal's rows: reading and saving them.  What they mean is in
 * journal.c.
 */
#include "cache/db_conn.h"

#include <errno.h>
#include <string.h>

#include "cache/db_journal.h"

static void fill_row(sqlite3_stmt *s, struct journal_row *out)
{
	out->id = sqlite3_column_int64(s, 0);
	out->kind = (enum journal_kind)sqlite3_column_int64(s, 1);
	out->state = (enum journal_state)sqlite3_column_int64(s, 2);
	out->message = sqlite3_column_int64(s, 3);
	out->entry = sqlite3_column_int64(s, 4);
	out->folder = sqlite3_column_int64(s, 5);
	out->target = sqlite3_column_int64(s, 6);
	out->is_void = sqlite3_column_int64(s, 7) != 0;
	db_column_text(s, 8, out->key, sizeof(out->key));
	out->flags = (unsigned)sqlite3_column_int64(s, 9);
	db_column_text(s, 10, out->keywords, sizeof(out->keywords));
	out->not_before = sqlite3_column_int64(s, 11);
	out->created_at = sqlite3_column_int64(s, 12);
	out->tries = (int)sqlite3_column_int64(s, 13);
	out->after = sqlite3_column_int64(s, 14);
	db_column_text(s, 15, out->mark, sizeof(out->mark));
	out->sent_at = sqlite3_column_int64(s, 16);
	out->wire_size = (uint64_t)sqlite3_column_int64(s, 17);
	out->err = (int)sqlite3_column_int64(s, 18);
	db_column_text(s, 19, out->why, sizeof(out->why));
	out->is_offered = sqlite3_column_int64(s, 20) != 0;
	out->unsure = (unsigned)sqlite3_column_int64(s, 21);
	db_column_text(s, 22, out->unsure_keywords,
	               sizeof(out->unsure_keywords));
}

static int one_row(struct db_conn *conn, sqlite3_stmt *s,
                   struct journal_row *out)
{
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	fill_row(s, out);
	(void)sqlite3_reset(s);
	return 0;
}

int journal_next(struct db_conn *conn, enum journal_state state, int64_t after,
                 struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_NEXT, "ii", (int64_t)state,
	                        after),
	               out);
}

int journal_each(struct db_conn *conn, int64_t after, struct journal_row *out)
{
	return one_row(conn, db_query(conn, SQL_JOURNAL_EACH, "i", after), out);
}

int journal_of_folder(struct db_conn *conn, int64_t folder, int64_t after,
                      struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_OF_FOLDER, "ii", folder,
	                        after),
	               out);
}

int journal_get(struct db_conn *conn, int64_t id, struct journal_row *out)
{
	return one_row(conn, db_query(conn, SQL_JOURNAL_GET, "i", id), out);
}

int journal_by_key(struct db_conn *conn, int64_t folder, const char *key,
                   struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_BY_KEY, "it", folder, key),
	               out);
}

int journal_by_message(struct db_conn *conn, int64_t message, int64_t after,
                       struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_BY_MESSAGE, "ii", message,
	                        after),
	               out);
}

int journal_void_next(struct db_conn *conn, int64_t folder,
                      const struct remote_change *change, int64_t after,
                      struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_VOID_NEXT, "iiii", folder,
	                        change->received_at,
	                        (int64_t)change->claimed_size, after),
	               out);
}

int journal_void(struct db_conn *conn, int64_t folder)
{
	return db_run(conn, db_query(conn, SQL_JOURNAL_VOID, "i", folder));
}

int db_journal_void_entry(struct db_conn *conn, const struct journal_row *row,
                          const struct cache_entry *entry)
{
	int err = db_run(conn, db_query(conn, SQL_JOURNAL_VOID_ENTRY, "iii",
	                                row->id, entry->folder, entry->id));
	return err < 0 ? err : db_void_remove(conn, entry);
}

bool journal_has_void(struct db_conn *conn, int64_t folder)
{
	sqlite3_stmt *s = db_query(conn, SQL_JOURNAL_HAS_VOID, "i", folder);
	int n = db_step(conn, s);
	(void)sqlite3_reset(s);
	return n == 1;
}

int db_journal_folder_row(struct db_conn *conn, int64_t folder,
                          struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_FOLDER_ROW, "i", folder),
	               out);
}

int journal_folder_next(struct db_conn *conn, enum journal_state state,
                        int64_t after, struct journal_row *out)
{
	return one_row(conn,
	               db_query(conn, SQL_JOURNAL_FOLDER_NEXT, "ii",
	                        (int64_t)state, after),
	               out);
}

int journal_copy_source(struct db_conn *conn, const struct journal_row *row,
                        int64_t *folder_out, char key_out[REMOTE_KEY_MAX + 1])
{
	sqlite3_stmt *s =
		db_query(conn, SQL_JOURNAL_SOURCE, "ii", row->message, row->id);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*folder_out = sqlite3_column_int64(s, 0);
	db_column_text(s, 1, key_out, REMOTE_KEY_MAX + 1);
	(void)sqlite3_reset(s);
	return 0;
}

int64_t journal_last(struct db_conn *conn)
{
	sqlite3_stmt *s = db_query(conn, SQL_JOURNAL_LAST, "");
	if (db_step(conn, s) <= 0)
		return 0;
	int64_t id = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return id;
}

int64_t journal_due_at(struct db_conn *conn)
{
	sqlite3_stmt *s = db_query(conn, SQL_JOURNAL_DUE, "");
	if (db_step(conn, s) <= 0)
		return INT64_MAX;
	int64_t due = sqlite3_column_type(s, 0) == SQLITE_NULL
	                      ? INT64_MAX
	                      : sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return due;
}

/* An empty key is none: a row without one is not found by it. */
static const char *key_or_null(const char *key)
{
	return key[0] != '\0' ? key : NULL;
}

int db_journal_add(struct db_conn *conn, struct journal_row *row)
{
	row->id = db_id_new(conn);
	return db_run(conn,
	              db_query(conn, SQL_JOURNAL_ADD, "iiiiiiiititiii", row->id,
	                       (int64_t)row->kind, (int64_t)row->state,
	                       row->message, row->entry, row->folder,
	                       row->target, (int64_t)row->is_void,
	                       key_or_null(row->key), (int64_t)row->flags,
	                       row->keywords, row->not_before, row->created_at,
	                       row->after));
}

int journal_update(struct db_conn *conn, const struct journal_row *row)
{
	return db_run(conn,
	              db_query(conn, SQL_JOURNAL_SET, "iiiitiiit", row->id,
	                       (int64_t)row->state, row->not_before,
	                       (int64_t)row->tries, row->mark, row->sent_at,
	                       (int64_t)row->wire_size, (int64_t)row->err,
	                       row->why));
}

int db_journal_set_side(struct db_conn *conn, const struct journal_row *row)
{
	return db_run(conn,
	              db_query(conn, SQL_JOURNAL_SET_SIDE, "iititiit", row->id,
	                       row->folder, key_or_null(row->key),
	                       (int64_t)row->flags, row->keywords,
	                       (int64_t)row->is_void, (int64_t)row->unsure,
	                       row->unsure_keywords));
}

int db_journal_set_wish(struct db_conn *conn, const struct journal_row *row)
{
	return db_run(conn, db_query(conn, SQL_JOURNAL_SET_WISH, "iiiii",
	                             row->id, row->target, row->entry,
	                             row->message, row->after));
}

int db_journal_remove(struct db_conn *conn, int64_t id)
{
	int err = db_run(conn, db_query(conn, SQL_JOURNAL_DROP, "i", id));
	if (err < 0)
		return err;
	return db_run(conn, db_query(conn, SQL_JOURNAL_REMOVED_DROP, "i", id));
}

int journal_remember(struct db_conn *conn, const struct journal_row *row,
                     const struct cache_entry *entry)
{
	return db_run(conn, db_query(conn, SQL_JOURNAL_REMOVED_ADD, "iii",
	                             db_dir(entry->folder, entry->place),
	                             entry->id, row->id));
}

int journal_offer(struct db_conn *conn, int64_t row,
                  const struct cache_entry *old)
{
	int err = db_run(conn, db_query(conn, SQL_JOURNAL_OFFER, "i", row));
	if (err < 0 || old == NULL)
		return err;
	bool has_base = old->base[0] != '\0';
	return db_run(conn,
	              db_query(conn, SQL_JOURNAL_REMOVED_SET, "iiiiittii", row,
	                       db_dir(old->folder, old->place),
	                       (int64_t)old->identity, (int64_t)old->flags,
	                       old->message.received_at,
	                       has_base ? old->base : NULL,
	                       has_base ? old->info : NULL, (int64_t)old->shown,
	                       (int64_t)old->is_split));
}

int journal_accept(struct db_conn *conn, int64_t row)
{
	int err = db_run(conn, db_query(conn, SQL_JOURNAL_ACCEPT, "i", row));
	if (err < 0)
		return err;
	return db_run(conn, db_query(conn, SQL_JOURNAL_REMOVED_DROP, "i", row));
}

int journal_offered_next(struct db_conn *conn, struct journal_row *out)
{
	return one_row(conn, db_query(conn, SQL_JOURNAL_OFFERED, ""), out);
}

int db_journal_removed_get(struct db_conn *conn, int64_t row,
                           struct cache_entry *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_JOURNAL_REMOVED_GET, "i", row);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_fill_name(s, out);
	out->is_split = sqlite3_column_int64(s, 7) != 0;
	(void)sqlite3_reset(s);
	return 0;
}

int db_journal_bring_back(struct db_conn *conn, const struct journal_row *row)
{
	return db_run(conn,
	              db_query(conn, SQL_JOURNAL_REMOVED_BACK, "i", row->id));
}

int db_journal_settle(struct db_conn *conn, int64_t id, int64_t now)
{
	return db_run(conn, db_query(conn, SQL_JOURNAL_SETTLE, "ii", now, id));
}

int journal_counts_get(struct db_conn *conn, struct journal_counts *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_JOURNAL_COUNTS, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	out->pending = sqlite3_column_int64(s, 0);
	out->held = sqlite3_column_int64(s, 1);
	out->refused = sqlite3_column_int64(s, 2);
	(void)sqlite3_reset(s);
	return 0;
}

int journal_restart(struct db_conn *conn)
{
	return db_run(conn, db_query(conn, SQL_JOURNAL_RESTART, ""));
}
