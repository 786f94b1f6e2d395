/*
 * The brake: `rm -rf` on a mail mount must not be the end.
 *
 * Deletions are counted by when they were made, so that a burst made off line
 * is one, too; those sent a moment ago count with those made now.
 */
#include "cache/push.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* Rows looked at in one transaction. */
#define SCAN_BATCH 300

/* More deletions than both of these in a minute are no accident's size. */
#define BRAKE_COUNT   50
#define BRAKE_PERCENT 20
#define BRAKE_MS      (60 * 1000)

/* A removal that the brake looks at. */
struct braked {
	int64_t id, created_at;
	bool is_new; /* not held yet */
};

struct brake {
	struct braked *rows;
	size_t count, capacity;
	int64_t holds; /* messages in the folder */
};

static bool is_braked(const struct journal_row *row, int64_t folder)
{
	/* One that was tried has passed, or was confirmed. */
	return row->kind == JOURNAL_MESSAGE && row->folder == folder &&
	       row->target == -1 && row->after == 0 &&
	       (row->state == JOURNAL_HELD ||
	        (row->state == JOURNAL_READY && row->tries == 0));
}

static int brake_load(struct push *p, int64_t folder, struct brake *b)
{
	struct cache_folder f;
	struct journal_row row = { .id = 0 };
	struct db_conn *conn;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	if (db_folder_get(conn, folder, &f) == 0)
		b->holds = f.messages;
	for (int n = 1;
	     (err = journal_of_folder(conn, folder, row.id, &row)) == 0; n++) {
		if (is_braked(&row, folder)) {
			if (b->count == b->capacity) {
				b->capacity = 2 * b->capacity + 64;
				b->rows = xrealloc(b->rows,
				                   b->capacity *
				                           sizeof(*b->rows));
			}
			b->rows[b->count++] =
				(struct braked){ row.id, row.created_at,
				                 row.state == JOURNAL_READY };
		}
		if (n % SCAN_BATCH == 0) {
			db_rollback(conn);
			err = db_begin(p->cache->db, &conn);
			if (err < 0)
				return err;
		}
	}
	db_rollback(conn);
	return err == -ENOENT ? 0 : err;
}

/* Mark who is in any minute with too many: moves them to the front. */
static size_t brake_judge(const struct push *p, int64_t folder, struct brake *b)
{
	int64_t wall = clock_wall_ns() / 1000000;
	int64_t sent = recent_removals(&p->session->recent, wall, folder);
	int64_t most =
		(b->holds + (int64_t)b->count + sent) * BRAKE_PERCENT / 100;
	if (most < BRAKE_COUNT)
		most = BRAKE_COUNT;
	size_t kept = 0, done = 0;
	for (size_t i = 0, j = 0; j < b->count; j++) {
		while (b->rows[j].created_at - b->rows[i].created_at > BRAKE_MS)
			i++;
		bool is_now = wall - b->rows[j].created_at < BRAKE_MS;
		int64_t n = (int64_t)(j - i) + 1 + (is_now ? sent : 0);
		if (n <= most)
			continue;
		/* From i to j, but for those taken before. */
		for (size_t k = i < done ? done : i; k <= j; k++)
			if (b->rows[k].is_new)
				b->rows[kept++].id = b->rows[k].id;
		done = j + 1;
	}
	return kept;
}

static int brake_hold(struct push *p, const struct brake *b, size_t count)
{
	struct journal_row row;
	int err = 0;
	for (size_t i = 0; i < count && err == 0;) {
		struct db_conn *conn;
		err = db_begin(p->cache->db, &conn);
		if (err < 0)
			return err;
		for (int n = 0; i < count && n < DB_BATCH && err == 0;
		     i++, n++) {
			err = journal_get(conn, b->rows[i].id, &row);
			row.state = JOURNAL_HELD;
			if (err == 0)
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

int push_brake(struct push *p, int64_t folder)
{
	struct brake b = { 0 };
	int err = brake_load(p, folder, &b);
	size_t count = err == 0 ? brake_judge(p, folder, &b) : 0;
	if (count > 0) {
		log_warn("%zu deletions in a minute are held: `mailmount "
		         "confirm` goes on, `mailmount undo` takes them back",
		         count);
		err = brake_hold(p, &b, count);
	}
	free(b.rows);
	return err < 0 ? err : (int)count;
}
