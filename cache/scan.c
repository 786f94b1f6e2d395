#include "cache/scan.h"

#include <stdbool.h>
#include <string.h>

/* Opens may come this far out of order before a window has grown. */
#define SLACK 4

/* Is id among the next entries after `after`? */
static bool is_near(struct db_conn *conn, const struct scan *s, int64_t after,
                    int64_t id)
{
	struct cache_entry e;
	int tolerance = 2 * s->window + SLACK;
	bool is_found = false;
	if (db_scan_begin(conn, s->folder, s->place, after, false) == 0)
		while (tolerance-- > 0 && !is_found &&
		       db_scan_next(conn, &e) == 1 && e.id <= id)
			is_found = e.id == id;
	db_scan_end(conn);
	return is_found;
}

static bool is_of(struct db_conn *conn, const struct scan *s,
                  const struct cache_entry *entry)
{
	if (s->folder != entry->folder || s->place != entry->place)
		return false;
	/* Threads overtake each other: a little back is still in order. */
	if (entry->id <= s->ahead && entry->id > s->front)
		return true;
	if (entry->id <= s->front)
		return is_near(conn, s, entry->id - 1, entry->id) &&
		       is_near(conn, s, entry->id, s->front);
	return is_near(conn, s, s->ahead, entry->id);
}

static struct scan *begin(struct scans *scans, const struct cache_entry *entry)
{
	struct scan *oldest = &scans->scans[0];
	for (size_t i = 1; i < SCAN_COUNT; i++)
		if (scans->scans[i].used < oldest->used)
			oldest = &scans->scans[i];
	*oldest = (struct scan){
		.folder = entry->folder,
		.place = entry->place,
		.front = entry->id,
		.ahead = entry->id,
	};
	return oldest;
}

static void go_ahead(struct scans *scans, struct scan *s, struct db_conn *conn,
                     struct jobs *jobs)
{
	uint64_t most =
		scans->bytes_max > 0 ? scans->bytes_max : SCAN_BYTES_MAX;
	uint64_t bytes = 0;
	struct cache_entry e;
	if (s->ahead < s->front) {
		s->ahead = s->front;
		s->left = 0;
	}
	if (db_scan_begin(conn, s->folder, s->place, s->ahead, false) < 0)
		return;
	while (s->left < s->window && bytes < most &&
	       db_scan_next(conn, &e) == 1) {
		s->ahead = e.id;
		s->left++;
		if (e.message.is_cached)
			continue;
		bytes += e.message.size;
		if (bytes <= most)
			jobs_prefetch(jobs, e.message.id, s->folder,
			              e.message.size);
	}
	db_scan_end(conn);
}

void scan_note(struct scans *scans, struct db_conn *conn, struct jobs *jobs,
               const struct cache_entry *entry)
{
	struct scan *s = NULL;
	for (size_t i = 0; i < SCAN_COUNT && s == NULL; i++)
		if (is_of(conn, &scans->scans[i], entry))
			s = &scans->scans[i];
	bool is_new = s == NULL;
	if (is_new)
		s = begin(scans, entry);
	s->used = ++scans->clock;
	if (is_new || entry->id <= s->front)
		return;
	if (s->left > 0)
		s->left--;
	s->front = entry->id;
	if (s->left > s->window / 2)
		return;
	s->window = s->window == 0 ? 1 : s->window * 2;
	if (s->window > SCAN_WINDOW_MAX)
		s->window = SCAN_WINDOW_MAX;
	go_ahead(scans, s, conn, jobs);
}
