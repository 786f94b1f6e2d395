/*
 * Only while the keeper waits for the disk has nobody else anything to do: made
 * when it is taken, or after the answer, the next file would keep the delivery
 * that takes it, or the one behind, waiting.
 */
#include "cache/spare.h"

#include <pthread.h>
#include <stdlib.h>

#include "util/mem.h"

struct spares {
	struct file_store *files;
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below is guarded by lock. */
	bool is_stopping;
	bool is_used;
	bool is_wanted;
	int64_t ids[SPARES_MAX];
	size_t count;
};

static int64_t make(struct spares *s)
{
	int64_t id = db_id_ahead(s->db);
	return file_make_spare(s->files, id) == 0 ? id : 0;
}

static void *spares_main(void *arg)
{
	struct spares *s = arg;
	(void)pthread_mutex_lock(&s->lock);
	while (!s->is_stopping) {
		if (!s->is_wanted || s->count == SPARES_MAX) {
			(void)pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		s->is_wanted = false;
		(void)pthread_mutex_unlock(&s->lock);
		int64_t id = make(s);
		(void)pthread_mutex_lock(&s->lock);
		/* Without it, a file is made when it is needed. */
		if (id != 0)
			s->ids[s->count++] = id;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void release(struct spares *s)
{
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->changed);
	free(s);
}

int spares_new(struct file_store *files, struct db *db,
               struct spares **spares_out)
{
	struct spares *s = xmalloc(sizeof(*s));
	s->files = files;
	s->db = db;
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->changed, NULL);
	int err = pthread_create(&s->thread, NULL, spares_main, s);
	if (err != 0) {
		release(s);
		return -err;
	}
	*spares_out = s;
	return 0;
}

void spares_free(struct spares *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	release(s);
}

int64_t spares_take(struct spares *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->is_used = true;
	int64_t id = s->count > 0 ? s->ids[--s->count] : 0;
	(void)pthread_mutex_unlock(&s->lock);
	return id;
}

void spares_want(struct spares *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->is_wanted = s->is_used;
	if (s->is_wanted && s->count < SPARES_MAX)
		(void)pthread_cond_signal(&s->changed);
	(void)pthread_mutex_unlock(&s->lock);
}
