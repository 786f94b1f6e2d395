#include "cache/jobs_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/mem.h"

/* Off line, a reader may cause an attempt this long after the last. */
#define ATTEMPT_EVERY_MS 5000

struct jobs *jobs_new(int timeout_ms, uint64_t ahead_max)
{
	struct jobs *jobs = xmalloc(sizeof(*jobs));
	jobs->timeout_ms = timeout_ms;
	jobs->ahead_max = ahead_max;
	jobs->next_wait = 1;
	(void)pthread_mutex_init(&jobs->lock, NULL);
	TAILQ_INIT(&jobs->waits);
	TAILQ_INIT(&jobs->readers);
	TAILQ_INIT(&jobs->ahead);
	TAILQ_INIT(&jobs->postponed);
	TAILQ_INIT(&jobs->pulls);
	jobs->push_at = DEADLINE_NEVER;
	for (size_t i = 0; i < JOBS_BUCKETS; i++)
		LIST_INIT(&jobs->buckets[i]);
	for (size_t i = 0; i < JOBS_SESSIONS; i++)
		jobs->served[i].receiving = -1;
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	for (size_t i = 0; i < JOBS_BUCKETS; i++) {
		struct task *next;
		struct task *t = LIST_FIRST(&jobs->buckets[i]);
		for (; t != NULL; t = next) {
			next = LIST_NEXT(t, bucket);
			free(t);
		}
	}
	struct pull *next;
	for (struct pull *p = TAILQ_FIRST(&jobs->pulls); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		free(p);
	}
	(void)pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

void jobs_serve(struct jobs *jobs, struct remote **remotes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		jobs->served[i].remote = remotes[i];
	jobs->count = count;
}

int jobs_refusal_locked(struct jobs *jobs)
{
	if (jobs->is_stopped)
		return -ECANCELED;
	int64_t now = clock_now_ms();
	int failure = 0;
	for (size_t i = jobs->count; i > 0; i--) {
		const struct served *s = &jobs->served[i - 1];
		if (s->attempt_at == 0)
			continue; /* it will fare no better than the others */
		if (s->failure == 0)
			return 0;
		if (s->failure != -EKEYREJECTED &&
		    now - s->attempt_at >= ATTEMPT_EVERY_MS)
			return 0;
		failure = s->failure;
	}
	return failure;
}

/*
 * The time of the last progress of what w waits for.  A session receives one
 * thing after the other, so a byte of any is progress for all it has taken.
 */
static int64_t progress_locked(struct jobs *jobs, const struct wait *w)
{
	int64_t folder = w->id;
	if (w->kind == WAIT_BODY) {
		const struct task *t = jobs_task_find_locked(jobs, w->id);
		if (t == NULL || t->queue != &jobs->postponed)
			return t != NULL && t->queue == NULL
			               ? jobs->served[t->session].progress_at
			               : INT64_MIN / 2;
		folder = t->job.folder;
	}
	struct pull *p = jobs_pull_find_locked(jobs, folder);
	return p != NULL ? p->progress_at : INT64_MIN / 2;
}

static void look_for_progress_locked(struct served *s, int64_t now)
{
	struct stat st;
	if (s->receiving < 0 || fstat(s->receiving, &st) < 0 ||
	    st.st_size == s->received)
		return;
	s->received = st.st_size;
	s->progress_at = now;
}

void jobs_tick(struct jobs *jobs)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	unsigned wake = 0;
	(void)pthread_mutex_lock(&jobs->lock);
	int64_t now = clock_now_ms();
	for (size_t i = 0; i < jobs->count; i++) {
		struct served *s = &jobs->served[i];
		look_for_progress_locked(s, now);
		/* poll(2) does not count the time a machine is suspended. */
		wake |= (unsigned)(now >= s->sleeps_until) << i;
	}
	struct wait *next;
	for (struct wait *w = TAILQ_FIRST(&jobs->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (now < w->deadline ||
		    now < progress_locked(jobs, w) + jobs->timeout_ms)
			continue;
		TAILQ_REMOVE(&jobs->waits, w, link);
		jobs_task_forsake_locked(jobs, w);
		TAILQ_INSERT_TAIL(&ended, w, link);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, wake);
	jobs_answer(&ended, -ETIMEDOUT, -1, 0);
}

/* Everyone who waits, and every job that no session has. */
static void fail_all_locked(struct jobs *jobs, struct wait_list *ended)
{
	TAILQ_CONCAT(ended, &jobs->waits, link);
	jobs_task_clear_locked(jobs);
}

void jobs_stop(struct jobs *jobs)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->is_stopped = true;
	fail_all_locked(jobs, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, -ECANCELED, -1, 0);
}

bool jobs_is_stopped(struct jobs *jobs)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_stopped = jobs->is_stopped;
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_stopped;
}

/*
 * The first lists and polls; it fetches only until another has connected, for
 * which a reader need not wait, and when no other can.
 */
static bool does_bodies_locked(const struct jobs *jobs, size_t session)
{
	if (session > 0)
		return true;
	for (size_t i = 1; i < jobs->count; i++) {
		const struct served *s = &jobs->served[i];
		if (s->failure == 0 && s->attempt_at != 0)
			return false;
	}
	return true;
}

/* The one that sends, too: so a pull never meets what is just being sent. */
static bool does_pulls(size_t session)
{
	return session == 0;
}

static enum work next_locked(struct jobs *jobs, size_t session)
{
	bool bodies = does_bodies_locked(jobs, session);
	bool pulls = does_pulls(session);
	bool list = session == 0 && clock_now_ms() >= jobs->list_at;
	if (bodies && !TAILQ_EMPTY(&jobs->readers))
		return WORK_BODIES;
	if (list && jobs_wait_is_locked(jobs, WAIT_LISTING, CACHE_ROOT))
		return WORK_LIST;
	if (pulls && jobs_pull_next_locked(jobs, true) != NULL)
		return WORK_PULL;
	if (session == 0 && clock_now_ms() >= jobs->push_at)
		return WORK_PUSH;
	if (bodies && !TAILQ_EMPTY(&jobs->ahead))
		return WORK_BODIES;
	/* What the last list found comes before the next. */
	if (pulls && jobs_pull_next_locked(jobs, false) != NULL)
		return WORK_PULL;
	return list ? WORK_LIST : WORK_NONE;
}

unsigned jobs_sleepers_locked(struct jobs *jobs)
{
	unsigned sleepers = 0;
	for (size_t i = 0; i < jobs->count; i++) {
		struct served *s = &jobs->served[i];
		if (!s->is_asleep)
			continue;
		/* One that failed may have to try earlier than it meant to. */
		if (s->failure == 0 && next_locked(jobs, i) == WORK_NONE)
			continue;
		s->is_asleep = false;
		sleepers |= 1U << i;
	}
	return sleepers;
}

void jobs_wake(struct jobs *jobs, unsigned sleepers)
{
	for (size_t i = 0; i < jobs->count; i++)
		if ((sleepers & 1U << i) != 0)
			remote_wake(jobs->served[i].remote);
}

enum work jobs_peek(struct jobs *jobs, size_t session)
{
	(void)pthread_mutex_lock(&jobs->lock);
	enum work work = next_locked(jobs, session);
	(void)pthread_mutex_unlock(&jobs->lock);
	return work;
}

enum work jobs_next(struct jobs *jobs, size_t session, int64_t *until_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	enum work work = next_locked(jobs, session);
	*until_out = DEADLINE_NEVER;
	if (session == 0)
		*until_out = jobs->list_at < jobs->push_at ? jobs->list_at
		                                           : jobs->push_at;
	jobs->served[session].is_asleep = work == WORK_NONE;
	jobs->served[session].sleeps_until = *until_out;
	(void)pthread_mutex_unlock(&jobs->lock);
	return work;
}

void jobs_connected(struct jobs *jobs, size_t session, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->served[session].failure = err;
	jobs->served[session].attempt_at = clock_now_ms();
	bool is_any_left = false;
	for (size_t i = 0; i < jobs->count; i++)
		is_any_left |= jobs->served[i].failure == 0 &&
		               jobs->served[i].attempt_at != 0;
	if (!is_any_left)
		fail_all_locked(jobs, &ended);
	/* Who does the bodies may have changed. */
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, -1, 0);
	jobs_wake(jobs, sleepers);
}

int64_t jobs_backoff_until(struct jobs *jobs, size_t session, int64_t until)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct served *s = &jobs->served[session];
	int64_t early = s->attempt_at + ATTEMPT_EVERY_MS;
	if (!TAILQ_EMPTY(&jobs->waits) && early < until)
		until = early;
	s->sleeps_until = until;
	s->is_asleep = true;
	(void)pthread_mutex_unlock(&jobs->lock);
	return until;
}

void jobs_push_by(struct jobs *jobs, int64_t when)
{
	(void)pthread_mutex_lock(&jobs->lock);
	if (when < jobs->push_at)
		jobs->push_at = when;
	struct served *s = &jobs->served[0];
	bool is_early =
		s->is_asleep && s->failure == 0 && s->sleeps_until > when;
	if (is_early)
		s->is_asleep = false;
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, is_early ? 1 : 0);
}

void jobs_push_begin(struct jobs *jobs)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->push_at = DEADLINE_NEVER;
	(void)pthread_mutex_unlock(&jobs->lock);
}
