/*
 * The list of folders, from the server into the tree.
 *
 * All of it is read before anything is changed: only a list that ended well
 * says that a folder is gone.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/core.h"
#include "cache/journal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* More than any server has; a hostile one is cut short. */
#define LISTED_MAX 20000

struct listed {
	char *name;
	char *state;
	unsigned attributes;
	int64_t count;
	int64_t folder; /* its id, when it is in the tree */
};

struct list {
	struct cache *cache;
	struct listed *listed;
	size_t count;
	/* A bit for each folder id that the list named or passed through. */
	unsigned char *seen;
	int64_t seen_size; /* ids it has room for */
	bool is_first;     /* the tree was not known before */
};

static void see(struct list *l, int64_t folder)
{
	if (folder >= l->seen_size) {
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

/* The last pattern that matches counts; the first decides for the rest. */
static bool is_wanted(const struct cache *c, const char *name)
{
	bool is_in = c->pattern_count == 0 || c->patterns[0][0] == '!';
	for (size_t i = 0; i < c->pattern_count; i++) {
		const char *pattern = c->patterns[i];
		bool is_out = pattern[0] == '!';
		if (fnmatch(pattern + is_out, name, 0) == 0)
			is_in = !is_out;
	}
	return is_in;
}

static bool has_fitting_levels(const char *name)
{
	struct cache_folder folder;
	size_t len;
	for (const char *p = name;; p += len + 1) {
		len = strcspn(p, "/");
		if (len == 0 || len >= sizeof(folder.level))
			return false;
		if (p[len] == '\0')
			return true;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name,
	              ((const struct listed *)b)->name);
}

static int receive(struct list *l, struct remote *r)
{
	struct remote_folder folder;
	int n;
	while ((n = remote_list_next(r, &folder)) == 1) {
		if (!is_wanted(l->cache, folder.name))
			continue;
		if (!has_fitting_levels(folder.name) ||
		    l->count == LISTED_MAX) {
			log_warn("a folder cannot be shown: %s", folder.name);
			continue;
		}
		if ((l->count & (l->count + 1)) == 0)
			l->listed =
				xrealloc(l->listed, (2 * l->count + 2) *
			                                    sizeof(*l->listed));
		l->listed[l->count++] = (struct listed){
			.name = xstrdup(folder.name),
			.state = xstrdup(folder.state),
			.attributes = folder.attributes,
			.count = folder.count,
		};
	}
	/* Parents before what is below them. */
	if (n == 0 && l->count > 0)
		qsort(l->listed, l->count, sizeof(*l->listed), by_name);
	return n;
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

/*
 * The folder that the server calls name; else the one that stands where it
 * would: then it was made here, and there as well by now.
 */
static int find_level(struct list *l, const char *name, int64_t parent,
                      const char *level, struct cache_folder *out)
{
	struct db_conn *conn;
	int err = db_begin(l->cache->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_by_name(conn, name, out);
	if (err == -ENOENT) {
		err = db_folder_find(conn, parent, level, out);
		auto_free char *other =
			err == 0 ? db_folder_name(conn, out->id) : NULL;
		if (err == 0 && other != NULL)
			err = -EEXIST;
		if (err == 0)
			err = db_folder_set_name(conn, out->id, name);
		if (err == 0)
			err = db_folder_set_places(conn, out->id,
			                           DB_PLACES_ALL);
		if (err == 0)
			err = journal_folder(conn, out->id);
		if (err == 0)
			return db_commit(conn);
	}
	db_rollback(conn);
	return err;
}

/* Bring one folder, and the levels above it, into the tree. */
static int place(struct list *l, struct listed *listed)
{
	auto_free char *name = xstrdup(listed->name);
	int64_t parent = CACHE_ROOT;
	for (char *level = name, *end; level != NULL; level = end) {
		struct cache_folder folder;
		end = strchr(level, '/');
		if (end != NULL)
			*end = '\0';
		unsigned attributes =
			end == NULL ? listed->attributes : MAIL_FOLDER_NOSELECT;
		int err = find_level(l, name, parent, level, &folder);
		if (err == -ENOENT)
			err = add_level(l, parent, level, attributes, name,
			                &folder.id);
		else if (err == 0 && (end == NULL || !is_seen(l, folder.id)))
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
	return 0;
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
                          const struct cache_folder *folder, bool *is_kept_out)
{
	struct journal_row row = { .id = 0 };
	bool is_any = false, has_births = false;
	for (int i = 0; i < CACHE_PLACES; i++)
		is_any |= db_entry_any(conn, folder->id, (enum cache_place)i);
	*is_kept_out = is_any && folder->parent != DB_REMOVED;
	if (!*is_kept_out)
		return is_any ? -ENOTEMPTY : db_folder_remove(conn, folder);
	while (!has_births &&
	       journal_of_folder(conn, folder->id, row.id, &row) == 0)
		has_births = row.target == folder->id;
	const struct db_progress nothing = { "", "" };
	int err = db_folder_set_name(conn, folder->id, NULL);
	if (err == 0)
		err = db_folder_set_local(conn, folder->id, !has_births);
	if (err == 0)
		err = db_progress_set(conn, folder->id, &nothing);
	return err < 0 ? err : journal_folder(conn, folder->id);
}

static int remove_folder(struct list *l, const struct cache_folder *folder)
{
	struct db_conn *conn;
	bool is_kept;
	int err = pull_empty(l->cache, folder->id);
	if (err == 0)
		err = db_begin(l->cache->db, &conn);
	if (err != 0)
		return err;
	err = keep_or_remove(conn, folder, &is_kept);
	if (err < 0) {
		db_rollback(conn);
		return err == -ENOTEMPTY ? 0 : err;
	}
	err = db_commit(conn);
	if (err == 0 && !is_kept) {
		jobs_listed(l->cache->jobs, folder->id, -ENOENT);
		tell_folders(l->cache, folder->parent, folder->level);
		tell_folder(l->cache, folder, NULL);
	}
	return err;
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
		if ((f->attributes & MAIL_FOLDER_NOSELECT) != 0)
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
	struct list l = { .cache = c };
	int err = remote_list(r);
	if (err == 0)
		err = receive(&l, r);
	if (err == 0)
		err = reconcile(&l);
	for (size_t i = 0; i < l.count; i++) {
		free(l.listed[i].name);
		free(l.listed[i].state);
	}
	free(l.listed);
	free(l.seen);
	return err;
}

int folders_hear(struct cache *c, const char *name)
{
	struct cache_folder folder;
	struct db_conn *conn;
	int err = -ENOENT;
	if (name != NULL && !is_wanted(c, name))
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
