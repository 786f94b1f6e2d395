/*
 * Folders to list, and who waits for their first listing.
 */
#include "cache/jobs_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/mem.h"

struct pull *jobs_pull_find_locked(struct jobs *jobs, int64_t folder)
{
	struct pull *p = TAILQ_FIRST(&jobs->pulls);
	while (p != NULL && p->job.folder != folder)
		p = TAILQ_NEXT(p, link);
	return p;
}

struct pull *jobs_pull_next_locked(struct jobs *jobs, bool awaited_only)
{
	struct pull *first = NULL;
	struct pull *p;
	for (p = TAILQ_FIRST(&jobs->pulls); p != NULL;
	     p = TAILQ_NEXT(p, link)) {
		if (p->is_running)
			continue;
		if (p->is_awaited)
			return p;
		if (first == NULL)
			first = p;
	}
	return awaited_only ? NULL : first;
}

struct pull *jobs_pull_add_locked(struct jobs *jobs, int64_t folder,
                                  bool is_first, const char *state,
                                  int64_t messages)
{
	struct pull *p = jobs_pull_find_locked(jobs, folder);
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
	int err = jobs_refusal_locked(jobs);
	if (err < 0) {
		(void)pthread_mutex_unlock(&jobs->lock);
		return err;
	}
	struct pull *p = folder == CACHE_ROOT
	                         ? NULL
	                         : jobs_pull_find_locked(jobs, folder);
	if (folder == CACHE_ROOT)
		jobs->list_at = clock_now_ms();
	else if (p == NULL)
		p = jobs_pull_add_locked(jobs, folder, is_inbox, "", -1);
	if (p != NULL)
		p->is_awaited = true;
	jobs_wait_add_locked(jobs, WAIT_LISTING, folder, done, arg, wait_out);
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
	return 0;
}

void jobs_pull_add(struct jobs *jobs, int64_t folder, bool is_first,
                   const char *state, int64_t messages)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p =
		jobs_pull_add_locked(jobs, folder, is_first, state, messages);
	p->is_awaited = jobs_wait_is_locked(jobs, WAIT_LISTING, folder);
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
}

bool jobs_pull_take(struct jobs *jobs, struct jobs_pull *out)
{
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = jobs_pull_next_locked(jobs, false);
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
	struct pull *p = jobs_pull_find_locked(jobs, folder);
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
	struct pull *p = jobs_pull_find_locked(jobs, folder);
	if (p != NULL) {
		p->tries = 0;
		end_pull_locked(jobs, p, more);
	}
	if (!more)
		jobs_task_resume_locked(jobs, folder, 0, NULL);
	unsigned sleepers = jobs_sleepers_locked(jobs);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_wake(jobs, sleepers);
}

void jobs_pull_failed(struct jobs *jobs, int64_t folder, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	struct pull *p = jobs_pull_find_locked(jobs, folder);
	if (p != NULL && ++p->tries < JOBS_TRIES_MAX) {
		end_pull_locked(jobs, p, true);
	} else if (p != NULL) {
		/* One bad folder must not keep us from the others. */
		p->is_again = false;
		end_pull_locked(jobs, p, false);
		jobs_wait_end_locked(jobs, WAIT_LISTING, folder, &ended);
		jobs_task_resume_locked(jobs, folder, err, &ended);
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, -1, 0);
}

void jobs_listed(struct jobs *jobs, int64_t folder, int err)
{
	struct wait_list ended = TAILQ_HEAD_INITIALIZER(ended);
	(void)pthread_mutex_lock(&jobs->lock);
	jobs_wait_end_locked(jobs, WAIT_LISTING, folder, &ended);
	if (err < 0)
		jobs_task_resume_locked(jobs, folder, err, &ended);
	(void)pthread_mutex_unlock(&jobs->lock);
	jobs_answer(&ended, err, -1, 0);
}

void jobs_list_at(struct jobs *jobs, int64_t when)
{
	(void)pthread_mutex_lock(&jobs->lock);
	jobs->list_at = when;
	(void)pthread_mutex_unlock(&jobs->lock);
}
