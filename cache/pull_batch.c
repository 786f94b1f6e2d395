/*
 * The transactions of a pull.  They are short: the lock on writing goes with
 * them, and others wait for it.  The events of one are told after its commit.
 */
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/pull.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Others wait for the writer no longer than about this. */
#define BATCH_MS 5

int pull_batch_begin(struct pull *p)
{
	if (p->conn != NULL)
		return 0;
	p->rows = 0;
	p->moved_count = 0;
	p->freed = p->regained = 0;
	p->keyword_file.message = 0;
	p->began_at = clock_now_ms();
	memset(&p->delta, 0, sizeof(p->delta));
	return db_begin(p->cache->db, &p->conn);
}

void pull_batch_abandon(struct pull *p)
{
	if (p->conn != NULL)
		db_rollback(take(p->conn));
}

int pull_batch_commit(struct pull *p)
{
	if (p->conn == NULL)
		return 0;
	int err = db_folder_apply(p->conn, p->folder, &p->delta);
	if (err < 0) {
		pull_batch_abandon(p);
		return err;
	}
	err = db_commit(take(p->conn));
	if (err < 0)
		return err;
	body_count(p->cache->bodies, p->regained, p->freed);
	jobs_pull_progress(p->cache->jobs, p->folder);
	keyword_told(p->cache, &p->keyword_file);
	if (!p->is_listed)
		return 0;
	for (size_t i = 0; i < p->moved_count; i++) {
		const struct pull_move *m = &p->moved[i];
		tell_moved(p->cache, m->has_old ? &m->old : NULL,
		           m->has_now ? &m->now : NULL);
		int64_t folder = m->has_old ? m->old.folder : m->now.folder;
		if (folder != p->folder)
			tell_entries(p->cache, folder);
	}
	if (p->delta.is_changed[CACHE_NEW] || p->delta.is_changed[CACHE_CUR])
		tell_entries(p->cache, p->folder);
	return 0;
}

int pull_batch_row(struct pull *p)
{
	if (p->conn != NULL &&
	    (p->rows >= DB_BATCH || clock_now_ms() - p->began_at >= BATCH_MS)) {
		int err = pull_batch_commit(p);
		if (err < 0)
			return err;
	}
	int err = pull_batch_begin(p);
	p->rows++;
	return err;
}

void pull_entry_moved(struct pull *p, const struct cache_entry *old,
                      const struct cache_entry *now)
{
	if (p->moved_count == p->moved_capacity) {
		p->moved_capacity = 2 * p->moved_capacity + 16;
		p->moved = xrealloc(p->moved,
		                    p->moved_capacity * sizeof(*p->moved));
	}
	struct pull_move *m = &p->moved[p->moved_count++];
	m->has_old = old != NULL;
	m->has_now = now != NULL;
	if (old != NULL)
		m->old = *old;
	if (now != NULL)
		m->now = *now;
}

void pull_told(void *arg, const struct cache_entry *old,
               const struct cache_entry *now)
{
	pull_entry_moved(arg, old, now);
}

void pull_batch_release(struct pull *p)
{
	free(take(p->moved));
}
