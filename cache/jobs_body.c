/*
 * Bodies to fetch: for those who wait, and ahead of them.
 */
#include "cache/jobs_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* More than the windows of all scans together. */
#define PREFETCH_MAX 4096

static struct bucket *bucket_of(struct jobs *jobs, int64_t message)
{
	return &jobs->buckets[(uint64_t)message % JOBS_BUCKETS];
}

struct task *jobs_task_find_locked(struct jobs *jobs, int64_t message)
{
	struct task *t = LIST_FIRST(bucket_of(jobs, message));
	while (t != NULL && t->job.message != message)
		t = LIST_NEXT(t, bucket);
	return t;
}

/* It is not on its way any more. */
static void land_locked(struct jobs *jobs, struct task *t)
{
	if (t->is_flying)
		jobs->flying -= t->job.bytes;
	t->is_flying = false;
}

static void enqueue_locked(struct jobs *jobs, struct task *t,
                           struct task_list *queue)
{
	land_locked(jobs, t);
	TAILQ_INSERT_TAIL(queue, t, link);
	t->queue = queue;
	jobs->ahead_count += queue == &jobs->ahead;
}

static void dequeue_locked(struct jobs *jobs, struct task *t)
{
	jobs->ahead_count -= t->queue == &jobs->ahead;
	TAILQ_REMOVE(t->queue, t, link);
	t->queue = NULL;
}

static struct task *add_task_locked(struct jobs *jobs, int64_t message,
                                    int64_t folder, uint64_t bytes,
                                    struct task_list *queue)
{
	struct task *t = xmalloc(sizeof(*t));
	t->job = (struct job){ message, folder, bytes };
	LIST_INSERT_HEAD(bucket_of(jobs, message), t, bucket);
	enqueue_locked(jobs, t, queue);
	return t;
}

static void drop_task_locked(struct jobs *jobs, struct task *t)
{
	if (t->queue != NULL)
		dequeue_locked(jobs, t);
	land_locked(jobs, t);
	LIST_REMOVE(t, bucket);
	free(t);
}

void jobs_task_forsake_locked(struct jobs *jobs, const struct wait *w)
{
	if (w->kind != WAIT_BODY || jobs_wait_is_locked(jobs, w->kind, w->id))
		return;
	struct task *t = jobs_task_find_locked(jobs, w->id);
	if (t != NULL && t->queue != NULL)
		drop_task_locked(jobs, t);
}

static void drop_all_locked(struct jobs *jobs, const struct task_list *queue)
{
	struct task *next;
	for (struct task *t = TAILQ_FIRST(queue); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		drop_task_locked(jobs, t);
	}
}

void jobs_task_clear_locked(struct jobs *jobs)
{
	drop_all_locked(jobs, &jobs->readers);
	drop_all_locked(jobs, &jobs->ahead);
	drop_all_locked(jobs, &jobs->postponed);
}

int jobs_await_body(struct jobs *jobs, int64_t message, int64_t folder,
                    cache_done *done, void *arg, struct cache_wait **wait_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	int err = jobs_refusal_locked(jobs);
	if (err < 0) {
		(void)pthread_mutex_unlock(&jobs->lock);
		return err;
	}
	struct task *t = jobs_task_find_locked(jobs, message);
	if (t == NULL) {
		(void)add_task_locked(jobs, message, folder, 0, &jobs->readers);
	} else if (t->queue == &jobs->ahead) {
		dequeue_locked(jobs, t);
		enqueue_locked(jobs, t, &jobs->readers);
	}
	jobs_wait_add_locked(jobs, WAIT_BODY, message, done, arg, wait_out);
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
	return 0;
}

bool jobs_prefetch(struct jobs *jobs, int64_t message, int64_t folder,
                   uint64_t bytes)
{
	if (jobs->ahead_max > 0 && bytes > jobs->ahead_max)
		return false;
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_known = jobs_task_find_locked(jobs, message) != NULL;
	bool is_new = !is_known && jobs_refusal_locked(jobs) == 0 &&
	              jobs->ahead_count < PREFETCH_MAX &&
	              !jobs_is_spent_locked(jobs);
	if (is_new)
		(void)add_task_locked(jobs, message, folder, bytes,
		                      &jobs->ahead);
	unsigned sleepers = is_new ? jobs_sleepers_locked(jobs) : 0;
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
	return is_known || is_new;
}

/* Nobody asked for it: does it still fit into what may be fetched today? */
static bool fits_today_locked(struct jobs *jobs, const struct task *t)
{
	return jobs->daily_limit == 0 ||
	       (!jobs_is_spent_locked(jobs) &&
	        jobs_spent_locked(jobs) + jobs->flying + t->job.bytes <=
	                jobs->daily_limit);
}

static void take_locked(struct jobs *jobs, struct task *t, size_t session,
                        bool is_awaited)
{
	dequeue_locked(jobs, t);
	t->session = session;
	t->is_flying = !is_awaited;
	if (t->is_flying)
		jobs->flying += t->job.bytes;
}

/* As many of one folder as go together; true: what is ahead fits no more. */
static bool take_some_locked(struct jobs *jobs, size_t session, int64_t folder,
                             struct job out[JOBS_BATCH], size_t *count_out)
{
	size_t count = 0;
	uint64_t bytes = 0;
	bool is_awaited = !TAILQ_EMPTY(&jobs->readers);
	bool is_spent = false;
	struct task_list *queue = is_awaited ? &jobs->readers : &jobs->ahead;
	struct task *t = TAILQ_FIRST(queue);
	while (t != NULL && count < JOBS_BATCH) {
		struct task *next = TAILQ_NEXT(t, link);
		bool fits =
			count == 0 || bytes + t->job.bytes <= JOBS_BATCH_BYTES;
		is_spent = !is_awaited && !fits_today_locked(jobs, t);
		if (is_spent)
			break;
		if (folder == 0)
			folder = t->job.folder;
		if (t->job.folder == folder && fits) {
			take_locked(jobs, t, session, is_awaited);
			bytes += t->job.bytes;
			out[count++] = t->job;
		} else if (!is_awaited) {
			break;
		}
		t = next;
	}
	*count_out = count;
	return is_spent;
}

size_t jobs_take(struct jobs *jobs, size_t session, int64_t folder,
                 struct job out[JOBS_BATCH])
{
	size_t count;
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_spent = take_some_locked(jobs, session, folder, out, &count);
	bool is_news = is_spent && jobs->spent_day != jobs_today();
	if (is_spent) {
		jobs->spent_day = jobs_today();
		drop_all_locked(jobs, &jobs->ahead);
	}
	jobs->served[session].progress_at = clock_now_ms();
	(void)pthread_mutex_unlock(&jobs->lock);
	if (is_news)
		log_warn("daily-limit is reached: till tomorrow only what is "
		         "opened is fetched");
	return count;
}

static void finish_locked(struct jobs *jobs, struct task *t,
                          struct wait_list *ended)
{
	jobs_wait_end_locked(jobs, WAIT_BODY, t->job.message, ended);
	drop_task_locked(jobs, t);
}

void jobs_finish(struct jobs *jobs, int64_t message, int err, int fd,
                 uint64_t size)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = jobs_task_find_locked(jobs, message);
	if (t != NULL) {
		jobs->served[t->session].progress_at = clock_now_ms();
		finish_locked(jobs, t, &ended);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, fd, size);
}

void jobs_return(struct jobs *jobs, int64_t message, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = jobs_task_find_locked(jobs, message);
	bool is_awaited = jobs_wait_is_locked(jobs, WAIT_BODY, message);
	if (t != NULL && is_awaited && ++t->tries < JOBS_TRIES_MAX &&
	    !jobs->is_stopped)
		enqueue_locked(jobs, t, &jobs->readers);
	else if (t != NULL)
		finish_locked(jobs, t, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, -1, 0);
}

void jobs_redirect(struct jobs *jobs, int64_t message, int64_t folder)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = jobs_task_find_locked(jobs, message);
	if (t != NULL) {
		t->job.folder = folder;
		enqueue_locked(jobs, t,
		               jobs_wait_is_locked(jobs, WAIT_BODY, message)
		                       ? &jobs->readers
		                       : &jobs->ahead);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_postpone(struct jobs *jobs, int64_t message, int64_t folder)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	unsigned sleepers = 0;
	(void)pthread_mutex_lock(&jobs->lock);
	struct task *t = jobs_task_find_locked(jobs, message);
	bool is_awaited = jobs_wait_is_locked(jobs, WAIT_BODY, message);
	if (t != NULL && is_awaited && ++t->tries < JOBS_TRIES_MAX &&
	    !jobs->is_stopped) {
		t->job.folder = folder;
		enqueue_locked(jobs, t, &jobs->postponed);
		if (jobs_pull_find_locked(jobs, folder) == NULL)
			(void)jobs_pull_add_locked(jobs, folder, true, "", -1);
		sleepers = jobs_sleepers_locked(jobs);
	} else if (t != NULL) {
		finish_locked(jobs, t, &ended);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
	jobs_answer(&ended, -ESTALE, -1, 0);
}

void jobs_task_resume_locked(struct jobs *jobs, int64_t folder, int err,
                             struct wait_list *ended)
{
	struct task *next;
	struct task *t = TAILQ_FIRST(&jobs->postponed);
	for (; t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->job.folder != folder)
			continue;
		if (err < 0) {
			finish_locked(jobs, t, ended);
			continue;
		}
		dequeue_locked(jobs, t);
		enqueue_locked(jobs, t, &jobs->readers);
	}
}

bool jobs_is_awaited(struct jobs *jobs, int64_t message)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_awaited = jobs_wait_is_locked(jobs, WAIT_BODY, message);
	(void)pthread_mutex_unlock(&jobs->lock);
	return is_awaited;
}

bool jobs_is_under_way(struct jobs *jobs, int64_t message)
{
	(void)pthread_mutex_lock(&jobs->lock);
	bool is_under_way = jobs_task_find_locked(jobs, message) != NULL;
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
