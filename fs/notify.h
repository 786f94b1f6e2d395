/*
 * Tells the kernel what changed.  The kernel takes a directory's lock for it,
 * and holds that same lock while it waits for our answer to a lookup; so this
 * has a thread of its own, which owes nobody anything.  Those who watch the mount
 * are told by a second, which may wait for them.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include "fs/fs.h"
#include "fs/inode.h"

struct fuse_session;
struct notify;
struct replay;
struct tree;
struct where;

/* All borrowed; they must outlive the caches' threads. */
struct notify_config {
	struct fuse_session *session;
	struct replay *replay;
	struct where *where;
	const struct tree *tree;
};

/* Listen to the caches.  is_single, accounts as in fs_config. */
struct notify *notify_new(const struct notify_config *told,
                          const struct fs_config *config);

/*
 * An entry is no longer what it was, by a change that the kernel did not ask
 * for as a rename.
 */
void notify_entry_moved(struct notify *n, unsigned account,
                        const struct cache_entry *old,
                        const struct cache_entry *now);

/* Returns 0 or -errno. */
int notify_start(struct notify *n);

/*
 * End the threads; what is queued is dropped.  The fuse thread must still run:
 * the kernel may be waiting for it with the lock we wait for.
 */
void notify_stop(struct notify *n);

/* After the caches' threads have ended. */
void notify_free(struct notify *n);

#endif
