/*
 * Two lists, both guarded by the lock and taken whole by the thread:
 *
 *	names	file names that no longer lead where they did
 *	dirs	directories whose content or date changed; each once
 *
 * When the names are too many, further ones only mark their directory as
 * dropped: the kernel then forgets its entry in the directory above, and with
 * it all names below.  They come back as they are used, at one lookup each.
 */
#include "fs/notify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/maildir.h"
#include "util/mem.h"

/* Some 2 MB, and 25 ms of the kernel's time. */
#define NAMES_MAX 8192

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
};

struct notify_list {
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
};

struct notify {
	struct fuse_session *session;
	struct notify_account *accounts;
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

static void entry_moved(void *arg, const struct cache_entry *old)
{
	struct notify_account *a = arg;
	struct notify *n = a->notify;
	const char *name;
	fuse_ino_t dir = place_number(a, old->folder, old->place, &name);
	pthread_mutex_lock(&n->lock);
	if (n->list.name_count < NAMES_MAX || !name) {
		maildir_message_name(old, a->account->name,
		                     name_locked(n, dir)->name);
	} else {
		struct notify_dir *dropped = dir_locked(n, dir);
		dropped->name = name;
		dropped->above[0] =
			inode_number(INODE_FOLDER, a->index, old->folder);
		dropped->above[1] = a->root;
	}
	pthread_cond_signal(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void notify_entry_moved(struct notify *n, unsigned account,
                        const struct cache_entry *old)
{
	entry_moved(&n->accounts[account], old);
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

static void tell(struct fuse_session *session, const struct notify_list *l)
{
	for (size_t i = 0; i < l->name_count; i++)
		drop_entry(session, l->names[i].dir, l->names[i].name);
	for (size_t i = 0; i < l->dir_count; i++) {
		const struct notify_dir *dir = &l->dirs[i];
		for (int k = 0; dir->name && k < 2; k++)
			drop_entry(session, dir->above[k], dir->name);
		(void)fuse_lowlevel_notify_inval_inode(session, dir->number, -1,
		                                       0);
	}
}

static void *notify_main(void *arg)
{
	struct notify *n = arg;
	pthread_mutex_lock(&n->lock);
	while (!n->is_stopping) {
		if (n->list.name_count == 0 && n->list.dir_count == 0) {
			pthread_cond_wait(&n->changed, &n->lock);
			continue;
		}
		struct notify_list list = n->list;
		n->list = (struct notify_list){ 0 };
		pthread_mutex_unlock(&n->lock);
		tell(n->session, &list);
		free(list.names);
		free(list.dirs);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

struct notify *notify_new(struct fuse_session *session,
                          const struct fs_config *config)
{
	struct notify *n = xmalloc(sizeof(*n));
	n->session = session;
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
	(void)pthread_join(n->thread, NULL);
	n->is_started = false;
}

void notify_free(struct notify *n)
{
	if (!n)
		return;
	free(n->list.names);
	free(n->list.dirs);
	free(n->accounts);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
