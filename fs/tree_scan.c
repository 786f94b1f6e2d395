/*
 * Cookies: 1 and 2 for "." and "..", 3 to 5 for cur, new and tmp; then every
 * item's id above those.  Files beside folders have a range of their own, for
 * their ids are other things' than the folders'.
 */
#include "fs/tree_folder.h"

#include <errno.h>
#include <string.h>

#define COOKIE_PLACES (TREE_COOKIE_PARENT + 1)
#define COOKIE_FIXED  (TREE_COOKIE_PARENT + TREE_PLACE_COUNT)
#define COOKIE_TOP    (UINT64_C(1) << 62)

static uint64_t parent_number(const struct tree *t, const struct inode *dir)
{
	struct inode up = { INODE_ACCOUNT, dir->account, CACHE_ROOT };
	struct cache_folder folder;
	if (dir->kind == INODE_ROOT || dir->kind == INODE_ACCOUNT)
		return INODE_ROOT_NUMBER;
	if (cache_folder_get(tree_account(t, dir)->cache, dir->id, &folder) < 0)
		return tree_number(t, &up);
	struct inode above = tree_folder_above(t, dir, &folder);
	if (dir->kind == INODE_FOLDER)
		up = above;
	else if (tree_folder_is_in(t, &above, &folder))
		up = (struct inode){ INODE_FOLDER, dir->account, dir->id };
	return tree_number(t, &up);
}

/* The item with a fixed cookie: 1, or 0 if this directory has none. */
static int fixed_item(const struct tree *t, const struct inode *dir,
                      uint64_t cookie, struct tree_item *item_out)
{
	item_out->cookie = cookie;
	if (cookie <= TREE_COOKIE_PARENT) {
		bool is_self = cookie == TREE_COOKIE_SELF;
		strcpy(item_out->name, is_self ? "." : "..");
		item_out->st = (struct stat){ .st_mode = S_IFDIR };
		item_out->st.st_ino =
			is_self ? tree_number(t, dir) : parent_number(t, dir);
		return 1;
	}
	const struct tree_place_row *row = &TREE_PLACES[cookie - COOKIE_PLACES];
	struct cache_folder folder;
	if (tree_maildir(t, dir, &folder) < 0 ||
	    !tree_has_place(&folder, row->place))
		return 0;
	struct inode node = { row->kind, dir->account, folder.id };
	strcpy(item_out->name, row->name);
	tree_fill_folder(t, &node, &folder, &item_out->st);
	return 1;
}

static int account_item(const struct tree *t, int64_t after,
                        struct tree_item *item_out)
{
	if ((uint64_t)after >= t->account_count)
		return 0;
	struct inode node = { INODE_ACCOUNT, (unsigned)after, CACHE_ROOT };
	if (tree_stat(t, &node, &item_out->st) < 0)
		return 0;
	strcpy(item_out->name, t->accounts[after].name);
	item_out->cookie = COOKIE_FIXED + (uint64_t)after + 1;
	return 1;
}

static int folder_item(struct tree *t, const struct inode *dir, int64_t after,
                       struct tree_item *item_out)
{
	struct cache_folder folder;
	while (tree_folder_next(t, dir, after, &folder) == 0) {
		after = folder.id;
		if (tree_folder_name(t, dir, &folder, item_out->name) < 0)
			continue; /* one above it has just gone */
		struct inode node = { INODE_FOLDER, dir->account, folder.id };
		tree_fill_folder(t, &node, &folder, &item_out->st);
		item_out->cookie = COOKIE_FIXED + (uint64_t)folder.id;
		return 1;
	}
	return 0;
}

static int entry_item(const struct tree *t, const struct inode *dir,
                      struct tree_item *item_out)
{
	const struct fs_account *account = tree_account(t, dir);
	struct cache_entry entry;
	int n = cache_scan_next(account->cache, &entry);
	if (n != 1)
		return n;
	maildir_message_name(&entry, account->name, item_out->name);
	tree_fill_message(t, dir->account, &entry.message, &item_out->st);
	item_out->cookie = COOKIE_FIXED + (uint64_t)entry.id;
	if (entry.place == CACHE_TOP)
		item_out->cookie = COOKIE_TOP + (uint64_t)entry.id;
	return 1;
}

/* Entries of dir, from the one after; id counts from its first cookie. */
static void open_entries(struct tree_scan *scan, uint64_t id, bool names_only)
{
	enum cache_place place;
	int64_t folder;
	if (!tree_place(&scan->dir, &folder, &place))
		return;
	scan->err =
		cache_scan_begin(tree_account(scan->tree, &scan->dir)->cache,
	                         folder, place, (int64_t)id, names_only);
	scan->is_open = scan->err == 0;
}

static bool has_folders(const struct inode *dir)
{
	return dir->kind == INODE_ACCOUNT || dir->kind == INODE_FOLDER;
}

void tree_scan_begin(struct tree_scan *scan, struct tree *t,
                     const struct inode *dir, uint64_t after, bool names_only)
{
	*scan = (struct tree_scan){ .tree = t, .dir = *dir, .cookie = after };
	if (!has_folders(dir))
		open_entries(scan,
		             after > COOKIE_FIXED ? after - COOKIE_FIXED : 0,
		             names_only);
	else if (after >= COOKIE_TOP)
		open_entries(scan, after - COOKIE_TOP, names_only);
}

/* Folders first, then the files beside them. */
static int below_item(struct tree_scan *scan, struct tree_item *item_out)
{
	if (scan->cookie < COOKIE_TOP) {
		int64_t after = (int64_t)(scan->cookie - COOKIE_FIXED);
		if (folder_item(scan->tree, &scan->dir, after, item_out) == 1)
			return 1;
		open_entries(scan, 0, false);
		scan->cookie = COOKIE_TOP;
	}
	return scan->is_open ? entry_item(scan->tree, &scan->dir, item_out)
	                     : scan->err;
}

int tree_scan_next(struct tree_scan *scan, struct tree_item *item_out)
{
	struct tree *t = scan->tree;
	while (scan->cookie < COOKIE_FIXED)
		if (fixed_item(t, &scan->dir, ++scan->cookie, item_out))
			return 1;
	int64_t after = (int64_t)(scan->cookie - COOKIE_FIXED);
	int n = 0;
	if (scan->dir.kind == INODE_ROOT)
		n = account_item(t, after, item_out);
	else if (has_folders(&scan->dir))
		n = below_item(scan, item_out);
	else
		n = scan->is_open ? entry_item(t, &scan->dir, item_out)
		                  : scan->err;
	if (n == 1)
		scan->cookie = item_out->cookie;
	return n;
}

void tree_scan_end(struct tree_scan *scan)
{
	if (scan->is_open)
		cache_scan_end(tree_account(scan->tree, &scan->dir)->cache);
	scan->is_open = false;
}
