/*
 * The mount: caches shown as a tree of Maildirs.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/cache.h"

enum fs_layout {
	FS_NESTED,    /* INBOX/cur, Lists/cryptography/cur */
	FS_MAILDIRPP, /* cur, .Lists.cryptography/cur */
};

/*
 * Where a folder is below its account's directory; folder is its full name.
 * To be freed.
 */
char *fs_folder_path(enum fs_layout layout, const char *folder);

struct fs_account {
	const char *name; /* a directory of its own, if there are several */
	struct cache *cache;
	enum fs_layout layout;
	bool is_read_only; /* what its cache says to every writing call */
};

/* What happened to a message, not by a program that uses the mount. */
enum fs_event_kind {
	FS_ARRIVED,
	FS_CHANGED, /* it has another name */
	FS_REMOVED,
	FS_LOST, /* so much that not all of it was told */
};

struct fs_event {
	enum fs_event_kind kind;
	unsigned account; /* its index in fs_config */
	/* Below the mountpoint; NULL if there is none. */
	const char *path; /* what it is called now */
	const char *old;  /* what it was called */
};

/* All borrowed until fs_close(). */
struct fs_config {
	const char *mountpoint;
	const struct fs_account *accounts;
	size_t account_count;
	bool is_single;      /* the one account is the mount's root */
	const char *options; /* for the kernel, by commas: allow_other,… */
	/*
	 * Told after the kernel and those who watch the mount, in one thread of
	 * the mount's; must not use it, or wait.  NULL: nobody.
	 */
	void (*on_event)(void *arg, const struct fs_event *event);
	void *event_arg;
};

struct fs;

/*
 * Mount.  A dead mount left there by a killed daemon is detached first.  The
 * caches' listener is set; start them after this.
 *
 * Returns 0 or -errno; *why_out is then one line for the user, to be freed.
 */
int fs_open(const struct fs_config *config, struct fs **fs_out, char **why_out);

/* Start serving, in threads of its own.  Returns 0 or -errno. */
int fs_start(struct fs *fs);

/* Becomes readable when the mount was taken away from outside. */
int fs_end_fd(const struct fs *fs);

/*
 * Unmount (lazily, if files are open) and end the threads.  The caches must
 * have been stopped: nothing is waited for.
 */
void fs_close(struct fs *fs);

/*
 * Unmount what is at mountpoint, as its owner may.  Returns 0 or -errno and
 * one line in *why_out.
 */
int fs_unmount(const char *mountpoint, char **why_out);

#endif
