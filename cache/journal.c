/*
 * What the journal's rows mean: when there is one, and when it ends.  Every
 * function is part of its caller's transaction.
 */
#include "cache/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/db_journal.h"
#include "cache/db_keyword.h"
#include "cache/words.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

#define NO_TARGET (-1)

static bool was_sent(const struct journal_row *row)
{
	return row->state == JOURNAL_SENT || row->state == JOURNAL_LANDED;
}

static int64_t wall_ms(void)
{
	return clock_wall_ns() / 1000000;
}

int journal_wish(struct db_conn *conn, const struct journal_row *row,
                 struct journal_wish *out)
{
	out->is_entry = false;
	out->keywords[0] = '\0';
	if (row->target == NO_TARGET)
		return 0;
	int err = db_entry_by_id(conn, row->target, row->entry, &out->entry);
	if (err == 0)
		err = db_entry_keywords(conn, &out->entry, out->keywords,
		                        sizeof(out->keywords));
	out->is_entry = err == 0;
	return err == -ENOENT ? 0 : err;
}

/* Nothing is left to tell: the entry holds the server's side again. */
static int end_row(struct db_conn *conn, const struct journal_row *row,
                   const struct cache_entry *entry)
{
	int err = db_journal_remove(conn, row->id);
	if (err < 0 || row->key[0] == '\0')
		return err;
	return db_entry_set_key(conn, entry, row->key);
}

bool journal_is_unsure(const struct journal_row *row)
{
	return row->unsure != 0 || row->unsure_keywords[0] != '\0';
}

int journal_be_sure(struct db_conn *conn, struct journal_row *row)
{
	if (!journal_is_unsure(row))
		return 0;
	row->unsure = 0;
	row->unsure_keywords[0] = '\0';
	return db_journal_set_side(conn, row);
}

int journal_doubt(struct db_conn *conn, struct journal_row *row, unsigned flags,
                  const char *keywords, const char *removed_keywords)
{
	row->unsure |= flags;
	words_add(row->unsure_keywords, sizeof(row->unsure_keywords), keywords);
	words_add(row->unsure_keywords, sizeof(row->unsure_keywords),
	          removed_keywords);
	return db_journal_set_side(conn, row);
}

/* The server has what the row wants, and that is certain. */
static bool is_wish(const struct journal_row *row,
                    const struct journal_wish *wish)
{
	return row->key[0] != '\0' && row->target == row->folder &&
	       !journal_is_unsure(row) &&
	       (wish->entry.flags & MAIL_FLAGS) == row->flags &&
	       strcmp(wish->keywords, row->keywords) == 0;
}

/* What a row is that is not on its way, and for which a split name stands. */
static enum journal_state rest_state(const struct journal_row *row,
                                     const struct journal_wish *wish)
{
	bool is_done = wish->is_entry && wish->entry.is_split &&
	               row->key[0] != '\0' &&
	               (wish->entry.flags & MAIL_FLAGS) == row->flags &&
	               strcmp(wish->keywords, row->keywords) == 0;
	return is_done ? JOURNAL_PARKED : JOURNAL_READY;
}

int journal_stand_in(struct db_conn *conn, int64_t message,
                     struct journal_row *out, struct cache_entry *entry_out)
{
	struct journal_wish wish = { 0 };
	out->id = 0;
	for (;;) {
		int err = journal_by_message(conn, message, out->id, out);
		if (err == 0)
			err = journal_wish(conn, out, &wish);
		if (err < 0)
			return err;
		if (wish.is_entry && wish.entry.is_split) {
			*entry_out = wish.entry;
			return 0;
		}
	}
}

int journal_took(struct db_conn *conn, struct journal_row *row)
{
	struct journal_row now;
	struct journal_wish wish;
	int err = journal_get(conn, row->id, &now);
	if (err < 0)
		return err;
	now.folder = row->folder;
	memcpy(now.key, row->key, sizeof(now.key));
	now.flags = row->flags;
	memcpy(now.keywords, row->keywords, sizeof(now.keywords));
	now.unsure = row->unsure;
	memcpy(now.unsure_keywords, row->unsure_keywords,
	       sizeof(now.unsure_keywords));
	now.is_void = false;
	err = journal_wish(conn, &now, &wish);
	if (err < 0)
		return err;
	*row = now;
	if (wish.is_entry && is_wish(&now, &wish))
		return end_row(conn, &now, &wish.entry);
	if (!wish.is_entry && now.key[0] == '\0')
		return db_journal_remove(conn, now.id);
	err = db_journal_set_side(conn, &now);
	row->state = rest_state(&now, &wish);
	row->not_before = 0;
	row->mark[0] = '\0';
	row->err = 0;
	row->why[0] = '\0';
	return err < 0 ? err : journal_update(conn, row);
}

int journal_gone(struct db_conn *conn, const struct journal_row *row,
                 bool *is_entry_out, struct cache_entry *entry_out,
                 follow_told *told, void *arg)
{
	struct journal_row now;
	struct journal_wish wish;
	*is_entry_out = false;
	int err = journal_get(conn, row->id, &now);
	if (err < 0)
		return err;
	err = journal_wish(conn, &now, &wish);
	if (err < 0)
		return err;
	bool leads = wish.is_entry && follow_leads(conn, &wish.entry);
	err = db_journal_remove(conn, now.id);
	if (err < 0 || !wish.is_entry)
		return err;
	*entry_out = wish.entry;
	*is_entry_out = true;
	err = db_entry_drop(conn, &wish.entry);
	if (err == 0 && leads)
		err = follow_gone(conn, now.message, told, arg);
	return err;
}

int journal_absorb(struct db_conn *conn, int64_t folder, const char *key,
                   bool *is_entry_out, struct cache_entry *entry_out,
                   follow_told *told, void *arg)
{
	bool same_keywords;
	int err = db_entry_by_key(conn, folder, key, entry_out, &same_keywords,
	                          "");
	*is_entry_out = err == 0;
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	bool leads = follow_leads(conn, entry_out);
	err = db_entry_drop(conn, entry_out);
	if (err == 0 && leads)
		err = follow_gone(conn, entry_out->message.id, told, arg);
	return err;
}

/*
 * Of what was not changed here, what was changed there; what is not sure was
 * changed here, if only there and back.
 */
static unsigned merge_flags(unsigned ours, const struct journal_row *before,
                            unsigned theirs)
{
	unsigned mask = (before->flags ^ theirs) & ~(ours ^ before->flags) &
	                ~before->unsure;
	return (ours & ~mask) | (theirs & mask);
}

int journal_merge(struct db_conn *conn, struct journal_row *row, unsigned flags,
                  const char *keywords, bool *is_changed_out,
                  struct cache_entry *old_out)
{
	struct journal_wish wish = { 0 };
	*is_changed_out = false;
	int err = journal_wish(conn, row, &wish);
	if (err < 0)
		return err;
	flags &= MAIL_FLAGS;
	unsigned theirs = flags;
	/* Where a move is a copy and a removal, the mark is ours. */
	if (was_sent(row) && row->target != row->folder &&
	    (row->flags & MAIL_DELETED) == 0)
		theirs &= ~(unsigned)MAIL_DELETED;
	unsigned merged =
		merge_flags(wish.entry.flags & MAIL_FLAGS, row, theirs);
	bool is_ours = strcmp(wish.keywords, row->keywords) != 0 ||
	               row->unsure_keywords[0] != '\0';
	row->flags = flags;
	(void)snprintf(row->keywords, sizeof(row->keywords), "%s", keywords);
	if (wish.is_entry) {
		struct cache_entry *e = &wish.entry;
		*old_out = *e;
		enum cache_place place = e->place;
		if (merged != (e->flags & MAIL_FLAGS) && place == CACHE_NEW &&
		    merged != 0)
			place = CACHE_CUR;
		if (!is_ours)
			memcpy(wish.keywords, row->keywords,
			       sizeof(wish.keywords));
		unsigned numbers = 0;
		err = db_keyword_flags(conn, e->folder, wish.keywords,
		                       &numbers);
		if (err < 0)
			return err;
		merged |= numbers;
		*is_changed_out = merged != e->flags;
		err = db_entry_set_flags(conn, e, place, merged, wish.keywords);
		if (err == 0 && *is_changed_out)
			err = db_entry_moved(conn, e, e->folder, place);
		e->flags = merged;
		e->place = place;
	}
	if (err < 0)
		return err;
	if (wish.is_entry && !was_sent(row) && is_wish(row, &wish))
		return end_row(conn, row, &wish.entry);
	err = db_journal_set_side(conn, row);
	enum journal_state rest = rest_state(row, &wish);
	bool is_changed = rest == JOURNAL_PARKED ? row->state == JOURNAL_READY
	                                         : row->state == JOURNAL_PARKED;
	if (err < 0 || !is_changed)
		return err;
	row->state = rest;
	return journal_update(conn, row);
}

int journal_drop(struct db_conn *conn, const struct journal_row *row)
{
	return db_journal_remove(conn, row->id);
}

int journal_watch(struct db_conn *conn, const struct journal_row *row,
                  int64_t folder, int64_t source)
{
	struct journal_row watch = {
		.kind = JOURNAL_MESSAGE,
		.state = JOURNAL_WATCH,
		.folder = folder,
		.target = source,
		.created_at = wall_ms(),
		.after = row->id,
		.sent_at = row->sent_at,
		.wire_size = row->wire_size,
	};
	memcpy(watch.mark, row->mark, sizeof(watch.mark));
	int err = db_journal_add(conn, &watch);
	return err < 0 ? err : journal_update(conn, &watch);
}

int journal_reap(struct db_conn *conn, int64_t message, bool *is_dead_out)
{
	struct cache_message m;
	struct journal_row row;
	*is_dead_out = false;
	int err = db_message_get(conn, message, &m);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	if (m.links > 0 || journal_by_message(conn, message, 0, &row) == 0)
		return 0;
	*is_dead_out = true;
	return db_message_remove(conn, message);
}

int journal_birth(struct db_conn *conn, const struct cache_entry *entry,
                  int64_t not_before, int64_t *row_out)
{
	struct journal_row row = {
		.kind = JOURNAL_MESSAGE,
		.state = JOURNAL_SETTLING,
		.message = entry->message.id,
		.entry = entry->id,
		.folder = entry->folder,
		.target = entry->folder,
		.not_before = not_before,
		.created_at = wall_ms(),
	};
	int err = db_journal_add(conn, &row);
	*row_out = row.id;
	return err;
}

int journal_by_entry(struct db_conn *conn, const struct cache_entry *entry,
                     struct journal_row *out)
{
	out->id = 0;
	for (;;) {
		int err = journal_by_message(conn, entry->message.id, out->id,
		                             out);
		if (err < 0)
			return err;
		if (out->entry == entry->id && out->target != NO_TARGET)
			return 0;
	}
}

int journal_begin(struct db_conn *conn, const struct cache_entry *entry,
                  struct journal_row *out)
{
	int err = journal_by_entry(conn, entry, out);
	if (err != -ENOENT)
		return err;
	*out = (struct journal_row){
		.kind = JOURNAL_MESSAGE,
		.state = JOURNAL_READY,
		.message = entry->message.id,
		.entry = entry->id,
		.folder = entry->folder,
		.target = entry->folder,
		.flags = entry->flags & MAIL_FLAGS,
		.created_at = wall_ms(),
	};
	err = db_entry_key(conn, entry, out->key);
	if (err < 0)
		return err;
	out->is_void = out->key[0] == '\0' && db_void_has(conn, entry);
	if (out->key[0] == '\0' && !out->is_void)
		return -ENOENT;
	err = db_entry_keywords(conn, entry, out->keywords,
	                        sizeof(out->keywords));
	if (err == 0)
		err = db_journal_add(conn, out);
	if (err < 0)
		return err;
	return out->is_void ? db_journal_void_entry(conn, out, entry)
	                    : db_entry_set_key(conn, entry, NULL);
}

/* The entry went. */
static int end_removed(struct db_conn *conn, struct journal_row *row,
                       int64_t not_before)
{
	if (row->key[0] == '\0' && !row->is_void && !was_sent(row))
		return db_journal_remove(conn, row->id);
	row->target = NO_TARGET;
	int err = db_journal_set_wish(conn, row);
	if (err < 0 || was_sent(row))
		return err;
	row->state = JOURNAL_READY;
	row->not_before = not_before;
	row->err = 0;
	row->why[0] = '\0';
	return journal_update(conn, row);
}

int journal_end(struct db_conn *conn, struct journal_row *row,
                const struct cache_entry *now, int64_t not_before)
{
	if (now == NULL)
		return end_removed(conn, row, not_before);
	struct journal_wish wish;
	row->target = now->folder;
	row->entry = now->id;
	row->message = now->message.id;
	/* A delivery that the server has not yet is delivered where it is. */
	bool is_birth = row->key[0] == '\0' && !was_sent(row) && !row->is_void;
	if (is_birth)
		row->folder = now->folder;
	int err = journal_wish(conn, row, &wish);
	if (err < 0)
		return err;
	if (wish.is_entry && !was_sent(row) && is_wish(row, &wish))
		return end_row(conn, row, &wish.entry);
	err = db_journal_set_wish(conn, row);
	if (err == 0 && is_birth)
		err = db_journal_set_side(conn, row);
	if (err < 0 || was_sent(row))
		return err;
	if (row->state != JOURNAL_SETTLING)
		row->state = rest_state(row, &wish);
	row->not_before = not_before;
	row->err = 0;
	row->why[0] = '\0';
	return journal_update(conn, row);
}

int journal_take_back(struct db_conn *conn, const struct journal_row *row)
{
	struct cache_entry now, old;
	int err = db_entry_by_id(conn, row->target, row->entry, &now);
	if (err == 0)
		err = db_journal_removed_get(conn, row->id, &old);
	if (err == 0) {
		err = db_entry_name(conn, &now, &old);
		if (err == 0)
			err = db_entry_moved(conn, &now, old.folder, old.place);
	} else if (err == -ENOENT) {
		err = db_entry_by_id(conn, row->target, row->entry, &now);
		if (err == 0)
			err = db_entry_drop(conn, &now);
	}
	if (err < 0 && err != -ENOENT)
		return err;
	return db_journal_remove(conn, row->id);
}

int journal_undo(struct db_conn *conn, struct journal_row *row,
                 struct cache_entry *entry_out)
{
	int err = db_journal_bring_back(conn, row);
	struct journal_row again = *row;
	struct cache_folder folder;
	/* It was remembered with its folder; that may have gone, too. */
	if (err == 0)
		err = db_folder_get(conn, row->folder, &folder);
	if (err == 0)
		err = db_entry_by_id(conn, row->folder, row->entry, entry_out);
	if (err == 0)
		err = db_message_link(conn, row->message, 1);
	if (err == 0)
		err = db_entry_counted(conn, entry_out, 1);
	if (err < 0)
		return err;
	again.state = JOURNAL_READY;
	return journal_end(conn, &again, entry_out, 0);
}

int journal_set_after(struct db_conn *conn, int64_t id, int64_t after)
{
	struct journal_row row;
	int err = journal_get(conn, id, &row);
	row.after = after;
	return err < 0 ? err : db_journal_set_wish(conn, &row);
}

int journal_settle(struct db_conn *conn, int64_t now,
                   bool (*is_busy)(void *arg, int64_t message), void *arg)
{
	struct journal_row row = { .id = 0 };
	int err;
	while ((err = journal_next(conn, JOURNAL_SETTLING, row.id, &row)) ==
	       0) {
		if (row.not_before > now || is_busy(arg, row.message))
			continue;
		err = db_journal_settle(conn, row.id, now);
		if (err < 0)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

int journal_void_end(struct db_conn *conn, struct journal_row *row,
                     const char *key)
{
	(void)snprintf(row->key, sizeof(row->key), "%s", key);
	row->is_void = false;
	return db_journal_set_side(conn, row);
}

/* A level that begins with a dot is none of the server's. */
static bool is_hidden(const char *path)
{
	return path[0] == '.' || strstr(path, "/.") != NULL;
}

/* What the server should call a folder: below what it calls that above. */
char *journal_goal(struct db_conn *conn, const struct cache_folder *folder)
{
	if (folder->parent == CACHE_ROOT)
		return xstrdup(folder->level);
	struct cache_folder above;
	if (db_folder_get(conn, folder->parent, &above) < 0)
		return NULL;
	auto_free char *name = db_folder_name(conn, above.id);
	if (name == NULL)
		name = journal_goal(conn, &above);
	return name == NULL ? NULL : xasprintf("%s/%s", name, folder->level);
}

static int wanted_kind(struct db_conn *conn, const struct cache_folder *folder,
                       enum journal_kind *kind_out)
{
	auto_free char *name = db_folder_name(conn, folder->id);
	*kind_out = JOURNAL_MESSAGE; /* none */
	if (folder->parent == DB_REMOVED) {
		if (name != NULL)
			*kind_out = JOURNAL_DELETE;
		return 0;
	}
	auto_free char *goal = journal_goal(conn, folder);
	if (goal == NULL)
		return -ENOENT;
	if (folder->is_local || is_hidden(goal))
		return 0;
	bool is_level = (folder->attributes & MAIL_FOLDER_NOSELECT) != 0;
	if ((name == NULL || is_level) && folder->places == DB_PLACES_ALL)
		*kind_out = JOURNAL_CREATE;
	else if (name != NULL && strcmp(name, goal) != 0)
		*kind_out = JOURNAL_RENAME;
	return 0;
}

int journal_folder(struct db_conn *conn, int64_t id)
{
	struct cache_folder folder;
	struct journal_row row;
	enum journal_kind kind = JOURNAL_MESSAGE;
	int err = db_folder_get(conn, id, &folder);
	if (err == 0)
		err = wanted_kind(conn, &folder, &kind);
	if (err < 0)
		return err;
	err = db_journal_folder_row(conn, id, &row);
	/* What was asked for first has to become of it what it may. */
	if (err == 0 && (row.kind == kind || row.mark[0] != '\0'))
		return 0;
	if (err == 0)
		err = db_journal_remove(conn, row.id);
	if (err == -ENOENT)
		err = 0;
	if (err < 0 || kind == JOURNAL_MESSAGE)
		return err;
	row = (struct journal_row){
		.kind = kind,
		.state = JOURNAL_READY,
		.folder = id,
		.target = NO_TARGET,
		.created_at = wall_ms(),
	};
	return db_journal_add(conn, &row);
}

bool journal_folder_asked(struct db_conn *conn, int64_t folder)
{
	struct journal_row row;
	return db_journal_folder_row(conn, folder, &row) == 0 &&
	       row.mark[0] != '\0';
}

int journal_folder_gone(struct db_conn *conn, int64_t folder)
{
	struct journal_row row;
	int err = db_journal_folder_row(conn, folder, &row);
	if (err == 0)
		err = db_journal_remove(conn, row.id);
	return err == -ENOENT ? 0 : err;
}

int journal_folder_done(struct db_conn *conn, const struct journal_row *row,
                        const char *name)
{
	auto_free char *old = db_folder_name(conn, row->folder);
	struct cache_folder folder;
	int err = db_journal_remove(conn, row->id);
	if (err == 0)
		err = db_folder_get(conn, row->folder, &folder);
	if (err != 0)
		return err == -ENOENT ? 0 : err;
	if (name == NULL && folder.parent == DB_REMOVED)
		return db_folder_remove(conn, &folder);
	err = db_folder_set_name(conn, folder.id, name);
	if (err == 0 && row->kind == JOURNAL_CREATE)
		err = db_folder_set_attributes(
			conn, folder.id,
			folder.attributes & ~(unsigned)MAIL_FOLDER_NOSELECT);
	if (err == 0 && name != NULL && old != NULL)
		err = db_folder_renamed(conn, old, name);
	if (err < 0)
		return err;
	return journal_folder(conn, folder.id);
}
