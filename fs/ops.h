/*
 * What the kernel asks: one function per operation, all on the fuse thread.
 * The session's user data is a struct ops.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/open.h"
#include "fs/pending.h"
#include "fs/tree.h"

struct ops {
	struct tree tree;
	struct pendings pendings;
	struct open_files open;
	struct fuse_session *session; /* borrowed from struct fs */
};

extern const struct fuse_lowlevel_ops OPS;

/* The kernel is told of every change, so what it knows may stay. */
#define OPS_TIMEOUT_S 86400.0

/* For change.c, which has the other half of the operations. */
struct ops *ops_of(fuse_req_t req);
void ops_reply_err(fuse_req_t req, int err);
/* 0, or -ESTALE: no node can have this number. */
int ops_node(fuse_req_t req, fuse_ino_t number, struct inode *node_out);
/* tree_stat(), also of what is open but has no name any more. */
int ops_stat(struct ops *ops, fuse_ino_t number, const struct inode *node,
             struct stat *st_out);
void ops_fill_entry(const struct tree *t, const struct stat *st,
                    struct fuse_entry_param *entry_out);
/* Close what was opened for writing. */
void ops_close(struct ops *ops, fuse_ino_t number, int fd);

/* The errno the kernel gets for an error of ours (negative). */
int ops_errno(int err);

#endif
