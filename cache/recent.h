/*
 * Inside cache/ only: what was sent in the last minutes, in memory.  Pure; it
 * belongs to one thread.
 */
#ifndef CACHE_RECENT_H
#define CACHE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/digest.h"

#define RECENT_ARRIVALS 256
#define RECENT_REMOVALS 64

/* All times are wall time in ms; all zero: nothing was sent. */
struct recent {
	struct {
		int64_t at;
		int64_t folder;
		uint64_t id;
		uint8_t body_digest[DIGEST_SIZE];
	} arrivals[RECENT_ARRIVALS];
	size_t next_arrival;
	struct {
		int64_t at;
		int64_t folder;
		int64_t count;
	} removals[RECENT_REMOVALS];
	size_t next_removal;
};

/* A message arrived in a folder: its Message-ID, and what follows its head. */
void recent_arrived(struct recent *r, int64_t now, int64_t folder, uint64_t id,
                    const uint8_t body_digest[DIGEST_SIZE]);
/* Has it arrived in another folder in the last ten minutes? */
bool recent_has(const struct recent *r, int64_t now, int64_t folder,
                uint64_t id, const uint8_t body_digest[DIGEST_SIZE]);
bool recent_has_any(const struct recent *r, int64_t now);

/* Messages were removed; and how many were in the last minute. */
void recent_removed(struct recent *r, int64_t now, int64_t folder,
                    int64_t count);
int64_t recent_removals(const struct recent *r, int64_t now, int64_t folder);

#endif
