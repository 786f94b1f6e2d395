/*
 * Arrivals that are announced when their bodies are here, so that whoever is
 * told of one and opens it need not wait, and sees its exact size.  Any thread.
 */
#ifndef CACHE_ANNOUNCE_H
#define CACHE_ANNOUNCE_H

#include "cache/cache.h"

/* Longest wait for a body; then it is announced without. */
#define ANNOUNCE_MS 5000

/* So many wait at once; of more, nobody reads each when it comes. */
#define ANNOUNCE_MAX 64

struct announces;

struct announces *announce_new(void);
void announce_free(struct announces *a);

/* An entry came: tell the listener now, or have its body fetched first. */
void announce_arrival(struct cache *c, const struct cache_entry *now);

/* It will be told of as something else: tell its arrival first, if it waits. */
void announce_before(struct cache *c, int64_t entry);

/* A body is here. */
void announce_body(struct cache *c, int64_t message);

/* Tell those that waited long enough. */
void announce_tick(struct cache *c);

#endif
