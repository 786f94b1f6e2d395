/*
 * What goes next: rows of one kind and the same folders, so that a burst of
 * changes becomes few commands.
 *
 * A due row decides what; everything of its kind goes along, due or not.  What
 * a row asks for is read off it and its entry when it is picked, and again in
 * the transaction that sends it, for nothing is locked in between.
 */
#include "cache/push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/file.h"
#include "cache/words.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* Rows looked at in one transaction, and in all for one group. */
#define SCAN_BATCH 300
#define SCAN_MAX   10000
/* A row that waits for something else is looked at again after this. */
#define BLOCKED_MS 2000

/* The rows that are ready, a short transaction at a time. */
struct rows {
	struct push *push;
	struct db_conn *conn;
	int64_t after;
	int count;
};

static void rows_end(struct rows *rows)
{
	if (rows->conn != NULL)
		db_rollback(take(rows->conn));
}

/* 1 and *out, 0 at the end, or -errno. */
static int rows_next(struct rows *rows, struct journal_row *out)
{
	if (rows->conn != NULL && rows->count % SCAN_BATCH == 0)
		rows_end(rows);
	if (rows->conn == NULL) {
		int err = db_begin(rows->push->cache->db, &rows->conn);
		if (err < 0)
			return err;
	}
	rows->count++;
	int err = journal_next(rows->conn, JOURNAL_READY, rows->after, out);
	rows->after = out->id;
	return err == -ENOENT ? 0 : err < 0 ? err : 1;
}

static bool has_name(struct db_conn *conn, int64_t folder)
{
	auto_free char *name = db_folder_name(conn, folder);
	return name != NULL;
}

/* What is not sure is told again, whatever it was. */
static void intend_flags(const struct journal_row *row,
                         const struct journal_wish *wish,
                         struct push_intent *out)
{
	char sure[JOURNAL_KEYWORDS_MAX + 1], theirs[JOURNAL_KEYWORDS_MAX + 1];
	unsigned wanted = wish->entry.flags & MAIL_FLAGS;
	out->flags = wanted & (~row->flags | row->unsure);
	out->removed = ~wanted & (row->flags | row->unsure);
	words_less(row->keywords, row->unsure_keywords, sure, sizeof(sure));
	words_less(wish->keywords, sure, out->keywords, sizeof(out->keywords));
	memcpy(theirs, row->keywords, sizeof(theirs));
	words_add(theirs, sizeof(theirs), row->unsure_keywords);
	words_less(theirs, wish->keywords, out->removed_keywords,
	           sizeof(out->removed_keywords));
	out->flags_then = wanted;
	memcpy(out->keywords_then, wish->keywords, sizeof(out->keywords_then));
	bool is_none = out->flags == 0 && out->removed == 0 &&
	               out->keywords[0] == '\0' &&
	               out->removed_keywords[0] == '\0';
	out->what = is_none ? PUSH_NOTHING : PUSH_FLAGS;
}

static void intend_removal(const struct push *p, const struct journal_row *row,
                           struct push_intent *out)
{
	bool is_trash = row->folder == p->trash;
	out->what = PUSH_EXPUNGE;
	/* Nothing can be moved there: there is no trash. */
	if (!p->cache->can_append)
		return;
	switch (p->cache->delete) {
	case CACHE_DELETE_AUTO:
		if (p->trash != 0 && !is_trash)
			out->what = PUSH_TRASH;
		break;
	case CACHE_DELETE_TRASH:
		if (!is_trash)
			out->what = PUSH_TRASH;
		break;
	case CACHE_DELETE_EXPUNGE:
		break;
	case CACHE_DELETE_FLAG:
		out->what = PUSH_MARK;
		out->flags = MAIL_DELETED;
		break;
	}
	if (out->what == PUSH_TRASH)
		out->target = p->trash;
}

/* The flags that a copy brings along. */
static int source_flags(struct db_conn *conn, struct push_intent *out)
{
	struct journal_row row;
	struct cache_entry entry;
	bool same_keywords;
	int err = journal_by_key(conn, out->folder, out->key, &row);
	if (err == 0) {
		out->flags_then = row.flags;
		memcpy(out->keywords_then, row.keywords,
		       sizeof(out->keywords_then));
	}
	if (err != -ENOENT)
		return err;
	err = db_entry_by_key(conn, out->folder, out->key, &entry,
	                      &same_keywords, "");
	if (err < 0)
		return err;
	out->flags_then = entry.flags & MAIL_FLAGS;
	return db_entry_keywords(conn, &entry, out->keywords_then,
	                         sizeof(out->keywords_then));
}

/*
 * A copy that the server has.  That of a file which is kept may be from before
 * an edit if it is to be removed.
 */
static int find_source(struct db_conn *conn, const struct journal_row *row,
                       struct push_intent *out)
{
	struct journal_row source;
	int err = journal_copy_source(conn, row, &out->folder, out->key);
	if (err < 0)
		return err;
	err = journal_by_key(conn, out->folder, out->key, &source);
	if (err == 0 && source.target == -1 && out->message.is_kept)
		return -ENOENT;
	/* What flags would the copy have? */
	if (err == 0 && journal_is_unsure(&source))
		return -EAGAIN;
	return err == -ENOENT ? 0 : err;
}

/*
 * Will there be a copy, when what was sent of the message is known, or what the
 * server calls it now?
 */
static bool is_source_due(struct db_conn *conn, const struct journal_row *row)
{
	struct journal_row other = { .id = 0 };
	struct cache_entry name;
	while (journal_by_message(conn, row->message, other.id, &other) == 0)
		if (other.id != row->id)
			return true;
	if (db_entry_by_message(conn, row->message, &name) == 0 &&
	    db_void_has(conn, &name))
		return true;
	name.id = 0;
	while (db_entry_link(conn, row->message, name.id, &name) == 0)
		if (db_void_has(conn, &name))
			return true;
	return false;
}

/*
 * Does a delivery of the same message still need the server's copy, to copy
 * it or because the body is not here?
 */
static bool is_needed(struct db_conn *conn, const struct journal_row *row,
                      const struct cache_message *message)
{
	struct journal_row other = { .id = 0 };
	bool is_here = message->is_kept || message->is_cached;
	while (journal_by_message(conn, row->message, other.id, &other) == 0)
		if (other.id != row->id && push_is_birth(&other) &&
		    !(is_here && other.state == JOURNAL_REFUSED))
			return true;
	return false;
}

static int intend_birth(struct push *p, struct db_conn *conn,
                        const struct journal_row *row,
                        const struct journal_wish *wish,
                        struct push_intent *out)
{
	bool is_here = out->message.is_kept || out->message.is_cached;
	out->target = row->target;
	/* A source that was gone before is not tried again. */
	int err = row->err == -ESTALE && is_here ? -ENOENT
	                                         : find_source(conn, row, out);
	if (err == 0) {
		out->what = PUSH_COPY;
		return source_flags(conn, out);
	}
	if (err == -ENOENT && !is_here && is_source_due(conn, row))
		return -EAGAIN;
	out->what = PUSH_APPEND;
	/* Of a delivery nothing but the file says when it was. */
	if (out->received_at == 0 && out->message.is_kept &&
	    file_stat(p->cache->files, &out->message) == 0)
		out->received_at = out->message.mtime.tv_sec;
	out->folder = row->target;
	out->flags = wish->entry.flags & MAIL_FLAGS;
	out->flags_then = out->flags;
	memcpy(out->keywords, wish->keywords, sizeof(out->keywords));
	memcpy(out->keywords_then, wish->keywords, sizeof(out->keywords_then));
	return err == -ENOENT ? 0 : err;
}

static int intend(struct push *p, struct db_conn *conn,
                  const struct journal_row *row, struct push_intent *out)
{
	struct journal_wish wish;
	int err = journal_wish(conn, row, &wish);
	if (err == 0)
		err = db_message_get(conn, row->message, &out->message);
	if (err < 0)
		return err;
	out->folder = row->folder;
	out->target = row->folder;
	out->received_at = out->message.received_at;
	memcpy(out->key, row->key, sizeof(out->key));
	out->flags_then = row->flags;
	memcpy(out->keywords_then, row->keywords, sizeof(out->keywords_then));
	if (row->key[0] == '\0') {
		if (!wish.is_entry)
			return 0; /* nothing: it ends */
		return intend_birth(p, conn, row, &wish, out);
	}
	if (!wish.is_entry) {
		if (is_needed(conn, row, &out->message))
			return -EAGAIN;
		intend_removal(p, row, out);
	} else if (row->target != row->folder && !wish.entry.is_split) {
		out->what = PUSH_MOVE;
		out->target = row->target;
	} else {
		intend_flags(row, &wish, out);
	}
	return 0;
}

int push_intend(struct push *p, struct db_conn *conn,
                const struct journal_row *row, struct push_intent *out)
{
	struct journal_row other;
	memset(out, 0, sizeof(*out));
	if (row->kind != JOURNAL_MESSAGE || row->is_void)
		return -EAGAIN;
	if (row->after > 0 && journal_get(conn, row->after, &other) == 0)
		return -EAGAIN;
	int err = intend(p, conn, row, out);
	if (err < 0)
		return err;
	if (!has_name(conn, out->folder))
		return -EAGAIN;
	if (out->target != 0 && out->target != out->folder &&
	    !has_name(conn, out->target))
		return -EAGAIN;
	return 0;
}

/* The first row whose time has come and that can go: 1, 0, or -errno. */
static int find_first(struct push *p, struct push_intent *out)
{
	struct journal_row row;
	struct rows rows = { .push = p };
	int64_t *blocked = NULL;
	size_t count = 0, capacity = 0;
	int n;
	while ((n = rows_next(&rows, &row)) == 1) {
		if (row.not_before > p->now)
			continue;
		n = push_intend(p, rows.conn, &row, out);
		if (n == 0) {
			n = 1;
			break;
		}
		if (n != -EAGAIN && n != -ENOENT)
			break;
		if (count == capacity) {
			capacity = 2 * capacity + 64;
			blocked = xrealloc(blocked, capacity * sizeof(row.id));
		}
		blocked[count++] = row.id;
	}
	rows_end(&rows);
	if (n == 0)
		n = push_postpone(p, blocked, count, p->now + BLOCKED_MS);
	free(blocked);
	return n;
}

/* Those of its kind go along early; but who was put off waits. */
static bool may_go(const struct push *p, const struct journal_row *row)
{
	return row->not_before <= p->now || row->tries == 0;
}

static int collect(struct push *p, struct push_group *g)
{
	struct journal_row row;
	struct push_intent intent;
	struct rows rows = { .push = p };
	size_t most = g->what == PUSH_APPEND ? PUSH_APPENDS : PUSH_GROUP;
	int n = 1;
	while (g->count < most && (n = rows_next(&rows, &row)) == 1) {
		if (g->count > 0 && rows.count > SCAN_MAX)
			break;
		if (!may_go(p, &row) ||
		    push_intend(p, rows.conn, &row, &intent) < 0 ||
		    intent.what != g->what || intent.folder != g->folder ||
		    intent.target != g->target)
			continue;
		struct push_item *item = xmalloc(sizeof(*item));
		item->id = row.id;
		item->row = row;
		item->intent = intent;
		item->fd = -1;
		g->items[g->count++] = item;
		if (g->folder_name == NULL) {
			g->folder_name = db_folder_name(rows.conn, g->folder);
			g->target_name = db_folder_name(rows.conn, g->target);
		}
	}
	rows_end(&rows);
	return n < 0 ? n : 0;
}

int push_pick(struct push *p, struct push_group *g)
{
	struct push_intent first = { 0 };
	memset(g, 0, sizeof(*g));
	int n = find_first(p, &first);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	g->what = first.what;
	g->folder = first.folder;
	g->target = first.target;
	n = collect(p, g);
	/* What was found may have gone since; the next round knows. */
	return n;
}

static void free_item(struct push_item *item)
{
	if (item->fd >= 0)
		(void)close(item->fd);
	free(item);
}

void push_group_drop(struct push_group *g, size_t i)
{
	free_item(g->items[i]);
	memmove(&g->items[i], &g->items[i + 1],
	        (--g->count - i) * sizeof(struct push_item *));
}

void push_group_release(struct push_group *g)
{
	for (size_t i = 0; i < g->count; i++)
		free_item(g->items[i]);
	free(g->folder_name);
	free(g->target_name);
}

int push_postpone(struct push *p, const int64_t *ids, size_t count,
                  int64_t until)
{
	struct journal_row row;
	int err = 0;
	for (size_t i = 0; i < count && err == 0;) {
		struct db_conn *conn;
		err = db_begin(p->cache->db, &conn);
		if (err < 0)
			break;
		for (int n = 0; i < count && n < DB_BATCH && err == 0;
		     i++, n++) {
			err = journal_get(conn, ids[i], &row);
			row.not_before = until;
			if (err == 0 && row.state == JOURNAL_READY)
				err = journal_update(conn, &row);
			if (err == -ENOENT)
				err = 0;
		}
		if (err < 0)
			db_rollback(conn);
		else
			err = db_commit(conn);
	}
	return err;
}
