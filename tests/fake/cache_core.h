/*
 * Inside the cache in memory: shared by its two halves.
 */
#ifndef TESTS_FAKE_CACHE_CORE_H
#define TESTS_FAKE_CACHE_CORE_H

#include <pthread.h>

#include "tests/fake/cache.h"

#define FOLDERS_MAX 1024

/* All places of a mailbox. */
#define PLACES_ALL 7U

/* One table for entries and messages: an id is of one, the other, or both. */
struct fake_row {
	struct cache_entry entry;
	bool is_entry; /* there is such an entry now */

	struct cache_message message; /* links 0: there is none */
	size_t body_size;
	int fd;      /* of a kept file; else -1 */
	int writers; /* descriptors given out to write */
	int touches;
	char key[64];
	char keywords[256];
};

struct cache_wait {
	struct cache_wait *next;
	int64_t folder;  /* -1: no listing is waited for */
	int64_t message; /* body that is; 0: none */
	cache_done *done;
	void *arg;
	/* A delivery that the server is asked for: an error takes it back. */
	bool is_offered;
	int64_t entry;
	struct cache_entry old; /* id 0: there was none */
};

struct cache {
	const struct cache_listener *listener;
	void *listener_arg;

	pthread_mutex_t lock;
	/* All guarded by lock. */
	struct cache_folder folders[FOLDERS_MAX]; /* id: place; 0 is the root */
	int64_t folder_count;
	struct fake_row *rows; /* id: place + 1 */
	int64_t row_count, row_capacity;
	struct cache_wait *waits;
	bool is_held, is_stopped, is_acked;
	const char *late;  /* borrowed: a folder that is to come; or NULL */
	unsigned keywords; /* numbers that have one */
	int fail;          /* what the next writing call gives */
	unsigned turns;    /* of calls that may be answered at once or later */

	/* fuse thread: the scan */
	int64_t scan_folder, scan_after;
	enum cache_place scan_place;
};

/* A new row; the others may move. */
struct fake_row *fake_row_add_locked(struct cache *c);
struct fake_row *fake_row_locked(struct cache *c, int64_t id);
/* That of a file that has a name, or NULL. */
struct fake_row *fake_file_locked(struct cache *c, int64_t id);
/* An entry as it is told: with its message. */
void fake_entry_fill_locked(struct cache *c, const struct fake_row *row,
                            struct cache_entry *entry_out);
/* The folder with an id, or NULL. */
struct cache_folder *fake_folder_locked(struct cache *c, int64_t id);
/* What is in a place changed: its date rises. */
void fake_touch_locked(struct cache *c, int64_t folder, enum cache_place place);
/* A delivery was not made after all. */
void fake_take_back_locked(struct cache *c, const struct cache_wait *wait);
int fake_wait_locked(struct cache *c, struct cache_wait wait,
                     struct cache_wait **wait_out);

#endif
