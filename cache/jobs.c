#include "cache/jobs_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/clock.h"
#include "util/mem.h"

/* Off line, a reader may cause an attempt this long after the last. */
#define ATTEMPT_EVERY_MS 5000

/* Less is the clocks' own doing. */
#define SUSPENDED_MS 5000

struct jobs *jobs_new(int timeout_ms, uint64_t ahead_max, uint64_t daily_limit)
{
	struct jobs *jobs = xmalloc(sizeof(*jobs));
	jobs->timeout_ms = timeout_ms;
	jobs->ahead_max = ahead_max;
	jobs->daily_limit = daily_limit;
	jobs->next_wait = 1;
	(void)pthread_mutex_init(&jobs->lock, NULL);
	TAILQ_INIT(&jobs->waits);
	TAILQ_INIT(&jobs->readers);
	TAILQ_INIT(&jobs->ahead);
	TAILQ_INIT(&jobs->postponed);
	TAILQ_INIT(&jobs->pulls);
	jobs->push_at = DEADLINE_NEVER;
	jobs->suspended_ms = clock_suspended_ms();
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
		/* A reader is no reason to ask for a secret again. */
		if (s->failure != -EKEYREJECTED && s->failure != -ENOKEY &&
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
	if (w->kind == WAIT_SENT)
		return INT64_MIN / 2; /* what it comes to is known then */
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

static unsigned say_locked(struct jobs *jobs, unsigned words)
{
	for (size_t i = 0; i < jobs->count; i++) {
		struct served *s = &jobs->served[i];
		s->words |= words;
		if ((words & JOBS_RETRY) != 0 && s->failure < 0)
			s->failure = s->attempt_at = 0;
	}
	return (1U << jobs->count) - 1;
}

void jobs_say(struct jobs *jobs, unsigned words)
{
	(void)pthread_mutex_lock(&jobs->lock);
	unsigned wake = say_locked(jobs, words);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, wake);
}

unsigned jobs_take_words(struct jobs *jobs, size_t session)
{
	(void)pthread_mutex_lock(&jobs->lock);
	unsigned words = jobs->served[session].words;
	jobs->served[session].words = 0;
	(void)pthread_mutex_unlock(&jobs->lock);
	return words;
}

bool jobs_has_words(struct jobs *jobs, size_t session)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool has_any = jobs->served[session].words != 0;
	(void)pthread_mutex_unlock(&jobs->lock);
	return has_any;
}

/* After that, who was at the other end may be gone. */
static bool was_suspended_locked(struct jobs *jobs)
{
	int64_t before = jobs->suspended_ms;
	jobs->suspended_ms = clock_suspended_ms();
	return jobs->suspended_ms - before >= SUSPENDED_MS;
}

void jobs_tick(struct jobs *jobs)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	unsigned wake =
		was_suspended_locked(jobs) ? say_locked(jobs, JOBS_CHECK) : 0;
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

int64_t jobs_today(void)
{
	return clock_wall_ns() / 1000000000 / (24 * 60 * 60);
}

uint64_t jobs_spent_locked(const struct jobs *jobs)
{
	return jobs->budget.day == jobs_today() ? jobs->budget.spent : 0;
}

bool jobs_is_spent_locked(const struct jobs *jobs)
{
	return jobs->daily_limit > 0 &&
	       (jobs->spent_day == jobs_today() ||
	        jobs_spent_locked(jobs) >= jobs->daily_limit);
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
	bool is_spent = jobs_is_spent_locked(jobs);
	if (bodies && !is_spent && !TAILQ_EMPTY(&jobs->ahead))
		return WORK_BODIES;
	/* What the last list found comes before the next. */
	if (pulls && jobs_pull_next_locked(jobs, false) != NULL)
		return WORK_PULL;
	if (list)
		return WORK_LIST;
	return session == 0 && !is_spent && jobs->is_split_due ? WORK_SPLIT
	                                                       : WORK_NONE;
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

void jobs_gather(struct jobs *jobs, int64_t until)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->burst_until = until;
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_push_soon(struct jobs *jobs, int64_t when)
{
	(void)pthread_mutex_lock(&jobs->lock);
	int64_t until = jobs->burst_until;
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_push_by(jobs, when > until ? when : until);
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

void jobs_spend(struct jobs *jobs, uint64_t bytes)
{
	if (jobs->daily_limit == 0)
		return;
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->budget.spent = jobs_spent_locked(jobs) + bytes;
	jobs->budget.day = jobs_today();
	(void)pthread_mutex_unlock(&jobs->lock);
}

int jobs_budget_save(struct jobs *jobs, struct db_conn *conn)
{
	if (jobs->daily_limit == 0)
		return 0;
	(void)pthread_mutex_lock(&jobs->lock);
	struct db_budget budget = jobs->budget;
	(void)pthread_mutex_unlock(&jobs->lock);
	return db_budget_set(conn, &budget);
}

int jobs_budget_load(struct jobs *jobs, struct db_conn *conn)
{
	struct db_budget budget;
	int err = db_budget_get(conn, &budget);
	if (err < 0)
		return err;
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->budget = budget;
	(void)pthread_mutex_unlock(&jobs->lock);
	return 0;
}

bool jobs_is_spent(struct jobs *jobs, uint64_t *today_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	*today_out = jobs_spent_locked(jobs);
	bool is_spent = jobs_is_spent_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_spent;
}

void jobs_split(struct jobs *jobs, bool is_due)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->is_split_due = is_due;
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_push_begin(struct jobs *jobs)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->push_at = DEADLINE_NEVER;
	(void)pthread_mutex_unlock(&jobs->lock);
}
