/*
 * Bodies as files: cache_dir/EPOCH/xx/ID, xx being the last byte of the id,
 * and cache_dir/EPOCH/tmp/x/N for what is under way.  The directory may vanish
 * at any time; what was in it is fetched again.
 *
 * All functions may be called from any thread.  What a program has open stays
 * readable after it is evicted.
 */
#ifndef CACHE_BODY_H
#define CACHE_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/db.h"

struct body_store;

struct body_temp {
	int fd; /* to write and read */
	uint64_t number;
	bool is_published; /* it has its name */
};

/*
 * The store of a database, which it borrows.  Bodies of other databases and
 * what was left under way are removed.  Returns 0 or -errno.
 */
int body_store_open(const char *cache_dir, uint64_t size_limit, struct db *db,
                    struct body_store **store_out);
void body_store_close(struct body_store *store);

/* A descriptor to read, or -ENOENT: not here whole; else -errno. */
int body_open(struct body_store *store, int64_t message, uint64_t size);

/* An empty file to receive a body; ended by one of the two below it. */
int body_temp_open(struct body_store *store, struct body_temp *temp_out);
/* It becomes the message's body. */
int body_temp_publish(struct body_store *store, struct body_temp *temp,
                      int64_t message);
/* Safe after publish: then it only closes. */
void body_temp_close(struct body_store *store, struct body_temp *temp);

void body_remove(struct body_store *store, int64_t message);

/* A number for used_at, above all given before. */
int64_t body_use(struct body_store *store);

/* A body was used: remembered now, saved by body_flush(). */
void body_touch(struct body_store *store, int64_t message);
int body_flush(struct body_store *store);

/* Commits added and removed bodies of so many bytes. */
void body_count(struct body_store *store, uint64_t added, uint64_t removed);
uint64_t body_total(struct body_store *store);
uint64_t body_limit(const struct body_store *store);

/*
 * Evict what was not used for longest until the bodies are within the limit
 * and spare bytes below what they are now.  Returns 1 if any was evicted, 0,
 * or -errno.
 */
int body_evict(struct body_store *store, uint64_t spare);

#endif
