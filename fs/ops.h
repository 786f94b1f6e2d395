/*
 * What the kernel asks: one function per operation, all on the fuse thread.
 * The session's user data is a struct ops.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "fs/listing.h"
#include "fs/open.h"
#include "fs/pending.h"
#include "fs/seen.h"
#include "fs/tree.h"

struct notify;
struct replay;

struct ops {
	struct tree tree;
	struct pendings pendings;
	struct open_files open;
	struct listings listings;
	struct fuse_session *session; /* borrowed from struct fs */
	struct notify *notify;        /* the same; and replay */
	struct replay *replay;
	struct seen *seen; /* of each account */
};

extern const struct fuse_lowlevel_ops OPS;

/* The kernel is told of every change, so what it knows may stay. */
#define OPS_TIMEOUT_S 86400.0

/* The errno the kernel gets for an error of ours (negative). */
int ops_errno(int err);

/* What all operations share. */
struct ops *ops_of(fuse_req_t req);
void ops_reply_err(fuse_req_t req, int err);
void ops_reply_entry(fuse_req_t req, const struct stat *st);

/* The node with a number: 0, or -ESTALE: there can be none. */
int ops_node(fuse_req_t req, fuse_ino_t number, struct inode *node_out);
/* The same, if it is a directory and name leads to something in it. */
int ops_find(fuse_req_t req, fuse_ino_t parent, const char *name,
             struct inode *dir_out, struct tree_found *found_out);
struct cache *ops_cache(fuse_req_t req, const struct inode *node);

/* tree_stat(), also of what is open and has no name any more. */
int ops_stat(struct ops *ops, const struct inode *node, struct stat *st_out);
void ops_fill_entry(const struct tree *t, const struct stat *st,
                    struct fuse_entry_param *entry_out);

/*
 * A node that is gone is stale, not absent: then the kernel looks its name up
 * again instead of believing what it remembers.
 */
int ops_stale(int err);

/* A resume: answer with p->err alone. */
void ops_err_resume(struct pending *p);

/* ops_file.c */
void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name,
                mode_t mode, struct fuse_file_info *fi);
void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               dev_t dev);
void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
              struct fuse_file_info *fi);
void ops_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size,
               off_t off, struct fuse_file_info *fi);
void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
                   off_t len, struct fuse_file_info *fi);
void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                 struct fuse_file_info *fi);
void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
               struct fuse_file_info *fi);
void ops_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                  struct fuse_file_info *fi);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* ops_name.c */
void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
              const char *name);
void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                fuse_ino_t to_parent, const char *to_name, unsigned flags);
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                 const char *name);

/* ops_dir.c */
void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
               mode_t mode);
void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
/* Of ops_rename(), for a directory; over: what has the name, or NULL. */
int ops_rename_dir(fuse_req_t req, const struct tree_found *from,
                   const struct inode *to_dir, const char *name,
                   const struct tree_found *over);

/* ops_xattr.c */
void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                  size_t size);
void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
                  const char *value, size_t size, int flags);
void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
