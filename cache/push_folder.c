/*
 * Folders themselves: made, renamed and deleted in the order in which that was
 * wished.
 *
 * The name that is asked for is saved first.  If the answer is lost, the folder
 * perhaps has it, whatever it is called here by then: it is asked for again,
 * and what is still different is another row's.
 */
#include "cache/push.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

#define RETRY_MS  2000
#define TRIES_MAX 5

struct folder_job {
	struct journal_row row;
	char *name; /* the server's; NULL: none */
	char *goal; /* what it is to become */
};

static void release(struct folder_job *job)
{
	free(take(job->name));
	free(take(job->goal));
}

/* Has any row to do with its messages? */
static bool is_used(struct db_conn *conn, int64_t folder)
{
	struct journal_row row = { .id = 0 };
	while (journal_of_folder(conn, folder, row.id, &row) == 0)
		if (row.state != JOURNAL_WATCH)
			return true;
	return false;
}

static bool is_ready(struct db_conn *conn, const struct folder_job *job)
{
	struct cache_folder other;
	switch (job->row.kind) {
	case JOURNAL_MESSAGE:
		return false;
	case JOURNAL_CREATE:
	case JOURNAL_RENAME:
		/* Another folder may still have that name. */
		return job->goal != NULL &&
		       (db_folder_by_name(conn, job->goal, &other) == -ENOENT ||
		        other.id == job->row.folder);
	case JOURNAL_DELETE:
		return !is_used(conn, job->row.folder);
	}
	return false;
}

static char *find_goal(struct db_conn *conn, const struct journal_row *row,
                       const struct cache_folder *folder)
{
	return row->mark[0] != '\0' ? xstrdup(row->mark)
	                            : journal_goal(conn, folder);
}

/* A name that is too long is not remembered. */
static int remember(struct db_conn *conn, struct folder_job *job)
{
	struct journal_row *row = &job->row;
	if (row->kind == JOURNAL_DELETE ||
	    strlen(job->goal) >= sizeof(row->mark))
		return 0;
	(void)snprintf(row->mark, sizeof(row->mark), "%s", job->goal);
	return journal_update(conn, row);
}

/* The next of them that can go, above *after_io: 1, 0, or -errno. */
static int next_job(struct push *p, int64_t *after_io, struct folder_job *job)
{
	struct db_conn *conn;
	struct cache_folder folder;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	while ((err = journal_folder_next(conn, JOURNAL_READY, *after_io,
	                                  &job->row)) == 0) {
		*after_io = job->row.id;
		if (job->row.not_before > p->now ||
		    db_folder_get(conn, job->row.folder, &folder) < 0)
			continue;
		job->name = db_folder_name(conn, folder.id);
		job->goal = find_goal(conn, &job->row, &folder);
		if (is_ready(conn, job)) {
			err = remember(conn, job);
			break;
		}
		release(job);
	}
	if (err == 0)
		err = db_commit(conn);
	else
		db_rollback(conn);
	if (err < 0)
		release(job);
	return err == -ENOENT ? 0 : err < 0 ? err : 1;
}

/* Mail that came meanwhile, and that nobody unlinked here. */
static int check_empty(struct push *p, const char *name)
{
	struct remote_change change;
	struct remote_cursor cursor;
	bool is_empty = true;
	int n = remote_since(p->remote, name, "");
	if (n < 0)
		return n;
	while ((n = remote_next(p->remote, &change, &cursor)) == 1)
		is_empty = false;
	if (n == 0 && !is_empty)
		n = -ENOTEMPTY;
	return n;
}

static int rename_folder(struct push *p, const struct folder_job *job)
{
	int err = job->name == NULL
	                  ? -ENOENT
	                  : remote_rename(p->remote, job->name, job->goal);
	/* Some look whether the new name is free before they miss the old. */
	char mark[REMOTE_CURSOR_MAX + 1];
	if (err == -EEXIST &&
	    remote_mark(p->remote, job->name, mark) == -ENOENT)
		err = -ENOENT;
	if (err != -ENOENT)
		return err;
	/* Done before, and the answer was lost; or gone. */
	err = remote_create(p->remote, job->goal);
	return err == -EEXIST ? 0 : err;
}

static int do_job(struct push *p, const struct folder_job *job)
{
	int err = 0;
	switch (job->row.kind) {
	case JOURNAL_MESSAGE:
		return 0;
	case JOURNAL_CREATE:
		err = remote_create(p->remote, job->goal);
		if (err == -EEXIST)
			err = 0;
		if (err == 0)
			(void)remote_subscribe(p->remote, job->goal, true);
		return err;
	case JOURNAL_RENAME:
		return rename_folder(p, job);
	case JOURNAL_DELETE:
		err = check_empty(p, job->name);
		if (err == 0)
			err = remote_delete(p->remote, job->name);
		return err == -ENOENT ? 0 : err;
	}
	return err;
}

/* What was to go into a folder that the server does not make. */
static int refuse_messages(struct db_conn *conn, const struct journal_row *why,
                           struct push_after *after)
{
	struct journal_row row = { .id = 0 };
	int err;
	while ((err = journal_of_folder(conn, why->folder, row.id, &row)) ==
	       0) {
		if (row.target != why->folder || row.state != JOURNAL_READY)
			continue;
		row.state = JOURNAL_REFUSED;
		row.err = why->err;
		memcpy(row.why, why->why, sizeof(row.why));
		err = journal_update(conn, &row);
		if (err < 0)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

static int refuse(struct push *p, struct db_conn *conn,
                  const struct folder_job *job, int failed,
                  struct push_after *after)
{
	struct journal_row row = job->row;
	bool is_passing = failed == -EBUSY || failed == -EEXIST;
	row.mark[0] = '\0';
	row.tries++;
	if (is_passing && row.tries < TRIES_MAX) {
		row.not_before = p->now + (RETRY_MS << row.tries);
		return journal_update(conn, &row);
	}
	row.state = JOURNAL_REFUSED;
	row.err = failed;
	const char *words = p->remote->refusal;
	if (failed == -ENOTEMPTY)
		words = "it holds mail that is not known here";
	(void)snprintf(row.why, sizeof(row.why), "%s",
	               words[0] != '\0' ? words : strerror(-failed));
	log_warn("the server does not do it: %s", row.why);
	p->refused++;
	int err = journal_update(conn, &row);
	if (err == 0 && row.kind == JOURNAL_CREATE)
		err = refuse_messages(conn, &row, after);
	return err;
}

static int finish_job(struct push *p, const struct folder_job *job, int failed)
{
	struct push_after after = { 0 };
	struct db_conn *conn;
	bool is_deleted = job->row.kind == JOURNAL_DELETE;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	if (failed < 0)
		err = refuse(p, conn, job, failed, &after);
	else
		err = journal_folder_done(conn, &job->row,
		                          is_deleted ? NULL : job->goal);
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0)
		push_after_run(p->cache, &after);
	push_after_release(&after);
	if (failed == 0)
		jobs_list_at(p->cache->jobs, p->now);
	return err;
}

int push_folders(struct push *p)
{
	struct folder_job job = { .name = NULL };
	int64_t after = 0;
	int n;
	while ((n = next_job(p, &after, &job)) == 1) {
		log_context(p->cache->account, job.name);
		int err = do_job(p, &job);
		if (err < 0 && err != -ENOTEMPTY &&
		    remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
			n = err;
		else
			n = finish_job(p, &job, err);
		log_context(p->cache->account, NULL);
		release(&job);
		if (n < 0)
			return n;
	}
	return n;
}
