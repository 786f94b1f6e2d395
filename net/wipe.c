/*
 * libcurl keeps the password as long as the connection lives: as strings that
 * are it, plain or percent-encoded as in a URL, and in the buffer that its
 * commands are sent from, in whatever form the mechanism wanted.  Nothing
 * makes it forget them.  So it allocates through us: each block carries a
 * header, and those that a login allocates are on a list of the login's
 * thread.  When the login is over, the list is searched for the strings; the
 * buffers have been pointed out as each command was sent.  Only whole blocks
 * are wiped, for a short password may well be some bytes of a pointer.
 *
 * The list is the thread's, because memory functions have no argument to find
 * it by, and because no one else's login may be touched.  Any thread may free
 * a block (the resolver's do), hence the one lock around all lists; it is held
 * briefly, and no other is taken under it.  Blocks that the
 * resolver's thread allocates are on no list: it never sees the secret.
 */
#include "net/wipe.h"

#include <assert.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "util/digest.h"

struct link {
	struct link *next, *prev; /* NULL: on no list */
};

struct block {
	struct link link; /* guarded by lock; first, so that it is the block */
	bool is_marked;   /* guarded by lock */
	size_t size;
	alignas(max_align_t) char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* guarded by lock; a ring of blocks while this thread logs in */
static _Thread_local struct link watched;

static struct block *block_of(void *bytes)
{
	return (struct block *)(void *)((char *)bytes -
	                                offsetof(struct block, bytes));
}

static void unlink_locked(struct link *l)
{
	assert(l->next != NULL && l->prev != NULL);
	l->next->prev = l->prev;
	l->prev->next = l->next;
	*l = (struct link){ 0 };
}

/* ---- What libcurl calls ---- */

static void *take_block(size_t size)
{
	if (size > SIZE_MAX - sizeof(struct block))
		return NULL;
	/* All zero: wipe_end() reads it, used or not. */
	struct block *b = calloc(1, sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	b->size = size;
	(void)pthread_mutex_lock(&lock);
	if (watched.next != NULL) {
		b->link = (struct link){ watched.next, &watched };
		b->link.next->prev = &b->link;
		watched.next = &b->link;
	}
	(void)pthread_mutex_unlock(&lock);
	/* cppcheck-suppress memleak; block_of() finds it again */
	return b->bytes;
}

static void free_block(void *bytes)
{
	if (bytes == NULL)
		return;
	struct block *b = block_of(bytes);
	(void)pthread_mutex_lock(&lock);
	if (b->link.next != NULL)
		unlink_locked(&b->link);
	(void)pthread_mutex_unlock(&lock);
	wipe(b->bytes, b->size);
	free(b);
}

static void *resize_block(void *bytes, size_t size)
{
	void *moved = take_block(size);
	if (moved == NULL || bytes == NULL)
		return moved;
	size_t old = block_of(bytes)->size;
	memcpy(moved, bytes, old < size ? old : size);
	free_block(bytes);
	return moved;
}

static char *copy_string(const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = take_block(size);
	return copy == NULL ? NULL : memcpy(copy, s, size);
}

static void *take_array(size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	return take_block(total);
}

void wipe_init_curl(void)
{
	CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, take_block,
	                                     free_block, resize_block,
	                                     copy_string, take_array);
	if (code != CURLE_OK)
		abort();
}

/* ---- One login ---- */

void wipe_begin(void)
{
	(void)pthread_mutex_lock(&lock);
	watched = (struct link){ &watched, &watched };
	(void)pthread_mutex_unlock(&lock);
}

void wipe_mark(const void *at)
{
	uintptr_t address = (uintptr_t)at;
	(void)pthread_mutex_lock(&lock);
	assert(watched.next != NULL);
	for (struct link *l = watched.next; l != &watched; l = l->next) {
		struct block *b = (struct block *)(void *)l;
		uintptr_t from = (uintptr_t)b->bytes;
		if (address >= from && address - from < b->size)
			b->is_marked = true;
	}
	(void)pthread_mutex_unlock(&lock);
}

/* The next byte of a text, which may be percent-encoded (RFC 3986 2.1). */
static char next_byte(const char **at)
{
	unsigned value;
	if (**at == '%' && sscanf(*at + 1, "%2x", &value) == 1) {
		*at += 3;
		return (char)value;
	}
	return *(*at)++;
}

static bool is_encoded(const char *text, const char *secret)
{
	for (; *text != '\0'; secret++) {
		if (*secret == '\0' || next_byte(&text) != *secret)
			return false;
	}
	return *secret == '\0';
}

/*
 * A string has a block to itself, with little room behind it; a structure may
 * begin with a number that looks like a very short one.
 */
static bool is_copy(const struct block *b, const char *secret)
{
	size_t len = strnlen(b->bytes, b->size);
	if (len == 0 || len == b->size || b->size > 3 * len + 32)
		return false;
	return strcmp(b->bytes, secret) == 0 || is_encoded(b->bytes, secret);
}

void wipe_end(const char *secret)
{
	(void)pthread_mutex_lock(&lock);
	while (watched.next != &watched) {
		struct block *b = (struct block *)(void *)watched.next;
		if (secret != NULL && (b->is_marked || is_copy(b, secret)))
			wipe(b->bytes, b->size);
		unlink_locked(&b->link);
	}
	watched = (struct link){ 0 };
	(void)pthread_mutex_unlock(&lock);
}
