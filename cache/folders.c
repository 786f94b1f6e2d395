/*
 * The list of folders, from the server into the tree.
 *
 * All of it is read before anything is changed: only a list that ended well
 * says that a folder is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/folders.h"
#include "cache/gone.h"
#include "cache/journal.h"
#include "cache/keyword.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

static void see(struct list *l, int64_t folder)
{
	if (l->seen == NULL || folder >= l->seen_size) {
		int64_t size = (folder / 1024 + 1) * 1024;
		l->seen = xrealloc(l->seen, (size_t)size / 8);
		memset(l->seen + l->seen_size / 8, 0,
		       (size_t)(size - l->seen_size) / 8);
		l->seen_size = size;
	}
	l->seen[folder / 8] |= (unsigned char)(1 << (folder % 8));
}

static bool is_seen(const struct list *l, int64_t folder)
{
	return folder >= 0 && folder < l->seen_size &&
	       (l->seen[folder / 8] & (1 << (folder % 8))) != 0;
}

/* Begin, do, commit: the changes of the tree are few and small. */
static int add_level(struct list *l, int64_t parent, const char *level,
                     unsigned attributes, const char *name, int64_t *id_out)
{
	struct db_conn *conn;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_add(conn, parent, level, attributes, name, id_out);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	struct cache_folder now;
	err = db_folder_get(conn, *id_out, &now);
	if (err == 0)
		err = db_commit(conn);
	else
		db_rollback(conn);
	if (err == 0 && !l->is_first) {
		tell_folders(l->cache, parent, NULL);
		tell_folder(l->cache, NULL, &now);
	}
	return err;
}

static int set_attributes(struct list *l, const struct cache_folder *folder,
                          unsigned attributes)
{
	if (folder->attributes == attributes)
		return 0;
	struct db_conn *conn;
	int err = 0;
	bool is_emptied = (attributes & MAIL_FOLDER_NOSELECT) != 0;
	if (is_emptied)
		err = pull_empty(l->cache, folder->id);
	if (err == 0)
		err = db_begin(l->cache->db, &conn);
	if (err != 0)
		return err;
	const struct db_progress nothing = { "", "" };
	bool was_level = (folder->attributes & MAIL_FOLDER_NOSELECT) != 0;
	err = db_folder_set_attributes(conn, folder->id, attributes);
	if (err == 0 && is_emptied != was_level)
		err = db_folder_set_places(conn, folder->id,
		                           is_emptied ? 0 : DB_PLACES_ALL);
	if (err == 0)
		err = db_folder_touch(conn, folder->id);
	if (err == 0 && is_emptied)
		err = db_folder_set_listed(conn, folder->id, false);
	if (err == 0 && is_emptied)
		err = db_progress_set(conn, folder->id, &nothing);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0)
		tell_folders(l->cache, folder->id, NULL);
	return err;
}

static bool has_mail(struct db_conn *conn, int64_t folder)
{
	return db_entry_any(conn, folder, CACHE_NEW) ||
	       db_entry_any(conn, folder, CACHE_CUR);
}

/* The folder for which this name was asked, and the answer lost. */
static int find_asked(struct list *l, struct db_conn *conn, const char *name,
                      struct cache_folder *out)
{
	struct journal_row row = { .id = 0 };
	int err;
	while ((err = journal_each(conn, row.id, &row)) == 0) {
		if (row.kind == JOURNAL_MESSAGE || strcmp(row.mark, name) != 0)
			continue;
		auto_free char *old = db_folder_name(conn, row.folder);
		if (old != NULL && list_find(l, old) != NULL)
			continue;
		err = journal_folder_done(conn, &row, name);
		return err < 0 ? err : db_folder_get(conn, row.folder, out);
	}
	return err;
}

static bool is_within(struct db_conn *conn, int64_t folder, int64_t above)
{
	struct cache_folder f;
	for (; folder != above; folder = f.parent) {
		if (folder == CACHE_ROOT || db_folder_get(conn, folder, &f) < 0)
			return false;
	}
	return true;
}

/* It is called so there from now on; and here, unless a program wants else. */
static int rename_folder(struct db_conn *conn, const struct cache_folder *was,
                         const char *old, const char *name, int64_t parent,
                         const char *level)
{
	struct cache_folder other;
	auto_free char *path = db_folder_path(conn, was->id);
	bool is_free = db_folder_find(conn, parent, level, &other) == -ENOENT;
	int err = db_folder_set_name(conn, was->id, name);
	if (err == 0)
		err = db_folder_renamed(conn, old, name);
	if (err == 0 && is_free && path != NULL && strcmp(path, old) == 0) {
		err = db_folder_move(conn, was->id, parent, level);
		if (err == 0)
			err = db_folder_touch(conn, was->parent);
		if (err == 0)
			err = db_folder_touch(conn, parent);
	}
	return err < 0 ? err : journal_folder(conn, was->id);
}

/* The folder that was called otherwise until it was renamed there. */
static int find_renamed(struct list *l, struct db_conn *conn, const char *name,
                        int64_t parent, const char *level,
                        struct cache_folder *out)
{
	const struct listed *listed = list_find(l, name);
	if (listed == NULL || listed->id[0] == '\0')
		return -ENOENT;
	int err = db_folder_by_object(conn, listed->id, out);
	if (err < 0)
		return err;
	auto_free char *old = db_folder_name(conn, out->id);
	const struct listed *still = list_find(l, old);
	/* Two names for one, or one below itself: not what we can show. */
	if ((still != NULL && strcmp(still->id, listed->id) == 0) ||
	    is_within(conn, parent, out->id))
		return -ENOENT;
	return rename_folder(conn, out, old, name, parent, level);
}

/*
 * A folder made here, and there as well by now, stands where it would.  But
 * mail in one that is ours alone is not for the server.
 */
static int find_place(struct db_conn *conn, const char *name, int64_t parent,
                      const char *level, struct cache_folder *out)
{
	int err = db_folder_find(conn, parent, level, out);
	auto_free char *other = err == 0 ? db_folder_name(conn, out->id) : NULL;
	if (err == 0 &&
	    (other != NULL || (out->is_local && has_mail(conn, out->id))))
		err = -EEXIST;
	if (err == 0)
		err = db_folder_set_local(conn, out->id, false);
	if (err == 0)
		err = db_folder_set_name(conn, out->id, name);
	if (err == 0)
		err = db_folder_set_places(conn, out->id, DB_PLACES_ALL);
	return err < 0 ? err : journal_folder(conn, out->id);
}

static void tell_renamed(struct list *l, const struct cache_folder *was,
                         const struct cache_folder *now)
{
	if (was->parent == now->parent && strcmp(was->level, now->level) == 0)
		return;
	log_info("%s is called %s now", was->level, now->level);
	tell_folders(l->cache, was->parent, was->level);
	tell_folder(l->cache, was, NULL);
	tell_folders(l->cache, now->parent, NULL);
	tell_folder(l->cache, NULL, now);
}

/*
 * The folder that the server calls name; else the one that it was asked to call
 * so, or that was renamed there; else the one that stands where it would.
 */
static int find_level(struct list *l, const char *name, int64_t parent,
                      const char *level, struct cache_folder *out)
{
	struct db_conn *conn;
	bool is_renamed = false;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_by_name(conn, name, out);
	if (err == 0) {
		db_rollback(conn);
		return 0;
	}
	if (err == -ENOENT && !l->is_first)
		err = find_asked(l, conn, name, out);
	if (err == -ENOENT && !l->is_first) {
		err = find_renamed(l, conn, name, parent, level, out);
		is_renamed = err == 0;
	}
	if (err == -ENOENT)
		err = find_place(conn, name, parent, level, out);
	struct cache_folder was = *out;
	if (err == 0)
		err = db_folder_get(conn, was.id, out);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0 && is_renamed)
		tell_renamed(l, &was, out);
	return err;
}

static int place(struct list *l, struct listed *listed);
static int remove_folder(struct list *l, const struct cache_folder *folder);

/*
 * Another folder may have had this name, and another name now: then that one
 * goes first.  If it is gone, and one that we know took its name, it goes; but
 * one made anew is taken for the same, and its messages are matched.
 */
static int make_room(struct list *l, const struct listed *listed)
{
	struct cache_folder holder, own;
	struct db_conn *conn;
	if (l->is_first || listed->id[0] == '\0')
		return 0;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_by_name(conn, listed->name, &holder);
	auto_free char *id =
		err == 0 ? db_folder_object(conn, holder.id) : NULL;
	bool is_known = db_folder_by_object(conn, listed->id, &own) == 0;
	db_rollback(conn);
	if (id == NULL || strcmp(id, listed->id) == 0)
		return err == -ENOENT ? 0 : err;
	struct listed *other = list_find_id(l, id);
	if (other != NULL)
		return place(l, other);
	return is_known && holder.children == 0 ? remove_folder(l, &holder) : 0;
}

/* By this the folder is known again when it has another name. */
static int remember_id(struct list *l, const struct listed *listed)
{
	struct db_conn *conn;
	if (listed->id[0] == '\0')
		return 0;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	auto_free char *known = db_folder_object(conn, listed->folder);
	if (known == NULL || strcmp(known, listed->id) != 0) {
		err = db_folder_set_object(conn, listed->folder, listed->id);
		if (err == 0)
			return db_commit(conn);
	}
	db_rollback(conn);
	return err;
}

/* Bring one folder, and the levels above it, into the tree. */
static int place(struct list *l, struct listed *listed)
{
	if (listed->is_under_way)
		return 0;
	listed->is_under_way = true;
	int err = make_room(l, listed);
	auto_free char *name = xstrdup(listed->name);
	int64_t parent = CACHE_ROOT;
	for (char *level = name, *end; err == 0 && level != NULL; level = end) {
		struct cache_folder folder;
		end = strchr(level, '/');
		if (end != NULL)
			*end = '\0';
		const struct listed *here = list_find(l, name);
		unsigned attributes =
			here != NULL ? here->attributes : MAIL_FOLDER_NOSELECT;
		err = find_level(l, name, parent, level, &folder);
		if (err == -ENOENT)
			err = add_level(l, parent, level, attributes, name,
			                &folder.id);
		else if (err == 0)
			err = set_attributes(l, &folder, attributes);
		if (err == -EEXIST) {
			log_warn("a folder is in the way of %s", name);
			return 0; /* until that one is renamed there, too */
		}
		if (err < 0)
			return err;
		see(l, folder.id);
		parent = folder.id;
		if (end != NULL)
			*end++ = '/';
	}
	listed->folder = parent;
	return err < 0 ? err : remember_id(l, listed);
}

/* The next that the server is thought to have. */
static int next_folder(struct list *l, int64_t after, struct cache_folder *out)
{
	struct db_conn *conn;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	while ((err = db_folder_each(conn, after, out)) == 0) {
		auto_free char *name = db_folder_name(conn, out->id);
		if (name != NULL)
			break;
		after = out->id;
	}
	db_rollback(conn);
	return err;
}

/*
 * What is here and not on the server outlives its folder there: deliveries
 * make it anew, and other files stay in a directory.
 */
static int keep_or_remove(struct db_conn *conn,
                          const struct cache_folder *folder, int64_t *dead_out,
                          bool *is_kept_out)
{
	struct journal_row row = { .id = 0 };
	bool is_any = false, has_births = false;
	int err = keyword_leave(conn, folder->id, dead_out);
	if (err < 0)
		return err;
	for (int i = 0; i < CACHE_PLACES; i++)
		is_any |= db_entry_any(conn, folder->id, (enum cache_place)i);
	*is_kept_out = is_any && folder->parent != DB_REMOVED;
	if (!*is_kept_out) {
		err = is_any ? -ENOTEMPTY
		             : journal_folder_gone(conn, folder->id);
		return err < 0 ? err : db_folder_remove(conn, folder);
	}
	while (!has_births &&
	       journal_of_folder(conn, folder->id, row.id, &row) == 0)
		has_births = row.target == folder->id;
	const struct db_progress nothing = { "", "" };
	err = db_folder_set_name(conn, folder->id, NULL);
	if (err == 0)
		err = db_folder_set_local(conn, folder->id, !has_births);
	if (err == 0)
		err = db_progress_set(conn, folder->id, &nothing);
	return err < 0 ? err : journal_folder(conn, folder->id);
}

static int remove_folder(struct list *l, const struct cache_folder *folder)
{
	struct db_conn *conn;
	int64_t dead;
	bool is_kept;
	int err = pull_empty(l->cache, folder->id);
	if (err == 0)
		err = db_begin(l->cache->db, &conn);
	if (err != 0)
		return err;
	err = keep_or_remove(conn, folder, &dead, &is_kept);
	if (err < 0) {
		db_rollback(conn);
		return err == -ENOTEMPTY ? 0 : err;
	}
	err = db_commit(conn);
	if (err == 0 && dead != 0)
		write_forget(l->cache, dead);
	if (err == 0 && !is_kept)
		jobs_listed(l->cache->jobs, folder->id, -ENOENT);
	/* What was removed here was told then, and has no place any more. */
	if (err == 0 && !is_kept && folder->parent != DB_REMOVED) {
		tell_folders(l->cache, folder->parent, folder->level);
		tell_folder(l->cache, folder, NULL);
	}
	return err;
}

/*
 * Is it there, though the list left it out?  Dovecot was seen to give some
 * sessions old lists for as long as they last.
 */
static int find_unlisted(struct list *l, const struct cache_folder *folder,
                         bool *is_there_out)
{
	char mark[REMOTE_CURSOR_MAX + 1];
	struct db_conn *conn;
	*is_there_out = false;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	auto_free char *name = db_folder_name(conn, folder->id);
	db_rollback(conn);
	if (name == NULL || !list_wants(l->cache, name) ||
	    (folder->attributes & MAIL_FOLDER_NOSELECT) != 0)
		return 0;
	err = remote_mark(l->remote, name, mark);
	*is_there_out = err == 0;
	if (err == 0)
		log_warn("it is not listed, and still there: %s", name);
	return remote_error_scope(err) > REMOTE_SCOPE_FOLDER ? err : 0;
}

/* What the list did not name is gone; what is below first. */
static int remove_unseen(struct list *l)
{
	bool is_any;
	do {
		struct cache_folder folder = { .id = 0 };
		int err;
		is_any = false;
		while ((err = next_folder(l, folder.id, &folder)) == 0) {
			if (is_seen(l, folder.id))
				continue;
			if (folder.children > 0)
				continue;
			bool is_there;
			err = find_unlisted(l, &folder, &is_there);
			if (err == 0 && is_there)
				see(l, folder.id);
			else if (err == 0)
				err = remove_folder(l, &folder);
			if (err < 0)
				return err;
			is_any = true;
		}
		if (err != -ENOENT)
			return err;
	} while (is_any);
	return 0;
}

/* Which folders have, or may have, news? */
static int queue_pulls(struct list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct listed *f = &l->listed[i];
		struct db_progress progress;
		struct cache_folder folder;
		struct db_conn *conn;
		if ((f->attributes & MAIL_FOLDER_NOSELECT) != 0 ||
		    f->folder == 0)
			continue;
		int err = db_begin(l->cache->db, &conn);
		if (err < 0)
			return err;
		err = db_progress_get(conn, f->folder, &progress);
		if (err == 0)
			err = db_folder_get(conn, f->folder, &folder);
		db_rollback(conn);
		if (err != 0)
			return err;
		if (folder.is_listed && f->state[0] != '\0' &&
		    strcmp(f->state, progress.state) == 0)
			continue;
		jobs_pull_add(l->cache->jobs, f->folder,
		              strcmp(f->name, "INBOX") == 0, f->state,
		              f->count);
	}
	return 0;
}

static int mark_known(struct list *l)
{
	struct db_conn *conn;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_set_listed(conn, CACHE_ROOT, true);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0)
		tell_folders(l->cache, CACHE_ROOT, NULL);
	return err;
}

static int reconcile(struct list *l)
{
	struct cache_folder root;
	struct db_conn *conn;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_get(conn, CACHE_ROOT, &root);
	db_rollback(conn);
	l->is_first = err == 0 && !root.is_listed;
	for (size_t i = 0; i < l->count && err == 0; i++)
		err = place(l, &l->listed[i]);
	if (err == 0)
		err = remove_unseen(l);
	if (err == 0 && l->is_first)
		err = mark_known(l);
	if (err == 0)
		jobs_listed(l->cache->jobs, CACHE_ROOT, 0);
	if (err == 0)
		err = queue_pulls(l);
	return err;
}

int folders_list(struct cache *c, struct remote *r)
{
	struct list l = { .cache = c, .remote = r };
	int err = remote_list(r);
	if (err == 0)
		err = list_receive(&l, r);
	if (err == 0)
		err = reconcile(&l);
	if (err == 0)
		pull_forget_gone(c, clock_wall_ns() / 1000000 - GONE_MS);
	list_release(&l);
	return err;
}

int folders_hear(struct cache *c, const char *name)
{
	struct cache_folder folder;
	struct db_conn *conn;
	int err = -ENOENT;
	if (name != NULL && !list_wants(c, name))
		return 0;
	if (name != NULL) {
		err = db_begin(c->db, &conn);
		if (err < 0)
			return err;
		err = db_folder_by_name(conn, name, &folder);
		db_rollback(conn);
	}
	if (err == -ENOENT) {
		jobs_list_at(c->jobs, clock_now_ms());
		return 0;
	}
	if (err == 0)
		jobs_pull_add(c->jobs, folder.id, false, "", -1);
	return err;
}
