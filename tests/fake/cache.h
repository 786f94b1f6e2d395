/*
 * The cache's door, in memory, for tests of fs: it holds what a test puts in,
 * and waits end when the test says so.  Any thread.
 */
#ifndef TESTS_FAKE_CACHE_H
#define TESTS_FAKE_CACHE_H

#include "cache/cache.h"

struct cache *fake_cache_new(void);

/* Completes what is owed with -ECANCELED first. */
void fake_cache_free(struct cache *c);

/* A listed folder; returns its id. */
int64_t fake_folder(struct cache *c, int64_t parent, const char *level,
                    unsigned attributes);
void fake_folder_remove(struct cache *c, int64_t folder);
void fake_listed(struct cache *c, int64_t folder, bool is_listed);
/* This folder of the root comes just before the next wait for a listing. */
void fake_folder_late(struct cache *c, const char *level);

/*
 * A message, entered in a folder.  Its body is count times 'x' and a line end;
 * its claimed size is extra more.  Returns the entry's id, equal to the
 * message's and to its identity.
 */
int64_t fake_message(struct cache *c, int64_t folder, enum cache_place place,
                     unsigned flags, size_t count, size_t extra);

/* Change an entry, and tell the listener. */
void fake_entry_set(struct cache *c, int64_t entry, enum cache_place place,
                    unsigned flags);
void fake_entry_remove(struct cache *c, int64_t entry);

/* The key that cache_facts_get() tells of a message. */
void fake_facts_set(struct cache *c, int64_t message, const char *key);

/* How often cache_file_touch() was called since this was asked last. */
int fake_touches(struct cache *c, int64_t message);

/* Descriptors that were given out to write, and not released yet. */
int fake_writers(struct cache *c);

/* What the next writing call shall give instead of doing anything. */
void fake_fail(struct cache *c, int err);

/* Whether what can be waited for is; else it comes at once. */
void fake_hold(struct cache *c, bool is_held);

/* Which CACHE_KEYWORD()s there are; at first none. */
void fake_keywords(struct cache *c, unsigned numbers);

/*
 * Links and renames wait for the server: they can be interrupted, and are taken
 * back when they end in an error.
 */
void fake_acked(struct cache *c, bool is_acked);

/* What is waited for now, and ending all of it. */
size_t fake_waiting(struct cache *c);
void fake_complete(struct cache *c, int err);

#endif
