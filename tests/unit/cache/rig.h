/*
 * A cache on a fake account, in a directory of its own.
 */
#ifndef TESTS_UNIT_CACHE_RIG_H
#define TESTS_UNIT_CACHE_RIG_H

#include <pthread.h>

#include "cache/cache.h"
#include "tests/fake/remote.h"

struct rig {
	char dir[64];
	char state_dir[96], cache_dir[96];
	struct cache_config config;
	struct fake_account *account;
	struct cache *cache;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* What the listener was told; guarded by lock. */
	int entries_changed, arrived, moved, went, folders_changed, sizes_known;
	char gone[256];
};

/* What a completion brought. */
struct outcome {
	struct rig *rig;
	bool is_done;
	int runs;
	int err;
	struct cache_body body;
};

/* For cmocka: an account with INBOX and Lists/c, and its cache, not started. */
int rig_setup(void **state);
/* Stops, closes, checks the invariants, and removes all. */
int rig_teardown(void **state);

/* One's own: a directory that exists, and an account. */
void rig_init(struct rig *rig, const char *dir, struct fake_account *account);
/* A directory with all in it. */
void rig_remove(const char *dir);

/* After a power cut, as far as files that were not synced go. */
void rig_open(struct rig *rig);
void rig_start(struct rig *rig, size_t sessions);
void rig_close(struct rig *rig);

void rig_done(void *arg, int err, const struct cache_body *body);
/* Wait for it, 20 s at most; its error. */
int rig_outcome(struct rig *rig, struct outcome *outcome);

/* Wait till folder (by level, below the root) is listed; its id. */
int64_t rig_listed(struct rig *rig, const char *level);
/* The same for the root alone; 0 or the error. */
int rig_list(struct rig *rig);
/* Have the server looked at again, and wait until that is done. */
void rig_poll(struct rig *rig);

/* Wait until all sessions sleep. */
void rig_rest(struct rig *rig);

/* The nth entry (from 0) at a place; fails the test if there is none. */
struct cache_entry rig_entry(struct rig *rig, int64_t folder,
                             enum cache_place place, int n);
/* Open and wait; 0 and the body read and closed, or the error. */
int rig_read(struct rig *rig, const struct cache_entry *entry);

/* The rows that break what docs/cache-format.md says is always true. */
int64_t rig_violations(struct rig *rig);

/* All rows of the index that is closed, as text; to be freed. */
char *rig_dump(struct rig *rig);

/* How many kept files there are, made ahead or left ones among them. */
int rig_count_files(const struct rig *rig);

#endif
