/*
 * Every change is one call of the cache, which tells the journal.  What must
 * outlive a power cut before it is true is answered when it does: see
 * docs/writing.md.
 */
#include "fs/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/mem.h"

/* A name that a program gives, as the cache wants it. */
struct given {
	struct maildir_parts parts;
	struct cache_name name;
};

static int give_name(const struct inode *dir, const char *name,
                     struct given *out)
{
	if (!tree_place(dir, &out->name.folder, &out->name.place))
		return -EPERM;
	int err = maildir_name_split(name, out->name.place, &out->parts);
	out->name.base = out->parts.base;
	out->name.info = out->parts.info;
	out->name.flags = out->parts.flags;
	return err;
}

/* What stands under a name, if anything: 0, or -ENOENT. */
static int stat_name(struct ops *ops, const struct inode *dir, const char *name,
                     struct stat *st_out)
{
	return tree_find(&ops->tree, dir, name, st_out);
}

static int make_file(struct ops *ops, fuse_req_t req, const struct inode *dir,
                     const char *name, mode_t mode, int *fd_out,
                     struct fuse_entry_param *entry_out)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct cache *c = tree_account(&ops->tree, dir)->cache;
	struct cache_entry entry;
	struct given given;
	struct stat st;
	int err = give_name(dir, name, &given);
	if (err == 0 && stat_name(ops, dir, name, &st) == 0)
		err = -EEXIST;
	if (err == 0)
		err = cache_file_create(c, &given.name, mode & 07777, ctx->uid,
		                        ctx->gid, &entry, fd_out);
	if (err < 0)
		return err;
	struct inode node = { INODE_MESSAGE, dir->account, entry.message.id };
	err = tree_stat(&ops->tree, &node, &st);
	if (err < 0) {
		(void)close(*fd_out);
		cache_file_release(c, node.id);
		return err;
	}
	ops_fill_entry(&ops->tree, &st, entry_out);
	return 0;
}

void change_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
                  mode_t mode, dev_t dev)
{
	struct ops *ops = ops_of(req);
	struct fuse_entry_param entry;
	struct inode dir, node;
	auto_fd int fd = -1;
	int err = S_ISREG(mode) ? ops_node(req, parent, &dir) : -EPERM;
	if (err == 0)
		err = make_file(ops, req, &dir, name, mode, &fd, &entry);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	if (tree_node(&ops->tree, entry.ino, &node))
		cache_file_release(tree_account(&ops->tree, &dir)->cache,
		                   node.id);
	(void)fuse_reply_entry(req, &entry);
}

void change_create(fuse_req_t req, fuse_ino_t parent, const char *name,
                   mode_t mode, struct fuse_file_info *fi)
{
	struct ops *ops = ops_of(req);
	struct fuse_entry_param entry;
	struct inode dir;
	int fd = -1;
	int err = ops_node(req, parent, &dir);
	if (err == 0)
		err = make_file(ops, req, &dir, name, mode, &fd, &entry);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	fi->fh = (uint64_t)fd;
	fi->keep_cache = 1;
	open_add(&ops->open, entry.ino, fd);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT)
		ops_close(ops, entry.ino, fd);
}

/* A change of data is about to be made. */
static int touch(struct ops *ops, fuse_ino_t ino)
{
	struct inode node;
	if (!tree_node(&ops->tree, ino, &node))
		return -ESTALE;
	if (!open_touch(&ops->open, ino))
		return 0;
	return cache_file_touch(tree_account(&ops->tree, &node)->cache,
	                        node.id);
}

void change_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in,
                  off_t off, struct fuse_file_info *fi)
{
	int err = touch(ops_of(req), ino);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	struct fuse_bufvec out = FUSE_BUFVEC_INIT(fuse_buf_size(in));
	out.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	out.buf[0].fd = (int)fi->fh;
	out.buf[0].pos = off;
	ssize_t n = fuse_buf_copy(&out, in, FUSE_BUF_NO_SPLICE);
	if (n < 0)
		ops_reply_err(req, (int)n);
	else
		(void)fuse_reply_write(req, (size_t)n);
}

static int set_size(struct ops *ops, const struct inode *node, fuse_ino_t ino,
                    off_t size, struct fuse_file_info *fi)
{
	struct cache *c = tree_account(&ops->tree, node)->cache;
	if (fi != NULL) {
		int err = touch(ops, ino);
		if (err == 0 && ftruncate((int)fi->fh, size) < 0)
			err = -errno;
		return err;
	}
	int fd;
	int err = cache_file_edit(c, node->id, size == 0, NULL, &fd);
	/* To cut what is not here: it would have to be fetched first. */
	if (err < 0)
		return err == -EAGAIN ? -EIO : err;
	err = cache_file_touch(c, node->id);
	if (err == 0 && ftruncate(fd, size) < 0)
		err = -errno;
	(void)close(fd);
	cache_file_release(c, node->id);
	return err;
}

static int set_attributes(struct ops *ops, const struct inode *node,
                          const struct stat *attr, int to_set)
{
	struct cache_message what = {
		.id = node->id,
		.mode = attr->st_mode & 07777,
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
	return cache_file_set(tree_account(&ops->tree, node)->cache, &what,
	                      which);
}

/* Directories have one mode and owner: what is asked of them is granted. */
void change_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
                    int to_set, struct fuse_file_info *fi)
{
	struct ops *ops = ops_of(req);
	struct inode node;
	struct stat st;
	int err = ops_node(req, ino, &node);
	bool is_file = err == 0 && node.kind == INODE_MESSAGE;
	if (is_file && (to_set & FUSE_SET_ATTR_SIZE))
		err = set_size(ops, &node, ino, attr->st_size, fi);
	if (err == 0 && is_file)
		err = set_attributes(ops, &node, attr, to_set);
	if (err == 0)
		err = ops_stat(ops, ino, &node, &st);
	if (err < 0)
		ops_reply_err(req, err);
	else
		(void)fuse_reply_attr(req, &st, OPS_TIMEOUT_S);
}

static void err_resume(struct pending *p)
{
	ops_reply_err(p->req, p->err);
}

static void sync_names(fuse_req_t req, fuse_ino_t ino, bool is_file)
{
	struct ops *ops = ops_of(req);
	struct inode node;
	int err = ops_node(req, ino, &node);
	if (err == 0 && node.kind == INODE_ROOT)
		err = -EINVAL;
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	struct cache *c = tree_account(&ops->tree, &node)->cache;
	struct pending *p =
		pending_new(&ops->pendings, req, ino, c, err_resume);
	if (is_file)
		open_synced(&ops->open, ino);
	(void)cache_file_sync(c, is_file ? node.id : 0, pending_done, p,
	                      &p->wait);
}

void change_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
                  struct fuse_file_info *fi)
{
	sync_names(req, ino, true);
}

void change_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
                     struct fuse_file_info *fi)
{
	sync_names(req, ino, false);
}

void change_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset,
                      off_t length, struct fuse_file_info *fi)
{
	int err = touch(ops_of(req), ino);
	if (err == 0 && fallocate((int)fi->fh, mode, offset, length) < 0)
		err = -errno;
	ops_reply_err(req, err);
}

static void link_reply(fuse_req_t req, fuse_ino_t ino)
{
	struct ops *ops = ops_of(req);
	struct fuse_entry_param entry;
	struct inode node;
	struct stat st;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = tree_stat(&ops->tree, &node, &st);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	ops_fill_entry(&ops->tree, &st, &entry);
	(void)fuse_reply_entry(req, &entry);
}

static void link_resume(struct pending *p)
{
	if (p->err < 0)
		ops_reply_err(p->req, p->err);
	else
		link_reply(p->req, p->ino);
}

void change_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
                 const char *name)
{
	struct ops *ops = ops_of(req);
	struct inode node, dir;
	struct given given;
	struct stat st;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = ops_node(req, parent, &dir);
	if (err == 0 && node.kind != INODE_MESSAGE)
		err = -EPERM;
	if (err == 0 && node.account != dir.account)
		err = -EXDEV;
	if (err == 0)
		err = give_name(&dir, name, &given);
	if (err == 0 && stat_name(ops, &dir, name, &st) == 0)
		err = -EEXIST;
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	struct cache *c = tree_account(&ops->tree, &dir)->cache;
	struct pending *p =
		pending_new(&ops->pendings, req, ino, c, link_resume);
	int n = cache_link(c, node.id, &given.name, pending_done, p, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0)
		ops_reply_err(req, n);
	else
		link_reply(req, ino);
}

void change_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ops *ops = ops_of(req);
	struct cache_entry entry;
	struct inode dir;
	int err = ops_node(req, parent, &dir);
	if (err == 0)
		err = tree_entry(&ops->tree, &dir, name, &entry);
	if (err == 0)
		err = cache_unlink(tree_account(&ops->tree, &dir)->cache,
		                   &entry);
	ops_reply_err(req, err);
}

/* A name that is made from the identity is not a given one. */
static void keep_derived(const struct tree *t, const struct inode *dir,
                         const struct cache_entry *from, const char *name,
                         struct given *given)
{
	char made[MAILDIR_NAME_MAX + 1];
	struct cache_entry then = *from;
	if (*from->base || from->folder != given->name.folder ||
	    given->name.place >= CACHE_MAIL_PLACES)
		return;
	then.place = given->name.place;
	then.flags = given->name.flags;
	maildir_message_name(&then, tree_account(t, dir)->name, made);
	if (strcmp(made, name) == 0)
		given->name.base = NULL;
}

static void rename_file(struct ops *ops, fuse_req_t req,
                        const struct inode *dir, const struct cache_entry *from,
                        const struct inode *new_dir, const char *new_name,
                        unsigned flags)
{
	struct cache *c = tree_account(&ops->tree, dir)->cache;
	struct cache_entry over;
	struct given given;
	struct stat st;
	int err = give_name(new_dir, new_name, &given);
	if (err == 0 && stat_name(ops, new_dir, new_name, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		err = -EISDIR;
	bool has_over = err == 0 &&
	                tree_entry(&ops->tree, new_dir, new_name, &over) == 0;
	if (has_over && (flags & RENAME_NOREPLACE))
		err = -EEXIST;
	/* Two names of one file: nothing is to be done, says rename(2). */
	bool is_same = has_over && over.message.id == from->message.id;
	if (err < 0 || is_same) {
		ops_reply_err(req, err);
		return;
	}
	keep_derived(&ops->tree, dir, from, new_name, &given);
	struct pending *p = pending_new(&ops->pendings, req, 0, c, err_resume);
	int n = cache_rename(c, from, &given.name, has_over ? &over : NULL,
	                     pending_done, p, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	ops_reply_err(req, n < 0 ? n : 0);
}

/* The level and the folder above it that a directory's name stands for. */
static int new_level(struct ops *ops, const struct inode *dir, const char *name,
                     int64_t *parent_out, char level_out[MAILDIR_NAME_MAX + 1])
{
	struct cache *c = tree_account(&ops->tree, dir)->cache;
	bool is_dotted = tree_account(&ops->tree, dir)->layout == FS_MAILDIRPP;
	char text[MAILDIR_NAME_MAX + 1];
	struct cache_folder above;
	if (dir->kind != INODE_ACCOUNT && dir->kind != INODE_FOLDER)
		return -EPERM;
	*parent_out = dir->id;
	if (!is_dotted || name[0] != '.') {
		int n = maildir_level_decode(name, level_out);
		if (n <= 0)
			return n < 0 ? -EINVAL : -ENAMETOOLONG;
		return 0;
	}
	if (dir->kind != INODE_ACCOUNT)
		return -EPERM;
	if (maildir_path_decode(name, text) <= 0)
		return -EINVAL;
	char *rest = text;
	*parent_out = CACHE_ROOT;
	for (char *level; (level = strsep(&rest, "/")) != NULL;) {
		if (rest == NULL) {
			memcpy(level_out, level, strlen(level) + 1);
			break;
		}
		int err = cache_folder_find(c, *parent_out, level, &above);
		if (err == -ENOENT)
			err = cache_folder_make(c, *parent_out, level,
			                        &above.id);
		if (err < 0)
			return err;
		*parent_out = above.id;
	}
	return maildir_level_is_valid(level_out) ? 0 : -EINVAL;
}

static int rename_folder(struct ops *ops, const struct inode *dir,
                         const struct cache_folder *folder,
                         const struct inode *new_dir, const char *new_name,
                         unsigned flags)
{
	char level[MAILDIR_NAME_MAX + 1];
	struct stat st;
	int64_t parent;
	int err = stat_name(ops, new_dir, new_name, &st);
	if (err == 0 && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (err == 0 && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	err = new_level(ops, new_dir, new_name, &parent, level);
	if (err < 0)
		return err;
	return cache_folder_rename(tree_account(&ops->tree, dir)->cache,
	                           folder->id, parent, level);
}

void change_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                   fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct ops *ops = ops_of(req);
	struct cache_folder folder;
	struct cache_entry entry;
	enum cache_place place;
	struct inode dir, new_dir;
	int err = ops_node(req, parent, &dir);
	if (err == 0)
		err = ops_node(req, new_parent, &new_dir);
	if (err == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
		err = -EINVAL;
	if (err == 0 && dir.account != new_dir.account)
		err = -EXDEV;
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	if (tree_entry(&ops->tree, &dir, name, &entry) == 0) {
		rename_file(ops, req, &dir, &entry, &new_dir, new_name, flags);
		return;
	}
	if (tree_place_named(name, &place) ||
	    tree_place_named(new_name, &place))
		err = -EBUSY;
	else
		err = tree_folder(&ops->tree, &dir, name, &folder);
	if (err == 0)
		err = rename_folder(ops, &dir, &folder, &new_dir, new_name,
		                    flags);
	ops_reply_err(req, err);
}

/* The folder whose places stand in dir. */
static int64_t maildir_of(struct ops *ops, const struct inode *dir)
{
	struct cache *c = tree_account(&ops->tree, dir)->cache;
	struct cache_folder inbox;
	if (dir->kind == INODE_FOLDER)
		return dir->id;
	if (tree_account(&ops->tree, dir)->layout == FS_MAILDIRPP &&
	    cache_folder_find(c, CACHE_ROOT, "INBOX", &inbox) == 0)
		return inbox.id;
	return -1;
}

static int make_dir(struct ops *ops, const struct inode *dir, const char *name)
{
	struct cache *c = tree_account(&ops->tree, dir)->cache;
	char level[MAILDIR_NAME_MAX + 1];
	enum cache_place place;
	int64_t parent, folder;
	if (tree_place_named(name, &place)) {
		folder = maildir_of(ops, dir);
		return folder < 0 ? -EPERM : cache_place_make(c, folder, place);
	}
	int err = new_level(ops, dir, name, &parent, level);
	return err < 0 ? err : cache_folder_make(c, parent, level, &folder);
}

void change_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
                  mode_t mode)
{
	struct ops *ops = ops_of(req);
	struct fuse_entry_param entry;
	struct inode dir;
	struct stat st;
	int err = ops_node(req, parent, &dir);
	if (err == 0 && dir.kind == INODE_ROOT)
		err = -EPERM;
	if (err == 0 && stat_name(ops, &dir, name, &st) == 0)
		err = -EEXIST;
	if (err == 0)
		err = make_dir(ops, &dir, name);
	if (err == 0)
		err = stat_name(ops, &dir, name, &st);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	ops_fill_entry(&ops->tree, &st, &entry);
	(void)fuse_reply_entry(req, &entry);
}

void change_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ops *ops = ops_of(req);
	struct cache_folder folder;
	enum cache_place place;
	struct inode dir;
	int err = ops_node(req, parent, &dir);
	if (err == 0 && dir.kind == INODE_ROOT)
		err = -EBUSY;
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	struct cache *c = tree_account(&ops->tree, &dir)->cache;
	if (tree_place_named(name, &place)) {
		int64_t id = maildir_of(ops, &dir);
		err = id < 0 ? -ENOENT : cache_place_remove(c, id, place);
	} else {
		err = tree_folder(&ops->tree, &dir, name, &folder);
		if (err == 0)
			err = cache_folder_remove(c, folder.id);
	}
	ops_reply_err(req, err);
}

static void open_reply(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *fi, int fd)
{
	struct ops *ops = ops_of(req);
	fi->fh = (uint64_t)fd;
	fi->keep_cache = (fi->flags & O_TRUNC) == 0;
	open_add(&ops->open, ino, fd);
	(void)fuse_lowlevel_notify_inval_inode(ops->session, ino, -1, 0);
	if (fuse_reply_open(req, fi) == -ENOENT)
		ops_close(ops, ino, fd);
}

/* The body came; 1, or the error. */
static void edit(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                 const struct cache_body *body)
{
	struct ops *ops = ops_of(req);
	struct inode node;
	int fd = -1;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = cache_file_edit(tree_account(&ops->tree, &node)->cache,
		                      node.id, (fi->flags & O_TRUNC) != 0, body,
		                      &fd);
	if (err < 0)
		ops_reply_err(req, err);
	else
		open_reply(req, ino, fi, fd);
}

static void edit_resume(struct pending *p)
{
	if (p->err < 0) {
		ops_reply_err(p->req, p->err);
		return;
	}
	edit(p->req, p->ino, &p->fi, &p->body);
	(void)close(p->body.fd);
}

void change_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct ops *ops = ops_of(req);
	struct cache_message message;
	struct cache_body body;
	struct inode node;
	int err = ops_node(req, ino, &node);
	struct cache *c = tree_account(&ops->tree, &node)->cache;
	if (err == 0)
		err = cache_message_get(c, node.id, &message);
	if (err < 0) {
		ops_reply_err(req, err == -ENOENT ? -ESTALE : err);
		return;
	}
	if (message.is_kept || (fi->flags & O_TRUNC)) {
		edit(req, ino, fi, NULL);
		return;
	}
	struct pending *p =
		pending_new(&ops->pendings, req, ino, c, edit_resume);
	p->fi = *fi;
	int n = cache_body_open(c, node.id, pending_done, p, &body, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0) {
		ops_reply_err(req, n);
		return;
	}
	edit(req, ino, fi, &body);
	(void)close(body.fd);
}

void change_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	ops_close(ops_of(req), ino, (int)fi->fh);
	(void)fuse_reply_err(req, 0);
}
