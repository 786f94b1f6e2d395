/*
 * Noticing that a program reads a folder, in order or not, to fetch ahead of it.
 * Belongs to the thread of the reading calls.
 *
 * Entries and the messages they name have the same order, so a program that
 * sorts by inode looks like one that takes entries as they come.
 */
#ifndef CACHE_SCAN_H
#define CACHE_SCAN_H

#include <stdint.h>

#include "cache/db.h"
#include "cache/jobs.h"

/* Scans noticed at a time. */
#define SCAN_COUNT 8

#define SCAN_WINDOW_MAX 1024
#define SCAN_BYTES_MAX  (16 << 20)

/*
 * A reader went from entry to entry up to front.  Those up to ahead were asked
 * for, of which left are not opened yet.
 */
struct scan {
	int64_t folder; /* 0: unused */
	enum cache_place place;
	int64_t front;
	int64_t ahead;
	int window; /* how many to be ahead */
	int left;
};

/*
 * A reader takes one directory's entries in no order that shows, one right
 * after the other: most likely all of them, by names that hold no order.
 */
struct sweep {
	int64_t folder; /* 0: unused */
	enum cache_place place;
	int64_t opened_at; /* last, clock_now_ms() */
	int opened;
	int asked;     /* how many were looked at, in the order of entries */
	int64_t ahead; /* up to here */
	uint64_t bytes_opened, bytes_asked;
};

struct scans {
	struct sweep sweep;            /* one at a time */
	struct scan scans[SCAN_COUNT]; /* the last used first */
	uint64_t bytes_max; /* to ask for at a time; 0: SCAN_BYTES_MAX */
};

/* An entry is opened. */
void scan_note(struct scans *scans, struct db_conn *conn, struct jobs *jobs,
               const struct cache_entry *entry);

#endif
