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

/* It went. */
static void add_moved(void *after, const struct cache_entry *old,
                      const struct cache_entry *now)
{
	struct push_after *a = after;
	(void)now;
	a->moved = grow(a->moved, a->moved_count, &a->moved_capacity,
	                sizeof(*a->moved));
	a->moved[a->moved_count++] = *old;
}

/* If nothing names it any more it goes; after the commit its files do. */
static int reap(struct db_conn *conn, int64_t message, struct push_after *a)
{
	struct cache_message m;
	bool is_dead = false;
	int err = db_message_get(conn, message, &m);
	if (err == 0)
		err = journal_reap(conn, message, &is_dead);
	if (err < 0 || !is_dead)
		return err == -ENOENT ? 0 : err;
	a->dead = grow(a->dead, a->dead_count, &a->dead_capacity,
	               sizeof(*a->dead));
	a->dead[a->dead_count++] = m;
	return 0;
}

bool push_is_birth(const struct journal_row *row)
{
	return row->kind == JOURNAL_MESSAGE && row->key[0] == '\0' &&
	       !row->is_void;
}

void push_answer(const struct journal_row *row, int err, struct push_after *a)
{
	a->answers = grow(a->answers, a->answer_count, &a->answer_capacity,
	                  sizeof(*a->answers));
	a->answers[a->answer_count++] = (struct push_answer){ row->id, err };
}

static int absorb(struct db_conn *conn, const struct journal_row *row,
                  struct push_after *after)
{
	struct cache_entry entry;
	bool is_entry = false;
	if (row->key[0] == '\0')
		return 0;
	int err = journal_absorb(conn, row->folder, row->key, &is_entry, &entry,
	                         add_moved, after);
	if (err < 0 || !is_entry)
		return err;
	add_moved(after, &entry, NULL);
	return reap(conn, entry.message.id, after);
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
	if (err == 0 && is_landed)
		push_answer(&before, 0, after);
	if (err == 0 && is_landed && before.is_offered)
		err = journal_accept(conn, row->id);
	if (err == 0 && is_landed && row->wire_size > 0)
		err = db_message_set_claimed(conn, row->message,
		                             row->wire_size);
	if (err == 0 && is_news && row->key[0] != '\0')
		err = db_landed_add(conn, row->folder, row->key);
	if (err == 0)
		err = journal_took(conn, row);
	if (err < 0)
		return err;
	return reap(conn, row->message, after);
}

int push_gone(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after)
{
	struct cache_entry entry;
	bool is_entry = false;
	int err = journal_gone(conn, row, &is_entry, &entry, add_moved, after);
	if (err < 0)
		return err;
	if (is_entry)
		add_moved(after, &entry, NULL);
	return reap(conn, row->message, after);
}

int push_drop(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after)
{
	int err = journal_drop(conn, row);
	return err < 0 ? err : reap(conn, row->message, after);
}

void push_after_run(struct cache *c, struct push_after *a)
{
	for (size_t i = 0; i < a->moved_count; i++) {
		tell_moved(c, &a->moved[i], NULL);
		tell_entries(c, a->moved[i].folder);
	}
	for (size_t i = 0; i < a->dead_count; i++) {
		write_forget(c, a->dead[i].id);
		if (a->dead[i].is_cached)
			body_count(c->bodies, 0, a->dead[i].size);
	}
	for (size_t i = 0; i < a->answer_count; i++)
		jobs_sent(c->jobs, a->answers[i].row, a->answers[i].err);
	a->moved_count = 0;
	a->dead_count = 0;
	a->answer_count = 0;
}

void push_after_release(struct push_after *a)
{
	free(a->moved);
	free(a->dead);
	free(a->answers);
}
