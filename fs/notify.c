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
	struct notify_list *l = &n->list;
	if (l->folder_count < REPLAY_MAX) {
		if (l->folder_count == l->folder_capacity) {
			l->folder_capacity = l->folder_capacity * 2 + 16;
			l->folders = xrealloc(l->folders,
			                      l->folder_capacity *
			                              sizeof(*l->folders));
		}
		struct notify_folder *f = &l->folders[l->folder_count++];
		*f = (struct notify_folder){
			.account = a,
			.is_gone = !now,
			.parent = folder->parent,
			.id = folder->id,
		};
		maildir_level_encode(folder->level, f->name);
	}
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

static void *notify_main(void *arg)
{
	struct notify *n = arg;
	pthread_mutex_lock(&n->lock);
	while (!n->is_stopping) {
		if (n->list.move_count + n->list.name_count +
		            n->list.dir_count + n->list.folder_count ==
		    0) {
			pthread_cond_wait(&n->changed, &n->lock);
			continue;
		}
		struct notify_list list = n->list;
		n->list = (struct notify_list){ 0 };
		for (size_t i = 0; i < n->account_count; i++)
			n->accounts[i].is_lost = false;
		pthread_mutex_unlock(&n->lock);
		notify_tell(n, &list);
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
