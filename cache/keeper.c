/*
 * A delivery lasts when its data, then its name are on the disk.  In this
 * order: a name that came first could lead to half a message after a power
 * cut.  The log is synced once for all names that were committed meanwhile.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "cache/ack.h"
#include "cache/file.h"
#include "cache/write.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

struct task {
	STAILQ_ENTRY(task) link;
	bool has_change;
	struct change change;
	int64_t message;
	bool is_draft; /* its data only: see keeper_sync() */
	cache_done *done;
	void *arg;
	int err;
};
STAILQ_HEAD(task_list, task);

struct keeper {
	struct cache *cache; /* borrowed: it holds this */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	bool is_stopping;
	bool is_log_long; /* and it is to be made short */
	struct task_list tasks;
};

static void do_task(struct cache *c, struct task *t)
{
	struct cache_message m = { .id = t->message };
	/* Its body may be here only because the server has it. */
	if (t->has_change)
		t->err = keep_cached(c, t->message);
	if (t->err < 0)
		return;
	if (t->message != 0 && file_stat(c->files, &m) == 0)
		t->err = file_sync(c->files, t->message);
	if (t->err == 0 && t->has_change)
		t->err = change_apply(c, &t->change);
}

static void do_all(struct keeper *k, struct task_list *tasks)
{
	struct task *t;
	bool is_any_name = false;
	for (t = STAILQ_FIRST(tasks); t != NULL; t = STAILQ_NEXT(t, link)) {
		do_task(k->cache, t);
		is_any_name |= !t->is_draft;
	}
	int err = is_any_name ? db_sync(k->cache->db, "log") : 0;
	while ((t = STAILQ_FIRST(tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(tasks, link);
		if (t->has_change && t->change.ack != NULL)
			ack_made(t->change.ack, t->err, err);
		else
			t->done(t->arg, t->err < 0 ? t->err : err, NULL);
		free(t);
	}
	if (!is_any_name)
		return;
	cache_push_soon(k->cache);
	db_checkpoint(k->cache->db, false);
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	log_context(k->cache->account, NULL);
	(void)pthread_mutex_lock(&k->lock);
	for (;;) {
		while (STAILQ_EMPTY(&k->tasks) && !k->is_stopping &&
		       !k->is_log_long)
			(void)pthread_cond_wait(&k->changed, &k->lock);
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
		file_prepare(k->cache->files, k->cache->db);
		(void)pthread_mutex_lock(&k->lock);
	}
	(void)pthread_mutex_unlock(&k->lock);
	return NULL;
}

int keeper_new(struct cache *c, struct keeper **keeper_out)
{
	struct keeper *k = xmalloc(sizeof(*k));
	k->cache = c;
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_cond_init(&k->changed, NULL);
	STAILQ_INIT(&k->tasks);
	int err = pthread_create(&k->thread, NULL, keeper_main, k);
	if (err != 0) {
		(void)pthread_mutex_destroy(&k->lock);
		(void)pthread_cond_destroy(&k->changed);
		free(k);
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
	(void)pthread_mutex_destroy(&k->lock);
	(void)pthread_cond_destroy(&k->changed);
	free(k);
}

static void add(struct keeper *k, const struct change *change, int64_t message,
                bool is_draft, cache_done *done, void *arg)
{
	struct task *t = xmalloc(sizeof(*t));
	t->has_change = change != NULL;
	if (change != NULL)
		t->change = *change;
	t->message = message;
	t->is_draft = is_draft;
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
	add(k, change, change->message, false, done, arg);
}

void keeper_sync(struct keeper *k, int64_t message, bool is_draft,
                 cache_done *done, void *arg)
{
	add(k, NULL, message, is_draft, done, arg);
}
