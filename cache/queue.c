/*
 * The journal, for people: what waits, and what they decide about it.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cache/journal.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* A deletion that was confirmed is not held again. */
#define CONFIRMED_TRIES 1

static const char *state_word(enum journal_state state)
{
	static const char *const words[] = {
		[JOURNAL_SETTLING] = "settling", [JOURNAL_READY] = "waiting",
		[JOURNAL_SENT] = "sent",         [JOURNAL_LANDED] = "sent",
		[JOURNAL_HELD] = "held",         [JOURNAL_REFUSED] = "refused",
	};
	return words[state];
}

static const char *what_word(const struct journal_row *row,
                             const struct journal_wish *wish)
{
	static const char *const words[] = {
		[JOURNAL_CREATE] = "create",
		[JOURNAL_RENAME] = "rename",
		[JOURNAL_DELETE] = "delete mailbox",
	};
	if (row->kind != JOURNAL_MESSAGE)
		return words[row->kind];
	if (row->target == -1)
		return "delete";
	if (row->key[0] == '\0')
		return "append";
	return row->target != row->folder && !wish->entry.is_split ? "move"
	                                                           : "flags";
}

static char *any_name(struct db_conn *conn, int64_t folder)
{
	char *name = db_folder_path(conn, folder);
	return name != NULL ? name : db_folder_name(conn, folder);
}

int64_t cache_queue(struct cache *c,
                    void (*each)(void *arg, const struct cache_pending *p),
                    void *arg)
{
	struct journal_row row = { .id = 0 };
	struct journal_wish wish;
	struct db_conn *conn;
	int64_t count = 0;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	while ((err = journal_each(conn, row.id, &row)) == 0) {
		if (row.state == JOURNAL_WATCH || row.state == JOURNAL_PARKED)
			continue;
		err = journal_wish(conn, &row, &wish);
		if (err < 0)
			break;
		auto_free char *folder = any_name(conn, row.folder);
		auto_free char *target =
			row.target >= 0 && row.target != row.folder
				? any_name(conn, row.target)
				: NULL;
		struct cache_pending p = {
			.id = row.id,
			.what = what_word(&row, &wish),
			.state = state_word(row.state),
			.folder = folder != NULL ? folder : "",
			.target = target != NULL ? target : "",
			.name = wish.is_entry ? wish.entry.base : "",
			.created_at = row.created_at / 1000,
			.tries = row.tries,
			.why = row.why,
		};
		each(arg, &p);
		count++;
	}
	db_rollback(conn);
	return err == -ENOENT ? count : err;
}

/* Change the rows of a state; how many. */
static int64_t each_row(struct db_conn *conn, enum journal_state state,
                        int (*change)(struct db_conn *, struct journal_row *))
{
	struct journal_row row = { .id = 0 };
	int64_t count = 0;
	int err;
	while ((err = journal_next(conn, state, row.id, &row)) == 0) {
		err = change(conn, &row);
		if (err < 0)
			return err;
		count++;
	}
	return err == -ENOENT ? count : err;
}

static int64_t finish(struct cache *c, struct db_conn *conn, int64_t count)
{
	if (count < 0) {
		db_rollback(conn);
		return count;
	}
	int err = db_commit(conn);
	jobs_push_by(c->jobs, clock_now_ms());
	return err < 0 ? err : count;
}

static int make_due(struct db_conn *conn, struct journal_row *row)
{
	row->not_before = 0;
	return journal_update(conn, row);
}

static int try_again(struct db_conn *conn, struct journal_row *row)
{
	row->state = JOURNAL_READY;
	row->err = 0;
	row->why[0] = '\0';
	return make_due(conn, row);
}

int cache_flush(struct cache *c, bool is_again)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	int64_t count = each_row(conn, JOURNAL_SETTLING, make_due);
	if (count >= 0)
		count = each_row(conn, JOURNAL_READY, make_due);
	if (count >= 0 && is_again)
		count = each_row(conn, JOURNAL_REFUSED, try_again);
	count = finish(c, conn, count);
	jobs_say(c->jobs, is_again ? JOBS_RETRY : JOBS_HURRY);
	return count < 0 ? (int)count : 0;
}

static int confirm(struct db_conn *conn, struct journal_row *row)
{
	row->tries = CONFIRMED_TRIES;
	return try_again(conn, row);
}

int64_t cache_confirm(struct cache *c)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	return finish(c, conn, each_row(conn, JOURNAL_HELD, confirm));
}

/* The directory comes back too, and what is above it. */
static int bring_back(struct db_conn *conn, int64_t id)
{
	struct cache_folder folder, above;
	int err = db_folder_get(conn, id, &folder);
	if (err < 0)
		return err;
	if (folder.places != DB_PLACES_ALL) {
		err = db_folder_set_places(conn, id, DB_PLACES_ALL);
		if (err == 0)
			err = db_folder_touch(conn, id);
	}
	if (err < 0 || folder.parent != DB_REMOVED)
		return err;
	auto_free char *name = db_folder_name(conn, id);
	if (name == NULL)
		return -ENOENT;
	char *slash = strrchr(name, '/');
	above.id = CACHE_ROOT;
	if (slash != NULL) {
		*slash = '\0';
		err = db_folder_by_name(conn, name, &above);
		if (err == 0 && above.parent == DB_REMOVED)
			err = bring_back(conn, above.id);
	}
	if (err == 0)
		err = db_folder_move(conn, id, above.id,
		                     slash != NULL ? slash + 1 : name);
	if (err == 0)
		err = db_folder_touch(conn, above.id);
	return err < 0 ? err : journal_folder(conn, id);
}

static int undo(struct db_conn *conn, struct journal_row *row)
{
	struct cache_entry entry;
	int err = bring_back(conn, row->folder);
	return err < 0 ? err : journal_undo(conn, row, &entry);
}

/* Which folders get something back. */
static void tell_back(struct cache *c, const int64_t *folders, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tell_entries(c, folders[i]);
		tell_folders(c, folders[i], NULL);
	}
	tell_folders(c, CACHE_ROOT, NULL);
}

int64_t cache_undo(struct cache *c)
{
	enum { FOLDERS_MAX = 256 };
	int64_t folders[FOLDERS_MAX];
	size_t folder_count = 0;
	struct journal_row row = { .id = 0 };
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	while (journal_next(conn, JOURNAL_HELD, row.id, &row) == 0) {
		bool is_known = folder_count == FOLDERS_MAX;
		for (size_t i = 0; i < folder_count; i++)
			is_known |= folders[i] == row.folder;
		if (!is_known)
			folders[folder_count++] = row.folder;
	}
	int64_t count = finish(c, conn, each_row(conn, JOURNAL_HELD, undo));
	if (count > 0)
		tell_back(c, folders, folder_count);
	return count;
}
