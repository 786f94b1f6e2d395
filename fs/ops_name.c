/*
 * Names of files: given, changed, taken away.  What the cache wants to survive
 * a power cut before it is true is answered when it does.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/replay.h"

static void link_reply(fuse_req_t req, fuse_ino_t ino)
{
	struct inode node;
	struct stat st;
	int err = ops_node(req, ino, &node);
	if (err == 0)
		err = tree_stat(&ops_of(req)->tree, &node, &st);
	if (err < 0)
		ops_reply_err(req, err);
	else
		ops_reply_entry(req, &st);
}

static void link_resume(struct pending *p)
{
	if (p->err < 0)
		ops_reply_err(p->req, p->err);
	else
		link_reply(p->req, p->ino);
}

static int check_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
                      const char *name, struct inode *node_out,
                      struct tree_name *given_out)
{
	struct tree_found found;
	struct inode dir;
	int err = ops_node(req, ino, node_out);
	if (err < 0)
		return err;
	err = ops_find(req, parent, name, &dir, &found);
	if (err == 0)
		return -EEXIST;
	if (err == -ENOENT)
		err = tree_name_split(&dir, name, given_out);
	if (err == 0 && node_out->account != dir.account)
		err = -EXDEV;
	return err;
}

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent,
              const char *name)
{
	struct tree_name given;
	struct inode node;
	int err = check_link(req, ino, parent, name, &node, &given);
	if (err < 0) {
		ops_reply_err(req, err);
		return;
	}
	struct cache *c = ops_cache(req, &node);
	struct pending *p =
		pending_new(&ops_of(req)->pendings, req, ino, c, link_resume);
	open_settle(&ops_of(req)->open, ino);
	int n = cache_link(c, node.id, &given.name, pending_done, p, &p->wait);
	if (n == 0)
		return;
	pending_free(p);
	if (n < 0)
		ops_reply_err(req, n);
	else
		link_reply(req, ino);
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct tree_found found;
	struct inode dir;
	if (replay_change(ops_of(req)->replay, req, INJECTOR_UNLINK, parent,
	                  name))
		return;
	int err = ops_find(req, parent, name, &dir, &found);
	if (err == 0 && found.node.kind != INODE_MESSAGE)
		err = -EISDIR;
	if (err == 0) {
		open_remember(&ops_of(req)->open, &found.st);
		err = cache_unlink(ops_cache(req, &dir), &found.entry);
	}
	ops_reply_err(req, err);
}

/* A name that would be made from the entry's identity is not a given one. */
static void keep_derived(const struct fs_account *account,
                         const struct cache_entry *from, const char *name,
                         struct tree_name *given)
{
	char made[MAILDIR_NAME_MAX + 1];
	struct cache_entry then = *from;
	/* Elsewhere its identity may be another's. */
	if (from->folder != given->name.folder ||
	    given->name.place >= CACHE_MAIL_PLACES)
		return;
	then.base[0] = '\0';
	then.place = given->name.place;
	then.flags = given->name.flags;
	maildir_message_name(&then, account->name, made);
	given->name.is_made = strcmp(made, name) == 0;
}

/* The keywords that a name shows. */
static unsigned numbers_in(const char *name, enum cache_place place)
{
	struct maildir_parts parts;
	if (maildir_name_split(name, place, &parts) < 0)
		return 0;
	return parts.flags & ~MAIL_FLAGS;
}

static int rename_file(fuse_req_t req, const struct tree_found *from,
                       const char *old_name, const struct inode *to_dir,
                       const char *name, const struct tree_found *over)
{
	struct ops *ops = ops_of(req);
	struct tree_name given;
	if (over && over->node.kind != INODE_MESSAGE)
		return -EISDIR;
	int err = tree_name_split(to_dir, name, &given);
	if (err < 0)
		return err;
	if (over)
		open_remember(&ops->open, &over->st);
	given.name.was = numbers_in(old_name, from->entry.place);
	keep_derived(tree_account(&ops->tree, to_dir), &from->entry, name,
	             &given);
	struct cache *c = ops_cache(req, to_dir);
	struct pending *p =
		pending_new(&ops->pendings, req, 0, c, ops_err_resume);
	pending_direct(p);
	open_settle(&ops->open, tree_number(&ops->tree, &from->node));
	int n = cache_rename(c, &from->entry, &given.name,
	                     over ? &over->entry : NULL, pending_done, p,
	                     &p->wait);
	if (n == 0)
		return 0;
	pending_free(p);
	if (n == 1)
		ops_reply_err(req, 0);
	return n < 0 ? n : 0;
}

/* 0: it was or will be answered. */
static int rename_any(fuse_req_t req, fuse_ino_t parent, const char *name,
                      fuse_ino_t to_parent, const char *to_name, unsigned flags)
{
	struct tree_found from, over;
	struct inode dir, to_dir;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	int err = ops_find(req, parent, name, &dir, &from);
	if (err < 0)
		return err;
	err = ops_find(req, to_parent, to_name, &to_dir, &over);
	if (err < 0 && err != -ENOENT)
		return err;
	bool has_over = err == 0;
	if (has_over && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (dir.kind == INODE_ROOT || to_dir.kind == INODE_ROOT ||
	    dir.account != to_dir.account)
		return -EXDEV;
	if (from.node.kind == INODE_MESSAGE)
		return rename_file(req, &from, name, &to_dir, to_name,
		                   has_over ? &over : NULL);
	err = ops_rename_dir(req, &from, &to_dir, to_name,
	                     has_over ? &over : NULL);
	if (err == 0)
		ops_reply_err(req, 0);
	return err;
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
                fuse_ino_t to_parent, const char *to_name, unsigned flags)
{
	if (replay_rename(ops_of(req)->replay, req, parent, name, to_parent,
	                  to_name))
		return;
	int err = rename_any(req, parent, name, to_parent, to_name, flags);
	if (err < 0)
		ops_reply_err(req, err);
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
                 const char *name)
{
	ops_reply_err(req, -EPERM);
}
