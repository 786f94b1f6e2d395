/*
 * Inside cache/ only: what was sent and met lately, in memory.  Pure; it
 * belongs to one thread.
 */
#ifndef CACHE_RECENT_H
#define CACHE_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/digest.h"

#define RECENT_ARRIVALS 4096
#define RECENT_REMOVALS 64
#define RECENT_RESETS   64

struct recent_arrival {
	int64_t at;
	int64_t folder;
	uint64_t id;
	uint8_t body_digest[DIGEST_SIZE];
};

/* All times are wall time in ms; all zero: nothing was sent. */
struct recent {
	struct recent_arrival arrivals[RECENT_ARRIVALS];
	size_t next_arrival;
	struct {
		int64_t at;
		int64_t folder;
		int64_t count;
	} removals[RECENT_REMOVALS];
	size_t next_removal;
	struct {
		int64_t at;
		int64_t folder;
		bool is_told; /* that there were too many */
	} resets[RECENT_RESETS];
	size_t next_reset;
};

/*
 * The server wants to number a folder anew.  False: it did so twice in the last
 * hour, and would go on; *is_new_out: that was not said of it yet.
 */
bool recent_reset(struct recent *r, int64_t now, int64_t folder,
                  bool *is_new_out);

/* A message arrived in a folder: its Message-ID, and what follows its head. */
void recent_arrived(struct recent *r, int64_t now, int64_t folder, uint64_t id,
                    const uint8_t body_digest[DIGEST_SIZE]);
/* Has it arrived in another folder in the last ten minutes? */
bool recent_has(const struct recent *r, int64_t now, int64_t folder,
                uint64_t id, const uint8_t body_digest[DIGEST_SIZE]);
/* It was removed from there again. */
void recent_left(struct recent *r, int64_t folder, uint64_t id,
                 const uint8_t body_digest[DIGEST_SIZE]);
bool recent_has_any(const struct recent *r, int64_t now);

/* Messages were removed; and how many were in the last minute. */
void recent_removed(struct recent *r, int64_t now, int64_t folder,
                    int64_t count);
int64_t recent_removals(const struct recent *r, int64_t now, int64_t folder);

#endif
