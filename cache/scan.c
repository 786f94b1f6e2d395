#include "cache/scan.h"

#include <stdbool.h>
#include <string.h>

#include "util/clock.h"

/* Threads overtake each other: opens come this far out of order. */
#define SLACK 16

/*
 * A window is asked for when half of the last is opened, so each costs a round
 * trip until they are longer than that: few steps, but a small first one, for
 * two messages in order may be all that is read.
 */
#define WINDOW_FIRST  4
#define WINDOW_GROWTH 4

/* So many opens without order are a sweep, if none comes later than this. */
#define SWEEP_MIN      32
#define SWEEP_PAUSE_MS 1000
/* To ask for, of each that was opened. */
#define SWEEP_AHEAD 16

/* Is id among the next entries after what was asked for? */
static bool is_next(struct db_conn *conn, const struct scan *s, int64_t id)
{
	struct cache_entry e;
	bool is_found = false;
	if (db_scan_begin(conn, s->folder, s->place, s->ahead, true) == 0)
		for (int i = 0; i < SLACK && !is_found &&
		                db_scan_next(conn, &e) == 1 && e.id <= id;
		     i++)
			is_found = e.id == id;
	db_scan_end(conn);
	return is_found;
}

static bool is_of(struct db_conn *conn, const struct scan *s,
                  const struct cache_entry *entry)
{
	if (s->folder != entry->folder || s->place != entry->place)
		return false;
	if (entry->id <= s->ahead)
		return entry->id > s->front - SLACK;
	return is_next(conn, s, entry->id);
}

/*
 * The scan that an open goes on, or a new one in the place of the one idle for
 * longest; it is then the first, where the next open is compared with it.
 */
static struct scan *find(struct scans *scans, struct db_conn *conn,
                         const struct cache_entry *entry, bool *is_new_out)
{
	size_t i = 0;
	while (i < SCAN_COUNT && !is_of(conn, &scans->scans[i], entry))
		i++;
	*is_new_out = i == SCAN_COUNT;
	struct scan found = { .folder = entry->folder,
		              .place = entry->place,
		              .front = entry->id,
		              .ahead = entry->id };
	if (*is_new_out)
		i--;
	else
		found = scans->scans[i];
	memmove(&scans->scans[1], &scans->scans[0],
	        i * sizeof(scans->scans[0]));
	scans->scans[0] = found;
	return &scans->scans[0];
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
		if (e.message.is_cached || e.message.is_kept)
			continue;
		bytes += e.message.size;
		if (bytes <= most)
			(void)jobs_prefetch(jobs, e.message.id, s->folder,
			                    e.message.size);
	}
	db_scan_end(conn);
}

/* It goes on with the directory of the last open, without a pause. */
static bool goes_on(const struct sweep *s, const struct cache_entry *entry,
                    int64_t now)
{
	return s->folder == entry->folder && s->place == entry->place &&
	       now - s->opened_at <= SWEEP_PAUSE_MS;
}

/*
 * Ask for the more, the more were opened: who stops after a few cost few.
 * What will be opened next nobody knows, so all come in the order of entries,
 * and a reader's own request passes them.
 */
static void sweep_note(struct scans *scans, struct db_conn *conn,
                       struct jobs *jobs, const struct cache_entry *entry)
{
	struct sweep *s = &scans->sweep;
	int64_t now = clock_now_ms();
	uint64_t most =
		scans->bytes_max > 0 ? scans->bytes_max : SCAN_BYTES_MAX;
	struct cache_entry e;
	if (!goes_on(s, entry, now))
		*s = (struct sweep){ .folder = entry->folder,
			             .place = entry->place };
	s->opened_at = now;
	s->opened++;
	s->bytes_opened += entry->message.size;
	if (s->opened < SWEEP_MIN || s->asked > SWEEP_AHEAD / 2 * s->opened ||
	    s->bytes_asked > s->bytes_opened + most / 2)
		return;
	if (db_scan_begin(conn, s->folder, s->place, s->ahead, false) < 0)
		return;
	while (s->asked < SWEEP_AHEAD * s->opened &&
	       s->bytes_asked < s->bytes_opened + most &&
	       db_scan_next(conn, &e) == 1) {
		s->ahead = e.id;
		s->asked++;
		if (e.message.is_cached || e.message.is_kept)
			continue;
		s->bytes_asked += e.message.size;
		(void)jobs_prefetch(jobs, e.message.id, s->folder,
		                    e.message.size);
	}
	db_scan_end(conn);
}

void scan_note(struct scans *scans, struct db_conn *conn, struct jobs *jobs,
               const struct cache_entry *entry)
{
	bool is_new;
	struct scan *s = find(scans, conn, entry, &is_new);
	if (is_new)
		sweep_note(scans, conn, jobs, entry);
	if (is_new || entry->id <= s->front)
		return;
	if (s->left > 0)
		s->left--;
	s->front = entry->id;
	if (s->left > s->window / 2)
		return;
	s->window = s->window == 0 ? WINDOW_FIRST : s->window * WINDOW_GROWTH;
	if (s->window > SCAN_WINDOW_MAX)
		s->window = SCAN_WINDOW_MAX;
	go_ahead(scans, s, conn, jobs);
}
