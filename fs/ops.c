/*
 * What is not here is meant: without a flush or lseek operation libfuse
 * answers ENOSYS, and the kernel does not ask again; and nodes need no forget.
 * Without locks the kernel keeps them itself.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs/replay.h"
#include "util/cleanup.h"
#include "util/mem.h"

/*
 * But not of a Maildir++ folder that went: its name holds those of the folders
 * above it, and a listener is told only its level.
 */
#define FOLDER_TIMEOUT_S 1.0

/*
 * In larger directories readdir gives names only, and every node is looked up
 * when it is used.  With 200,000 entries `ls -U` then takes 0.2 s instead of
 * 2.3 s, and the kernel keeps 1.1 KB less for each; `ls -l` takes 8.7 s
 * instead of 3.0 s.
 */
#define PLUS_MAX 50000

int ops_errno(int err)
{
	switch (-err) {
	case ECANCELED:
	case EPROTO:
		return EIO;
	case EKEYREJECTED:
	case ENOKEY:
		return EACCES;
	default:
		return -err;
	}
}

struct ops *ops_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

void ops_reply_err(fuse_req_t req, int err)
{
	(void)fuse_reply_err(req, ops_errno(err));
}

int ops_stale(int err)
{
	return err == -ENOENT ? -ESTALE : err;
}

int ops_node(fuse_req_t req, fuse_ino_t number, struct inode *node_out)
{
	return tree_node(&ops_of(req)->tree, number, node_out) ? 0 : -ESTALE;
}

struct cache *ops_cache(fuse_req_t req, const struct inode *node)
{
	return tree_account(&ops_of(req)->tree, node)->cache;
}

int ops_find(fuse_req_t req, fuse_ino_t parent, const char *name,
             struct inode *dir_out, struct tree_found *found_out)
{
	int err = ops_node(req, parent, dir_out);
	if (err < 0)
		return err;
	return tree_find(&ops_of(req)->tree, dir_out, name, found_out);
}

int ops_stat(struct ops *ops, const struct inode *node, struct stat *st_out)
{
	int err = tree_stat(&ops->tree, node, st_out);
	if (err != -ENOENT)
		return err;
	const struct open_file *file =
		open_find(&ops->open, tree_number(&ops->tree, node));
	return file ? open_stat(file, st_out) : err;
}

void ops_fill_entry(const struct tree *t, const struct stat *st,
                    struct fuse_entry_param *entry_out)
{
	*entry_out = (struct fuse_entry_param){
		.ino = st->st_ino,
		.attr = *st,
		.attr_timeout = OPS_TIMEOUT_S,
		.entry_timeout = OPS_TIMEOUT_S,
	};
	struct inode node;
	if (tree_node(t, st->st_ino, &node) && node.kind == INODE_FOLDER &&
	    tree_account(t, &node)->layout == FS_MAILDIRPP)
		entry_out->entry_timeout = FOLDER_TIMEOUT_S;
}

/* Of a Maildir whose new or cur it is shown. */
static void note_shown(const struct ops *ops, const struct stat *st)
{
	struct inode node;
	if (S_ISDIR(st->st_mode) && tree_node(&ops->tree, st->st_ino, &node) &&
	    (node.kind == INODE_NEW || node.kind == INODE_CUR))
		seen_add(&ops->seen[node.account], node.id);
}

void ops_reply_entry(fuse_req_t req, const struct stat *st)
{
	struct fuse_entry_param entry;
	note_shown(ops_of(req), st);
	ops_fill_entry(&ops_of(req)->tree, st, &entry);
	(void)fuse_reply_entry(req, &entry);
}

void ops_err_resume(struct pending *p)
{
	ops_reply_err(p->req, p->err);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	conn->want |= conn->capable &
	              (FUSE_CAP_READDIRPLUS | FUSE_CAP_AUTO_INVAL_DATA);
	conn->want &=
		~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO |
	                    FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ |
	                    FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

/* Answer a lookup as far as is known now. */
static int lookup_now(fuse_req_t req, const struct inode *dir, const char *name)
{
	struct tree_found found;
	int err = tree_find(&ops_of(req)->tree, dir, name, &found);
	if (err == 0)
		ops_reply_entry(req, &found.st);
	return err;
}

static void lookup_resume(struct pending *p)
{
	struct inode dir;
	int err = p->err;
	if (err == 0)
		err = ops_node(p->req, p->ino, &dir);
	if (err == 0)
		err = lookup_now(p->req, &dir, p->name);
	if (err < 0)
		ops_reply_err(p->req, err);
}

/* Wait for what dir shows: 1: it is here; 0: p will be resumed; or -errno. */
static int await_listing(const struct inode *dir, struct pending *p)
{
	int64_t folder;
	if (!tree_listing(dir, &folder))
		return 1;
	return cache_listing_await(p->cache, folder, pending_done, p, &p->wait);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct ops *ops = ops_of(req);
	struct inode dir;
	if (replay_lookup(ops->replay, req, parent, name))
		return;
	int err = ops_node(req, parent, &dir);
	if (err == 0)
		err = lookup_now(req, &dir, name);
	if (err == 0)
		return;
	if (err != -ENOENT) {
		ops_reply_err(req, err);
		return;
	}
	/* Not there, or not yet. */
	struct pending *p = pending_new(&ops->pendings, req, parent,
	                                tree_account(&ops->tree, &dir)->cache,
	                                lookup_resume);
	p->name = xstrdup(name);
	int n = await_listing(&dir, p);
	if (n == 0)
		return;
	pending_free(p);
	/* The listing may have ended since the look above. */
	err = n < 0 ? n : lookup_now(req, &dir, name);
	if (err < 0)
		ops_reply_err(req, err);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *fi)
{
	struct inode node;
	struct stat st;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = ops_stat(ops_of(req), &node, &st);
	if (err < 0)
		ops_reply_err(req, ops_stale(err));
	else
		(void)fuse_reply_attr(req, &st, OPS_TIMEOUT_S);
}

/* Of a directory's fi->fh: readdir gives names only; it is in ops.listings. */
enum { FH_NAMES_ONLY = 1, FH_CACHED = 2 };

static void opendir_reply(fuse_req_t req, fuse_ino_t ino,
                          struct fuse_file_info *fi)
{
	struct ops *ops = ops_of(req);
	const struct tree *t = &ops->tree;
	struct inode dir;
	fi->fh = 0;
	if (tree_node(t, ino, &dir) &&
	    (dir.kind == INODE_NEW || dir.kind == INODE_CUR) &&
	    cache_entry_count(tree_account(t, &dir)->cache, dir.id,
	                      dir.kind == INODE_NEW ? CACHE_NEW : CACHE_CUR) >
	            PLUS_MAX)
		fi->fh |= FH_NAMES_ONLY;
	bool is_cached = listing_begin(&ops->listings, ino);
	if (is_cached)
		fi->fh |= FH_CACHED;
	fi->cache_readdir = is_cached;
	fi->keep_cache = 1;
	/* Who was interrupted will not close it. */
	if (fuse_reply_open(req, fi) == -ENOENT && is_cached)
		listing_end(&ops->listings, ino);
}

static void opendir_resume(struct pending *p)
{
	if (p->err < 0)
		ops_reply_err(p->req, p->err);
	else
		opendir_reply(p->req, p->ino, &p->fi);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
                       struct fuse_file_info *fi)
{
	struct ops *ops = ops_of(req);
	struct inode dir;
	struct stat st;
	int err = ops_node(req, ino, &dir);
	if (err == 0)
		err = tree_stat(&ops->tree, &dir, &st);
	if (err < 0) {
		ops_reply_err(req, ops_stale(err));
		return;
	}
	struct pending *p = pending_new(&ops->pendings, req, ino,
	                                tree_account(&ops->tree, &dir)->cache,
	                                opendir_resume);
	p->fi = *fi;
	int n = await_listing(&dir, p);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0)
		ops_reply_err(req, n);
	else
		opendir_reply(req, ino, fi);
}

/* Add an item to buf; returns its length, more than size if it did not fit. */
static size_t add_item(fuse_req_t req, const struct tree_item *item, bool plus,
                       bool names_only, char *buf, size_t size)
{
	if (!plus)
		return fuse_add_direntry(req, buf, size, item->name, &item->st,
		                         (off_t)item->cookie);
	struct fuse_entry_param entry;
	ops_fill_entry(&ops_of(req)->tree, &item->st, &entry);
	if (names_only || item->cookie <= TREE_COOKIE_PARENT)
		entry.ino = 0;
	else
		note_shown(ops_of(req), &item->st);
	return fuse_add_direntry_plus(req, buf, size, item->name, &entry,
	                              (off_t)item->cookie);
}

static void read_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                     const struct fuse_file_info *fi, bool plus)
{
	bool names_only = (fi->fh & FH_NAMES_ONLY) != 0;
	struct inode dir;
	int err = ops_node(req, ino, &dir);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	auto_free char *buf = xmalloc(size);
	size_t used = 0;
	struct tree_scan scan;
	struct tree_item item;
	tree_scan_begin(&scan, &ops_of(req)->tree, &dir, (uint64_t)off,
	                names_only);
	int n;
	while ((n = tree_scan_next(&scan, &item)) == 1) {
		size_t len = add_item(req, &item, plus, names_only, buf + used,
		                      size - used);
		if (len > size - used)
			break;
		used += len;
	}
	tree_scan_end(&scan);
	if (n < 0 && used == 0) /* else it is asked for the rest, and told */
		ops_reply_err(req, n);
	else
		(void)fuse_reply_buf(req, buf, used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
                           off_t off, struct fuse_file_info *fi)
{
	read_dir(req, ino, size, off, fi, true);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
                          struct fuse_file_info *fi)
{
	if (fi->fh & FH_CACHED)
		listing_end(&ops_of(req)->listings, ino);
	(void)fuse_reply_err(req, 0);
}

/* A server's space is not ours to tell; 0 of 0 makes df leave us out. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = {
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_namemax = MAILDIR_NAME_MAX,
	};
	(void)fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops OPS = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.statfs = op_statfs,

	.create = ops_create,
	.mknod = ops_mknod,
	.open = ops_open,
	.read = ops_read,
	.write = ops_write,
	.fallocate = ops_fallocate,
	.setattr = ops_setattr,
	.fsync = ops_fsync,
	.fsyncdir = ops_fsyncdir,
	.release = ops_release,

	.link = ops_link,
	.unlink = ops_unlink,
	.rename = ops_rename,
	.mkdir = ops_mkdir,
	.rmdir = ops_rmdir,
	.symlink = ops_symlink,

	.getxattr = ops_getxattr,
	.setxattr = ops_setxattr,
	.listxattr = ops_listxattr,
	.removexattr = ops_removexattr,
};
