#include "fs/notify_list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/replay.h"
#include "fs/where.h"
#include "util/mem.h"

/* Some 6 MB, and 25 ms of the kernel's time. */
#define MOVES_MAX 8192
#define NAMES_MAX 8192

static struct notify_dir *dir_in(struct notify_list *l, fuse_ino_t number)
{
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

/* To be told of: the directory whose content changed. */
static struct notify_dir *dir_locked(struct notify *n, fuse_ino_t number)
{
	return dir_in(&n->kernel.list, number);
}

static struct notify_name *name_locked(struct notify *n, fuse_ino_t dir)
{
	struct notify_list *l = &n->kernel.list;
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
	pthread_cond_signal(&n->kernel.changed);
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
	struct notify_list *l = &a->notify->kernel.list;
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
	if (now) {
		move->message = now->message;
		fill_side(a, now, now_dir, &move->now);
	}
	if (old) {
		move->message = old->message;
		fill_side(a, old, old_dir, &move->old);
	}
	dir_locked(a->notify, now ? now_dir : old_dir)->moves =
		a->notify->kernel.list.move_count;
}

static bool has_room_locked(const struct notify *n)
{
	return n->kernel.list.move_count + n->watchers.list.move_count <
	       MOVES_MAX;
}

static void lose_locked(struct notify_account *a)
{
	if (!a->is_lost)
		move_locked(a)->is_lost = true;
	a->is_lost = true;
}

/* A keyword may be told of, and its letter not be shown: see maildir.h. */
static bool is_same_name(const struct notify_account *a,
                         const struct cache_entry *old,
                         const struct cache_entry *now)
{
	char name[MAILDIR_NAME_MAX + 1], now_name[MAILDIR_NAME_MAX + 1];
	if (!old || !now || old->folder != now->folder ||
	    old->place != now->place)
		return false;
	maildir_message_name(old, a->account->name, name);
	maildir_message_name(now, a->account->name, now_name);
	return strcmp(name, now_name) == 0;
}

static void entry_moved(void *arg, const struct cache_entry *old,
                        const struct cache_entry *now)
{
	struct notify_account *a = arg;
	if (is_same_name(a, old, now))
		return;
	struct notify *n = a->notify;
	const char *name = NULL, *now_name;
	fuse_ino_t old_dir = 0, now_dir = 0;
	if (old)
		old_dir = place_number(a, old->folder, old->place, &name);
	if (now)
		now_dir = place_number(a, now->folder, now->place, &now_name);
	pthread_mutex_lock(&n->lock);
	bool has_room = has_room_locked(n) || (old && !name);
	if (has_room)
		add_move_locked(a, old, old_dir, now, now_dir);
	else
		lose_locked(a);
	if (!has_room && old)
		drop_dir_locked(a, old, old_dir, name);
	pthread_cond_signal(&n->kernel.changed);
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
	fuse_ino_t dir = a->root, own = a->root;
	/* In Maildir++ only files are at its own top, not the folders below. */
	if (parent != CACHE_ROOT)
		own = inode_number(INODE_FOLDER, a->index, parent);
	if (is_nested)
		dir = own;
	pthread_mutex_lock(&n->lock);
	dir_locked(n, dir);
	dir_locked(n, own);
	/* Maildir++ names are not told: see FOLDER_TIMEOUT_S in ops.c. */
	if (gone && is_nested && n->kernel.list.name_count < NAMES_MAX)
		maildir_level_encode(gone, name_locked(n, dir)->name);
	pthread_cond_signal(&n->kernel.changed);
	pthread_mutex_unlock(&n->lock);
}

static struct notify_folder *folder_in(struct notify_list *l)
{
	if (l->folder_count == l->folder_capacity) {
		l->folder_capacity = l->folder_capacity * 2 + 16;
		l->folders = xrealloc(l->folders,
		                      l->folder_capacity * sizeof(*l->folders));
	}
	return &l->folders[l->folder_count++];
}

static void folder_moved(void *arg, const struct cache_folder *old,
                         const struct cache_folder *now)
{
	struct notify_account *a = arg;
	struct notify *n = a->notify;
	const struct cache_folder *folder = now ? now : old;
	/* What is gone has no path, which a Maildir++ name is made of. */
	if (!now && a->account->layout != FS_NESTED)
		return;
	pthread_mutex_lock(&n->lock);
	struct notify_list *l = &n->kernel.list;
	if (l->folder_count < REPLAY_MAX) {
		struct notify_folder *f = folder_in(l);
		*f = (struct notify_folder){
			.account = a,
			.is_gone = !now,
			.parent = folder->parent,
			.id = folder->id,
		};
		maildir_level_encode(folder->level, f->name);
	}
	pthread_cond_signal(&n->kernel.changed);
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
	.folder_moved = folder_moved,
	.size_known = size_known,
};

static void release_list(struct notify_list *l)
{
	free(l->folders);
	free(l->moves);
	free(l->names);
	free(l->dirs);
}

/* What the kernel does not know it need not be told: -ENOENT is fine. */
static void drop_entry(struct notify *n, fuse_ino_t dir, const char *name)
{
	(void)fuse_lowlevel_notify_inval_entry(n->session, dir, name,
	                                       strlen(name));
}

/* The moves and folders, behind what is to be told already. */
static void hand_on_locked(struct notify *n, struct notify_list *l)
{
	struct notify_list *to = &n->watchers.list;
	size_t before = to->move_count;
	to->move_count += l->move_count;
	if (to->move_count > to->move_capacity) {
		to->move_capacity = to->move_count;
		to->moves = xrealloc(to->moves,
		                     to->move_capacity * sizeof(*to->moves));
	}
	if (l->move_count > 0)
		memcpy(to->moves + before, l->moves,
		       l->move_count * sizeof(*l->moves));
	for (size_t i = 0; i < l->dir_count; i++)
		if (l->dirs[i].moves > 0)
			dir_in(to, l->dirs[i].number)->moves =
				before + l->dirs[i].moves;
	for (size_t i = 0; i < l->folder_count; i++)
		if (to->folder_count < REPLAY_MAX)
			*folder_in(to) = l->folders[i];
	pthread_cond_signal(&n->watchers.changed);
}

/* Directories first: that takes no lock, so it waits for nobody. */
static void tell_kernel(struct notify *n, struct notify_list *l)
{
	for (size_t i = 0; i < l->dir_count; i++)
		(void)fuse_lowlevel_notify_inval_inode(n->session,
		                                       l->dirs[i].number, -1,
		                                       0);
	for (size_t i = 0; i < l->name_count; i++)
		drop_entry(n, l->names[i].dir, l->names[i].name);
	for (size_t i = 0; i < l->dir_count; i++)
		for (int k = 0; l->dirs[i].name && k < 2; k++)
			drop_entry(n, l->dirs[i].above[k], l->dirs[i].name);
	for (size_t i = 0; i < l->move_count; i++)
		if (l->moves[i].old.dir)
			drop_entry(n, l->moves[i].old.dir,
			           l->moves[i].old.name);
	pthread_mutex_lock(&n->lock);
	hand_on_locked(n, l);
	pthread_mutex_unlock(&n->lock);
}

static bool is_empty(const struct notify_list *l)
{
	return l->move_count + l->name_count + l->dir_count + l->folder_count ==
	       0;
}

static void *notify_main(void *arg)
{
	struct notify_thread *t = arg;
	struct notify *n = t->notify;
	pthread_mutex_lock(&n->lock);
	while (!n->is_stopping) {
		if (is_empty(&t->list)) {
			pthread_cond_wait(&t->changed, &n->lock);
			continue;
		}
		struct notify_list list = t->list;
		t->list = (struct notify_list){ 0 };
		for (size_t i = 0; i < n->account_count; i++)
			n->accounts[i].is_lost &= t != &n->watchers;
		pthread_mutex_unlock(&n->lock);
		t->tell(n, &list);
		release_list(&list);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

static void init_thread(struct notify *n, struct notify_thread *t,
                        void (*tell)(struct notify *n, struct notify_list *l))
{
	t->notify = n;
	t->tell = tell;
	pthread_cond_init(&t->changed, NULL);
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
	init_thread(n, &n->kernel, tell_kernel);
	init_thread(n, &n->watchers, notify_tell);
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

static int start(struct notify_thread *t)
{
	int err = pthread_create(&t->id, NULL, notify_main, t);
	t->is_started = err == 0;
	return -err;
}

static void end(struct notify_thread *t)
{
	if (t->is_started)
		(void)pthread_join(t->id, NULL);
	t->is_started = false;
}

int notify_start(struct notify *n)
{
	int err = start(&n->kernel);
	return err == 0 ? start(&n->watchers) : err;
}

void notify_stop(struct notify *n)
{
	pthread_mutex_lock(&n->lock);
	n->is_stopping = true;
	pthread_cond_signal(&n->kernel.changed);
	pthread_cond_signal(&n->watchers.changed);
	pthread_mutex_unlock(&n->lock);
	replay_stop(n->replay);
	where_stop(n->where);
	end(&n->kernel);
	end(&n->watchers);
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	release_list(&n->kernel.list);
	release_list(&n->watchers.list);
	free(n->accounts);
	pthread_cond_destroy(&n->kernel.changed);
	pthread_cond_destroy(&n->watchers.changed);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
