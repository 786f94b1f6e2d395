/*
 * Bodies, from the server into files.
 *
 * Several requests are in flight.  A body is renamed into place as it comes;
 * the index learns of many at once, unless somebody waits.  Only after the
 * commit, and after the listener was told a size, does who waits get it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/announce.h"
#include "cache/core.h"
#include "cache/home.h"
#include "cache/journal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* Requests that may be in flight, and one more for a reader. */
#define FLIGHTS 8
#define OWED    ((FLIGHTS + 1) * JOBS_BATCH)
/* Bodies that one transaction makes known. */
#define COMMIT_BATCH 64

struct owed {
	int64_t message;
	char *key;
	uint64_t claimed_size;
};

struct arrived {
	int64_t message;
	int fd; /* to read: what is evicted meanwhile can still be given */
	uint64_t size;
	bool is_size_news; /* not what the server claimed */
};

struct fetch {
	struct session *session;
	struct cache *cache;
	int64_t folder;
	char *name; /* of the folder */
	struct owed owed[OWED];
	size_t owed_count;
	struct arrived arrived[COMMIT_BATCH];
	size_t arrived_count;
	bool is_pull_due; /* a message went: see what else did */
};

static void forget(struct fetch *f, size_t i)
{
	free(f->owed[i].key);
	/* Keep the order: bodies mostly come as they were asked for. */
	memmove(&f->owed[i], &f->owed[i + 1],
	        (--f->owed_count - i) * sizeof(f->owed[0]));
}

/*
 * It may have come since it was asked for; or the index believes that it is
 * here, but the file has gone.  True if the job is done.
 */
static bool is_here(struct cache *c, int64_t message,
                    const struct db_source *source)
{
	if (!source->is_cached)
		return false;
	auto_fd int fd = body_open(c->bodies, message, source->size);
	if (fd >= 0) {
		jobs_finish(c->jobs, message, 0, fd, source->size);
		keep_arrived(c, message, fd);
		return true;
	}
	struct db_conn *conn;
	if (db_begin(c->db, &conn) < 0)
		return false;
	if (db_body_clear(conn, message) < 0)
		db_rollback(conn);
	else if (db_commit(conn) == 0)
		body_count(c->bodies, 0, source->size);
	return false;
}

struct found {
	int err; /* 0: source says where it is; -ESTALE: gone; or -errno */
	struct db_source source;
};

static int find_sources(struct cache *c, const struct job *jobs, size_t count,
                        struct found *out)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < count; i++) {
		err = db_source_get(conn, jobs[i].message, &out[i].source);
		out[i].err = err == -ENOENT ? -ESTALE : err;
	}
	db_rollback(conn);
	return 0;
}

static int find_name(struct fetch *f, int64_t folder)
{
	struct db_conn *conn;
	int err = db_begin(f->cache->db, &conn);
	if (err < 0)
		return err;
	f->name = db_folder_name(conn, folder);
	db_rollback(conn);
	f->folder = folder;
	return f->name != NULL ? 0 : -ENOENT;
}

/* Ask for taken jobs.  Those that cannot be asked for are ended. */
static int ask(struct fetch *f, const struct job *jobs, size_t count)
{
	struct remote_want wants[JOBS_BATCH];
	size_t want_count = 0;
	size_t first = f->owed_count;
	int err = f->name == NULL ? find_name(f, jobs[0].folder) : 0;
	auto_free struct found *found = xcalloc(count, sizeof(*found));
	int lost =
		err < 0 ? -ESTALE : find_sources(f->cache, jobs, count, found);
	for (size_t i = 0; i < count; i++) {
		const struct db_source *source = &found[i].source;
		int no = lost < 0 ? lost : found[i].err;
		if (no < 0) {
			jobs_finish(f->cache->jobs, jobs[i].message, no, -1, 0);
			continue;
		}
		if (is_here(f->cache, jobs[i].message, source))
			continue;
		if (source->key[0] == '\0') {
			jobs_postpone(f->cache->jobs, jobs[i].message,
			              source->folder);
			continue;
		}
		if (source->folder != f->folder) {
			jobs_redirect(f->cache->jobs, jobs[i].message,
			              source->folder);
			continue;
		}
		struct owed *o = &f->owed[f->owed_count++];
		o->message = jobs[i].message;
		o->key = xstrdup(source->key);
		o->claimed_size = source->claimed_size;
		wants[want_count].key = o->key;
		wants[want_count++].claimed_size = o->claimed_size;
	}
	if (want_count == 0)
		return 0;
	log_context(f->cache->account, f->name);
	err = remote_fetch(f->session->remote, f->name, wants, want_count);
	if (err < 0 && remote_error_scope(err) <= REMOTE_SCOPE_FOLDER) {
		/* The session lives, and what is owed before it as well. */
		while (f->owed_count > first) {
			jobs_finish(f->cache->jobs, f->owed[first].message, err,
			            -1, 0);
			forget(f, first);
		}
		f->is_pull_due = true;
		return 0;
	}
	return err;
}

/* Keep the line busy; a reader's request goes out whatever is in flight. */
static int fill(struct fetch *f)
{
	struct job jobs[JOBS_BATCH];
	while (f->owed_count + JOBS_BATCH <= OWED &&
	       jobs_peek(f->cache->jobs, f->session->index) == WORK_BODIES) {
		size_t count = jobs_take(f->cache->jobs, f->session->index,
		                         f->folder, jobs);
		if (count == 0)
			return 0; /* another folder's turn: first read out */
		int err = ask(f, jobs, count);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Save what arrived; then tell its sizes. */
static int commit_arrived(struct fetch *f)
{
	struct cache *c = f->cache;
	struct db_conn *conn;
	if (f->arrived_count == 0)
		return 0;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	uint64_t bytes = 0;
	for (size_t i = 0; i < f->arrived_count && err == 0; i++) {
		struct arrived *a = &f->arrived[i];
		err = db_body_set(conn, a->message, a->size,
		                  body_use(c->bodies));
		bytes += a->size;
	}
	if (err == 0)
		err = jobs_budget_save(c->jobs, conn);
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err < 0)
		return err;
	body_count(c->bodies, bytes, 0);
	for (size_t i = 0; i < f->arrived_count; i++)
		if (f->arrived[i].is_size_news)
			tell_size(c, f->arrived[i].message);
	return 0;
}

/*
 * A body that nobody waits for yet may be joined until its commit, so jobs
 * end only after it.
 */
static int settle(struct fetch *f)
{
	int err = commit_arrived(f);
	for (size_t i = 0; i < f->arrived_count; i++) {
		struct arrived *a = &f->arrived[i];
		jobs_finish(f->cache->jobs, a->message, err, a->fd, a->size);
		if (err == 0)
			keep_arrived(f->cache, a->message, a->fd);
		(void)close(a->fd);
		announce_body(f->cache, a->message);
	}
	f->arrived_count = 0;
	(void)body_evict(f->cache->bodies, 0);
	return err;
}

static bool is_any_awaited(struct fetch *f)
{
	for (size_t i = f->arrived_count; i > 0; i--)
		if (jobs_is_awaited(f->cache->jobs, f->arrived[i - 1].message))
			return true;
	return false;
}

/*
 * Who waits is served at once, unless the next body is here as well: then both
 * are, with one commit.
 */
static bool is_settle_due(struct fetch *f)
{
	if (f->arrived_count == COMMIT_BATCH || f->owed_count == 0)
		return true;
	uint64_t next = f->owed[0].claimed_size;
	if (remote_buffered(f->session->remote) > next)
		return false;
	return is_any_awaited(f);
}

/* A whole body is in temp. */
static int publish(struct fetch *f, size_t i, struct body_temp *temp,
                   const struct remote_body *body)
{
	struct owed *o = &f->owed[i];
	int64_t message = o->message;
	bool is_size_news = body->size != o->claimed_size;
	int err = body_temp_publish(f->cache->bodies, temp, message);
	if (err < 0) {
		/* The directory went away under us: once more, in a new one. */
		log_warn("cannot keep a body: %s", strerror(-err));
		jobs_return(f->cache->jobs, message,
		            err == -ENOSPC || err == -EDQUOT ? err : -EIO);
		forget(f, i);
		return 0;
	}
	forget(f, i);
	f->arrived[f->arrived_count++] =
		(struct arrived){ message, take_fd(&temp->fd), body->size,
		                  is_size_news };
	return is_settle_due(f) ? settle(f) : 0;
}

/* Where a move whose answer was lost has perhaps brought it; 0: none did. */
static int64_t find_target(struct cache *c, int64_t message)
{
	struct journal_row row = { .id = 0 };
	struct db_conn *conn;
	int64_t target = 0;
	if (db_begin(c->db, &conn) < 0)
		return 0;
	while (journal_by_message(conn, message, row.id, &row) == 0)
		if ((row.state == JOURNAL_SENT ||
		     row.state == JOURNAL_LANDED) &&
		    row.key[0] != '\0' && row.target > 0 &&
		    row.target != row.folder)
			target = row.target;
	db_rollback(conn);
	return target;
}

/* Whether it is gone, or has another key or folder by now, a pull tells. */
static void end_without(struct fetch *f, int64_t message, int err)
{
	if (err != -ESTALE) {
		jobs_finish(f->cache->jobs, message, err, -1, 0);
		return;
	}
	int64_t target = find_target(f->cache, message);
	jobs_postpone(f->cache->jobs, message,
	              target != 0 ? target : f->folder);
}

static int receive(struct fetch *f)
{
	struct cache *c = f->cache;
	struct body_temp temp;
	struct remote_body body;
	int err = body_temp_open(c->bodies, &temp);
	if (err < 0)
		return err;
	err = home_room(temp.fd, f->owed[0].claimed_size);
	if (err < 0) {
		body_temp_close(c->bodies, &temp);
		return err;
	}
	jobs_receiving(c->jobs, f->session->index, temp.fd);
	int n = remote_fetched(f->session->remote, temp.fd, &body);
	jobs_receiving(c->jobs, f->session->index, -1);
	size_t i = 0;
	while (n == 1 && i < f->owed_count &&
	       strcmp(f->owed[i].key, body.key) != 0)
		i++;
	if (n == 0 || (n == 1 && i == f->owed_count))
		n = -EPROTO; /* not what was asked for */
	if (n == 1 && body.err == 0) {
		jobs_spend(c->jobs, body.wire_size);
		n = publish(f, i, &temp, &body);
	} else if (n == 1) {
		end_without(f, f->owed[i].message, body.err);
		forget(f, i);
		f->is_pull_due |= body.err == -ESTALE;
		n = 0;
	}
	body_temp_close(c->bodies, &temp);
	return n;
}

/*
 * The session or the disk failed.  A full disk is given one chance: what was
 * not used for longest makes room.
 */
static void return_owed(struct fetch *f, int err)
{
	bool is_full = err == -ENOSPC || err == -EDQUOT;
	uint64_t spare = 1 << 20;
	for (size_t i = 0; i < f->owed_count; i++)
		spare += f->owed[i].claimed_size;
	bool is_hopeless = is_full && body_evict(f->cache->bodies, spare) != 1;
	while (f->owed_count > 0) {
		if (is_hopeless)
			jobs_finish(f->cache->jobs, f->owed[0].message, err, -1,
			            0);
		else
			jobs_return(f->cache->jobs, f->owed[0].message, err);
		forget(f, 0);
	}
}

int fetch_bodies(struct session *s)
{
	struct fetch *f = xmalloc(sizeof(*f));
	f->session = s;
	f->cache = s->cache;
	int err;
	do {
		err = fill(f);
		if (err == 0 && f->owed_count > 0)
			err = receive(f);
	} while (err == 0 && f->owed_count > 0);
	int settled = settle(f);
	return_owed(f, err);
	if (f->is_pull_due)
		jobs_pull_add(s->cache->jobs, f->folder, false, "", -1);
	log_context(s->cache->account, NULL);
	free(f->name);
	free(f);
	return err < 0 ? err : settled;
}
