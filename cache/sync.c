/*
 * The life of a session: connect, do what matters most, sleep.
 *
 * recover() is the whole policy for failures.  A session that failed is
 * connected anew: at once if it had been of use since it connected (a server
 * may drop an idle one), else after 1 s, 2 s, ... 15 min, or when the network
 * is another.  Where credentials are refused three times, by the sessions of
 * the account together, it is for the user to say when to go on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cache/core.h"
#include "cache/journal.h"
#include "cache/split.h"
#include "util/clock.h"
#include "util/log.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   (15 * 60 * 1000)
/* Servers lock out who insists. */
#define REJECTIONS_MAX 3
#define LOCKED_OUT     "refused 3 times, stopped until `mailmount retry`"
#define PUSH_AGAIN_MS  1000
/*
 * After so many changes there are probably more to come: they are gathered, for
 * each time costs a look at the mailboxes as well.
 */
#define BURST_MIN 500
#define BURST_MS  4000

static void sleep_until(struct session *s, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = wake_fd(&s->remote->wake), .events = POLLIN },
		{ .fd = wake_fd(&s->remote->abort), .events = POLLIN },
	};
	(void)poll(fds, 2, deadline_left(deadline));
	wake_clear(&s->remote->wake);
}

/* Exponential, less up to a quarter: so that clients do not come at once. */
static int64_t backoff_ms(int failures)
{
	int64_t ms = BACKOFF_FIRST_MS;
	for (int i = 1; i < failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	uint16_t jitter = 0;
	ssize_t n = getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK);
	(void)n;
	return ms - ms / 4 * jitter / UINT16_MAX;
}

static void back_off(struct session *s)
{
	int64_t until = deadline_in(backoff_ms(s->failures));
	struct jobs *jobs = s->cache->jobs;
	while (!jobs_is_stopped(jobs)) {
		int64_t wake_at = jobs_backoff_until(jobs, s->index, until);
		if (clock_now_ms() >= wake_at || jobs_has_words(jobs, s->index))
			return;
		sleep_until(s, wake_at);
	}
}

/* The first session speaks for the account. */
static void show_state(struct session *s, bool is_online)
{
	struct cache *c = s->cache;
	if (s->index != 0)
		return;
	(void)pthread_mutex_lock(&c->status_lock);
	bool is_news = c->is_online != is_online;
	c->is_online = is_online;
	bool is_out = c->rejections >= REJECTIONS_MAX;
	(void)snprintf(c->failure, sizeof(c->failure), "%s%.200s",
	               !is_online && is_out ? LOCKED_OUT ": " : "",
	               is_online ? "" : s->remote->failure);
	(void)pthread_mutex_unlock(&c->status_lock);
	if (is_news)
		log_info(is_online ? "on line" : "off line");
}

/* The server refused the account's credentials; all sessions count. */
static void reject(struct session *s)
{
	struct cache *c = s->cache;
	(void)pthread_mutex_lock(&c->status_lock);
	bool is_last = ++c->rejections == REJECTIONS_MAX;
	(void)pthread_mutex_unlock(&c->status_lock);
	if (is_last)
		log_error(LOCKED_OUT ": %s", s->remote->failure);
}

static void set_rejections(struct cache *c, int count)
{
	(void)pthread_mutex_lock(&c->status_lock);
	c->rejections = count;
	(void)pthread_mutex_unlock(&c->status_lock);
}

static bool is_locked_out(struct cache *c)
{
	(void)pthread_mutex_lock(&c->status_lock);
	bool is_out = c->rejections >= REJECTIONS_MAX;
	(void)pthread_mutex_unlock(&c->status_lock);
	return is_out;
}

static void disconnect(struct session *s)
{
	remote_disconnect(s->remote);
	show_state(s, false);
	s->failures = s->was_useful ? 0 : s->failures + 1;
	s->was_useful = false;
}

static void recover(struct session *s, int64_t folder, int err)
{
	struct jobs *jobs = s->cache->jobs;
	if (err == -ECANCELED)
		return;
	switch (remote_error_scope(err)) {
	case REMOTE_SCOPE_MESSAGE:
	case REMOTE_SCOPE_FOLDER:
		if (folder != 0) {
			/* Whether it is still there, the next list tells. */
			jobs_listed(jobs, folder, err);
			jobs_pull_end(jobs, folder, false);
			return;
		}
		break;
	case REMOTE_SCOPE_SESSION:
		break;
	case REMOTE_SCOPE_ACCOUNT:
		reject(s);
		break;
	}
	if (folder != 0)
		jobs_pull_failed(jobs, folder, err);
	disconnect(s);
	if (s->failures > 0 && !is_locked_out(s->cache))
		back_off(s);
}

/*
 * As if nothing had failed; and, but in a hurry, does the server we are
 * connected to answer?
 */
static int heed(struct session *s, unsigned words, bool is_connected)
{
	if ((words & JOBS_RETRY) != 0)
		set_rejections(s->cache, 0);
	s->failures = 0;
	if (!is_connected || words == JOBS_HURRY)
		return 0;
	int err = remote_check(s->remote);
	/* What was missed meanwhile? */
	if (err == 0 && s->index == 0)
		jobs_list_at(s->cache->jobs, clock_now_ms());
	return err;
}

static bool connect_session(struct session *s)
{
	if (is_locked_out(s->cache)) {
		/* Nobody need wait for it. */
		jobs_connected(s->cache->jobs, s->index, -EKEYREJECTED);
		sleep_until(s, DEADLINE_NEVER);
		return false;
	}
	int err = remote_connect(s->remote);
	/* Why it failed must be known before who waits is told that it did. */
	show_state(s, err == 0);
	if (err != -ECANCELED)
		jobs_connected(s->cache->jobs, s->index, err);
	if (err == 0) {
		set_rejections(s->cache, 0);
		/* What was missed since it was connected last? */
		if (s->index == 0)
			jobs_list_at(s->cache->jobs, clock_now_ms());
		return true;
	}
	recover(s, 0, err);
	return false;
}

/* When is there more to send? */
static void push_later(struct cache *c)
{
	struct db_conn *conn;
	if (db_begin(c->db, &conn) < 0)
		return;
	int64_t due = journal_due_at(conn);
	db_rollback(conn);
	if (due == INT64_MAX)
		return;
	/* What is due and was not sent waits for something: look again. */
	int64_t soonest = deadline_in(PUSH_AGAIN_MS);
	jobs_push_soon(c->jobs, due > soonest ? due : soonest);
}

static bool is_busy(void *arg, int64_t message)
{
	struct cache *c = arg;
	return file_has_writer(c->files, message);
}

static int settle_dust(struct cache *c)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = journal_settle(conn, clock_now_ms(), is_busy, c);
	if (err == 0)
		return db_commit(conn);
	db_rollback(conn);
	return err;
}

static int push(struct session *s)
{
	int64_t sent = 0;
	jobs_push_begin(s->cache->jobs);
	int err = settle_dust(s->cache);
	if (err == 0)
		err = push_journal(s, &sent);
	if (sent >= BURST_MIN)
		jobs_gather(s->cache->jobs, deadline_in(BURST_MS));
	push_later(s->cache);
	db_checkpoint(s->cache->db, false);
	return err;
}

/*
 * A pull must not take for new what we sent ourselves: first see what became
 * of that.  While it cannot be known the folder is not pulled.
 */
static int settle_first(struct session *s, const struct jobs_pull *pull,
                        bool *is_blocked_out)
{
	struct cache *c = s->cache;
	int err = settle_folder(s, pull->folder, is_blocked_out);
	if (err == 0 && *is_blocked_out)
		jobs_pull_end(c->jobs, pull->folder, false);
	return err;
}

/* Bodies came: what they allow to remove goes in the same session. */
static int take_on(struct cache *c)
{
	jobs_push_by(c->jobs, clock_now_ms());
	return c->is_take_left ? keep_due(c) : 0;
}

/*
 * Some of INBOX.  What the server cannot do need not end the session; another
 * pull is another try.
 */
static int split(struct session *s)
{
	bool more;
	int err = split_some(s, &more);
	jobs_split(s->cache->jobs, more);
	db_checkpoint(s->cache->db, more);
	return err < 0 && remote_error_scope(err) <= REMOTE_SCOPE_FOLDER ? 0
	                                                                 : err;
}

static int do_work(struct session *s, enum work work, int64_t *folder_out)
{
	struct cache *c = s->cache;
	struct jobs_pull pull;
	bool more = false, is_blocked = false;
	int err = 0;
	switch (work) {
	case WORK_NONE:
		return 0;
	case WORK_BODIES:
		err = fetch_bodies(s);
		if (err == 0 && c->is_taken)
			err = take_on(c);
		return err;
	case WORK_LIST:
		err = folders_list(c, s->remote);
		if (err == 0)
			jobs_list_at(c->jobs, deadline_in(c->interval_ms));
		return err < 0 ? err : keep_due(c);
	case WORK_PUSH:
		return push(s);
	case WORK_SPLIT:
		return split(s);
	case WORK_PULL:
		if (!jobs_pull_take(c->jobs, &pull))
			return 0;
		*folder_out = pull.folder;
		err = settle_first(s, &pull, &is_blocked);
		if (err < 0 || is_blocked)
			return err;
		err = pull_folder(c, s->remote, &pull, &more);
		if (err == 0)
			jobs_pull_end(c->jobs, *folder_out, more);
		if (err == 0 && !more)
			jobs_split(c->jobs, c->split != NULL);
		return err < 0 ? err : keep_due(c);
	}
	return 0;
}

static int sleep_or_hear(struct session *s, int64_t until)
{
	const char *folder;
	/* One watches for all. */
	if (s->index > 0) {
		sleep_until(s, until);
		return 0;
	}
	int n = remote_wait(s->remote, until, &folder);
	return n == 1 ? folders_hear(s->cache, folder) : n;
}

void *session_run(void *arg)
{
	struct session *s = arg;
	struct jobs *jobs = s->cache->jobs;
	bool is_connected = false;
	log_context(s->cache->account, NULL);
	while (!jobs_is_stopped(jobs)) {
		unsigned words = jobs_take_words(jobs, s->index);
		int err = words != 0 ? heed(s, words, is_connected) : 0;
		if (err != 0) {
			is_connected = false;
			recover(s, 0, err);
			continue;
		}
		int64_t until;
		enum work work = jobs_next(jobs, s->index, &until);
		/* Only the first keeps a connection that has nothing to do. */
		if (!is_connected && work == WORK_NONE && s->index > 0) {
			sleep_until(s, until);
			continue;
		}
		if (!is_connected) {
			is_connected = connect_session(s);
			continue;
		}
		int64_t folder = 0;
		err = work == WORK_NONE ? sleep_or_hear(s, until)
		                        : do_work(s, work, &folder);
		if (err == 0) {
			s->was_useful |= work != WORK_NONE;
			continue;
		}
		is_connected = remote_error_scope(err) <= REMOTE_SCOPE_FOLDER &&
		               folder != 0;
		recover(s, folder, err);
	}
	remote_disconnect(s->remote);
	return NULL;
}
