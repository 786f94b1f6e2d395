/*
 * Changes that are committed, done again through the mount for those who watch
 * it; see docs/architecture.md.  One at a time.
 */
#ifndef FS_REPLAY_H
#define FS_REPLAY_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/injector.h"
#include "fs/tree.h"

struct replay;

struct replay_op {
	enum injector_what what;
	fuse_ino_t dir, to_dir;
	char name[MAILDIR_NAME_MAX + 1];
	char to_name[MAILDIR_NAME_MAX + 1];
	/*
	 * What it is about.  What the index says of it now is shown, or, if it
	 * is gone, st.
	 */
	struct stat st;
	/*
	 * It came (rename, mkdir) or went (unlink, rmdir): only if the index
	 * still says so.  A program may have been faster, and then the watchers
	 * know better.
	 */
	bool is_certain;
};

/*
 * mountpoint: absolute; borrowed.  device: the mount's.  tree: borrowed, of the
 * fuse thread.
 */
struct replay *replay_new(const char *mountpoint, dev_t device,
                          struct tree *tree);
void replay_free(struct replay *r);

/*
 * Notify's thread: do it, waiting for the fuse thread.  Paths of the
 * directories as in struct injector_order.  Results as injector_run().
 */
int replay_run(struct replay *r, const struct replay_op *op, const char *dir,
               const char *to_dir);

/* Any thread: end what is under way, and what comes. */
void replay_stop(struct replay *r);

/*
 * Fuse thread: each answers a request if it is the injector's and about the
 * operation under way, and says whether it did.  A request of the injector's
 * that changes something is always answered: it must not change anything.
 */
bool replay_lookup(struct replay *r, fuse_req_t req, fuse_ino_t parent,
                   const char *name);
bool replay_rename(struct replay *r, fuse_req_t req, fuse_ino_t parent,
                   const char *name, fuse_ino_t to_parent, const char *to_name);
/* UNLINK, MKDIR, RMDIR */
bool replay_change(struct replay *r, fuse_req_t req, enum injector_what what,
                   fuse_ino_t parent, const char *name);

#endif
