/*
 * Inside settle*.c only: rows whose outcome is not known, and what may be
 * theirs.
 */
#ifndef CACHE_SETTLE_H
#define CACHE_SETTLE_H

#include "cache/push.h"

struct candidate {
	char *key;
	unsigned flags;
	int64_t received_at;
	uint64_t size;
	bool is_known; /* to an entry or a row */
	bool is_taken;
	bool is_wanted; /* its content is needed */
	bool has_digest;
	uint8_t digest[DIGEST_SIZE];
};

/* A row that was sent, or a watch. */
struct look {
	struct journal_row row;
	struct push_trace trace;
	int rank;                /* see rank() */
	struct candidate *found; /* borrowed from the settling; NULL: none */
	int64_t others;          /* entries that look the same; if is_void */
	bool is_done;
	bool is_twin; /* what a watch found is one copy too many */
};

struct settling {
	struct session *session;
	struct cache *cache;
	struct remote *remote;
	int64_t folder;
	char *name;
	struct look **looks;
	size_t look_count, look_capacity;
	bool is_cut; /* there were more */
	/* For those looked for together: what came since their mark. */
	bool is_void;
	struct candidate **candidates;
	size_t count, capacity;
};

/*
 * settle_find.c: what came since the mark of first, and whose it is.  Those
 * looked for together with first get found set.
 */
int settle_find(struct settling *s, const struct look *first);
void settle_forget(struct settling *s);

/* settle_twin.c: is_twin of what watches found. */
int settle_twins(struct settling *s);

bool settle_is_watch(const struct look *l);
/* Are they looked for with one call? */
bool settle_is_together(const struct look *a, const struct look *b);
/* Was the last look, after which it is sent again, already due? */
bool settle_is_overdue(const struct look *l);
int64_t settle_age(const struct look *l);

/* When to look, after it was sent; then it is sent again. */
#define SETTLE_LOOKS 4
extern const int64_t settle_looks_ms[SETTLE_LOOKS];

#endif
