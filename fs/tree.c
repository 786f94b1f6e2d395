/*
 * Nested:    ACCOUNT ─ FOLDER ─┬ FOLDER …
 *                              └ cur new tmp ─ MESSAGE
 * Maildir++: ACCOUNT ─┬ FOLDER (all of them) ─ cur new tmp
 *                     └ cur new tmp (INBOX's own)
 *
 * Cookies: 1 and 2 for "." and "..", 3 to 5 for cur, new and tmp; then every
 * item's id above those.
 */
#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/strbuf.h"

#define NS_PER_S 1000000000

/* Of stat(2), whatever the file system. */
#define STAT_BLOCK 512
#define BLOCK_SIZE 4096

#define COOKIE_FIXED 5

static const struct {
	const char *name;
	enum inode_kind kind;
	uint64_t cookie;
	enum cache_place place;
} PLACES[] = {
	{ "cur", INODE_CUR, 3, CACHE_CUR },
	{ "new", INODE_NEW, 4, CACHE_NEW },
	{ "tmp", INODE_TMP, COOKIE_FIXED, CACHE_TMP },
};
#define PLACE_COUNT (sizeof(PLACES) / sizeof(PLACES[0]))

/* Cookies of what stands beside folders: above those of all folders. */
#define COOKIE_TOP (UINT64_C(1) << 62)

void tree_init(struct tree *t, const struct fs_config *config)
{
	*t = (struct tree){
		.accounts = config->accounts,
		.account_count = config->account_count,
		.is_single = config->is_single,
		.uid = getuid(),
		.gid = getgid(),
		.mounted_ns = clock_wall_ns(),
		.indexes = xcalloc(config->account_count,
		                   sizeof(struct tree_index)),
	};
}

void tree_release(struct tree *t)
{
	for (size_t i = 0; t->indexes && i < t->account_count; i++)
		free(t->indexes[i].ids);
	free(t->indexes);
	t->indexes = NULL;
}

uint64_t tree_root_number(const struct tree *t, unsigned account)
{
	if (t->is_single)
		return INODE_ROOT_NUMBER;
	return inode_number(INODE_ACCOUNT, account, CACHE_ROOT);
}

bool tree_node(const struct tree *t, uint64_t number, struct inode *node_out)
{
	struct inode node;
	if (!inode_parse(number, &node) || node.account >= t->account_count)
		return false;
	if (node.kind == INODE_ROOT && t->is_single)
		node = (struct inode){ INODE_ACCOUNT, 0, CACHE_ROOT };
	*node_out = node;
	return true;
}

static uint64_t node_number(const struct tree *t, const struct inode *node)
{
	if (node->kind == INODE_ACCOUNT)
		return tree_root_number(t, node->account);
	return inode_number(node->kind, node->account, node->id);
}

static bool is_dotted(const struct tree *t, const struct inode *node)
{
	return tree_account(t, node)->layout == FS_MAILDIRPP;
}

static bool is_inbox(const struct cache_folder *folder)
{
	return folder->parent == CACHE_ROOT &&
	       strcmp(folder->level, "INBOX") == 0;
}

/* Whether the folder has a directory of its own. */
static bool is_shown(const struct tree *t, const struct inode *dir,
                     const struct cache_folder *folder)
{
	if (!is_dotted(t, dir))
		return true;
	return !is_inbox(folder) &&
	       (folder->places != 0 ||
	        !(folder->attributes & MAIL_FOLDER_NOSELECT));
}

/* The folder whose cur, new and tmp stand in dir. */
static int maildir_at(const struct tree *t, const struct inode *dir,
                      struct cache_folder *folder_out)
{
	struct cache *c = tree_account(t, dir)->cache;
	int err = -ENOENT;
	if (dir->kind == INODE_FOLDER)
		err = cache_folder_get(c, dir->id, folder_out);
	else if (dir->kind == INODE_ACCOUNT && is_dotted(t, dir))
		err = cache_folder_find(c, CACHE_ROOT, "INBOX", folder_out);
	if (err < 0)
		return err;
	return folder_out->places != 0 ? 0 : -ENOENT;
}

static bool has_place(const struct cache_folder *folder, size_t i)
{
	return (folder->places & 1u << PLACES[i].place) != 0;
}

bool tree_place(const struct inode *dir, int64_t *folder_out,
                enum cache_place *place_out)
{
	*folder_out = dir->id;
	*place_out = CACHE_TOP;
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (dir->kind == PLACES[i].kind)
			*place_out = PLACES[i].place;
	return dir->kind != INODE_ROOT && dir->kind != INODE_MESSAGE;
}

static void fill_dir(const struct tree *t, const struct inode *node,
                     int64_t links, int64_t changed_ns, struct stat *st_out)
{
	struct timespec changed = {
		.tv_sec = changed_ns / NS_PER_S,
		.tv_nsec = changed_ns % NS_PER_S,
	};
	*st_out = (struct stat){
		.st_ino = node_number(t, node),
		.st_mode = S_IFDIR | 0700,
		.st_nlink = (nlink_t)links,
		.st_uid = t->uid,
		.st_gid = t->gid,
		.st_blksize = BLOCK_SIZE,
		.st_atim = changed,
		.st_mtim = changed,
		.st_ctim = changed,
	};
}

/* A directory that stands for a folder, or for a place in it. */
static void fill_folder(const struct tree *t, const struct inode *node,
                        const struct cache_folder *folder, struct stat *st_out)
{
	int64_t links = 2;
	int64_t changed_ns = folder->changed_ns;
	if (node->kind == INODE_NEW) {
		changed_ns = folder->entries_changed_ns[CACHE_NEW];
	} else if (node->kind == INODE_CUR) {
		changed_ns = folder->entries_changed_ns[CACHE_CUR];
	} else if (node->kind == INODE_TMP) {
		changed_ns = folder->entries_changed_ns[CACHE_TMP];
	} else if (node->kind == INODE_FOLDER) {
		if (!is_dotted(t, node))
			links += folder->children;
		for (size_t i = 0; i < PLACE_COUNT; i++)
			links += has_place(folder, i);
	} else if (node->kind == INODE_ACCOUNT) {
		/* All of Maildir++ is in one: 1 says "not counted". */
		links = is_dotted(t, node) ? 1 : 2 + folder->children;
	}
	fill_dir(t, node, links, changed_ns, st_out);
}

static void fill_message(const struct tree *t, unsigned account,
                         const struct cache_message *message,
                         struct stat *st_out)
{
	uint64_t blocks = (message->size + STAT_BLOCK - 1) / STAT_BLOCK;
	*st_out = (struct stat){
		.st_ino = inode_number(INODE_MESSAGE, account, message->id),
		.st_mode = S_IFREG | message->mode,
		.st_nlink = (nlink_t)message->links,
		.st_uid = message->uid == (uid_t)-1 ? t->uid : message->uid,
		.st_gid = message->gid == (gid_t)-1 ? t->gid : message->gid,
		.st_size = (off_t)message->size,
		.st_blksize = BLOCK_SIZE,
		.st_blocks = message->is_cached ? (blkcnt_t)blocks : 0,
		.st_atim = message->mtime,
		.st_mtim = message->mtime,
		.st_ctim = message->ctime,
	};
}

int tree_stat(const struct tree *t, const struct inode *node,
              struct stat *st_out)
{
	if (node->kind == INODE_ROOT) {
		fill_dir(t, node, 2 + (int64_t)t->account_count, t->mounted_ns,
		         st_out);
		return 0;
	}
	struct cache *c = tree_account(t, node)->cache;
	if (node->kind == INODE_MESSAGE) {
		struct cache_message message;
		int err = cache_message_get(c, node->id, &message);
		if (err == 0)
			fill_message(t, node->account, &message, st_out);
		return err;
	}
	struct cache_folder folder;
	int err = cache_folder_get(c, node->id, &folder);
	if (err == 0)
		fill_folder(t, node, &folder, st_out);
	return err;
}

/* The name of a folder's directory: of its level, or of all above it too. */
static int folder_name(const struct tree *t, const struct inode *dir,
                       const struct cache_folder *folder,
                       char name_out[MAILDIR_NAME_MAX + 1])
{
	if (!is_dotted(t, dir)) {
		maildir_level_encode(folder->level, name_out);
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

static struct tree_index *index_rebuild(struct tree *t, unsigned account)
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

/* The folder directory below dir with the smallest id above after. */
static int folder_next(struct tree *t, const struct inode *dir, int64_t after,
                       struct cache_folder *folder_out)
{
	struct cache *c = tree_account(t, dir)->cache;
	if (!is_dotted(t, dir))
		return cache_folder_next(c, dir->id, after, folder_out);
	if (dir->kind != INODE_ACCOUNT)
		return -ENOENT;
	struct tree_index *index = &t->indexes[dir->account];
	if (after == 0 || index->count == 0)
		index = index_rebuild(t, dir->account);
	size_t low = 0, high = index->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (index->ids[middle] <= after)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < index->count; low++)
		if (cache_folder_get(c, index->ids[low], folder_out) == 0 &&
		    is_shown(t, dir, folder_out))
			return 0;
	return -ENOENT;
}

/* Find a folder by a name too long to be read back. */
static int find_cut(struct tree *t, const struct inode *dir, const char *name,
                    struct cache_folder *folder_out)
{
	char candidate[MAILDIR_NAME_MAX + 1];
	int64_t after = 0;
	while (folder_next(t, dir, after, folder_out) == 0) {
		after = folder_out->id;
		if (folder_name(t, dir, folder_out, candidate) == 0 &&
		    strcmp(candidate, name) == 0)
			return 0;
	}
	return -ENOENT;
}

static int find_path(struct cache *c, char *path,
                     struct cache_folder *folder_out)
{
	folder_out->id = CACHE_ROOT;
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

static int find_folder(struct tree *t, const struct inode *dir,
                       const char *name, struct cache_folder *folder_out)
{
	struct cache *c = tree_account(t, dir)->cache;
	char text[MAILDIR_NAME_MAX + 1];
	if (is_dotted(t, dir) && dir->kind != INODE_ACCOUNT)
		return -ENOENT;
	int n = is_dotted(t, dir) ? maildir_path_decode(name, text)
	                          : maildir_level_decode(name, text);
	if (n < 0)
		return n;
	if (n == 0)
		return find_cut(t, dir, name, folder_out);
	int err = is_dotted(t, dir)
	                  ? find_path(c, text, folder_out)
	                  : cache_folder_find(c, dir->id, text, folder_out);
	if (err < 0)
		return err;
	return is_shown(t, dir, folder_out) ? 0 : -ENOENT;
}

/* An entry under a name that is made from its identity. */
static int find_derived(const struct fs_account *account, int64_t folder,
                        enum cache_place place, const char *name,
                        struct cache_entry *entry_out)
{
	uint64_t identity;
	char made[MAILDIR_NAME_MAX + 1];
	if (place >= CACHE_MAIL_PLACES ||
	    !maildir_identity_parse(name, &identity))
		return -ENOENT;
	int err = cache_entry_find(account->cache, folder, identity, entry_out);
	if (err < 0)
		return err;
	maildir_message_name(entry_out, account->name, made);
	return entry_out->place == place && strcmp(made, name) == 0 ? 0
	                                                            : -ENOENT;
}

int tree_entry(const struct tree *t, const struct inode *dir, const char *name,
               struct cache_entry *entry_out)
{
	const struct fs_account *account = tree_account(t, dir);
	struct maildir_parts parts;
	enum cache_place place;
	int64_t folder;
	if (!tree_place(dir, &folder, &place))
		return -ENOENT;
	int err = find_derived(account, folder, place, name, entry_out);
	if (err != -ENOENT)
		return err;
	err = maildir_name_split(name, place, &parts);
	if (err < 0)
		return -ENOENT;
	char made[MAILDIR_NAME_MAX + 1];
	entry_out->id = 0;
	while ((err = cache_name_find(account->cache, folder, place, parts.base,
	                              entry_out->id, entry_out)) == 0) {
		maildir_message_name(entry_out, account->name, made);
		if (strcmp(made, name) == 0)
			return 0;
	}
	return err;
}

static int find_entry(const struct tree *t, const struct inode *dir,
                      const char *name, struct stat *st_out)
{
	struct cache_entry entry;
	int err = tree_entry(t, dir, name, &entry);
	if (err == 0)
		fill_message(t, dir->account, &entry.message, st_out);
	return err;
}

int tree_folder(struct tree *t, const struct inode *dir, const char *name,
                struct cache_folder *folder_out)
{
	return find_folder(t, dir, name, folder_out);
}

bool tree_place_named(const char *name, enum cache_place *place_out)
{
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		if (strcmp(name, PLACES[i].name) != 0)
			continue;
		*place_out = PLACES[i].place;
		return true;
	}
	return false;
}

static int find_below_folder(struct tree *t, const struct inode *dir,
                             const char *name, struct stat *st_out)
{
	struct cache_folder folder;
	struct inode node = { INODE_FOLDER, dir->account, 0 };
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (strcmp(name, PLACES[i].name) == 0)
			node.kind = PLACES[i].kind;
	int err = node.kind == INODE_FOLDER ? find_folder(t, dir, name, &folder)
	                                    : maildir_at(t, dir, &folder);
	if (err == -ENOENT && node.kind == INODE_FOLDER)
		return find_entry(t, dir, name, st_out);
	for (size_t i = 0; err == 0 && i < PLACE_COUNT; i++)
		if (node.kind == PLACES[i].kind && !has_place(&folder, i))
			err = -ENOENT;
	if (err < 0)
		return err;
	node.id = folder.id;
	fill_folder(t, &node, &folder, st_out);
	return 0;
}

int tree_find(struct tree *t, const struct inode *dir, const char *name,
              struct stat *st_out)
{
	switch (dir->kind) {
	case INODE_ROOT:
		for (unsigned i = 0; i < t->account_count; i++) {
			struct inode node = { INODE_ACCOUNT, i, CACHE_ROOT };
			if (strcmp(name, t->accounts[i].name) == 0)
				return tree_stat(t, &node, st_out);
		}
		return -ENOENT;
	case INODE_ACCOUNT:
	case INODE_FOLDER:
		return find_below_folder(t, dir, name, st_out);
	case INODE_NEW:
	case INODE_CUR:
	case INODE_TMP:
		return find_entry(t, dir, name, st_out);
	case INODE_MESSAGE:
		return -ENOENT;
	}
	return -ENOENT;
}

bool tree_listing(const struct inode *dir, int64_t *folder_out)
{
	switch (dir->kind) {
	case INODE_ROOT:
	case INODE_TMP:
	case INODE_MESSAGE:
		return false;
	case INODE_ACCOUNT:
	case INODE_FOLDER:
		*folder_out = CACHE_ROOT;
		return true;
	case INODE_NEW:
	case INODE_CUR:
		*folder_out = dir->id;
		return true;
	}
	return false;
}

static bool is_place(const struct inode *dir)
{
	return dir->kind == INODE_NEW || dir->kind == INODE_CUR ||
	       dir->kind == INODE_TMP;
}

static uint64_t parent_number(const struct tree *t, const struct inode *dir)
{
	struct inode up = { INODE_ACCOUNT, dir->account, CACHE_ROOT };
	struct cache_folder folder;
	if (dir->kind == INODE_ROOT || dir->kind == INODE_ACCOUNT)
		return INODE_ROOT_NUMBER;
	if (cache_folder_get(tree_account(t, dir)->cache, dir->id, &folder) < 0)
		return node_number(t, &up);
	if (is_place(dir) && is_shown(t, dir, &folder))
		up = (struct inode){ INODE_FOLDER, dir->account, dir->id };
	else if (!is_place(dir) && !is_dotted(t, dir) &&
	         folder.parent != CACHE_ROOT)
		up = (struct inode){ INODE_FOLDER, dir->account,
			             folder.parent };
	return node_number(t, &up);
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
			is_self ? node_number(t, dir) : parent_number(t, dir);
		return 1;
	}
	struct cache_folder folder;
	if (maildir_at(t, dir, &folder) < 0)
		return 0;
	size_t i = cookie - PLACES[0].cookie;
	if (!has_place(&folder, i))
		return 0;
	struct inode node = { PLACES[i].kind, dir->account, folder.id };
	strcpy(item_out->name, PLACES[i].name);
	fill_folder(t, &node, &folder, &item_out->st);
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
	while (folder_next(t, dir, after, &folder) == 0) {
		after = folder.id;
		if (folder_name(t, dir, &folder, item_out->name) < 0)
			continue; /* one above it has just gone */
		struct inode node = { INODE_FOLDER, dir->account, folder.id };
		fill_folder(t, &node, &folder, &item_out->st);
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
	if (cache_scan_next(account->cache, &entry) != 1)
		return 0;
	maildir_message_name(&entry, account->name, item_out->name);
	fill_message(t, dir->account, &entry.message, &item_out->st);
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
	scan->is_open =
		cache_scan_begin(tree_account(scan->tree, &scan->dir)->cache,
	                         folder, place, (int64_t)id, names_only) == 0;
}

void tree_scan_begin(struct tree_scan *scan, struct tree *t,
                     const struct inode *dir, uint64_t after, bool names_only)
{
	*scan = (struct tree_scan){ .tree = t, .dir = *dir, .cookie = after };
	if (is_place(dir))
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
	return scan->is_open ? entry_item(scan->tree, &scan->dir, item_out) : 0;
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
	else if (scan->dir.kind == INODE_ACCOUNT ||
	         scan->dir.kind == INODE_FOLDER)
		n = below_item(scan, item_out);
	else if (scan->is_open)
		n = entry_item(t, &scan->dir, item_out);
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
