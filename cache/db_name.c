/*
 * Names and files: what writing does to entries and messages.
 */
#include "cache/db_conn.h"

#include <errno.h>
#include <string.h>

int db_entry_link(struct db_conn *conn, int64_t message, int64_t after,
                  struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_ENTRY_LINK, "ii", message,
	                             after),
	                    out);
}

int db_entry_by_id(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_ENTRY_BY_ID, "ii", folder, id),
	                    out);
}

int db_entry_due(struct db_conn *conn, int64_t folder, enum cache_place place,
                 int64_t after, int64_t before, struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_ENTRY_DUE, "iii",
	                             db_dir(folder, place), after, before),
	                    out);
}

int db_entry_by_base(struct db_conn *conn, int64_t folder,
                     enum cache_place place, const char *base, int64_t after,
                     struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_ENTRY_BY_BASE, "iti",
	                             db_dir(folder, place), base, after),
	                    out);
}

int db_entry_add_split(struct db_conn *conn, const struct cache_entry *own,
                       const char *keywords, unsigned flags, int64_t folder,
                       struct cache_entry *out)
{
	int err;
	*out = *own;
	out->flags = flags;
	out->id = db_id_new(conn);
	out->folder = folder;
	out->base[0] = '\0';
	out->info[0] = '\0';
	out->is_split = true;
	do {
		err = db_run(conn,
		             db_query(conn, SQL_ENTRY_ADD_SPLIT, "iiiiitii",
		                      db_dir(folder, out->place), out->id,
		                      folder, out->message.id,
		                      (int64_t)out->flags, keywords,
		                      (int64_t)out->identity,
		                      out->message.received_at));
	} while (err == -EEXIST && ++out->identity - own->identity < DB_BATCH);
	if (err == 0)
		err = db_message_link(conn, out->message.id, 1);
	return err < 0 ? err : db_entry_counted(conn, out, 1);
}

int db_entry_unsplit(struct db_conn *conn, int64_t message)
{
	return db_run(conn, db_query(conn, SQL_ENTRY_UNSPLIT, "i", message));
}

static int beside(struct db_conn *conn, enum db_sql which, int64_t folder,
                  int64_t id, struct cache_entry *out)
{
	struct cache_entry other;
	int err = db_one_entry(conn,
	                       db_query(conn, which, "ii",
	                                db_dir(folder, CACHE_NEW), id),
	                       out);
	if (err < 0 && err != -ENOENT)
		return err;
	bool is_any = err == 0, is_above = which == SQL_ENTRY_ABOVE;
	err = db_one_entry(conn,
	                   db_query(conn, which, "ii",
	                            db_dir(folder, CACHE_CUR), id),
	                   &other);
	if (err == 0 && (!is_any || (other.id < out->id) == is_above))
		*out = other;
	return err == -ENOENT && is_any ? 0 : err;
}

int db_entry_above(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out)
{
	return beside(conn, SQL_ENTRY_ABOVE, folder, id, out);
}

int db_entry_below(struct db_conn *conn, int64_t folder, int64_t id,
                   struct cache_entry *out)
{
	return beside(conn, SQL_ENTRY_BELOW, folder, id, out);
}

int db_budget_get(struct db_conn *conn, struct db_budget *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_BUDGET_GET, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	out->day = sqlite3_column_int64(s, 0);
	out->spent = (uint64_t)sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
}

int db_budget_set(struct db_conn *conn, const struct db_budget *budget)
{
	return db_run(conn, db_query(conn, SQL_BUDGET_SET, "ii", budget->day,
	                             (int64_t)budget->spent));
}

int db_split_get(struct db_conn *conn, struct db_split *out)
{
	sqlite3_stmt *s = db_query(conn, SQL_SPLIT_GET, "");
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, out->how, sizeof(out->how));
	out->low = sqlite3_column_int64(s, 1);
	out->high = sqlite3_column_int64(s, 2);
	(void)sqlite3_reset(s);
	return 0;
}

int db_split_set(struct db_conn *conn, const struct db_split *split)
{
	return db_run(conn, db_query(conn, SQL_SPLIT_SET, "tii", split->how,
	                             split->low, split->high));
}

bool db_entry_any(struct db_conn *conn, int64_t folder, enum cache_place place)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_ENTRY_ANY, "i", db_dir(folder, place));
	int n = db_step(conn, s);
	if (n > 0)
		(void)sqlite3_reset(s);
	return n > 0;
}

int db_entry_key(struct db_conn *conn, const struct cache_entry *entry,
                 char key_out[REMOTE_KEY_MAX + 1])
{
	sqlite3_stmt *s =
		db_query(conn, SQL_ENTRY_KEY, "ii",
	                 db_dir(entry->folder, entry->place), entry->id);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, key_out, REMOTE_KEY_MAX + 1);
	(void)sqlite3_reset(s);
	return 0;
}

int db_entry_keywords(struct db_conn *conn, const struct cache_entry *entry,
                      char *keywords_out, size_t size)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_ENTRY_BY_ID, "ii", entry->folder, entry->id);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 7, keywords_out, size);
	(void)sqlite3_reset(s);
	return 0;
}

int db_entry_set_key(struct db_conn *conn, const struct cache_entry *entry,
                     const char *key)
{
	return db_run(conn, db_query(conn, SQL_ENTRY_SET_KEY, "iit",
	                             db_dir(entry->folder, entry->place),
	                             entry->id, key));
}

int db_entry_set_flags(struct db_conn *conn, const struct cache_entry *old,
                       enum cache_place place, unsigned flags,
                       const char *keywords)
{
	return db_run(conn, db_query(conn, SQL_ENTRY_SET_FLAGS, "iiiit",
	                             db_dir(old->folder, old->place), old->id,
	                             db_dir(old->folder, place), (int64_t)flags,
	                             keywords));
}

int db_entry_name(struct db_conn *conn, const struct cache_entry *old,
                  const struct cache_entry *new)
{
	bool has_base = new->base[0] != '\0';
	int err = db_run(conn,
	                 db_query(conn, SQL_ENTRY_NAME, "iiiittiiii",
	                          db_dir(old->folder, old->place), old->id,
	                          db_dir(new->folder, new->place), new->folder,
	                          has_base ? new->base : NULL,
	                          has_base ? new->info : NULL,
	                          (int64_t) new->shown, (int64_t) new->flags,
	                          (int64_t) new->identity,
	                          (int64_t) new->is_split));
	if (err < 0 || old->folder == new->folder || old->id != old->message.id)
		return err;
	return db_run(conn, db_query(conn, SQL_MESSAGE_SET_FOLDER, "ii",
	                             old->message.id, new->folder));
}

int db_entry_add_named(struct db_conn *conn, const struct cache_entry *entry)
{
	return db_run(conn, db_query(conn, SQL_ENTRY_ADD_NAMED, "iiiiitiittii",
	                             db_dir(entry->folder, entry->place),
	                             entry->id, entry->folder,
	                             entry->message.id, (int64_t)entry->flags,
	                             "", (int64_t)entry->identity,
	                             entry->message.received_at, entry->base,
	                             entry->info, (int64_t)entry->shown,
	                             (int64_t)entry->is_split));
}

int64_t db_id_new(struct db_conn *conn)
{
	return conn->db->next_id++;
}

int db_message_keep(struct db_conn *conn, int64_t id, int64_t folder)
{
	return db_run(conn, db_query(conn, SQL_MESSAGE_KEEP, "ii", id, folder));
}

int db_message_set_kept(struct db_conn *conn, int64_t id, bool is_kept,
                        uint64_t size, int64_t use)
{
	/* While it is kept its size is that of its file. */
	sqlite3_stmt *s =
		db_query(conn, SQL_MESSAGE_SET_KEPT, "iiiii", id,
	                 (int64_t)is_kept, (int64_t)size, (int64_t)size, use);
	for (int i = 3; s != NULL && is_kept && i <= 5; i++)
		(void)sqlite3_bind_null(s, i);
	return db_run(conn, s);
}

int db_message_set(struct db_conn *conn, const struct cache_message *m)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_MESSAGE_SET, "iiiiiii", m->id,
	                 m->received_at, (int64_t)m->mode, (int64_t)m->uid,
	                 (int64_t)m->gid, db_ns(m->mtime), db_ns(m->ctime));
	if (s != NULL && m->uid == (uid_t)-1)
		(void)sqlite3_bind_null(s, 4);
	if (s != NULL && m->gid == (gid_t)-1)
		(void)sqlite3_bind_null(s, 5);
	return db_run(conn, s);
}

int db_message_link(struct db_conn *conn, int64_t id, int change)
{
	return db_run(conn, db_query(conn, SQL_MESSAGE_LINKS, "ii", id,
	                             (int64_t)change));
}

int db_message_date(struct db_conn *conn, int64_t id, int64_t received_at)
{
	return db_run(conn,
	              db_query(conn, SQL_MESSAGE_DATE, "ii", id, received_at));
}

int db_message_redate(struct db_conn *conn, int64_t id, int64_t received_at)
{
	return db_run(conn, db_query(conn, SQL_MESSAGE_REDATE, "ii", id,
	                             received_at));
}

int db_message_set_claimed(struct db_conn *conn, int64_t id, uint64_t size)
{
	return db_run(conn, db_query(conn, SQL_MESSAGE_SET_CLAIMED, "ii", id,
	                             (int64_t)size));
}

int db_message_kept_next(struct db_conn *conn, int64_t after, int64_t *id_out)
{
	sqlite3_stmt *s = db_query(conn, SQL_MESSAGE_KEPT_NEXT, "i", after);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	*id_out = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return 0;
}

int db_message_remove(struct db_conn *conn, int64_t id)
{
	return db_run(conn, db_query(conn, SQL_MESSAGE_REMOVE, "i", id));
}

static void count(struct db_delta *delta, enum cache_place place, int change)
{
	delta->count[place] += change;
	delta->is_changed[place] = true;
}

int db_entry_counted(struct db_conn *conn, const struct cache_entry *entry,
                     int change)
{
	struct db_delta delta = { 0 };
	count(&delta, entry->place, change);
	return db_folder_apply(conn, entry->folder, &delta);
}

int db_entry_moved(struct db_conn *conn, const struct cache_entry *old,
                   int64_t folder, enum cache_place place)
{
	struct db_delta delta = { 0 };
	if (old->folder != folder) {
		int err = db_entry_counted(conn, old, -1);
		if (err < 0)
			return err;
	} else {
		count(&delta, old->place, -1);
	}
	count(&delta, place, 1);
	return db_folder_apply(conn, folder, &delta);
}

int db_entry_drop(struct db_conn *conn, const struct cache_entry *entry)
{
	int err = db_entry_remove(conn, entry);
	if (err == 0)
		err = db_message_link(conn, entry->message.id, -1);
	return err < 0 ? err : db_entry_counted(conn, entry, -1);
}
