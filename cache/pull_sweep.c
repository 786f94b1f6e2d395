/*
 * Mark and sweep: what the server told of is marked, and after a pull that told
 * of all there is, what bears no mark is gone.  Entries have a bit each; of
 * rows of the journal there are few, and the numbers of the marked are kept.
 */
#include <errno.h>
#include <stdlib.h>

#include "cache/core.h"
#include "cache/journal.h"
#include "cache/pull.h"
#include "util/mem.h"

/* Entries that one transaction removes of those that no change named. */
#define SWEEP_BATCH 128

void pull_entry_see(struct pull *p, int64_t entry)
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

void pull_row_see(struct pull *p, int64_t row)
{
	if ((p->row_count & (p->row_count + 1)) == 0)
		p->rows_seen =
			xrealloc(p->rows_seen, (2 * p->row_count + 2) *
		                                       sizeof(*p->rows_seen));
	p->rows_seen[p->row_count++] = row;
}

/*
 * What the server does not know of cannot be gone from it; and what landed may
 * be named in a later chunk: see pull_sweep_landed().
 */
static int remove_known(struct pull *p, const struct cache_entry *entry)
{
	char key[REMOTE_KEY_MAX + 1];
	int err = db_entry_key(p->conn, entry, key);
	if (err < 0 || key[0] == '\0' || db_landed_has(p->conn, p->folder, key))
		return err;
	return pull_entry_remove(p, entry);
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
	int n = pull_batch_begin(p);
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
	for (size_t i = 0; i < count && err == 0; i++) {
		err = pull_batch_row(p);
		if (err == 0)
			err = remove_known(p, &unseen[i]);
	}
	if (err == 0)
		err = pull_batch_commit(p);
	return err < 0 ? err : n;
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void sort_rows(struct pull *p)
{
	if (p->row_count > 0)
		qsort(p->rows_seen, p->row_count, sizeof(*p->rows_seen),
		      compare_ids);
}

/* Once they are sorted. */
static bool is_row_seen(const struct pull *p, int64_t row)
{
	return p->row_count > 0 && bsearch(&row, p->rows_seen, p->row_count,
	                                   sizeof(row), compare_ids) != NULL;
}

/* Those of which the journal knows more; is_void: after a reset. */
static int remove_unseen_rows(struct pull *p, bool is_void)
{
	const struct remote_change gone = { .kind = REMOTE_GONE };
	struct journal_row row = { .id = 0 };
	int err;
	sort_rows(p);
	for (;;) {
		err = pull_batch_row(p);
		if (err == 0)
			err = journal_of_folder(p->conn, p->folder, row.id,
			                        &row);
		if (err < 0 || row.id > p->last_row)
			break;
		bool is_theirs = is_void ? row.is_void : row.key[0] != '\0';
		if (row.folder != p->folder || !is_theirs ||
		    is_row_seen(p, row.id) ||
		    db_landed_has(p->conn, p->folder, row.key))
			continue;
		size_t seen = p->row_count;
		err = pull_row_apply(p, &row, &gone);
		p->row_count = seen;
		if (err < 0)
			break;
	}
	return err == -ENOENT ? 0 : err;
}

int pull_sweep_unseen(struct pull *p)
{
	int err = remove_unseen_rows(p, false);
	/* The next steps count on a batch that is empty. */
	if (err == 0)
		err = pull_batch_commit(p);
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

/* Was a key named, as that of an entry or of a row? */
static int find_named(struct pull *p, const char *key, bool *is_named_out)
{
	struct cache_entry entry;
	struct journal_row row;
	bool same_keywords;
	int err = db_entry_by_key(p->conn, p->folder, key, &entry,
	                          &same_keywords, "");
	if (err == 0)
		*is_named_out = is_seen(p, entry.id);
	if (err != -ENOENT)
		return err;
	err = journal_by_key(p->conn, p->folder, key, &row);
	if (err == -ENOENT) {
		*is_named_out = true; /* it is not here either */
		return 0;
	}
	if (err < 0)
		return err;
	/* The user may have moved it since it was named. */
	bool is_here = row.target == p->folder || row.id > p->last_row;
	*is_named_out =
		is_row_seen(p, row.id) || (is_here && is_seen(p, row.entry));
	return 0;
}

int pull_sweep_landed(struct pull *p)
{
	struct remote_change gone = { .kind = REMOTE_GONE, .keywords = "" };
	char key[REMOTE_KEY_MAX + 1] = "";
	bool is_named = false;
	sort_rows(p);
	for (;;) {
		int err = pull_batch_row(p);
		if (err == 0)
			err = db_landed_next(p->conn, p->folder, key);
		if (err == 0)
			err = find_named(p, key, &is_named);
		gone.key = key;
		size_t seen = p->row_count;
		if (err == 0 && !is_named)
			err = pull_known_apply(p, &gone);
		p->row_count = seen;
		if (err == -ENOENT)
			return pull_batch_commit(p);
		if (err < 0)
			return err;
	}
}

int pull_forget_landed(struct pull *p)
{
	char key[REMOTE_KEY_MAX + 1] = "";
	bool is_named = false;
	int err;
	sort_rows(p);
	while ((err = db_landed_next(p->conn, p->folder, key)) == 0) {
		err = find_named(p, key, &is_named);
		if (err == 0 && is_named)
			err = db_landed_remove(p->conn, p->folder, key);
		if (err < 0)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int pull_sweep_void(struct pull *p)
{
	struct cache_entry entry;
	for (;;) {
		int err = pull_batch_row(p);
		if (err == 0)
			err = db_void_next(p->conn, p->folder, &entry);
		if (err == -ENOENT)
			break;
		if (err == 0)
			err = pull_entry_remove(p, &entry);
		if (err < 0)
			return err;
	}
	return remove_unseen_rows(p, true);
}
