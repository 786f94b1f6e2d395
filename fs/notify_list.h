/*
 * Between notify.c, which gathers what happened, and notify_tell.c, which tells
 * it.
 *
 * Four lists, all guarded by the lock and taken whole by a thread:
 *
 *	folders	that came or went
 *	moves	messages that are called otherwise, came or went
 *	names	directories that no longer lead where they did
 *	dirs	directories whose content or date changed; each once
 *
 * The first thread tells the kernel, which is soon done, and hands the folders
 * and moves on to the second.  That one tells those who watch, and may wait for
 * any of them.
 *
 * When the moves are too many, further ones only mark their directory as
 * dropped: the kernel then forgets its entry in the directory above, and with
 * it all names below.  They come back as they are used, at one lookup each.
 */
#ifndef FS_NOTIFY_LIST_H
#define FS_NOTIFY_LIST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/maildir.h"
#include "fs/notify.h"

/* Of more moves at once only the last of a directory is replayed. */
#define REPLAY_MAX 500

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

/* A folder that came or went. */
struct notify_folder {
	struct notify_account *account;
	bool is_gone;
	int64_t parent, id;
	char name[MAILDIR_NAME_MAX + 1]; /* if it is gone: what it was called */
};

struct notify_list {
	struct notify_folder *folders;
	size_t folder_count, folder_capacity;
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
	bool is_lost; /* guarded by notify's lock: a list of notify's says so */
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
	struct notify_thread {
		struct notify *notify;
		pthread_t id;
		bool is_started; /* main thread */
		void (*tell)(struct notify *n, struct notify_list *l);
		pthread_cond_t changed;
		struct notify_list list; /* guarded by lock; to be told */
	} kernel, watchers;

	pthread_mutex_t lock;
	bool is_stopping; /* guarded by lock */
};

/* Tell those who watch what happened. */
void notify_tell(struct notify *n, struct notify_list *l);

#endif
