/*
 * The shape of the mount: which nodes there are, what is in a directory and
 * what stat(2) says, as asked of the caches.  Knows nothing of FUSE.
 *
 * All of it is reading, in cache.h's sense: one thread, and nothing waits.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/fs.h"
#include "fs/inode.h"
#include "fs/maildir.h"

/* All folders of an account in the order of their ids; for Maildir++. */
struct tree_index {
	int64_t *ids;
	size_t count;
	size_t capacity;
};

struct tree {
	const struct fs_account *accounts; /* borrowed from fs_config */
	size_t account_count;
	bool is_single;
	uid_t uid;
	gid_t gid;
	int64_t mounted_ns;
	struct tree_index *indexes; /* one for each account */
};

void tree_init(struct tree *t, const struct fs_config *config);
void tree_release(struct tree *t);

/* What a number stands for; false if nothing. */
bool tree_node(const struct tree *t, uint64_t number, struct inode *node_out);

/* And back. */
uint64_t tree_number(const struct tree *t, const struct inode *node);

/* The number of an account's root: the mount's own, if it is the only one. */
uint64_t tree_root_number(const struct tree *t, unsigned account);

static inline const struct fs_account *tree_account(const struct tree *t,
                                                    const struct inode *node)
{
	return &t->accounts[node->account];
}

/* 0, or -ENOENT: it is gone. */
int tree_stat(const struct tree *t, const struct inode *node,
              struct stat *st_out);

/* The same of a message of which all is known. */
void tree_fill_message(const struct tree *t, unsigned account,
                       const struct cache_message *message,
                       struct stat *st_out);

/* What a name leads to. */
struct tree_found {
	struct inode node;
	struct stat st;
	struct cache_entry entry;   /* of a file */
	struct cache_folder folder; /* of a directory, but an account's root */
};

/* Look a name up in a directory: 0, -ENOENT or -ENAMETOOLONG. */
int tree_find(struct tree *t, const struct inode *dir, const char *name,
              struct tree_found *found_out);

/* The folder and place whose entries are the files in dir; false: it has none. */
bool tree_place(const struct inode *dir, int64_t *folder_out,
                enum cache_place *place_out);

/* A name for a new file in dir: 0, -ENAMETOOLONG, or -EPERM: not here. */
struct tree_name {
	struct maildir_parts parts;
	struct cache_name name; /* borrows from parts */
};
int tree_name_split(const struct inode *dir, const char *name,
                    struct tree_name *name_out);

/* The place whose directory has this name. */
bool tree_place_named(const char *name, enum cache_place *place_out);

/* The folder whose cur, new and tmp stand in dir, if any: 0, or -ENOENT. */
int tree_maildir(const struct tree *t, const struct inode *dir,
                 struct cache_folder *folder_out);

/*
 * The levels, separated by '/', of the folder whose directory in dir would have
 * this name; they are below folder dir->id.  Results as maildir_level_decode().
 */
#define TREE_PATH_MAX (MAILDIR_NAME_MAX + 1)
int tree_path_decode(const struct tree *t, const struct inode *dir,
                     const char *name, char path_out[TREE_PATH_MAX + 1]);

/*
 * Whether a folder may get this level: in Maildir++ a directory that is no mail
 * folder would take the mail folders below it out of sight.
 */
bool tree_folder_may_hide(const struct tree *t, const struct inode *dir,
                          const struct cache_folder *folder, const char *level);

/*
 * Which listing must have been read before dir can be believed: true and the
 * folder for cache_listing_await(), or false if there is nothing to wait for.
 */
bool tree_listing(const struct inode *dir, int64_t *folder_out);

/*
 * A scan of a directory.  Items come in the order of their cookies, which stay
 * the same as long as the item lives, wherever a scan begins.  One scan at a
 * time.
 */
struct tree_scan {
	struct tree *tree;
	struct inode dir;
	uint64_t cookie; /* of the last item */
	bool is_open;    /* a scan of the cache is under way */
	int err;         /* why not */
};

struct tree_item {
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st; /* of "." and "..", only number and type are set */
	uint64_t cookie;
};

/* Cookies of "." and ".." */
#define TREE_COOKIE_SELF   1
#define TREE_COOKIE_PARENT 2

/* Begin after the item with this cookie; 0: at the first. */
void tree_scan_begin(struct tree_scan *scan, struct tree *t,
                     const struct inode *dir, uint64_t after, bool names_only);

/* 1 and *item_out, 0 at the end, or -errno: not all was shown. */
int tree_scan_next(struct tree_scan *scan, struct tree_item *item_out);

void tree_scan_end(struct tree_scan *scan);

#endif
