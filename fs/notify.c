/*
 * Three lists, all guarded by the lock and taken whole by the thread:
 *
 *	moves	messages that are called otherwise, came or went
 *	names	directories that no longer lead where they did
 *	dirs	directories whose content or date changed; each once
 *
 * When the moves are too many, further ones only mark their directory as
 * dropped: the kernel then forgets its entry in the directory above, and with
 * it all names below.  They come back as they are used, at one lookup each.
 */
#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/maildir.h"
#include "fs/replay.h"
#include "fs/tree_folder.h"
#include "fs/where.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* Some 6 MB, and 25 ms of the kernel's time. */
#define MOVES_MAX 8192
#define NAMES_MAX 8192

/* Of more moves at once only the last of a directory is replayed. */
#define REPLAY_MAX 500

/*
 * A name that a program looks up between two steps of ours is in the way; who
 * has bad luck so often goes on without an event.
 */
#define REPLAY_TRIES 3

struct notify_side {
	int64_t folder;
	enum cache_place place;
	fuse_ino_t dir; /* 0: it was or is nowhere */
	char name[MAILDIR_NAME_MAX + 1];
};

struct notify_move {
	struct notify_account *account;
	struct notify_side old, now;
	struct cache_message message; /* as it was, or is if it came */
	bool is_lost; /* it stands for all that was no room for */
};

struct notify_name {
	fuse_ino_t dir;
	char name[MAILDIR_NAME_MAX + 1];
};

struct notify_dir {
	fuse_ino_t number;
	const char *name; /* to be dropped by, a literal; NULL: it is not */
	/*
	 * Directories it may stand in; a Maildir++ INBOX's is the account's
	 * root, and a listener is not told which folder that is.  Dropping a
	 * name that is not there does nothing.
	 */
	fuse_ino_t above[2];
	size_t moves; /* the last of them is number moves - 1; 0: none */
};

struct notify_list {
	struct notify_move *moves;
	size_t move_count, move_capacity;
	struct notify_name *names;
	size_t name_count, name_capacity;
	struct notify_dir *dirs;
	size_t dir_count, dir_capacity;
};

/* What a listener's argument points to. */
struct notify_account {
	struct notify *notify;
	unsigned index;
	const struct fs_account *account; /* borrowed from fs_config */
	fuse_ino_t root;
	bool is_lost; /* guarded by notify's lock: notify's list says so */
};

struct notify {
	struct fuse_session *session;
	struct replay *replay; /* borrowed from struct fs, as is where */
	struct where *where;
	const struct tree *tree; /* the same: of it, what never changes */
	struct notify_account *accounts;
	size_t account_count;
	void (*on_event)(void *arg, const struct fs_event *event);
	void *event_arg;
	pthread_t thread;
	bool is_started; /* main thread */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_stopping;        /* guarded by lock */
	struct notify_list list; /* guarded by lock */
};

static struct notify_dir *dir_locked(struct notify *n, fuse_ino_t number)
{
	struct notify_list *l = &n->list;
	for (size_t i = 0; i < l->dir_count; i++)
		if (l->dirs[i].number == number)
			return &l->dirs[i];
	if (l->dir_count == l->dir_capacity) {
		l->dir_capacity = l->dir_capacity ? l->dir_capacity * 2 : 16;
		l->dirs = xrealloc(l->dirs, l->dir_capacity * sizeof(*l->dirs));
	}
	struct notify_dir *dir = &l->dirs[l->dir_count++];
	*dir = (struct notify_dir){ .number = number };
	return dir;
}

static struct notify_name *name_locked(struct notify *n, fuse_ino_t dir)
{
	struct notify_list *l = &n->list;
	if (l->name_count == l->name_capacity) {
		l->name_capacity = l->name_capacity ? l->name_capacity * 2 : 16;
		l->names = xrealloc(l->names,
		                    l->name_capacity * sizeof(*l->names));
	}
	struct notify_name *name = &l->names[l->name_count++];
	name->dir = dir;
	return name;
}

static void entries_changed(void *arg, int64_t folder)
{
	struct notify_account *a = arg;
	struct notify *n = a->notify;
	pthread_mutex_lock(&n->lock);
	dir_locked(n, inode_number(INODE_NEW, a->index, folder));
	dir_locked(n, inode_number(INODE_CUR, a->index, folder));
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

/* The directory of a place; its name is what the kernel may drop it by. */
static fuse_ino_t place_number(const struct notify_account *a, int64_t folder,
                               enum cache_place place, const char **name_out)
{
	*name_out = NULL;
	switch (place) {
	case CACHE_NEW:
		*name_out = "new";
		return inode_number(INODE_NEW, a->index, folder);
	case CACHE_CUR:
		*name_out = "cur";
		return inode_number(INODE_CUR, a->index, folder);
	case CACHE_TMP:
		*name_out = "tmp";
		return inode_number(INODE_TMP, a->index, folder);
	case CACHE_TOP:
		break;
	}
	return folder == CACHE_ROOT
	               ? a->root
	               : inode_number(INODE_FOLDER, a->index, folder);
}

static void fill_side(const struct notify_account *a,
                      const struct cache_entry *entry, fuse_ino_t dir,
                      struct notify_side *side_out)
{
	side_out->folder = entry->folder;
	side_out->place = entry->place;
	side_out->dir = dir;
	maildir_message_name(entry, a->account->name, side_out->name);
}

static void drop_dir_locked(const struct notify_account *a,
                            const struct cache_entry *old, fuse_ino_t number,
                            const char *name)
{
	struct notify_dir *dir = dir_locked(a->notify, number);
	dir->name = name;
	dir->above[0] = inode_number(INODE_FOLDER, a->index, old->folder);
	dir->above[1] = a->root;
}

static struct notify_move *move_locked(struct notify_account *a)
{
	struct notify_list *l = &a->notify->list;
	if (l->move_count == l->move_capacity) {
		l->move_capacity = l->move_capacity ? l->move_capacity * 2 : 16;
		l->moves = xrealloc(l->moves,
		                    l->move_capacity * sizeof(*l->moves));
	}
	struct notify_move *move = &l->moves[l->move_count++];
	*move = (struct notify_move){ .account = a };
	return move;
}

static void add_move_locked(struct notify_account *a,
                            const struct cache_entry *old, fuse_ino_t old_dir,
                            const struct cache_entry *now, fuse_ino_t now_dir)
{
	struct notify_move *move = move_locked(a);
	move->message = old ? old->message : now->message;
	if (old)
		fill_side(a, old, old_dir, &move->old);
	if (now)
		fill_side(a, now, now_dir, &move->now);
	dir_locked(a->notify, now ? now_dir : old_dir)->moves =
		a->notify->list.move_count;
}

static void lose_locked(struct notify_account *a)
{
	if (!a->is_lost)
		move_locked(a)->is_lost = true;
	a->is_lost = true;
}

static void entry_moved(void *arg, const struct cache_entry *old,
                        const struct cache_entry *now)
{
	struct notify_account *a = arg;
	struct notify *n = a->notify;
	const char *name = NULL, *now_name;
	fuse_ino_t old_dir = 0, now_dir = 0;
	if (old)
		old_dir = place_number(a, old->folder, old->place, &name);
	if (now)
		now_dir = place_number(a, now->folder, now->place, &now_name);
	pthread_mutex_lock(&n->lock);
	bool has_room = n->list.move_count < MOVES_MAX || (old && !name);
	if (has_room)
		add_move_locked(a, old, old_dir, now, now_dir);
	else
		lose_locked(a);
	if (!has_room && old)
		drop_dir_locked(a, old, old_dir, name);
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void notify_entry_moved(struct notify *n, unsigned account,
                        const struct cache_entry *old,
                        const struct cache_entry *now)
{
	entry_moved(&n->accounts[account], old, now);
	entries_changed(&n->accounts[account], old->folder);
}

static void folders_changed(void *arg, int64_t parent, const char *gone)
{
	struct notify_account *a = arg;
	struct notify *n = a->notify;
	bool is_nested = a->account->layout == FS_NESTED;
	fuse_ino_t dir = a->root;
	if (is_nested && parent != CACHE_ROOT)
		dir = inode_number(INODE_FOLDER, a->index, parent);
	pthread_mutex_lock(&n->lock);
	dir_locked(n, dir);
	/* Maildir++ names are not told: see FOLDER_TIMEOUT_S in ops.c. */
	if (gone && is_nested && n->list.name_count < NAMES_MAX)
		maildir_level_encode(gone, name_locked(n, dir)->name);
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

/* Needs no lock of the kernel's, so it is done at once: docs/house-style.md 7. */
static void size_known(void *arg, int64_t message)
{
	struct notify_account *a = arg;
	(void)fuse_lowlevel_notify_inval_inode(a->notify->session,
	                                       inode_number(INODE_MESSAGE,
	                                                    a->index, message),
	                                       -1, 0);
}

static const struct cache_listener LISTENER = {
	.entries_changed = entries_changed,
	.entry_moved = entry_moved,
	.folders_changed = folders_changed,
	.size_known = size_known,
};

/* What the kernel does not know it need not be told: -ENOENT is fine. */
static void drop_entry(struct fuse_session *session, fuse_ino_t dir,
                       const char *name)
{
	(void)fuse_lowlevel_notify_inval_entry(session, dir, name,
	                                       strlen(name));
}

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
		drop_entry(n->session, op.to_dir, op.to_name);
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
		if (m->old.dir)
			drop_entry(n->session, m->old.dir, m->old.name);
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

static void tell(struct notify *n, const struct notify_list *l)
{
	for (size_t i = 0; i < l->name_count; i++)
		drop_entry(n->session, l->names[i].dir, l->names[i].name);
	for (size_t i = 0; i < l->dir_count; i++) {
		const struct notify_dir *dir = &l->dirs[i];
		for (int k = 0; dir->name && k < 2; k++)
			drop_entry(n->session, dir->above[k], dir->name);
		(void)fuse_lowlevel_notify_inval_inode(n->session, dir->number,
		                                       -1, 0);
	}
	tell_moves(n, l);
}

static void release_list(struct notify_list *l)
{
	free(l->moves);
	free(l->names);
	free(l->dirs);
}

static void *notify_main(void *arg)
{
	struct notify *n = arg;
	pthread_mutex_lock(&n->lock);
	while (!n->is_stopping) {
		if (n->list.move_count + n->list.name_count +
		            n->list.dir_count ==
		    0) {
			pthread_cond_wait(&n->changed, &n->lock);
			continue;
		}
		struct notify_list list = n->list;
		n->list = (struct notify_list){ 0 };
		for (size_t i = 0; i < n->account_count; i++)
			n->accounts[i].is_lost = false;
		pthread_mutex_unlock(&n->lock);
		tell(n, &list);
		release_list(&list);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

struct notify *notify_new(const struct notify_config *told,
                          const struct fs_config *config)
{
	struct notify *n = xmalloc(sizeof(*n));
	n->session = told->session;
	n->replay = told->replay;
	n->where = told->where;
	n->tree = told->tree;
	n->account_count = config->account_count;
	n->on_event = config->on_event;
	n->event_arg = config->event_arg;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->changed, NULL);
	n->accounts = xcalloc(config->account_count, sizeof(*n->accounts));
	for (unsigned i = 0; i < config->account_count; i++) {
		struct notify_account *a = &n->accounts[i];
		a->notify = n;
		a->index = i;
		a->account = &config->accounts[i];
		a->root = config->is_single
		                  ? INODE_ROOT_NUMBER
		                  : inode_number(INODE_ACCOUNT, i, CACHE_ROOT);
		cache_listen(a->account->cache, &LISTENER, a);
	}
	return n;
}

int notify_start(struct notify *n)
{
	int err = pthread_create(&n->thread, NULL, notify_main, n);
	n->is_started = err == 0;
	return -err;
}

void notify_stop(struct notify *n)
{
	if (!n->is_started)
		return;
	pthread_mutex_lock(&n->lock);
	n->is_stopping = true;
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
	replay_stop(n->replay);
	where_stop(n->where);
	(void)pthread_join(n->thread, NULL);
	n->is_started = false;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	release_list(&n->list);
	free(n->accounts);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
