/*
 * The operations that change something; for the table in ops.c.
 */
#ifndef FS_CHANGE_H
#define FS_CHANGE_H

#include "fs/ops.h"

void change_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
                  mode_t mode, dev_t dev);
void change_create(fuse_req_t req, fuse_ino_t parent, const char *name,
                   mode_t mode, struct fuse_file_info *fi);
void change_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in,
                  off_t off, struct fuse_file_info *fi);
void change_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
                    int to_set, struct fuse_file_info *fi);
void change_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
                  struct fuse_file_info *fi);
void change_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                     struct fuse_file_info *fi);
void change_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
                      off_t length, struct fuse_file_info *fi);
void change_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
                 const char *name);
void change_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void change_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                   fuse_ino_t new_parent, const char *new_name, unsigned flags);
void change_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
                  mode_t mode);
void change_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

/* Open a file for writing; the body comes first, where it is needed. */
void change_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* A file that was opened for writing is closed. */
void change_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
