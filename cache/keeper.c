/*
 * A delivery lasts when its data and its name are on the disk.  A small body
 * goes into the log with its name (logged.h).  A large one is synced before
 * its name is committed: a name that came first could lead to half a message
 * after a power cut.  The log is synced once for all names that were committed
 * meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "cache/ack.h"
#include "cache/file.h"
#include "cache/logged.h"
#include "cache/write.h"
#include "util/log.h"
#include "util/mem.h"

struct task {
	STAILQ_ENTRY(task) link;
	bool has_change;
	struct change change;
	int64_t message;
	cache_done *done;
	void *arg;
	int err;
};
STAILQ_HEAD(task_list, task);

struct keeper {
	struct cache *cache; /* borrowed: it holds this */
	struct logged *logged;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	bool is_stopping;
	bool is_log_long; /* and it is to be made short */
	struct task_list tasks;
};

static void do_task(struct keeper *k, struct task *t)
{
	struct cache *c = k->cache;
	struct cache_message m = { .id = t->message };
	/* Its body may be here only because the server has it. */
	if (t->has_change)
		t->err = keep_cached(c, t->message);
	if (t->err < 0)
		return;
	bool has_file = t->message != 0 && file_stat(c->files, &m) == 0;
	bool is_logged =
		has_file && t->has_change && logged_take(k->logged, t->message);
	if (has_file && !is_logged)
		t->err = file_sync(c->files, t->message);
	if (is_logged)
		t->change.body = k->logged;
	if (t->err == 0 && t->has_change)
		t->err = change_apply(c, &t->change);
	if (is_logged)
		logged_end(k->logged, t->err == 0);
}

static void do_all(struct keeper *k, struct task_list *tasks)
{
	struct task *t;
	for (t = STAILQ_FIRST(tasks); t != NULL; t = STAILQ_NEXT(t, link))
		do_task(k, t);
	spares_want(k->cache->spares);
	int err = db_sync(k->cache->db, "log");
	while ((t = STAILQ_FIRST(tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(tasks, link);
		if (t->has_change && t->change.ack != NULL)
			ack_made(t->change.ack, t->err, err);
		else
			t->done(t->arg, t->err < 0 ? t->err : err, NULL);
		free(t);
	}
	cache_push_soon(k->cache);
	db_checkpoint(k->cache->db, false);
}

static bool is_idle_locked(const struct keeper *k)
{
	return STAILQ_EMPTY(&k->tasks) && !k->is_stopping && !k->is_log_long;
}

/* False: something is due. */
static bool wait_locked(struct keeper *k)
{
	struct timespec due = { .tv_sec = logged_due(k->logged) };
	if (due.tv_sec == LOGGED_NEVER)
		return pthread_cond_wait(&k->changed, &k->lock) == 0;
	return pthread_cond_timedwait(&k->changed, &k->lock, &due) == 0;
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	log_context(k->cache->account, NULL);
	(void)pthread_mutex_lock(&k->lock);
	for (;;) {
		while (is_idle_locked(k) && wait_locked(k))
			;
		if (is_idle_locked(k)) {
			(void)pthread_mutex_unlock(&k->lock);
			logged_settle(k->logged);
			(void)pthread_mutex_lock(&k->lock);
			continue;
		}
		if (STAILQ_EMPTY(&k->tasks) && !k->is_log_long)
			break;
		k->is_log_long = false;
		struct task_list tasks = STAILQ_HEAD_INITIALIZER(tasks);
		STAILQ_CONCAT(&tasks, &k->tasks);
		(void)pthread_mutex_unlock(&k->lock);
		if (STAILQ_EMPTY(&tasks))
			db_checkpoint(k->cache->db, false);
		else
			do_all(k, &tasks);
		(void)pthread_mutex_lock(&k->lock);
	}
	(void)pthread_mutex_unlock(&k->lock);
	return NULL;
}

static void release(struct keeper *k)
{
	logged_free(k->logged);
	(void)pthread_mutex_destroy(&k->lock);
	(void)pthread_cond_destroy(&k->changed);
	free(k);
}

int keeper_new(struct cache *c, struct keeper **keeper_out)
{
	struct keeper *k = xmalloc(sizeof(*k));
	k->cache = c;
	(void)pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	k->logged = logged_new(c);
	STAILQ_INIT(&k->tasks);
	int err = pthread_create(&k->thread, NULL, keeper_main, k);
	if (err != 0) {
		release(k);
		return -err;
	}
	*keeper_out = k;
	return 0;
}

void keeper_stop(struct keeper *k)
{
	(void)pthread_mutex_lock(&k->lock);
	bool is_first = !k->is_stopping;
	k->is_stopping = true;
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
	if (is_first)
		(void)pthread_join(k->thread, NULL);
}

void keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	keeper_stop(k);
	release(k);
}

static void add(struct keeper *k, const struct change *change, int64_t message,
                cache_done *done, void *arg)
{
	struct task *t = xmalloc(sizeof(*t));
	t->has_change = change != NULL;
	if (change != NULL)
		t->change = *change;
	t->message = message;
	t->done = done;
	t->arg = arg;
	(void)pthread_mutex_lock(&k->lock);
	bool is_late = k->is_stopping;
	if (!is_late)
		STAILQ_INSERT_TAIL(&k->tasks, t, link);
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
	if (is_late && change != NULL && change->ack != NULL)
		ack_made(change->ack, -ECANCELED, 0);
	else if (is_late)
		done(arg, -ECANCELED, NULL);
	if (is_late)
		free(t);
}

void keeper_tidy(struct keeper *k)
{
	(void)pthread_mutex_lock(&k->lock);
	k->is_log_long = !k->is_stopping;
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
}

void keeper_add(struct keeper *k, const struct change *change, cache_done *done,
                void *arg)
{
	add(k, change, change->message, done, arg);
}

void keeper_sync(struct keeper *k, int64_t message, cache_done *done, void *arg)
{
	add(k, NULL, message, done, arg);
}
