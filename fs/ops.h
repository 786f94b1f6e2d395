/*
 * What the kernel asks: one function per operation, all on the fuse thread.
 * The session's user data is a struct ops.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/pending.h"
#include "fs/tree.h"

struct ops {
	struct tree tree;
	struct pendings pendings;
	struct fuse_session *session; /* borrowed from struct fs */
};

extern const struct fuse_lowlevel_ops OPS;

/* The errno the kernel gets for an error of ours (negative). */
int ops_errno(int err);

#endif
