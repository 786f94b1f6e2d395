#include "cache/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#define BUCKETS 1024
/* Sessions that may fail under a body before those who wait are told. */
#define TRIES_MAX 2
/* Off line, a reader may cause an attempt this long after the last. */
#define ATTEMPT_EVERY_MS 5000
/* More than the windows of all scans together. */
#define PREFETCH_MAX 4096

enum wait_kind {
	WAIT_BODY,    /* id is a message */
	WAIT_LISTING, /* id is a folder */
};

/*
 * A wait is known outside by its number, dressed as a pointer, so that one
 * that is over is never taken for another.
 */
struct wait {
	TAILQ_ENTRY(wait) link;
	uintptr_t number;
	enum wait_kind kind;
	int64_t id;
	int64_t deadline;
	cache_done *done;
	void *arg;
};
TAILQ_HEAD(wait_list, wait);

/*
 * QUEUED: in one of the two queues.  RUNNING: a session has it; it stays in
 * the table so that others can join.
 */
struct task {
	LIST_ENTRY(task) bucket;
	TAILQ_ENTRY(task) link; /* while queued */
	struct job job;
	bool is_running;
	bool is_awaited; /* in the readers' queue */
	size_t session;  /* while running */
	int tries;
};
TAILQ_HEAD(task_list, task);
LIST_HEAD(bucket, task);

struct pull {
	TAILQ_ENTRY(pull) link;
	struct jobs_pull job;
	bool is_running;
	bool is_awaited;
	bool is_again; /* asked for while it ran */
	int tries;     /* that ended with their session */
	int64_t progress_at;
};
TAILQ_HEAD(pull_list, pull);

struct served {
	struct remote *remote; /* borrowed until jobs_free() */
	int failure;           /* why it cannot connect; 0: it can, or may */
	int64_t attempt_at;    /* when it last tried; 0: not yet */
	int64_t sleeps_until;
	int receiving;
	off_t received;
	int64_t progress_at;
};

struct jobs {
	int timeout_ms;
	size_t count; /* of served; set before the sessions start */
	pthread_mutex_t lock;
	/* All below is guarded by lock. */
	struct served served[JOBS_SESSIONS];
	bool is_stopped;
	uintptr_t next_wait;
	struct wait_list waits;
	struct bucket buckets[BUCKETS];
	struct task_list readers;
	struct task_list ahead;
	size_t ahead_count;
	struct pull_list pulls;
	int64_t list_at;
};

struct jobs *jobs_new(int timeout_ms)
{
	struct jobs *jobs = xmalloc(sizeof(*jobs));
	jobs->timeout_ms = timeout_ms;
	jobs->next_wait = 1;
	(void)pthread_mutex_init(&jobs->lock, NULL);
	TAILQ_INIT(&jobs->waits);
	TAILQ_INIT(&jobs->readers);
	TAILQ_INIT(&jobs->ahead);
	TAILQ_INIT(&jobs->pulls);
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&jobs->buckets[i]);
	for (size_t i = 0; i < JOBS_SESSIONS; i++)
		jobs->served[i].receiving = -1;
	return jobs;
}

void jobs_free(struct jobs *jobs)
{
	if (jobs == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct task *t;
		while ((t = LIST_FIRST(&jobs->buckets[i])) != NULL) {
			LIST_REMOVE(t, bucket);
			free(t);
		}
	}
	struct pull *p;
	while ((p = TAILQ_FIRST(&jobs->pulls)) != NULL) {
		TAILQ_REMOVE(&jobs->pulls, p, link);
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

/* Sessions see for themselves whether there is something for them. */
static void wake_all(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++)
		remote_wake(jobs->served[i].remote);
}

/* Run what was taken from the list of waits; the lock is not held. */
static void answer(struct wait_list *ended, int err, int fd, uint64_t size)
{
	struct wait *w;
	while ((w = TAILQ_FIRST(ended)) != NULL) {
		TAILQ_REMOVE(ended, w, link);
		struct cache_body body = { .fd = -1, .size = size };
		int result = err;
		if (err == 0 && w->kind == WAIT_BODY) {
			body.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
			if (body.fd < 0)
				result = -errno;
		}
		w->done(w->arg, result, body.fd >= 0 ? &body : NULL);
		free(w);
	}
}

static void end_waits_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
                             struct wait_list *ended)
{
	struct wait *next;
	for (struct wait *w = TAILQ_FIRST(&jobs->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->kind != kind || w->id != id)
			continue;
		TAILQ_REMOVE(&jobs->waits, w, link);
		TAILQ_INSERT_TAIL(ended, w, link);
	}
}

static bool is_awaited_locked(struct jobs *jobs, enum wait_kind kind,
                              int64_t id)
{
	struct wait *w;
	TAILQ_FOREACH(w, &jobs->waits, link)
	if (w->kind == kind && w->id == id)
		return true;
	return false;
}

static void add_wait_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
                            cache_done *done, void *arg,
                            struct cache_wait **wait_out)
{
	struct wait *w = xmalloc(sizeof(*w));
	w->number = jobs->next_wait++;
	w->kind = kind;
	w->id = id;
	w->deadline = deadline_in(jobs->timeout_ms);
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&jobs->waits, w, link);
	*wait_out = (struct cache_wait *)w->number;
}

static struct bucket *bucket_of(struct jobs *jobs, int64_t message)
{
	return &jobs->buckets[(uint64_t)message % BUCKETS];
}

static struct task *find_task_locked(struct jobs *jobs, int64_t message)
{
	struct task *t;
	LIST_FOREACH(t, bucket_of(jobs, message), bucket)
	if (t->job.message == message)
		return t;
	return NULL;
}

static void enqueue_locked(struct jobs *jobs, struct task *t, bool is_awaited)
{
	t->is_running = false;
	t->is_awaited = is_awaited;
	if (is_awaited) {
		TAILQ_INSERT_TAIL(&jobs->readers, t, link);
		return;
	}
	TAILQ_INSERT_TAIL(&jobs->ahead, t, link);
	jobs->ahead_count++;
}

static void dequeue_locked(struct jobs *jobs, struct task *t)
{
	if (t->is_awaited) {
		TAILQ_REMOVE(&jobs->readers, t, link);
		return;
	}
	TAILQ_REMOVE(&jobs->ahead, t, link);
	jobs->ahead_count--;
}

static struct task *add_task_locked(struct jobs *jobs, int64_t message,
                                    int64_t folder, uint64_t bytes,
                                    bool is_awaited)
{
	struct task *t = xmalloc(sizeof(*t));
	t->job = (struct job){ message, folder, bytes };
	LIST_INSERT_HEAD(bucket_of(jobs, message), t, bucket);
	enqueue_locked(jobs, t, is_awaited);
	return t;
}

static void drop_task_locked(struct jobs *jobs, struct task *t)
{
	if (!t->is_running)
		dequeue_locked(jobs, t);
	LIST_REMOVE(t, bucket);
	free(t);
}

/*
 * Why nobody could serve a wait begun now: every session failed, and lately.
 * 0: someone may.
 */
static int refusal_locked(struct jobs *jobs)
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

int jobs_await_body(struct jobs *jobs, int64_t message, int64_t folder,
                    cache_done *done, void *arg, struct cache_wait **wait_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	int err = refusal_locked(jobs);
	if (err < 0) {
		(void)pthread_mutex_unlock(&jobs->lock);
		return err;
	}
	struct task *t = find_task_locked(jobs, message);
	if (t == NULL) {
		(void)add_task_locked(jobs, message, folder, 0, true);
	} else if (!t->is_running && !t->is_awaited) {
		dequeue_locked(jobs, t);
		enqueue_locked(jobs, t, true);
	}
	add_wait_locked(jobs, WAIT_BODY, message, done, arg, wait_out);
	(void)pthread_mutex_unlock(&jobs->lock);
	wake_all(jobs);
	return 0;
}

static struct pull *find_pull_locked(struct jobs *jobs, int64_t folder)
{
	struct pull *p;
	TAILQ_FOREACH(p, &jobs->pulls, link)
	if (p->job.folder == folder)
		return p;
	return NULL;
}

static struct pull *add_pull_locked(struct jobs *jobs, int64_t folder,
                                    bool is_first, const char *state,
                                    int64_t messages)
{
	struct pull *p = find_pull_locked(jobs, folder);
	if (p == NULL) {
		p = xmalloc(sizeof(*p));
		p->job.folder = folder;
		if (is_first)
			TAILQ_INSERT_HEAD(&jobs->pulls, p, link);
		else
			TAILQ_INSERT_TAIL(&jobs->pulls, p, link);
	} else if (p->is_running) {
		p->is_again = true;
	}
	/* A state too long to keep is no state: it is pulled each time. */
	if (strlen(state) < sizeof(p->job.state))
		(void)snprintf(p->job.state, sizeof(p->job.state), "%s", state);
	p->job.messages = messages;
	return p;
}

int jobs_await_listing(struct jobs *jobs, int64_t folder, bool is_inbox,
                       cache_done *done, void *arg,
                       struct cache_wait **wait_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	int err = refusal_locked(jobs);
	if (err < 0) {
		(void)pthread_mutex_unlock(&jobs->lock);
		return err;
	}
	struct pull *p =
		folder == CACHE_ROOT ? NULL : find_pull_locked(jobs, folder);
	if (folder == CACHE_ROOT)
		jobs->list_at = clock_now_ms();
	else if (p == NULL)
		p = add_pull_locked(jobs, folder, is_inbox, "", -1);
	if (p != NULL)
		p->is_awaited = true;
	add_wait_locked(jobs, WAIT_LISTING, folder, done, arg, wait_out);
	(void)pthread_mutex_unlock(&jobs->lock);
	wake_all(jobs);
	return 0;
}

/* Nobody waits for it any more: not worth a fetch that has not begun. */
static void forsake_locked(struct jobs *jobs, const struct wait *w)
{
	if (w->kind != WAIT_BODY || is_awaited_locked(jobs, w->kind, w->id))
		return;
	struct task *t = find_task_locked(jobs, w->id);
	if (t != NULL && !t->is_running)
		drop_task_locked(jobs, t);
}

bool jobs_cancel(struct jobs *jobs, struct cache_wait *wait)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct wait *w;
	TAILQ_FOREACH(w, &jobs->waits, link)
	if (w->number == (uintptr_t)wait)
		break;
	if (w != NULL) {
		TAILQ_REMOVE(&jobs->waits, w, link);
		forsake_locked(jobs, w);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	free(w);
	return w != NULL;
}

void jobs_prefetch(struct jobs *jobs, int64_t message, int64_t folder,
                   uint64_t bytes)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_new = refusal_locked(jobs) == 0 &&
	              jobs->ahead_count < PREFETCH_MAX &&
	              find_task_locked(jobs, message) == NULL;
	if (is_new)
		(void)add_task_locked(jobs, message, folder, bytes, false);
	(void)pthread_mutex_unlock(&jobs->lock);
	if (is_new)
		wake_all(jobs);
}

/*
 * The time of the last progress of what w waits for.  A session receives one
 * thing after the other, so a byte of any is progress for all it has taken.
 */
static int64_t progress_locked(struct jobs *jobs, const struct wait *w)
{
	if (w->kind == WAIT_BODY) {
		struct task *t = find_task_locked(jobs, w->id);
		return t != NULL && t->is_running
		               ? jobs->served[t->session].progress_at
		               : INT64_MIN / 2;
	}
	struct pull *p = find_pull_locked(jobs, w->id);
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
	bool wake[JOBS_SESSIONS] = { false };
	(void)pthread_mutex_lock(&jobs->lock);
	int64_t now = clock_now_ms();
	for (size_t i = 0; i < jobs->count; i++) {
		struct served *s = &jobs->served[i];
		look_for_progress_locked(s, now);
		/* poll(2) does not count the time a machine is suspended. */
		wake[i] = now >= s->sleeps_until;
	}
	struct wait *next;
	for (struct wait *w = TAILQ_FIRST(&jobs->waits); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (now < w->deadline ||
		    now < progress_locked(jobs, w) + jobs->timeout_ms)
			continue;
		TAILQ_REMOVE(&jobs->waits, w, link);
		forsake_locked(jobs, w);
		TAILQ_INSERT_TAIL(&ended, w, link);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	for (size_t i = 0; i < jobs->count; i++)
		if (wake[i])
			remote_wake(jobs->served[i].remote);
	answer(&ended, -ETIMEDOUT, -1, 0);
}

/* Everyone who waits, and every job that no session has. */
static void fail_all_locked(struct jobs *jobs, struct wait_list *ended)
{
	TAILQ_CONCAT(ended, &jobs->waits, link);
	struct task *t;
	while ((t = TAILQ_FIRST(&jobs->readers)) != NULL)
		drop_task_locked(jobs, t);
	while ((t = TAILQ_FIRST(&jobs->ahead)) != NULL)
		drop_task_locked(jobs, t);
}

void jobs_stop(struct jobs *jobs)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->is_stopped = true;
	fail_all_locked(jobs, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, -ECANCELED, -1, 0);
}

bool jobs_is_stopped(struct jobs *jobs)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_stopped = jobs->is_stopped;
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_stopped;
}

int64_t jobs_bodies_waiting(struct jobs *jobs)
{
	int64_t count = 0;
	(void)pthread_mutex_lock(&jobs->lock);
	struct wait *w;
	TAILQ_FOREACH(w, &jobs->waits, link)
	count += w->kind == WAIT_BODY;
	(void)pthread_mutex_unlock(&jobs->lock);
	return count;
}

/* The first lists and polls; it fetches only when no other can. */
static bool does_bodies_locked(const struct jobs *jobs, size_t session)
{
	if (session > 0)
		return true;
	for (size_t i = 1; i < jobs->count; i++)
		if (jobs->served[i].failure == 0)
			return false;
	return true;
}

static bool does_pulls(size_t session)
{
	return session != 1;
}

static struct pull *next_pull_locked(struct jobs *jobs, bool awaited_only)
{
	struct pull *p;
	TAILQ_FOREACH(p, &jobs->pulls, link)
	if (!p->is_running && p->is_awaited)
		return p;
	if (awaited_only)
		return NULL;
	TAILQ_FOREACH(p, &jobs->pulls, link)
	if (!p->is_running)
		return p;
	return NULL;
}

static enum work next_locked(struct jobs *jobs, size_t session)
{
	bool bodies = does_bodies_locked(jobs, session);
	bool pulls = does_pulls(session);
	bool list = session == 0 && clock_now_ms() >= jobs->list_at;
	if (bodies && !TAILQ_EMPTY(&jobs->readers))
		return WORK_BODIES;
	if (list && is_awaited_locked(jobs, WAIT_LISTING, CACHE_ROOT))
		return WORK_LIST;
	if (pulls && next_pull_locked(jobs, true) != NULL)
		return WORK_PULL;
	if (bodies && !TAILQ_EMPTY(&jobs->ahead))
		return WORK_BODIES;
	/* What the last list found comes before the next. */
	if (pulls && next_pull_locked(jobs, false) != NULL)
		return WORK_PULL;
	return list ? WORK_LIST : WORK_NONE;
}

enum work jobs_next(struct jobs *jobs, size_t session, int64_t *until_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	enum work work = next_locked(jobs, session);
	*until_out = session == 0 ? jobs->list_at : DEADLINE_NEVER;
	jobs->served[session].sleeps_until = *until_out;
	(void)pthread_mutex_unlock(&jobs->lock);
	return work;
}

size_t jobs_take(struct jobs *jobs, size_t session, int64_t folder,
                 struct job out[JOBS_BATCH])
{
	size_t count = 0;
	uint64_t bytes = 0;
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_awaited = !TAILQ_EMPTY(&jobs->readers);
	struct task_list *queue = is_awaited ? &jobs->readers : &jobs->ahead;
	struct task *t = TAILQ_FIRST(queue);
	while (t != NULL && count < JOBS_BATCH) {
		struct task *next = TAILQ_NEXT(t, link);
		bool fits =
			count == 0 || bytes + t->job.bytes <= JOBS_BATCH_BYTES;
		if (folder == 0)
			folder = t->job.folder;
		if (t->job.folder == folder && fits) {
			dequeue_locked(jobs, t);
			t->is_running = true;
			t->session = session;
			bytes += t->job.bytes;
			out[count++] = t->job;
		} else if (!is_awaited) {
			break;
		}
		t = next;
	}
	jobs->served[session].progress_at = clock_now_ms();
	(void)pthread_mutex_unlock(&jobs->lock);
	return count;
}

static void finish_locked(struct jobs *jobs, struct task *t,
                          struct wait_list *ended)
{
	end_waits_locked(jobs, WAIT_BODY, t->job.message, ended);
	drop_task_locked(jobs, t);
}

void jobs_finish(struct jobs *jobs, int64_t message, int err, int fd,
                 uint64_t size)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = find_task_locked(jobs, message);
	if (t != NULL) {
		jobs->served[t->session].progress_at = clock_now_ms();
		finish_locked(jobs, t, &ended);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, err, fd, size);
}

void jobs_return(struct jobs *jobs, int64_t message, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = find_task_locked(jobs, message);
	bool is_awaited = is_awaited_locked(jobs, WAIT_BODY, message);
	if (t != NULL && is_awaited && ++t->tries < TRIES_MAX &&
	    !jobs->is_stopped)
		enqueue_locked(jobs, t, true);
	else if (t != NULL)
		finish_locked(jobs, t, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, err, -1, 0);
}

bool jobs_is_awaited(struct jobs *jobs, int64_t message)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_awaited = is_awaited_locked(jobs, WAIT_BODY, message);
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_awaited;
}

bool jobs_is_under_way(struct jobs *jobs, int64_t message)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_under_way = find_task_locked(jobs, message) != NULL;
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_under_way;
}

void jobs_receiving(struct jobs *jobs, size_t session, int fd)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->served[session].receiving = fd;
	jobs->served[session].received = 0;
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_list_at(struct jobs *jobs, int64_t when)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->list_at = when;
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_pull_add(struct jobs *jobs, int64_t folder, bool is_first,
                   const char *state, int64_t messages)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p =
		add_pull_locked(jobs, folder, is_first, state, messages);
	p->is_awaited = is_awaited_locked(jobs, WAIT_LISTING, folder);
	(void)pthread_mutex_unlock(&jobs->lock);
	wake_all(jobs);
}

bool jobs_pull_take(struct jobs *jobs, struct jobs_pull *out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = next_pull_locked(jobs, false);
	if (p != NULL) {
		p->is_running = true;
		p->is_again = false;
		p->progress_at = clock_now_ms();
		*out = p->job;
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	return p != NULL;
}

void jobs_pull_progress(struct jobs *jobs, int64_t folder)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = find_pull_locked(jobs, folder);
	if (p != NULL)
		p->progress_at = clock_now_ms();
	(void)pthread_mutex_unlock(&jobs->lock);
}

static void end_pull_locked(struct jobs *jobs, struct pull *p, bool again)
{
	TAILQ_REMOVE(&jobs->pulls, p, link);
	p->is_running = false;
	if (again || p->is_again)
		TAILQ_INSERT_TAIL(&jobs->pulls, p, link);
	else
		free(p);
}

void jobs_pull_end(struct jobs *jobs, int64_t folder, bool more)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = find_pull_locked(jobs, folder);
	if (p != NULL) {
		p->tries = 0;
		end_pull_locked(jobs, p, more);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_pull_failed(struct jobs *jobs, int64_t folder, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = find_pull_locked(jobs, folder);
	if (p != NULL && ++p->tries < TRIES_MAX) {
		end_pull_locked(jobs, p, true);
	} else if (p != NULL) {
		/* One bad folder must not keep us from the others. */
		p->is_again = false;
		end_pull_locked(jobs, p, false);
		end_waits_locked(jobs, WAIT_LISTING, folder, &ended);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, err, -1, 0);
}

void jobs_listed(struct jobs *jobs, int64_t folder, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	end_waits_locked(jobs, WAIT_LISTING, folder, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, err, -1, 0);
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
	(void)pthread_mutex_unlock(&jobs->lock);
	answer(&ended, err, -1, 0);
	/* Who does the bodies may have changed. */
	wake_all(jobs);
}

int64_t jobs_backoff_until(struct jobs *jobs, size_t session, int64_t until)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct served *s = &jobs->served[session];
	int64_t early = s->attempt_at + ATTEMPT_EVERY_MS;
	if (!TAILQ_EMPTY(&jobs->waits) && early < until)
		until = early;
	s->sleeps_until = until;
	(void)pthread_mutex_unlock(&jobs->lock);
	return until;
}
