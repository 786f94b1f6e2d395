/*
 * To sync a file, and then the log of the index, are two waits for the disk,
 * one behind the other.  So a small body goes into the log as well, in the
 * transaction that gives it its name.  Its file is there as any other, and is
 * what is read; but it is not synced.  That is done later, when the kernel has
 * written most of it anyway, and then the index lets the bytes go.
 *
 *	logged_add()		index and file have the bytes; the index lasts
 *	power cut		the file may be anything: logged_restart()
 *	logged_settle()		the file lasts; then the index forgets them
 *	logged_touch()		the same at once: the file is about to change,
 *				and a start must not take the change for damage
 */
#include "cache/logged.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/log.h"
#include "util/mem.h"

struct logged {
	struct cache *cache;          /* borrowed: it holds the keeper */
	struct cache_message message; /* what logged_take() read */
	char *bytes;
	uint64_t total; /* in the index, or less: see logged_settle() */
	int64_t due;    /* see logged_due() */
	/* From message to message, while some are settled; else 0. */
	int64_t settled, settle_to;
};

static int64_t later(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + LOGGED_SETTLE_S;
}

struct logged *logged_new(struct cache *c)
{
	struct logged *l = xmalloc(sizeof(*l));
	l->cache = c;
	l->bytes = xmalloc(LOGGED_BODY_MAX);
	/* There may be some from before. */
	l->due = later();
	return l;
}

void logged_free(struct logged *l)
{
	free(l->bytes);
	free(l);
}

bool logged_take(struct logged *l, int64_t message)
{
	struct file_store *files = l->cache->files;
	if (l->total > LOGGED_TOTAL_MAX || file_is_synced(files, message))
		return false;
	l->message = (struct cache_message){ .id = message };
	file_watch(files, message);
	int err = file_stat(files, &l->message);
	if (err == 0 && l->message.size <= LOGGED_BODY_MAX)
		err = file_read(files, &l->message, l->bytes);
	if (err == 0 && l->message.size <= LOGGED_BODY_MAX)
		return true;
	file_end_watch(files, false);
	return false;
}

int logged_add(struct db_conn *conn, const struct logged *l)
{
	struct file_store *files = l->cache->files;
	if (file_is_changed(files))
		return file_sync_again(files, &l->message.id, 1);
	return db_logged_add(conn, &l->message, l->bytes);
}

void logged_end(struct logged *l, bool is_committed)
{
	file_end_watch(l->cache->files, is_committed);
	if (!is_committed)
		return;
	l->total += l->message.size;
	if (l->total > LOGGED_TOTAL_MAX)
		l->due = 0;
	else if (l->due == LOGGED_NEVER)
		l->due = later();
}

int64_t logged_due(const struct logged *l)
{
	return l->due;
}

/* The next that are to be settled; how many, or -errno. */
static int pick(struct logged *l, int64_t messages[LOGGED_SETTLE_BATCH])
{
	struct cache_message m = { .id = l->settled };
	struct db_conn *conn;
	int count = 0;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	if (l->settled == 0)
		err = db_logged_totals(conn, &l->settle_to, &l->total);
	while (err == 0 && count < LOGGED_SETTLE_BATCH) {
		err = db_logged_next(conn, m.id, &m, NULL, 0);
		if (err == 0 && m.id > l->settle_to)
			err = -ENOENT;
		if (err == 0)
			messages[count++] = m.id;
	}
	db_rollback(conn);
	return err < 0 && err != -ENOENT ? err : count;
}

static int remove_all(struct cache *c, const int64_t *messages, int count)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	for (int i = 0; i < count && err == 0; i++)
		err = db_logged_remove(conn, messages[i]);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	return db_commit(conn);
}

/* All that there were had their turn. */
static int end_settling(struct logged *l)
{
	struct db_conn *conn;
	int64_t last;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_logged_totals(conn, &last, &l->total);
	db_rollback(conn);
	l->settled = 0;
	l->due = last > 0 ? later() : LOGGED_NEVER;
	return err;
}

/* In a transaction each: who is about to change it waits for its end. */
static void write_again(struct logged *l, const int64_t *messages, int count)
{
	struct cache_message m;
	struct db_conn *conn;
	for (int i = 0; i < count && db_begin(l->cache->db, &conn) == 0; i++) {
		if (db_logged_next(conn, messages[i] - 1, &m, l->bytes,
		                   LOGGED_BODY_MAX) == 0 &&
		    m.id == messages[i])
			(void)file_rewrite(l->cache->files, &m, l->bytes);
		db_rollback(conn);
	}
}

void logged_settle(struct logged *l)
{
	int64_t messages[LOGGED_SETTLE_BATCH];
	int n = pick(l, messages);
	int err = n < 0 ? n : 0;
	if (n == 0)
		err = end_settling(l);
	if (n > 0) {
		l->settled = messages[n - 1];
		err = file_sync_again(l->cache->files, messages, (size_t)n);
		if (err == 0)
			err = remove_all(l->cache, messages, n);
		else
			write_again(l, messages, n);
	}
	if (err == 0)
		return;
	/* The index keeps the bytes. */
	log_warn("deliveries are not synced yet: %s", strerror(-err));
	if (n <= 0)
		l->due = later();
}

int logged_touch(struct cache *c, int64_t message)
{
	struct db_conn *conn;
	bool is_under_way = file_touch(c->files, message);
	if (!is_under_way && !db_logged_has(db_reader(c->db), message))
		return 0;
	/* If it is under way, behind that. */
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	if (!db_logged_has(conn, message)) {
		db_rollback(conn);
		return 0;
	}
	err = file_sync_again(c->files, &message, 1);
	if (err == 0)
		err = db_logged_remove(conn, message);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	return db_commit(conn);
}

int logged_restart(struct cache *c, char **why_out)
{
	struct db_conn *reader = db_reader(c->db);
	struct cache_message m = { .id = 0 }, now;
	char *bytes = xmalloc(LOGGED_BODY_MAX);
	int restored = 0;
	int err;
	while ((err = db_logged_next(reader, m.id, &m, bytes,
	                             LOGGED_BODY_MAX)) == 0) {
		/* It may have gone since. */
		if (db_message_get(reader, m.id, &now) < 0 || !now.is_kept)
			continue;
		err = file_restore(c->files, &m, bytes);
		if (err < 0) {
			*why_out = xasprintf("cannot write again what a power "
			                     "cut took of a delivery: %s",
			                     strerror(-err));
			break;
		}
		restored += err;
	}
	free(bytes);
	if (restored > 0)
		log_info("%d deliveries were written again", restored);
	return err == -ENOENT ? 0 : err;
}
