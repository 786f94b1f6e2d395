/*
 * Directories, as the file system may change them; a mailbox is one that has
 * new, cur and tmp.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/journal.h"
#include "cache/keyword.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/mem.h"

typedef int folder_change(struct db_conn *conn, void *arg);

static int change(struct cache *c, folder_change *make, void *arg)
{
	struct db_conn *conn;
	int err = c->is_read_only ? -EROFS : db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = make(conn, arg);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	cache_push_soon(c);
	return err;
}

struct names {
	bool is_local; /* what is made */
	int64_t folder, parent;
	const char *level;
	enum cache_place place;
	int64_t dead; /* a message whose file is to go; 0: none */
};

static int make_folder(struct db_conn *conn, void *arg)
{
	struct names *n = arg;
	struct cache_folder folder;
	int err = db_folder_get(conn, n->parent, &folder);
	if (err < 0)
		return err;
	if (db_folder_find(conn, n->parent, n->level, &folder) == 0)
		return -EEXIST;
	err = db_folder_add(conn, n->parent, n->level, 0, NULL, &n->folder);
	if (err == 0 && n->is_local)
		err = db_folder_set_local(conn, n->folder, true);
	return err < 0 ? err : db_folder_set_listed(conn, n->folder, true);
}

int cache_folder_make(struct cache *c, int64_t parent, const char *level,
                      int64_t *folder_out)
{
	struct names n = { .is_local = !c->can_append,
		           .parent = parent,
		           .level = level };
	int err = change(c, make_folder, &n);
	*folder_out = n.folder;
	return err;
}

/* Add or remove a place, and what follows for the server. */
static int set_places(struct db_conn *conn, const struct cache_folder *folder,
                      unsigned places)
{
	int err = db_folder_set_places(conn, folder->id, places);
	if (err == 0)
		err = db_folder_touch(conn, folder->id);
	return err < 0 ? err : journal_folder(conn, folder->id);
}

static int make_place(struct db_conn *conn, void *arg)
{
	struct names *n = arg;
	struct cache_folder folder;
	int err = db_folder_get(conn, n->folder, &folder);
	if (err < 0)
		return err;
	if (folder.places & 1u << n->place)
		return -EEXIST;
	return set_places(conn, &folder, folder.places | 1u << n->place);
}

int cache_place_make(struct cache *c, int64_t folder, enum cache_place place)
{
	struct names n = { .folder = folder, .place = place };
	return change(c, make_place, &n);
}

static int remove_place(struct db_conn *conn, void *arg)
{
	struct names *n = arg;
	struct cache_folder folder;
	int err = db_folder_get(conn, n->folder, &folder);
	if (err < 0)
		return err;
	if (!(folder.places & 1u << n->place))
		return -ENOENT;
	if (db_entry_any(conn, n->folder, n->place))
		return -ENOTEMPTY;
	return set_places(conn, &folder, folder.places & ~(1u << n->place));
}

int cache_place_remove(struct cache *c, int64_t folder, enum cache_place place)
{
	struct names n = { .folder = folder, .place = place };
	return change(c, remove_place, &n);
}

/* It goes here at once, and from the server when the journal gets there. */
static int drop_folder(struct db_conn *conn, const struct cache_folder *folder,
                       int64_t *dead_out)
{
	int err = keyword_leave(conn, folder->id, dead_out);
	if (err < 0)
		return err;
	if (folder->children > 0 || folder->places != 0 ||
	    db_entry_any(conn, folder->id, CACHE_TOP))
		return -ENOTEMPTY;
	auto_free char *name = db_folder_name(conn, folder->id);
	if (name == NULL && !journal_folder_asked(conn, folder->id))
		return db_folder_remove(conn, folder);
	auto_free char *level = xasprintf("%" PRId64, folder->id);
	err = db_folder_move(conn, folder->id, DB_REMOVED, level);
	if (err == 0)
		err = db_folder_touch(conn, folder->parent);
	return err < 0 ? err : journal_folder(conn, folder->id);
}

static int remove_folder(struct db_conn *conn, void *arg)
{
	struct names *n = arg;
	struct cache_folder folder;
	int err = db_folder_get(conn, n->folder, &folder);
	return err < 0 ? err : drop_folder(conn, &folder, &n->dead);
}

int cache_folder_remove(struct cache *c, int64_t folder)
{
	struct names n = { .folder = folder };
	int err = change(c, remove_folder, &n);
	if (err == 0 && n.dead != 0)
		write_forget(c, n.dead);
	return err;
}

static bool is_below(struct db_conn *conn, int64_t folder, int64_t above)
{
	struct cache_folder f;
	for (int64_t id = folder; id > 0; id = f.parent) {
		if (id == above)
			return true;
		if (db_folder_get(conn, id, &f) < 0)
			return false;
	}
	return false;
}

static int rename_folder(struct db_conn *conn, void *arg)
{
	struct names *n = arg;
	struct cache_folder folder, over;
	int err = db_folder_get(conn, n->folder, &folder);
	if (err < 0)
		return err;
	if (is_below(conn, n->parent, n->folder))
		return -EINVAL;
	if (folder.parent == CACHE_ROOT && strcmp(folder.level, "INBOX") == 0)
		return -EBUSY;
	err = db_folder_find(conn, n->parent, n->level, &over);
	if (err == 0 && over.id == folder.id)
		return 0;
	if (err == 0)
		err = drop_folder(conn, &over, &n->dead);
	if (err < 0 && err != -ENOENT)
		return err;
	err = db_folder_move(conn, n->folder, n->parent, n->level);
	if (err == 0)
		err = db_folder_touch(conn, folder.parent);
	if (err == 0)
		err = db_folder_touch(conn, n->parent);
	return err < 0 ? err : journal_folder(conn, n->folder);
}

int cache_folder_rename(struct cache *c, int64_t folder, int64_t parent,
                        const char *level)
{
	struct names n = { .folder = folder, .parent = parent, .level = level };
	int err = change(c, rename_folder, &n);
	if (err == 0 && n.dead != 0)
		write_forget(c, n.dead);
	return err;
}
