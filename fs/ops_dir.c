/*
 * Directories: made empty, filled with cur, new and tmp, renamed, removed.
 */
#include "fs/ops.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "fs/replay.h"

/* Where a directory is to be. */
struct spot {
	int64_t parent;
	char level[TREE_PATH_MAX + 1];
};

/* Could it be a folder's, and would its name stay as it is? */
static int check_path(const struct inode *dir, const char *path)
{
	char text[TREE_PATH_MAX + 1];
	char *rest = text;
	strcpy(text, path);
	for (char *level; (level = strsep(&rest, "/")) != NULL;)
		if (!maildir_level_is_valid(level))
			return -EINVAL;
	size_t len = strcspn(path, "/");
	bool is_inbox = dir->id == CACHE_ROOT && len == strlen("INBOX") &&
	                strncasecmp(path, "INBOX", len) == 0;
	return is_inbox && strncmp(path, "INBOX", len) != 0 ? -EINVAL : 0;
}

/*
 * Find the spot for a name.  Of a Maildir++ name the levels above are made if
 * they are not there, as a server would.
 */
static int find_spot(fuse_req_t req, const struct inode *dir, const char *name,
                     struct spot *spot_out)
{
	struct cache *c = ops_cache(req, dir);
	char path[TREE_PATH_MAX + 1];
	struct cache_folder above;
	if (dir->kind != INODE_ACCOUNT && dir->kind != INODE_FOLDER)
		return -EPERM;
	if (tree_path_decode(&ops_of(req)->tree, dir, name, path) != 1)
		return -EINVAL;
	int err = check_path(dir, path);
	char *rest = path;
	spot_out->parent = dir->id;
	while (err == 0) {
		char *level = strsep(&rest, "/");
		if (!rest) {
			strcpy(spot_out->level, level);
			return 0;
		}
		err = cache_folder_find(c, spot_out->parent, level, &above);
		if (err == -ENOENT)
			err = cache_folder_make(c, spot_out->parent, level,
			                        &above.id);
		spot_out->parent = above.id;
	}
	return err;
}

int ops_rename_dir(fuse_req_t req, const struct tree_found *from,
                   const struct inode *to_dir, const char *name,
                   const struct tree_found *over)
{
	enum cache_place place;
	struct spot spot;
	if (from->node.kind != INODE_FOLDER || tree_place_named(name, &place))
		return -EBUSY;
	if (over && over->node.kind != INODE_FOLDER)
		return -ENOTDIR;
	int err = find_spot(req, to_dir, name, &spot);
	if (err < 0)
		return err;
	if (!tree_folder_may_hide(&ops_of(req)->tree, to_dir, &from->folder,
	                          spot.level))
		return -ENOTEMPTY;
	return cache_folder_rename(ops_cache(req, to_dir), from->folder.id,
	                           spot.parent, spot.level);
}

static int make_dir(fuse_req_t req, const struct inode *dir, const char *name)
{
	struct cache *c = ops_cache(req, dir);
	struct cache_folder maildir;
	enum cache_place place;
	struct spot spot;
	int64_t folder;
	if (dir->kind == INODE_ROOT)
		return -EPERM;
	if (tree_place_named(name, &place)) {
		if (tree_maildir(&ops_of(req)->tree, dir, &maildir) < 0)
			return -EPERM;
		return cache_place_make(c, maildir.id, place);
	}
	int err = find_spot(req, dir, name, &spot);
	if (err < 0)
		return err;
	return cache_folder_make(c, spot.parent, spot.level, &folder);
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct tree_found found;
	struct inode dir;
	if (replay_change(ops_of(req)->replay, req, INJECTOR_MKDIR, parent,
	                  name))
		return;
	int err = ops_find(req, parent, name, &dir, &found);
	if (err == 0)
		err = -EEXIST;
	else if (err == -ENOENT)
		err = make_dir(req, &dir, name);
	if (err == 0)
		err = ops_find(req, parent, name, &dir, &found);
	if (err < 0)
		ops_reply_err(req, err);
	else
		ops_reply_entry(req, &found.st);
}

static int remove_dir(fuse_req_t req, const struct inode *dir, const char *name,
                      const struct tree_found *found)
{
	enum cache_place place;
	struct cache *c = ops_cache(req, dir);
	switch (found->node.kind) {
	case INODE_ROOT:
	case INODE_ACCOUNT:
		return -EBUSY;
	case INODE_MESSAGE:
		return -ENOTDIR;
	case INODE_FOLDER:
		return cache_folder_remove(c, found->node.id);
	case INODE_NEW:
	case INODE_CUR:
	case INODE_TMP:
		(void)tree_place_named(name, &place);
		return cache_place_remove(c, found->node.id, place);
	}
	return -EINVAL;
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct tree_found found;
	struct inode dir;
	if (replay_change(ops_of(req)->replay, req, INJECTOR_RMDIR, parent,
	                  name))
		return;
	int err = ops_find(req, parent, name, &dir, &found);
	if (err == 0)
		err = remove_dir(req, &dir, name, &found);
	ops_reply_err(req, err);
}
