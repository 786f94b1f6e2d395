/*
 * Changes of a folder, from the server into the index.
 *
 * They are gathered in memory and then saved in short transactions: none is
 * open while we wait for the server, for the lock on writing goes with it.
 * Each change is idempotent, so that a pull that ends early costs its work and
 * no truth: the cursor is saved with the last.  Events of a transaction are
 * told after its commit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/journal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/strbuf.h"

/* Others wait for the writer no longer than about this. */
#define BATCH_MS 5
/* Entries that one transaction removes of those that no change named. */
#define SWEEP_BATCH 128

/* A change, its strings at offsets of pull.text. */
struct gathered {
	struct remote_change change;
	size_t key, keywords;
};

struct pull {
	struct cache *cache;
	int64_t folder;
	bool is_listed; /* before: then others may have seen the entries */
	bool has_void;
	bool has_flags; /* the server: what it says of them is true */
	int64_t known;  /* messages before */
	/* Entries known before, and a bit for each that was named since. */
	int64_t first, last;
	unsigned char *seen; /* NULL: there were none */
	/* Rows of the journal that were named; those above last_row are new. */
	int64_t *rows_seen;
	size_t row_count;
	int64_t last_row;
	struct gathered gathered[DB_BATCH];
	size_t gathered_count;
	struct strbuf text;
	/* The transaction under way; NULL: none. */
	struct db_conn *conn;
	int rows;
	int64_t began_at;
	struct db_delta delta;
	struct cache_entry moved[DB_BATCH];
	size_t moved_count;
	uint64_t freed; /* bytes of bodies */
};

static int begin_batch(struct pull *p)
{
	if (p->conn != NULL)
		return 0;
	p->rows = 0;
	p->moved_count = 0;
	p->freed = 0;
	p->began_at = clock_now_ms();
	memset(&p->delta, 0, sizeof(p->delta));
	return db_begin(p->cache->db, &p->conn);
}

static void give_up(struct pull *p)
{
	if (p->conn != NULL)
		db_rollback(take(p->conn));
}

static int commit_batch(struct pull *p)
{
	if (p->conn == NULL)
		return 0;
	int err = db_folder_apply(p->conn, p->folder, &p->delta);
	if (err < 0) {
		give_up(p);
		return err;
	}
	err = db_commit(take(p->conn));
	if (err < 0)
		return err;
	body_count(p->cache->bodies, 0, p->freed);
	jobs_pull_progress(p->cache->jobs, p->folder);
	if (!p->is_listed)
		return 0;
	for (size_t i = 0; i < p->moved_count; i++)
		tell_moved(p->cache, &p->moved[i]);
	if (p->delta.is_changed[CACHE_NEW] || p->delta.is_changed[CACHE_CUR])
		tell_entries(p->cache, p->folder);
	return 0;
}

/* Room for another row in the batch, or a new batch. */
static int next_row(struct pull *p)
{
	if (p->conn != NULL &&
	    (p->rows >= DB_BATCH || clock_now_ms() - p->began_at >= BATCH_MS)) {
		int err = commit_batch(p);
		if (err < 0)
			return err;
	}
	int err = begin_batch(p);
	p->rows++;
	return err;
}

static void see(struct pull *p, int64_t entry)
{
	if (p->seen != NULL && entry >= p->first && entry <= p->last)
		p->seen[(entry - p->first) / 8] |=
			(unsigned char)(1 << ((entry - p->first) % 8));
}

static bool is_seen(const struct pull *p, int64_t entry)
{
	return p->seen == NULL || entry < p->first || entry > p->last ||
	       (p->seen[(entry - p->first) / 8] &
	        (1 << ((entry - p->first) % 8))) != 0;
}

static void moved(struct pull *p, const struct cache_entry *old)
{
	p->moved[p->moved_count++] = *old;
}

static void see_row(struct pull *p, int64_t row)
{
	if ((p->row_count & (p->row_count + 1)) == 0)
		p->rows_seen =
			xrealloc(p->rows_seen, (2 * p->row_count + 2) *
		                                       sizeof(*p->rows_seen));
	p->rows_seen[p->row_count++] = row;
}

/* A message may have lost its last name and row. */
static int reap(struct pull *p, int64_t message)
{
	bool is_dead = false;
	int err = journal_reap(p->conn, message, &is_dead);
	if (err == 0 && is_dead) {
		body_remove(p->cache->bodies, message);
		file_remove(p->cache->files, message);
	}
	return err;
}

/* Removes the entry, and its message if that was the last of it. */
static int remove_entry(struct pull *p, const struct cache_entry *old)
{
	bool is_dead = false;
	int err = db_entry_remove(p->conn, old);
	if (err == 0)
		err = db_message_link(p->conn, old->message.id, -1);
	if (err == 0)
		err = journal_reap(p->conn, old->message.id, &is_dead);
	if (err < 0)
		return err;
	/*
	 * Before the commit, for a file that no row names is never found
	 * again; the other way round it is only fetched once more.
	 */
	if (is_dead && !old->message.is_kept && old->message.is_cached) {
		body_remove(p->cache->bodies, old->message.id);
		p->freed += old->message.size;
	}
	if (is_dead && old->message.is_kept)
		file_remove(p->cache->files, old->message.id);
	p->delta.count[old->place]--;
	p->delta.is_changed[old->place] = true;
	moved(p, old);
	return 0;
}

/* The journal has something to say about a message that changed there. */
static int apply_to_row(struct pull *p, struct journal_row *row,
                        const struct remote_change *change)
{
	struct cache_entry old;
	bool is_changed = false;
	int err = 0;
	see_row(p, row->id);
	/* The row may end here: then the entry has the key, and was named. */
	see(p, row->entry);
	if (change->kind == REMOTE_GONE) {
		/* A move of ours: its outcome is found out otherwise. */
		if (row->state == JOURNAL_SENT || row->state == JOURNAL_LANDED)
			return 0;
		err = journal_gone(p->conn, row, &is_changed, &old);
		if (err == 0)
			err = reap(p, row->message);
	} else if (change->kind != REMOTE_PRESENT && p->has_flags) {
		err = journal_merge(p->conn, row, change->flags,
		                    change->keywords, &is_changed, &old);
	}
	if (err == 0 && is_changed)
		moved(p, &old);
	return err;
}

/*
 * Bring a known entry to what the server says.  Flags move it out of new; it
 * never goes back there.
 */
static int update_entry(struct pull *p, const struct cache_entry *old,
                        const struct remote_change *change)
{
	enum cache_place place = change->flags != 0 ? CACHE_CUR : old->place;
	int err = db_entry_update(p->conn, old, place, change);
	if (err < 0)
		return err;
	p->delta.count[old->place]--;
	p->delta.count[place]++;
	if (place == old->place && change->flags == old->flags)
		return 0; /* names, and so directories, stay as they are */
	p->delta.is_changed[old->place] = true;
	p->delta.is_changed[place] = true;
	moved(p, old);
	return 0;
}

static enum cache_place first_place(const struct remote_change *change)
{
	return change->flags == 0 ? CACHE_NEW : CACHE_CUR;
}

static int apply_message(struct pull *p, const struct remote_change *change)
{
	struct cache_entry entry;
	bool same_keywords;
	int err = db_entry_by_key(p->conn, p->folder, change->key, &entry,
	                          &same_keywords, change->keywords);
	if (err == 0) {
		see(p, entry.id);
		if (!p->has_flags ||
		    (same_keywords && entry.flags == change->flags))
			return 0;
		return update_entry(p, &entry, change);
	}
	if (err != -ENOENT)
		return err;
	struct journal_row row;
	err = journal_by_key(p->conn, p->folder, change->key, &row);
	if (err == 0)
		return apply_to_row(p, &row, change);
	if (err == -ENOENT && p->has_void)
		err = journal_void_take(p->conn, p->folder, change, &row);
	if (err == 0) {
		see_row(p, row.id);
		return 0;
	}
	if (err != -ENOENT)
		return err;
	if (p->has_void) {
		err = db_void_take(p->conn, p->folder, change, &entry);
		if (err == 0) {
			see(p, entry.id);
			return update_entry(p, &entry, change);
		}
		if (err != -ENOENT)
			return err;
	}
	enum cache_place place = first_place(change);
	int64_t id;
	err = db_entry_add(p->conn, p->folder, place, change, &id);
	if (err < 0)
		return err;
	p->delta.count[place]++;
	p->delta.is_changed[place] = true;
	return 0;
}

static int apply_known(struct pull *p, const struct remote_change *change)
{
	struct cache_entry entry;
	bool same_keywords;
	int err = db_entry_by_key(p->conn, p->folder, change->key, &entry,
	                          &same_keywords, change->keywords);
	struct journal_row row;
	if (err == -ENOENT) {
		err = journal_by_key(p->conn, p->folder, change->key, &row);
		if (err == -ENOENT)
			return 0; /* one that we were never told of */
		return err < 0 ? err : apply_to_row(p, &row, change);
	}
	if (err < 0)
		return err;
	if (change->kind == REMOTE_GONE)
		return remove_entry(p, &entry);
	see(p, entry.id);
	if (change->kind == REMOTE_PRESENT ||
	    (same_keywords && entry.flags == change->flags))
		return 0;
	return update_entry(p, &entry, change);
}

/* Every key is void; the entries wait for their messages to come again. */
static int apply_reset(struct pull *p)
{
	int count = 0;
	log_info("the server numbers its messages anew; matching them");
	free(take(p->seen));
	p->has_void = true;
	int voided = journal_void(p->conn, p->folder);
	if (voided < 0)
		return voided;
	do {
		int err = commit_batch(p);
		if (err == 0)
			err = begin_batch(p);
		if (err == 0)
			err = db_void_add(p->conn, p->folder, DB_BATCH / 4,
			                  &count);
		if (err < 0)
			return err;
	} while (count > 0);
	return 0;
}

static int apply(struct pull *p, const struct remote_change *change)
{
	int err = next_row(p);
	if (err < 0)
		return err;
	switch (change->kind) {
	case REMOTE_RESET:
		return apply_reset(p);
	case REMOTE_MESSAGE:
		return apply_message(p, change);
	case REMOTE_FLAGS:
	case REMOTE_PRESENT:
	case REMOTE_GONE:
		return apply_known(p, change);
	}
	return 0;
}

static size_t add_text(struct pull *p, const char *s)
{
	size_t at = p->text.len;
	strbuf_add(&p->text, s == NULL ? "" : s, s == NULL ? 1 : strlen(s) + 1);
	return at;
}

static void gather(struct pull *p, const struct remote_change *change)
{
	struct gathered *g = &p->gathered[p->gathered_count++];
	g->change = *change;
	g->key = add_text(p, change->key);
	g->keywords = add_text(p, change->keywords);
}

/*
 * Of a first listing, as many messages at once as one INSERT adds.  -EEXIST:
 * they have to be looked at one by one.
 */
static int add_rows(struct pull *p, size_t first)
{
	const struct remote_change *rows[DB_ROWS];
	if (p->is_listed || p->has_void || first + DB_ROWS > p->gathered_count)
		return -EEXIST;
	for (size_t i = 0; i < DB_ROWS; i++) {
		rows[i] = &p->gathered[first + i].change;
		if (rows[i]->kind != REMOTE_MESSAGE)
			return -EEXIST;
	}
	int err = next_row(p);
	if (err == 0)
		err = db_entry_add_rows(p->conn, p->folder, rows);
	if (err < 0)
		return err;
	p->rows += DB_ROWS - 1;
	for (size_t i = 0; i < DB_ROWS; i++) {
		enum cache_place place = first_place(rows[i]);
		p->delta.count[place]++;
		p->delta.is_changed[place] = true;
	}
	return 0;
}

static int apply_gathered(struct pull *p)
{
	int err = 0;
	for (size_t i = 0; i < p->gathered_count; i++) {
		struct gathered *g = &p->gathered[i];
		g->change.key = p->text.bytes + g->key;
		g->change.keywords = p->text.bytes + g->keywords;
	}
	for (size_t i = 0; i < p->gathered_count && err == 0;) {
		err = add_rows(p, i);
		if (err == 0) {
			i += DB_ROWS;
		} else if (err == -EEXIST) {
			err = apply(p, &p->gathered[i++].change);
		}
	}
	p->gathered_count = 0;
	strbuf_clear(&p->text);
	return err < 0 ? err : commit_batch(p);
}

/* What the server does not know of cannot be gone from it. */
static int remove_known(struct pull *p, const struct cache_entry *entry)
{
	char key[REMOTE_KEY_MAX + 1];
	int err = db_entry_key(p->conn, entry, key);
	if (err < 0 || key[0] == '\0')
		return err;
	return remove_entry(p, entry);
}

/*
 * Remove what no change named, among the next entries of a place after
 * *after_io.  A transaction of its own, however few there are: rows that stay
 * take time as well.  Returns 0 at the end of the place, else 1.
 */
static int sweep_some(struct pull *p, enum cache_place place, int64_t *after_io)
{
	struct cache_entry unseen[SWEEP_BATCH];
	size_t count = 0;
	int n = begin_batch(p);
	if (n == 0)
		n = db_scan_begin(p->conn, p->folder, place, *after_io, false);
	if (n < 0)
		return n;
	for (int i = 0; i < DB_BATCH && count < SWEEP_BATCH; i++) {
		n = db_scan_next(p->conn, &unseen[count]);
		if (n <= 0)
			break;
		*after_io = unseen[count].id;
		if (!is_seen(p, *after_io))
			count++;
	}
	db_scan_end(p->conn);
	int err = n < 0 ? n : 0;
	for (size_t i = 0; i < count && err == 0; i++)
		err = remove_known(p, &unseen[i]);
	if (err == 0)
		err = commit_batch(p);
	return err < 0 ? err : n;
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* The same for those of which the journal knows more. */
static int remove_unseen_rows(struct pull *p, bool is_void)
{
	const struct remote_change gone = { .kind = REMOTE_GONE };
	struct journal_row row = { .id = 0 };
	int err;
	if (p->row_count > 0)
		qsort(p->rows_seen, p->row_count, sizeof(*p->rows_seen),
		      compare_ids);
	for (;;) {
		err = next_row(p);
		if (err == 0)
			err = journal_of_folder(p->conn, p->folder, row.id,
			                        &row);
		if (err < 0 || row.id > p->last_row)
			break;
		bool is_theirs = is_void ? row.is_void : row.key[0] != '\0';
		bool is_named = p->row_count > 0 &&
		                bsearch(&row.id, p->rows_seen, p->row_count,
		                        sizeof(row.id), compare_ids) != NULL;
		if (row.folder != p->folder || !is_theirs || is_named)
			continue;
		size_t seen = p->row_count;
		err = apply_to_row(p, &row, &gone);
		p->row_count = seen;
		if (err < 0)
			break;
	}
	return err == -ENOENT ? 0 : err;
}

/* A complete pull ended well: what it did not name is gone. */
static int remove_unseen(struct pull *p)
{
	int err = remove_unseen_rows(p, false);
	if (err < 0 || p->seen == NULL)
		return err;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		int64_t after = 0;
		int n;
		while ((n = sweep_some(p, (enum cache_place)place, &after)) > 0)
			;
		if (n < 0)
			return n;
	}
	return 0;
}

/* The last chunk after a reset: who was not matched is gone. */
static int remove_void(struct pull *p)
{
	struct cache_entry entry;
	for (;;) {
		int err = next_row(p);
		if (err == 0)
			err = db_void_next(p->conn, p->folder, &entry);
		if (err == -ENOENT)
			return remove_unseen_rows(p, true);
		if (err == 0)
			err = remove_entry(p, &entry);
		if (err < 0)
			return err;
	}
}

static int finish(struct pull *p, const struct remote_cursor *cursor,
                  const char *state)
{
	struct db_progress progress = { "", "" };
	/* Entries that wait for a match are not seen yet, and not gone. */
	bool is_sweep = cursor->complete && !(p->has_void && cursor->more);
	int err = is_sweep ? remove_unseen(p) : 0;
	if (err == 0 && !cursor->more && p->has_void)
		err = remove_void(p);
	if (err == 0)
		err = begin_batch(p);
	if (err == 0)
		err = FAULT("pull-cursor");
	if (err < 0)
		return err;
	memcpy(progress.cursor, cursor->text, sizeof(progress.cursor));
	if (!cursor->more && strlen(state) < sizeof(progress.state))
		memcpy(progress.state, state, strlen(state) + 1);
	err = db_progress_set(p->conn, p->folder, &progress);
	bool is_first = !p->is_listed && !cursor->more;
	if (err == 0 && is_first)
		err = db_folder_set_listed(p->conn, p->folder, true);
	if (err == 0)
		err = commit_batch(p);
	if (err == 0 && is_first) {
		tell_entries(p->cache, p->folder);
		jobs_listed(p->cache->jobs, p->folder, 0);
	}
	return err;
}

/* For people: a first listing may take a while. */
static void show_progress(struct pull *p, const char *name, int64_t done,
                          int64_t total)
{
	struct cache *c = p->cache;
	(void)pthread_mutex_lock(&c->status_lock);
	(void)snprintf(c->listing, sizeof(c->listing), "%s", name);
	c->listing_done = done;
	c->listing_total = total;
	(void)pthread_mutex_unlock(&c->status_lock);
}

static int receive(struct pull *p, struct remote *r, const char *name,
                   const struct jobs_pull *job, bool *more_out)
{
	struct remote_change change;
	struct remote_cursor cursor;
	int64_t count = 0;
	int n;
	while ((n = remote_next(r, &change, &cursor)) == 1) {
		gather(p, &change);
		if (++count % DB_BATCH != 0)
			continue;
		int err = apply_gathered(p);
		if (err < 0)
			return err;
		if (!p->is_listed)
			show_progress(p, name, p->known + count, job->messages);
	}
	int err = apply_gathered(p); /* true, if not all */
	if (n == 0)
		n = err < 0 ? err : finish(p, &cursor, job->state);
	if (n == 0)
		*more_out = cursor.more;
	return n;
}

/* What is known before; the name is to be freed. */
static int prepare(struct pull *p, struct db_progress *progress,
                   char **name_out)
{
	struct cache_folder folder;
	struct cache_entry entry;
	int err = begin_batch(p);
	if (err < 0)
		return err;
	err = db_folder_get(p->conn, p->folder, &folder);
	if (err == 0)
		err = db_progress_get(p->conn, p->folder, progress);
	if (err == 0) {
		p->is_listed = folder.is_listed;
		p->known = folder.messages;
		p->has_void = db_void_next(p->conn, p->folder, &entry) == 0;
		p->last_row = journal_last(p->conn);
		*name_out = db_folder_name(p->conn, p->folder);
		err = *name_out != NULL ? 0 : -ENOENT;
		if (db_entry_range(p->conn, p->folder, &p->first, &p->last) ==
		    0)
			p->seen = xmalloc((size_t)(p->last - p->first) / 8 + 1);
	}
	give_up(p);
	return err;
}

int pull_folder(struct cache *c, struct remote *r, const struct jobs_pull *job,
                bool *more_out)
{
	struct pull *p = xmalloc(sizeof(*p));
	p->cache = c;
	p->folder = job->folder;
	p->has_flags = (r->abilities & REMOTE_HAS_NO_FLAGS) == 0;
	struct db_progress progress;
	auto_free char *name = NULL;
	int err = prepare(p, &progress, &name);
	if (err == 0) {
		log_context(c->account, name);
		err = remote_pull(r, name, progress.cursor);
		if (err == 0)
			err = receive(p, r, name, job, more_out);
		give_up(p);
		show_progress(p, "", 0, 0);
		log_context(c->account, NULL);
	}
	free(p->seen);
	free(p->rows_seen);
	strbuf_release(&p->text);
	free(p);
	db_checkpoint(c->db, *more_out);
	return err;
}

int pull_empty(struct cache *c, int64_t folder)
{
	struct pull *p = xmalloc(sizeof(*p));
	p->cache = c;
	p->folder = folder;
	p->is_listed = true;
	int err = begin_batch(p);
	if (err == 0)
		p->last_row = journal_last(p->conn);
	if (err == 0 &&
	    db_entry_range(p->conn, folder, &p->first, &p->last) == 0)
		p->seen = xmalloc((size_t)(p->last - p->first) / 8 + 1);
	if (err == 0)
		err = remove_unseen(p);
	if (err == 0)
		err = commit_batch(p);
	give_up(p);
	free(p->seen);
	free(p->rows_seen);
	free(p);
	return err;
}
