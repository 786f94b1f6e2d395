/*
 * Those who watch the mount are told by way of the injector, then who asked for
 * events.
 */
#include "fs/notify_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/replay.h"
#include "fs/where.h"
#include "util/cleanup.h"
#include "util/mem.h"

/*
 * A name that a program looks up between two steps of ours is in the way; who
 * has bad luck so often goes on without an event.
 */
#define REPLAY_TRIES 3

/* The last folder that was asked for; a batch is mostly of one. */
struct asked {
	const struct notify_account *account; /* NULL: none yet */
	int64_t folder;
	int err;
	struct where_answer answer;
};

/* Where a folder is; NULL: it is gone. */
static const struct where_answer *place_of(struct notify *n,
                                           struct asked *asked,
                                           const struct notify_account *a,
                                           int64_t folder)
{
	if (asked->account != a || asked->folder != folder)
		asked->err =
			where_ask(n->where, a->index, folder, &asked->answer);
	asked->account = a;
	asked->folder = folder;
	return asked->err == 0 ? &asked->answer : NULL;
}

/* A directory as it is told of. */
struct told_dir {
	char *path; /* below the mount; NULL: it is gone */
	bool is_seen;
};

static struct told_dir dir_of(struct notify *n, struct asked *asked,
                              const struct notify_account *a,
                              const struct notify_side *side)
{
	static const char *const names[CACHE_PLACES] = {
		[CACHE_NEW] = "new",
		[CACHE_CUR] = "cur",
		[CACHE_TMP] = "tmp",
		[CACHE_TOP] = NULL,
	};
	struct told_dir dir = { .path = NULL };
	const struct where_answer *w =
		side->dir ? place_of(n, asked, a, side->folder) : NULL;
	if (!w)
		return dir;
	const char *name = names[side->place];
	bool is_root = strcmp(w->path, ".") == 0;
	dir.path = xasprintf("%s%s%s", is_root && name ? "" : w->path,
	                     is_root || !name ? "" : "/", name ? name : "");
	dir.is_seen = w->is_seen;
	return dir;
}

/* It comes as a delivery does, by way of tmp. */
static struct notify_side delivery_of(const struct notify_move *m)
{
	struct notify_side side = m->now;
	side.place = CACHE_TMP;
	side.dir = inode_number(INODE_TMP, m->account->index, side.folder);
	return side;
}

static void replay(struct notify *n, struct asked *asked,
                   const struct notify_move *m)
{
	struct notify_side from = m->old.dir ? m->old : delivery_of(m);
	struct replay_op op = {
		.what = m->now.dir ? INJECTOR_RENAME : INJECTOR_UNLINK,
		.dir = from.dir,
		.to_dir = m->now.dir,
		.is_certain = !m->old.dir || !m->now.dir,
	};
	strcpy(op.name, from.name);
	strcpy(op.to_name, m->now.name);
	tree_fill_message(n->tree, m->account->index, &m->message, &op.st);
	struct told_dir dir = dir_of(n, asked, m->account, &from);
	struct told_dir to = dir_of(n, asked, m->account, &m->now);
	bool is_seen = dir.is_seen || to.is_seen;
	for (int i = 0; is_seen && dir.path && i < REPLAY_TRIES; i++) {
		if (replay_run(n->replay, &op, dir.path,
		               to.path ? to.path : "") != -EEXIST)
			break;
		(void)fuse_lowlevel_notify_inval_entry(n->session, op.to_dir,
		                                       op.to_name,
		                                       strlen(op.to_name));
	}
	free(dir.path);
	free(to.path);
}

static char *path_of(struct notify *n, struct asked *asked,
                     const struct notify_account *a,
                     const struct notify_side *side)
{
	struct told_dir dir = dir_of(n, asked, a, side);
	auto_free char *path = dir.path;
	return path ? xasprintf("%s/%s", path, side->name) : NULL;
}

static enum fs_event_kind kind_of(const struct notify_move *m)
{
	if (m->is_lost)
		return FS_LOST;
	if (!m->old.dir)
		return FS_ARRIVED;
	return m->now.dir ? FS_CHANGED : FS_REMOVED;
}

static void report(struct notify *n, struct asked *asked,
                   const struct notify_move *m)
{
	if (!n->on_event)
		return;
	auto_free char *old = path_of(n, asked, m->account, &m->old);
	auto_free char *path = path_of(n, asked, m->account, &m->now);
	const struct fs_event event = {
		.kind = kind_of(m),
		.account = m->account->index,
		.path = path,
		.old = old,
	};
	if (path || old || m->is_lost)
		n->on_event(n->event_arg, &event);
}

static void tell_moves(struct notify *n, const struct notify_list *l)
{
	auto_free struct asked *asked = xmalloc(sizeof(*asked));
	bool is_bulk = l->move_count > REPLAY_MAX;
	for (size_t i = 0; i < l->move_count; i++) {
		const struct notify_move *m = &l->moves[i];
		if (!is_bulk && !m->is_lost)
			replay(n, asked, m);
		if (!is_bulk)
			report(n, asked, m);
	}
	for (size_t i = 0; is_bulk && i < l->dir_count; i++)
		if (l->dirs[i].moves > 0)
			replay(n, asked, &l->moves[l->dirs[i].moves - 1]);
	for (size_t i = 0; is_bulk && i < l->move_count; i++)
		report(n, asked, &l->moves[i]);
}

/* A folder's name and the path of what it stands in; 0, or -errno. */
static int spot_of(struct notify *n, struct asked *asked,
                   const struct notify_folder *f, char **dir_out,
                   char name_out[MAILDIR_NAME_MAX + 1])
{
	const struct where_answer *w =
		place_of(n, asked, f->account, f->is_gone ? f->parent : f->id);
	if (!w)
		return asked->err;
	strcpy(name_out, f->name);
	*dir_out = xstrdup(w->path);
	char *slash = strrchr(*dir_out, '/');
	if (f->is_gone)
		return 0;
	(void)snprintf(name_out, MAILDIR_NAME_MAX + 1, "%s",
	               slash ? slash + 1 : *dir_out);
	strcpy(slash ? slash : *dir_out, slash ? "" : ".");
	return 0;
}

static void tell_folders(struct notify *n, const struct notify_list *l)
{
	auto_free struct asked *asked = xmalloc(sizeof(*asked));
	for (size_t i = 0; i < l->folder_count; i++) {
		const struct notify_folder *f = &l->folders[i];
		const struct notify_account *a = f->account;
		bool is_top = f->parent == CACHE_ROOT ||
		              a->account->layout != FS_NESTED;
		struct replay_op op = {
			.what = f->is_gone ? INJECTOR_RMDIR : INJECTOR_MKDIR,
			.dir = is_top ? a->root
			              : inode_number(INODE_FOLDER, a->index,
			                             f->parent),
			.st = { .st_ino = inode_number(INODE_FOLDER, a->index,
			                               f->id),
			        .st_mode = S_IFDIR | 0700,
			        .st_nlink = 2,
			        .st_uid = n->tree->uid,
			        .st_gid = n->tree->gid },
			.is_certain = true,
		};
		auto_free char *dir = NULL;
		if (spot_of(n, asked, f, &dir, op.name) == 0)
			(void)replay_run(n->replay, &op, dir, "");
	}
}

void notify_tell(struct notify *n, struct notify_list *l)
{
	tell_moves(n, l);
	tell_folders(n, l);
}
