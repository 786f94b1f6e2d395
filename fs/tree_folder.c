/*
 * In Maildir++ all folders stand side by side in the account's root, under
 * names of all their levels: ".A.B".  But a directory of a program's own that
 * is no mail folder (courierimapkeywords, ..DOVECOT-TRASHED) stays where it
 * was made: its level is its name with a dot before it, which keeps it from
 * the server.
 */
#include "fs/tree_folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

bool tree_is_dotted(const struct tree *t, const struct inode *node)
{
	return tree_account(t, node)->layout == FS_MAILDIRPP;
}

/* Of a level in the Maildir++ layout: is it a directory inside its parent's? */
static bool is_inside(const char *level)
{
	return level[0] == '.' && level[1] && strcmp(level, "..") != 0;
}

bool tree_folder_may_hide(const struct tree *t, const struct inode *dir,
                          const struct cache_folder *folder, const char *level)
{
	struct cache *c = tree_account(t, dir)->cache;
	struct cache_folder child;
	int64_t after = 0;
	if (!tree_is_dotted(t, dir) || !is_inside(level))
		return true;
	while (cache_folder_next(c, folder->id, after, &child) == 0) {
		if (!is_inside(child.level))
			return false;
		after = child.id;
	}
	return true;
}

static bool is_inbox(const struct cache_folder *folder)
{
	return folder->parent == CACHE_ROOT &&
	       strcmp(folder->level, "INBOX") == 0;
}

bool tree_folder_is_in(const struct tree *t, const struct inode *dir,
                       const struct cache_folder *folder)
{
	if (!tree_is_dotted(t, dir) || is_inside(folder->level))
		return folder->parent == dir->id;
	return dir->kind == INODE_ACCOUNT && !is_inbox(folder) &&
	       (folder->places != 0 ||
	        !(folder->attributes & MAIL_FOLDER_NOSELECT));
}

int tree_folder_name(const struct tree *t, const struct inode *dir,
                     const struct cache_folder *folder,
                     char name_out[MAILDIR_NAME_MAX + 1])
{
	if (!tree_is_dotted(t, dir) || is_inside(folder->level)) {
		maildir_level_encode(folder->level + tree_is_dotted(t, dir),
		                     name_out);
		return 0;
	}
	struct cache *c = tree_account(t, dir)->cache;
	struct cache_folder above = *folder;
	auto_free char *path = xstrdup(folder->level);
	while (above.parent != CACHE_ROOT) {
		int err = cache_folder_get(c, above.parent, &above);
		if (err < 0)
			return err;
		char *longer = xasprintf("%s/%s", above.level, path);
		free(path);
		path = longer;
	}
	maildir_path_encode(path, name_out);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void index_add(struct tree_index *index, int64_t id)
{
	if (index->count == index->capacity) {
		index->capacity = index->capacity ? index->capacity * 2 : 64;
		index->ids = xrealloc(index->ids,
		                      index->capacity * sizeof(*index->ids));
	}
	index->ids[index->count++] = id;
}

static struct tree_index *index_rebuild(const struct tree *t, unsigned account)
{
	struct tree_index *index = &t->indexes[account];
	struct cache *c = t->accounts[account].cache;
	struct cache_folder folder;
	index->count = 0;
	index_add(index, CACHE_ROOT);
	for (size_t i = 0; i < index->count; i++) {
		int64_t parent = index->ids[i];
		int64_t after = 0;
		while (cache_folder_next(c, parent, after, &folder) == 0) {
			index_add(index, folder.id);
			after = folder.id;
		}
	}
	qsort(index->ids, index->count, sizeof(*index->ids), compare_ids);
	return index;
}

int64_t tree_folders_changed_ns(const struct tree *t, unsigned account)
{
	const struct tree_index *index = index_rebuild(t, account);
	struct cache *c = t->accounts[account].cache;
	struct cache_folder folder;
	int64_t changed_ns = 0;
	for (size_t i = 0; i < index->count; i++)
		if (cache_folder_get(c, index->ids[i], &folder) == 0 &&
		    folder.changed_ns > changed_ns)
			changed_ns = folder.changed_ns;
	return changed_ns;
}

/* Of a list of ids in order, the first above after. */
static size_t index_above(const struct tree_index *index, int64_t after)
{
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->ids[middle] <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int tree_folder_next(struct tree *t, const struct inode *dir, int64_t after,
                     struct cache_folder *folder_out)
{
	struct cache *c = tree_account(t, dir)->cache;
	if (!tree_is_dotted(t, dir) || dir->kind != INODE_ACCOUNT) {
		while (cache_folder_next(c, dir->id, after, folder_out) == 0) {
			if (tree_folder_is_in(t, dir, folder_out))
				return 0;
			after = folder_out->id;
		}
		return -ENOENT;
	}
	struct tree_index *index = &t->indexes[dir->account];
	if (after == 0 || index->count == 0)
		index = index_rebuild(t, dir->account);
	for (size_t i = index_above(index, after); i < index->count; i++)
		if (cache_folder_get(c, index->ids[i], folder_out) == 0 &&
		    tree_folder_is_in(t, dir, folder_out))
			return 0;
	return -ENOENT;
}

/* Find a folder by a name too long to be read back. */
static int find_cut(struct tree *t, const struct inode *dir, const char *name,
                    struct cache_folder *folder_out)
{
	char candidate[MAILDIR_NAME_MAX + 1];
	int64_t after = 0;
	while (tree_folder_next(t, dir, after, folder_out) == 0) {
		after = folder_out->id;
		if (tree_folder_name(t, dir, folder_out, candidate) == 0 &&
		    strcmp(candidate, name) == 0)
			return 0;
	}
	return -ENOENT;
}

/* Whether it names a mail folder in Maildir++: ".A.B", and no level empty. */
static bool is_mail_name(const char *name)
{
	return name[0] == '.' && name[1] && !strstr(name, "..") &&
	       name[strlen(name) - 1] != '.';
}

int tree_path_decode(const struct tree *t, const struct inode *dir,
                     const char *name, char path_out[TREE_PATH_MAX + 1])
{
	if (!tree_is_dotted(t, dir))
		return maildir_level_decode(name, path_out);
	bool is_mail = dir->kind == INODE_ACCOUNT && is_mail_name(name);
	path_out[0] = '.';
	int n = is_mail ? maildir_path_decode(name, path_out)
	                : maildir_level_decode(name, path_out + 1);
	if (n <= 0)
		return n;
	/* Each folder has one name. */
	const char *slash = strrchr(path_out, '/');
	bool is_in = is_inside(slash ? slash + 1 : path_out);
	return is_in == is_mail ? -ENOENT : 1;
}

static int find_path(struct cache *c, int64_t above, char *path,
                     struct cache_folder *folder_out)
{
	folder_out->id = above;
	char *rest = path;
	while (rest) {
		char *level = strsep(&rest, "/");
		int err =
			cache_folder_find(c, folder_out->id, level, folder_out);
		if (err < 0)
			return err;
	}
	return 0;
}

int tree_folder_find(struct tree *t, const struct inode *dir, const char *name,
                     struct cache_folder *folder_out)
{
	char path[TREE_PATH_MAX + 1];
	int n = tree_path_decode(t, dir, name, path);
	if (n < 0)
		return n;
	if (n == 0)
		return find_cut(t, dir, name, folder_out);
	int err = find_path(tree_account(t, dir)->cache, dir->id, path,
	                    folder_out);
	if (err < 0)
		return err;
	return tree_folder_is_in(t, dir, folder_out) ? 0 : -ENOENT;
}

struct inode tree_folder_above(const struct tree *t, const struct inode *node,
                               const struct cache_folder *folder)
{
	bool is_flat = tree_is_dotted(t, node) && !is_inside(folder->level);
	if (is_flat || folder->parent == CACHE_ROOT)
		return (struct inode){ INODE_ACCOUNT, node->account,
			               CACHE_ROOT };
	return (struct inode){ INODE_FOLDER, node->account, folder->parent };
}
