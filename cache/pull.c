/*
 * Changes of a folder, from the server into the index.
 *
 * They are gathered in memory and then saved in short transactions: none is
 * open while we wait for the server, for the lock on writing goes with it.
 * Each change is idempotent, so that a pull that ends early costs its work and
 * no truth: the cursor is saved with the last.  Events of a transaction are
 * told after its commit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/journal.h"
#include "cache/pull.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

static size_t add_text(struct pull *p, const char *s)
{
	size_t at = p->text.len;
	strbuf_add(&p->text, s == NULL ? "" : s, s == NULL ? 1 : strlen(s) + 1);
	return at;
}

static void gather(struct pull *p, const struct remote_change *change)
{
	struct gathered *g = &p->gathered[p->gathered_count++];
	g->change = *change;
	g->key = add_text(p, change->key);
	g->keywords = add_text(p, change->keywords);
}

static int finish(struct pull *p, const struct remote_cursor *cursor,
                  const char *state)
{
	struct db_progress progress = { "", "" };
	/* Entries that wait for a match are not seen yet, and not gone. */
	bool is_sweep = cursor->complete && !(p->has_void && cursor->more);
	int err = is_sweep ? pull_sweep_unseen(p) : 0;
	if (err == 0 && !cursor->more && p->has_void)
		err = pull_sweep_void(p);
	if (err == 0 && !cursor->more)
		err = pull_sweep_landed(p);
	if (err == 0)
		err = pull_batch_begin(p);
	if (err == 0)
		err = FAULT("pull-cursor");
	if (err < 0)
		return err;
	memcpy(progress.cursor, cursor->text, sizeof(progress.cursor));
	if (!cursor->more && strlen(state) < sizeof(progress.state))
		memcpy(progress.state, state, strlen(state) + 1);
	err = db_progress_set(p->conn, p->folder, &progress);
	if (err == 0)
		err = cursor->more ? pull_forget_landed(p)
		                   : db_landed_clear(p->conn, p->folder);
	bool is_first = !p->is_listed && !cursor->more;
	if (err == 0 && is_first)
		err = db_folder_set_listed(p->conn, p->folder, true);
	if (err == 0)
		err = pull_batch_commit(p);
	if (err == 0 && is_first) {
		tell_entries(p->cache, p->folder);
		jobs_listed(p->cache->jobs, p->folder, 0);
	}
	return err;
}

/* For people: a first listing may take a while. */
static void show_progress(struct pull *p, const char *name, int64_t done,
                          int64_t total)
{
	struct cache *c = p->cache;
	(void)pthread_mutex_lock(&c->status_lock);
	(void)snprintf(c->listing, sizeof(c->listing), "%s", name);
	c->listing_done = done;
	c->listing_total = total;
	(void)pthread_mutex_unlock(&c->status_lock);
}

/* Of so few it costs nothing; Mailutils has to, whenever all are expunged. */
#define FREE_RESET 20

/*
 * All keys are void.  To match them again is work for all of the folder: who
 * voids them on and on is left alone; what is here stays readable.
 */
static int check_reset(struct pull *p)
{
	bool is_new;
	if (p->has_void || p->known <= FREE_RESET ||
	    recent_reset(&p->cache->sessions[0].recent,
	                 clock_wall_ns() / 1000000, p->folder, &is_new))
		return 0;
	if (is_new)
		log_warn("the server numbers it anew again and again: off line "
		         "for up to an hour");
	return -EBUSY;
}

static int receive(struct pull *p, struct remote *r, const char *name,
                   const struct jobs_pull *job, bool *more_out)
{
	struct remote_change change;
	struct remote_cursor cursor;
	int64_t count = 0;
	int n;
	while ((n = remote_next(r, &change, &cursor)) == 1) {
		int err = change.kind == REMOTE_RESET ? check_reset(p) : 0;
		if (err < 0)
			return err;
		gather(p, &change);
		if (++count % DB_BATCH != 0)
			continue;
		err = pull_apply(p);
		if (err < 0)
			return err;
		if (!p->is_listed)
			show_progress(p, name, p->known + count, job->messages);
	}
	int err = pull_apply(p); /* true, if not all */
	if (n == 0)
		n = err < 0 ? err : finish(p, &cursor, job->state);
	if (n == 0)
		*more_out = cursor.more;
	return n;
}

/* What is known before; the name is to be freed. */
static int prepare(struct pull *p, struct db_progress *progress,
                   char **name_out)
{
	struct cache_folder folder;
	struct cache_entry entry;
	int err = pull_batch_begin(p);
	if (err < 0)
		return err;
	err = db_folder_get(p->conn, p->folder, &folder);
	if (err == 0)
		err = db_progress_get(p->conn, p->folder, progress);
	if (err == 0) {
		p->is_listed = folder.is_listed;
		p->has_cursor = progress->cursor[0] != '\0';
		p->known = folder.messages;
		p->has_void = db_void_next(p->conn, p->folder, &entry) == 0 ||
		              journal_has_void(p->conn, p->folder);
		p->last_row = journal_last(p->conn);
		*name_out = db_folder_name(p->conn, p->folder);
		err = *name_out != NULL ? 0 : -ENOENT;
		if (db_entry_range(p->conn, p->folder, &p->first, &p->last) ==
		    0)
			p->seen = xmalloc((size_t)(p->last - p->first) / 8 + 1);
	}
	pull_batch_abandon(p);
	return err;
}

int pull_folder(struct cache *c, struct remote *r, const struct jobs_pull *job,
                bool *more_out)
{
	struct pull *p = xmalloc(sizeof(*p));
	p->cache = c;
	p->folder = job->folder;
	p->has_flags = (r->abilities & REMOTE_HAS_NO_FLAGS) == 0;
	struct db_progress progress;
	auto_free char *name = NULL;
	int err = prepare(p, &progress, &name);
	if (err == 0) {
		log_context(c->account, name);
		err = remote_pull(r, name, progress.cursor);
		if (err == 0)
			err = receive(p, r, name, job, more_out);
		pull_batch_abandon(p);
		show_progress(p, "", 0, 0);
		log_context(c->account, NULL);
	}
	pull_batch_release(p);
	free(p->seen);
	free(p->rows_seen);
	strbuf_release(&p->text);
	free(p);
	db_checkpoint(c->db, *more_out);
	return err;
}

int pull_empty(struct cache *c, int64_t folder)
{
	struct pull *p = xmalloc(sizeof(*p));
	p->cache = c;
	p->folder = folder;
	p->is_listed = true;
	int err = pull_batch_begin(p);
	if (err == 0)
		p->last_row = journal_last(p->conn);
	if (err == 0 &&
	    db_entry_range(p->conn, folder, &p->first, &p->last) == 0)
		p->seen = xmalloc((size_t)(p->last - p->first) / 8 + 1);
	if (err == 0)
		err = pull_sweep_unseen(p);
	if (err == 0)
		err = pull_batch_commit(p);
	pull_batch_abandon(p);
	pull_batch_release(p);
	free(p->seen);
	free(p->rows_seen);
	free(p);
	return err;
}
