/*
 * The account, on the heap or in memory that outlives the process that uses
 * it: then what a crash leaves is what a server would still have.
 */
#include "tests/fake/account.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/mem.h"

/* Never given back: a test is short. */
static struct arena {
	size_t used, size;
} * arena; /* NULL: the heap */

void *fake_alloc(size_t size)
{
	if (arena == NULL)
		return xmalloc(size);
	size_t at = (arena->used + 15) / 16 * 16;
	if (size > arena->size || at > arena->size - size)
		abort();
	arena->used = at + size;
	return memset((char *)arena + at, 0, size);
}

char *fake_strdup(const char *s)
{
	if (s == NULL)
		return NULL;
	size_t size = strlen(s) + 1;
	return memcpy(fake_alloc(size), s, size);
}

void fake_release(void *p)
{
	if (arena == NULL)
		free(p);
}

static void make_lock(struct fake_account *a)
{
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
}

struct fake_account *fake_account_new(void)
{
	struct fake_account *a = fake_alloc(sizeof(*a));
	make_lock(a);
	return a;
}

struct fake_account *fake_account_new_shared(void *memory, size_t size)
{
	arena = memory;
	*arena = (struct arena){ sizeof(*arena), size };
	return fake_account_new();
}

void fake_account_revive(struct fake_account *a)
{
	make_lock(a);
}

void fake_account_free(struct fake_account *a)
{
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++)
		if (a->folders[i].name != NULL)
			fake_folder_remove_locked(&a->folders[i]);
	for (size_t i = 0; i < a->late_count; i++)
		fake_deed_release(&a->late[i]);
	(void)pthread_mutex_destroy(&a->lock);
	(void)pthread_cond_destroy(&a->changed);
	fake_release(a);
	arena = NULL;
}

void fake_has_ids(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->has_ids = true;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_plain(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->is_plain = true;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_chunk(struct fake_account *a, size_t count)
{
	(void)pthread_mutex_lock(&a->lock);
	a->chunk = count;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_folder_ids(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++)
		a->folders[i].id = ++a->validity;
	(void)pthread_mutex_unlock(&a->lock);
}
