/*
 * Nested:    ACCOUNT ─ FOLDER ─┬ FOLDER …
 *                              ├ cur new tmp ─ MESSAGE
 *                              └ MESSAGE (any other file)
 * Maildir++: ACCOUNT ─┬ FOLDER (all of them) ─ cur new tmp, files
 *                     └ cur new tmp (INBOX's own), files
 */
#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/tree_folder.h"
#include "util/clock.h"
#include "util/mem.h"

#define NS_PER_S 1000000000

/* Of stat(2), whatever the file system. */
#define STAT_BLOCK 512
#define BLOCK_SIZE 4096

const struct tree_place_row TREE_PLACES[TREE_PLACE_COUNT] = {
	{ "cur", INODE_CUR, CACHE_CUR },
	{ "new", INODE_NEW, CACHE_NEW },
	{ "tmp", INODE_TMP, CACHE_TMP },
};

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

uint64_t tree_number(const struct tree *t, const struct inode *node)
{
	if (node->kind == INODE_ACCOUNT)
		return tree_root_number(t, node->account);
	return inode_number(node->kind, node->account, node->id);
}

/* The row of a directory that is a place, or NULL. */
static const struct tree_place_row *row_of(const struct inode *dir)
{
	for (size_t i = 0; i < TREE_PLACE_COUNT; i++)
		if (dir->kind == TREE_PLACES[i].kind)
			return &TREE_PLACES[i];
	return NULL;
}

bool tree_place(const struct inode *dir, int64_t *folder_out,
                enum cache_place *place_out)
{
	const struct tree_place_row *row = row_of(dir);
	if (dir->kind == INODE_ROOT || dir->kind == INODE_MESSAGE)
		return false;
	*folder_out = dir->id;
	*place_out = row ? row->place : CACHE_TOP;
	return true;
}

bool tree_place_named(const char *name, enum cache_place *place_out)
{
	for (size_t i = 0; i < TREE_PLACE_COUNT; i++) {
		if (strcmp(name, TREE_PLACES[i].name) != 0)
			continue;
		*place_out = TREE_PLACES[i].place;
		return true;
	}
	return false;
}

/* A name that a place has by right is no file's. */
int tree_name_split(const struct inode *dir, const char *name,
                    struct tree_name *name_out)
{
	struct cache_name *given = &name_out->name;
	enum cache_place place;
	if (!tree_place(dir, &given->folder, &given->place))
		return -EPERM;
	if (given->place == CACHE_TOP && tree_place_named(name, &place))
		return -EPERM;
	given->base = name_out->parts.base;
	given->info = name_out->parts.info;
	int err = maildir_name_split(name, given->place, &name_out->parts);
	given->flags = name_out->parts.flags;
	given->was = 0;
	given->is_made = false;
	return err;
}

int tree_maildir(const struct tree *t, const struct inode *dir,
                 struct cache_folder *folder_out)
{
	struct cache *c = tree_account(t, dir)->cache;
	if (dir->kind == INODE_FOLDER)
		return cache_folder_get(c, dir->id, folder_out);
	if (dir->kind == INODE_ACCOUNT && tree_is_dotted(t, dir))
		return cache_folder_find(c, CACHE_ROOT, "INBOX", folder_out);
	return -ENOENT;
}

static void fill_dir(const struct tree *t, const struct inode *node,
                     int64_t links, int64_t changed_ns, struct stat *st_out)
{
	struct timespec changed = {
		.tv_sec = changed_ns / NS_PER_S,
		.tv_nsec = changed_ns % NS_PER_S,
	};
	*st_out = (struct stat){
		.st_ino = tree_number(t, node),
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
static int64_t count_links(const struct tree *t, const struct inode *node,
                           const struct cache_folder *folder)
{
	int64_t links = 2;
	if (row_of(node))
		return links;
	/* In Maildir++ others stand in it than are below it: not counted. */
	if (tree_is_dotted(t, node) &&
	    (node->kind == INODE_ACCOUNT || folder->children > 0))
		return 1;
	for (size_t i = 0; node->kind == INODE_FOLDER && i < TREE_PLACE_COUNT;
	     i++)
		links += tree_has_place(folder, TREE_PLACES[i].place);
	return links + folder->children;
}

void tree_fill_folder(const struct tree *t, const struct inode *node,
                      const struct cache_folder *folder, struct stat *st_out)
{
	const struct tree_place_row *row = row_of(node);
	int64_t changed_ns = row ? folder->entries_changed_ns[row->place]
	                         : folder->changed_ns;
	if (node->kind == INODE_ACCOUNT && tree_is_dotted(t, node))
		changed_ns = tree_folders_changed_ns(t, node->account);
	fill_dir(t, node, count_links(t, node, folder), changed_ns, st_out);
}

void tree_fill_message(const struct tree *t, unsigned account,
                       const struct cache_message *message, struct stat *st_out)
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
		.st_blocks = message->is_cached || message->is_kept
		                     ? (blkcnt_t)blocks
		                     : 0,
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
			tree_fill_message(t, node->account, &message, st_out);
		return err;
	}
	struct cache_folder folder;
	int err = cache_folder_get(c, node->id, &folder);
	const struct tree_place_row *row = row_of(node);
	if (err == 0 && row && !tree_has_place(&folder, row->place))
		err = -ENOENT;
	if (err == 0)
		tree_fill_folder(t, node, &folder, st_out);
	return err;
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

/* An entry under a name that a program gave it. */
static int find_given(const struct fs_account *account, int64_t folder,
                      enum cache_place place, const char *name,
                      struct cache_entry *entry_out)
{
	struct maildir_parts parts;
	char made[MAILDIR_NAME_MAX + 1];
	int64_t after = 0;
	int err = maildir_name_split(name, place, &parts);
	while (err == 0) {
		err = cache_name_find(account->cache, folder, place, parts.base,
		                      after, entry_out);
		if (err < 0)
			break;
		maildir_message_name(entry_out, account->name, made);
		if (strcmp(made, name) == 0)
			return 0;
		after = entry_out->id;
	}
	return err;
}

static int find_file(const struct tree *t, const struct inode *dir,
                     const char *name, struct tree_found *found_out)
{
	const struct fs_account *account = tree_account(t, dir);
	struct cache_entry *entry = &found_out->entry;
	enum cache_place place;
	int64_t folder;
	if (!tree_place(dir, &folder, &place))
		return -ENOENT;
	int err = find_derived(account, folder, place, name, entry);
	if (err == -ENOENT)
		err = find_given(account, folder, place, name, entry);
	if (err < 0)
		return err;
	found_out->node = (struct inode){ INODE_MESSAGE, dir->account,
		                          entry->message.id };
	tree_fill_message(t, dir->account, &entry->message, &found_out->st);
	return 0;
}

static int find_place(const struct tree *t, const struct inode *dir,
                      enum cache_place place, struct tree_found *found_out)
{
	struct cache_folder *folder = &found_out->folder;
	int err = tree_maildir(t, dir, folder);
	if (err < 0)
		return err;
	if (!tree_has_place(folder, place))
		return -ENOENT;
	for (size_t i = 0; i < TREE_PLACE_COUNT; i++)
		if (TREE_PLACES[i].place == place)
			found_out->node =
				(struct inode){ TREE_PLACES[i].kind,
				                dir->account, folder->id };
	tree_fill_folder(t, &found_out->node, folder, &found_out->st);
	return 0;
}

static int find_account(const struct tree *t, const char *name,
                        struct tree_found *found_out)
{
	for (unsigned i = 0; i < t->account_count; i++) {
		found_out->node =
			(struct inode){ INODE_ACCOUNT, i, CACHE_ROOT };
		if (strcmp(name, t->accounts[i].name) == 0)
			return tree_stat(t, &found_out->node, &found_out->st);
	}
	return -ENOENT;
}

int tree_find(struct tree *t, const struct inode *dir, const char *name,
              struct tree_found *found_out)
{
	enum cache_place place;
	if (strlen(name) > MAILDIR_NAME_MAX)
		return -ENAMETOOLONG;
	if (dir->kind == INODE_ROOT)
		return find_account(t, name, found_out);
	if (dir->kind != INODE_ACCOUNT && dir->kind != INODE_FOLDER)
		return find_file(t, dir, name, found_out);
	if (tree_place_named(name, &place))
		return find_place(t, dir, place, found_out);
	int err = tree_folder_find(t, dir, name, &found_out->folder);
	if (err == -ENOENT)
		return find_file(t, dir, name, found_out);
	if (err < 0)
		return err;
	found_out->node = (struct inode){ INODE_FOLDER, dir->account,
		                          found_out->folder.id };
	tree_fill_folder(t, &found_out->node, &found_out->folder,
	                 &found_out->st);
	return 0;
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
