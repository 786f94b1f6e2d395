/*
 * Who waits, and the answers they get.
 */
#include "cache/jobs_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/mem.h"

void jobs_wait_add_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
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

void jobs_wait_end_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
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

bool jobs_wait_is_locked(struct jobs *jobs, enum wait_kind kind, int64_t id)
{
	const struct wait *w = TAILQ_FIRST(&jobs->waits);
	while (w != NULL && (w->kind != kind || w->id != id))
		w = TAILQ_NEXT(w, link);
	return w != NULL;
}

void jobs_answer(struct wait_list *ended, int err, int fd, uint64_t size)
{
	struct wait *next;
	for (struct wait *w = TAILQ_FIRST(ended); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
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
	TAILQ_INIT(ended);
}

static struct wait *find_locked(struct jobs *jobs,
                                const struct cache_wait *wait)
{
	struct wait *w = TAILQ_FIRST(&jobs->waits);
	while (w != NULL && w->number != (uintptr_t)wait)
		w = TAILQ_NEXT(w, link);
	return w;
}

bool jobs_cancel(struct jobs *jobs, struct cache_wait *wait)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct wait *w = find_locked(jobs, wait);
	bool is_withdrawn = w != NULL && w->kind != WAIT_SENT;
	if (w != NULL) {
		TAILQ_REMOVE(&jobs->waits, w, link);
		jobs_task_forsake_locked(jobs, w);
		TAILQ_INSERT_TAIL(&ended, w, link);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	if (is_withdrawn)
		free(w);
	else
		jobs_answer(&ended, -EINTR, -1, 0);
	return is_withdrawn;
}

int jobs_await_sent(struct jobs *jobs, cache_done *done, void *arg,
                    struct cache_wait **wait_out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	int err = jobs_refusal_locked(jobs);
	if (err == 0)
		jobs_wait_add_locked(jobs, WAIT_SENT, 0, done, arg, wait_out);
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
	return err;
}

void jobs_sent_name(struct jobs *jobs, struct cache_wait *wait, int64_t row)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct wait *w = find_locked(jobs, wait);
	if (w != NULL)
		w->id = row;
	(void)pthread_mutex_unlock(&jobs->lock);
}

void jobs_sent(struct jobs *jobs, int64_t row, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	jobs_wait_end_locked(jobs, WAIT_SENT, row, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, -1, 0);
}

bool jobs_sent_forget(struct jobs *jobs, struct cache_wait *wait)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct wait *w = find_locked(jobs, wait);
	if (w != NULL)
		TAILQ_REMOVE(&jobs->waits, w, link);
	(void)pthread_mutex_unlock(&jobs->lock);
	free(w);
	return w != NULL;
}

int64_t jobs_bodies_waiting(struct jobs *jobs)
{
	int64_t count = 0;
	(void)pthread_mutex_lock(&jobs->lock);
	const struct wait *w;
	for (w = TAILQ_FIRST(&jobs->waits); w != NULL; w = TAILQ_NEXT(w, link))
		count += w->kind == WAIT_BODY;
	(void)pthread_mutex_unlock(&jobs->lock);
	return count;
}
