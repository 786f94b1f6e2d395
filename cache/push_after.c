/*
 * The ends a row can come to, and what they set off once they are committed:
 * listeners are told, who waits for a delivery is answered, and files that
 * nothing names any more go.
 */
#include "cache/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/write.h"
#include "util/mem.h"

static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = 2 * *capacity + 16;
	return xrealloc(array, *capacity * size);
}

static void add_moved(struct push_after *a, const struct cache_entry *old)
{
	a->moved = grow(a->moved, a->moved_count, &a->moved_capacity,
	                sizeof(*a->moved));
	a->moved[a->moved_count++] = *old;
}

static void add_ended(struct push_after *a, int64_t message)
{
	a->ended = grow(a->ended, a->ended_count, &a->ended_capacity,
	                sizeof(*a->ended));
	a->ended[a->ended_count++] = message;
}

void push_after_landed(struct push_after *a, int64_t message, int err)
{
	a->landed = grow(a->landed, a->landed_count, &a->landed_capacity,
	                 sizeof(*a->landed));
	a->landed[a->landed_count++] = (struct landed){ message, err };
}

bool push_is_birth(const struct journal_row *row)
{
	return row->kind == JOURNAL_MESSAGE && row->key[0] == '\0' &&
	       !row->is_void;
}

static int absorb(struct db_conn *conn, const struct journal_row *row,
                  struct push_after *after)
{
	struct cache_entry entry;
	bool is_entry = false;
	if (row->key[0] == '\0')
		return 0;
	int err =
		journal_absorb(conn, row->folder, row->key, &is_entry, &entry);
	if (err == 0 && is_entry) {
		add_moved(after, &entry);
		add_ended(after, entry.message.id);
	}
	return err;
}

int push_took(struct db_conn *conn, struct journal_row *row,
              struct push_after *after)
{
	struct journal_row before;
	int err = journal_get(conn, row->id, &before);
	if (err < 0)
		return err;
	/* A key of before belongs to this row, and to no entry. */
	bool is_news = before.folder != row->folder ||
	               strcmp(before.key, row->key) != 0;
	if (is_news)
		err = absorb(conn, row, after);
	bool is_landed = is_news && push_is_birth(&before);
	if (err == 0 && is_landed && row->wire_size > 0)
		err = db_message_set_claimed(conn, row->message,
		                             row->wire_size);
	if (err == 0)
		err = journal_took(conn, row);
	if (err < 0)
		return err;
	if (is_landed)
		push_after_landed(after, row->message, 0);
	add_ended(after, row->message);
	return 0;
}

int push_gone(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after)
{
	struct cache_entry entry;
	bool is_entry = false;
	int err = journal_gone(conn, row, &is_entry, &entry);
	if (err < 0)
		return err;
	if (is_entry)
		add_moved(after, &entry);
	if (push_is_birth(row))
		push_after_landed(after, row->message, 0);
	add_ended(after, row->message);
	return 0;
}

int push_drop(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after)
{
	int err = journal_drop(conn, row);
	if (err == 0)
		add_ended(after, row->message);
	return err;
}

/* A transaction of its own: most of what ended still has its name. */
static void reap(struct cache *c, const struct push_after *a)
{
	struct db_conn *conn;
	if (a->ended_count == 0 || db_begin(c->db, &conn) < 0)
		return;
	int64_t *dead = xcalloc(a->ended_count, sizeof(*dead));
	size_t count = 0;
	int err = 0;
	for (size_t i = 0; i < a->ended_count && err == 0; i++) {
		bool is_dead = false;
		err = journal_reap(conn, a->ended[i], &is_dead);
		if (err == 0 && is_dead)
			dead[count++] = a->ended[i];
	}
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	for (size_t i = 0; i < count && err == 0; i++)
		write_forget(c, dead[i]);
	free(dead);
}

void push_after_run(struct cache *c, struct push_after *a)
{
	for (size_t i = 0; i < a->moved_count; i++) {
		tell_moved(c, &a->moved[i]);
		tell_entries(c, a->moved[i].folder);
	}
	for (size_t i = 0; i < a->landed_count; i++)
		write_landed(c, a->landed[i].message, a->landed[i].err);
	reap(c, a);
	a->moved_count = 0;
	a->landed_count = 0;
	a->ended_count = 0;
}

void push_after_release(struct push_after *a)
{
	free(a->moved);
	free(a->landed);
	free(a->ended);
}

void write_landed(struct cache *c, int64_t message, int err)
{
}
