/*
 * Files: opened, read, written, and what stat(2) says of them.
 *
 * To be written a file must be kept by the cache.  If it is not yet, its body
 * is needed first, unless it is to be emptied: cache_file_edit() says so.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

static struct open_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct open_handle *)(uintptr_t)fi->fh;
}

static void close_handle(struct ops *ops, struct open_handle *handle)
{
	bool was_writer = handle->is_writer;
	uint64_t number = handle->file->number;
	struct inode node;
	open_close(&ops->open, handle);
	if (was_writer && tree_node(&ops->tree, number, &node))
		cache_file_release(tree_account(&ops->tree, &node)->cache,
		                   node.id);
}

/* Each of these two takes fd. */
static void open_reply(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *fi, int fd, bool is_writer)
{
	struct ops *ops = ops_of(req);
	struct open_handle *handle = open_add(&ops->open, ino, fd, is_writer);
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = 1;
	/* -ENOENT: interrupted meanwhile, and no release will come. */
	if (fuse_reply_open(req, fi) == -ENOENT)
		close_handle(ops, handle);
}

static void create_reply(fuse_req_t req, struct fuse_file_info *fi,
                         const struct stat *st, int fd)
{
	struct ops *ops = ops_of(req);
	struct fuse_entry_param entry;
	struct open_handle *handle = open_add(&ops->open, st->st_ino, fd, true);
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = 1;
	ops_fill_entry(&ops->tree, st, &entry);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT)
		close_handle(ops, handle);
}

/* Whatever size the kernel remembers, it asks again before using it. */
static void forget_size(fuse_req_t req, fuse_ino_t ino)
{
	(void)fuse_lowlevel_notify_inval_inode(ops_of(req)->session, ino, -1,
	                                       0);
}

/* body NULL: none is here.  The answer, or -EAGAIN: it is needed. */
static int open_to_write(fuse_req_t req, fuse_ino_t ino,
                         struct fuse_file_info *fi,
                         const struct cache_body *body)
{
	struct inode node;
	int fd;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = cache_file_edit(ops_cache(req, &node), node.id,
		                      (fi->flags & O_TRUNC) != 0, body, &fd);
	if (err != 0)
		return err;
	forget_size(req, ino);
	open_reply(req, ino, fi, fd, true);
	return 0;
}

static bool is_to_write(const struct fuse_file_info *fi)
{
	return (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC);
}

/* The body is here; it is taken. */
static void open_body(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                      const struct cache_body *body)
{
	if (!is_to_write(fi)) {
		open_reply(req, ino, fi, body->fd, false);
		return;
	}
	int err = open_to_write(req, ino, fi, body);
	(void)close(body->fd);
	if (err < 0)
		ops_reply_err(req, err);
}

static void open_resume(struct pending *p)
{
	if (p->err < 0) {
		ops_reply_err(p->req, p->err);
		return;
	}
	forget_size(p->req, p->ino);
	open_body(p->req, p->ino, &p->fi, &p->body);
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode node;
	int err = ops_node(req, ino, &node);
	if (err == 0 && is_to_write(fi))
		err = open_to_write(req, ino, fi, NULL);
	else if (err == 0)
		err = -EAGAIN;
	if (err != -EAGAIN) {
		if (err < 0)
			ops_reply_err(req, ops_stale(err));
		return;
	}
	struct cache *c = ops_cache(req, &node);
	struct pending *p =
		pending_new(&ops_of(req)->pendings, req, ino, c, open_resume);
	struct cache_body body;
	p->fi = *fi;
	int n = cache_body_open(c, node.id, pending_done, p, &body, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0)
		ops_reply_err(req, ops_stale(n));
	else
		open_body(req, ino, fi, &body);
}

/* Make a file under a name that is free. */
static int make_file(fuse_req_t req, fuse_ino_t parent, const char *name,
                     mode_t mode, struct inode *node_out, struct stat *st_out,
                     int *fd_out)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct tree_found found;
	struct tree_name given;
	struct inode dir;
	int err = ops_find(req, parent, name, &dir, &found);
	if (err == 0)
		return -EEXIST;
	if (err == -ENOENT)
		err = tree_name_split(&dir, name, &given);
	if (err < 0)
		return err;
	err = cache_file_create(ops_cache(req, &dir), &given.name,
	                        mode & ALLPERMS, ctx->uid, ctx->gid,
	                        &found.entry, fd_out);
	if (err < 0)
		return err;
	const struct cache_message *message = &found.entry.message;
	*node_out = (struct inode){ INODE_MESSAGE, dir.account, message->id };
	tree_fill_message(&ops_of(req)->tree, dir.account, message, st_out);
	return 0;
}

void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name,
                mode_t mode, struct fuse_file_info *fi)
{
	struct inode node;
	struct stat st;
	int fd;
	int err = make_file(req, parent, name, mode, &node, &st, &fd);
	if (err < 0)
		ops_reply_err(req, err);
	else
		create_reply(req, fi, &st, fd);
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               dev_t dev)
{
	struct inode node;
	struct stat st;
	int fd;
	int err = -EPERM;
	if (S_ISREG(mode))
		err = make_file(req, parent, name, mode, &node, &st, &fd);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	(void)close(fd);
	cache_file_release(ops_cache(req, &node), node.id);
	ops_reply_entry(req, &st);
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
              struct fuse_file_info *fi)
{
	struct fuse_bufvec file = FUSE_BUFVEC_INIT(size);
	file.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	file.buf[0].fd = open_fd(handle_of(fi));
	file.buf[0].pos = off;
	(void)fuse_reply_data(req, &file, FUSE_BUF_NO_SPLICE);
}

/* Data is about to change: the first time since the last sync, tell. */
static int touch(fuse_req_t req, struct open_file *file)
{
	struct inode node;
	if (file->is_touched)
		return 0;
	int err = ops_node(req, file->number, &node);
	if (err == 0)
		err = cache_file_touch(ops_cache(req, &node), node.id);
	/* Nobody is left to tell: its last name went. */
	if (err == -ENOENT)
		err = 0;
	file->is_touched = err == 0;
	return err;
}

/*
 * Where to write.  The kernel appends where it believes the file to end; of a
 * message that was not here it knew only the server's claim.
 */
static int write_offset(const struct open_file *file,
                        const struct fuse_file_info *fi, off_t *off)
{
	struct stat st;
	if (!(fi->flags & O_APPEND) || fi->writepage)
		return 0;
	if (fstat(file->fd, &st) < 0)
		return -errno;
	*off = st.st_size;
	return 0;
}

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size,
               off_t off, struct fuse_file_info *fi)
{
	struct open_file *file = handle_of(fi)->file;
	int err = touch(req, file);
	if (err == 0)
		err = cache_file_room(file->fd, size);
	if (err == 0)
		err = write_offset(file, fi, &off);
	ssize_t n = err < 0 ? err : pwrite(file->fd, bytes, size, off);
	if (err == 0 && n < 0)
		n = -errno;
	if (n < 0)
		ops_reply_err(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

void ops_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
                   off_t len, struct fuse_file_info *fi)
{
	struct open_file *file = handle_of(fi)->file;
	int err = mode & ~FALLOC_FL_KEEP_SIZE ? -EOPNOTSUPP : touch(req, file);
	if (err == 0)
		err = cache_file_room(file->fd, (uint64_t)len);
	if (err == 0 && fallocate(file->fd, mode, offset, len) < 0)
		err = -errno;
	ops_reply_err(req, err);
}

/* Of one that nobody has open to write.  As open_to_write(). */
static int cut_closed(fuse_req_t req, const struct inode *node, off_t size,
                      const struct cache_body *body)
{
	struct ops *ops = ops_of(req);
	struct cache *c = ops_cache(req, node);
	struct open_file *reader =
		open_find(&ops->open, tree_number(&ops->tree, node));
	auto_fd int fd = -1;
	int err = cache_file_edit(c, node->id, size == 0, body, &fd);
	if (err < 0)
		return err;
	err = cache_file_touch(c, node->id);
	if (err == 0 && ftruncate(fd, size) < 0)
		err = -errno;
	if (reader)
		open_set_fd(reader, take_fd(&fd));
	else
		(void)close(take_fd(&fd));
	cache_file_release(c, node->id);
	return err;
}

static int cut(fuse_req_t req, const struct inode *node, off_t size,
               const struct cache_body *body)
{
	struct ops *ops = ops_of(req);
	struct open_file *file =
		open_find(&ops->open, tree_number(&ops->tree, node));
	if (!file || file->writers == 0)
		return cut_closed(req, node, size, body);
	int err = touch(req, file);
	if (err == 0 && ftruncate(file->fd, size) < 0)
		err = -errno;
	return err;
}

/* The dates and rights of one that has no name are kept nowhere. */
static int set_nameless(struct ops *ops, const struct inode *node,
                        const struct cache_message *what, unsigned which)
{
	struct open_file *file =
		open_find(&ops->open, tree_number(&ops->tree, node));
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, what->mtime };
	if (!file || !file->has_last)
		return -ENOENT;
	if (which & CACHE_SET_MODE)
		file->last.st_mode = S_IFREG | what->mode;
	if (which & CACHE_SET_UID)
		file->last.st_uid = what->uid;
	if (which & CACHE_SET_GID)
		file->last.st_gid = what->gid;
	if (which & CACHE_SET_MTIME) {
		file->last.st_mtim = what->mtime;
		if (file->fd >= 0)
			(void)futimens(file->fd, times);
	}
	return 0;
}

static int set_attributes(fuse_req_t req, const struct inode *node,
                          const struct stat *attr, int to_set)
{
	struct cache_message what = {
		.id = node->id,
		.mode = attr->st_mode & ALLPERMS,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.mtime = attr->st_mtim,
	};
	unsigned which = 0;
	if (to_set & FUSE_SET_ATTR_MODE)
		which |= CACHE_SET_MODE;
	if (to_set & FUSE_SET_ATTR_UID)
		which |= CACHE_SET_UID;
	if (to_set & FUSE_SET_ATTR_GID)
		which |= CACHE_SET_GID;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		which |= CACHE_SET_MTIME;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		(void)clock_gettime(CLOCK_REALTIME, &what.mtime);
	if (which == 0)
		return 0;
	int err = cache_file_set(ops_cache(req, node), &what, which);
	if (err == -ENOENT)
		err = set_nameless(ops_of(req), node, &what, which);
	return err;
}

/* Once its size is right. */
static void setattr_reply(fuse_req_t req, const struct inode *node,
                          const struct stat *attr, int to_set)
{
	struct stat st;
	int err = 0;
	if (node->kind == INODE_MESSAGE)
		err = set_attributes(req, node, attr, to_set);
	if (err == 0)
		err = ops_stat(ops_of(req), node, &st);
	if (err < 0)
		ops_reply_err(req, ops_stale(err));
	else
		(void)fuse_reply_attr(req, &st, OPS_TIMEOUT_S);
}

/* The body is here; it is taken. */
static void cut_body(fuse_req_t req, const struct inode *node,
                     const struct stat *attr, int to_set,
                     const struct cache_body *body)
{
	int err = cut(req, node, attr->st_size, body);
	(void)close(body->fd);
	if (err < 0)
		ops_reply_err(req, err);
	else
		setattr_reply(req, node, attr, to_set);
}

static void setattr_resume(struct pending *p)
{
	struct inode node;
	if (p->err == 0 && ops_node(p->req, p->ino, &node) == 0)
		cut_body(p->req, &node, &p->attr, p->to_set, &p->body);
	else
		ops_reply_err(p->req, p->err);
}

/* A file that is not here cannot be cut before it is. */
static void cut_later(fuse_req_t req, fuse_ino_t ino, const struct inode *node,
                      const struct stat *attr, int to_set)
{
	struct cache *c = ops_cache(req, node);
	struct pending *p = pending_new(&ops_of(req)->pendings, req, ino, c,
	                                setattr_resume);
	struct cache_body body;
	p->attr = *attr;
	p->to_set = to_set;
	int n = cache_body_open(c, node->id, pending_done, p, &body, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0)
		ops_reply_err(req, ops_stale(n));
	else
		cut_body(req, node, attr, to_set, &body);
}

/* Directories have one mode and owner: what is asked of them is granted. */
void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
                 struct fuse_file_info *fi)
{
	struct inode node;
	int err = ops_node(req, ino, &node);
	if (err == 0 && node.kind != INODE_ROOT &&
	    tree_account(&ops_of(req)->tree, &node)->is_read_only)
		err = -EROFS;
	if (err == 0 && (to_set & FUSE_SET_ATTR_SIZE))
		err = cut(req, &node, attr->st_size, NULL);
	if (err == -EAGAIN)
		cut_later(req, ino, &node, attr, to_set);
	else if (err < 0)
		ops_reply_err(req, ops_stale(err));
	else
		setattr_reply(req, &node, attr, to_set);
}

/* message 0: all names of the account. */
static void sync_soon(fuse_req_t req, const struct inode *node, int64_t message)
{
	struct cache *c = ops_cache(req, node);
	struct pending *p =
		pending_new(&ops_of(req)->pendings, req, 0, c, ops_err_resume);
	pending_direct(p);
	int n = cache_file_sync(c, message, pending_done, p, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	ops_reply_err(req, n < 0 ? n : 0);
}

void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
               struct fuse_file_info *fi)
{
	struct inode node;
	int err = ops_node(req, ino, &node);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	handle_of(fi)->file->is_touched = false;
	sync_soon(req, &node, node.id);
}

void ops_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                  struct fuse_file_info *fi)
{
	struct inode node;
	int err = ops_node(req, ino, &node);
	if (err < 0 || node.kind == INODE_ROOT)
		ops_reply_err(req, err);
	else
		sync_soon(req, &node, 0);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close_handle(ops_of(req), handle_of(fi));
	(void)fuse_reply_err(req, 0);
}
