#include "cache/announce.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "cache/core.h"
#include "util/clock.h"
#include "util/mem.h"

struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct cache_entry entry;
	int64_t deadline;
};
TAILQ_HEAD(waiting_list, waiting);

struct announces {
	pthread_mutex_t lock;
	/* Guarded by lock; the oldest first. */
	struct waiting_list list;
	size_t count;
};

struct announces *announce_new(void)
{
	struct announces *a = xmalloc(sizeof(*a));
	(void)pthread_mutex_init(&a->lock, NULL);
	TAILQ_INIT(&a->list);
	return a;
}

/* Tell each, and free it. */
static void tell_all(struct cache *c, struct waiting_list *list)
{
	struct waiting *w;
	while ((w = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, w, link);
		if (c != NULL)
			tell_arrived(c, &w->entry);
		free(w);
	}
}

void announce_free(struct announces *a)
{
	if (a == NULL)
		return;
	tell_all(NULL, &a->list);
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

/*
 * Take those out that are of an entry, of a message, or overdue; 0: not asked.
 */
static void take_some(struct announces *a, int64_t entry, int64_t message,
                      int64_t overdue_at, struct waiting_list *out)
{
	struct waiting *next;
	TAILQ_INIT(out);
	(void)pthread_mutex_lock(&a->lock);
	for (struct waiting *w = TAILQ_FIRST(&a->list); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->entry.id != entry && w->entry.message.id != message &&
		    w->deadline > overdue_at)
			continue;
		TAILQ_REMOVE(&a->list, w, link);
		TAILQ_INSERT_TAIL(out, w, link);
		a->count--;
	}
	(void)pthread_mutex_unlock(&a->lock);
}

static bool is_worth_waiting(const struct cache *c,
                             const struct cache_message *m)
{
	return !m->is_cached && !m->is_kept && m->size <= c->announce_bytes;
}

static bool add(struct announces *a, const struct cache_entry *now)
{
	(void)pthread_mutex_lock(&a->lock);
	bool has_room = a->count < ANNOUNCE_MAX;
	if (has_room) {
		struct waiting *w = xmalloc(sizeof(*w));
		w->entry = *now;
		w->deadline = deadline_in(ANNOUNCE_MS);
		TAILQ_INSERT_TAIL(&a->list, w, link);
		a->count++;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return has_room;
}

void announce_before(struct cache *c, int64_t entry)
{
	struct waiting_list list;
	take_some(c->announces, entry, 0, 0, &list);
	tell_all(c, &list);
}

void announce_body(struct cache *c, int64_t message)
{
	struct waiting_list list;
	take_some(c->announces, 0, message, 0, &list);
	tell_all(c, &list);
}

void announce_arrival(struct cache *c, const struct cache_entry *now)
{
	const struct cache_message *m = &now->message;
	if (!is_worth_waiting(c, m) || !add(c->announces, now))
		tell_arrived(c, now);
	else if (!jobs_prefetch(c->jobs, m->id, now->folder, m->size))
		announce_body(c, m->id);
}

void announce_tick(struct cache *c)
{
	struct waiting_list list;
	take_some(c->announces, 0, 0, clock_now_ms(), &list);
	tell_all(c, &list);
}
