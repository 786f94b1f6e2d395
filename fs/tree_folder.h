/*
 * Directories that stand for folders, and their names in both layouts.  For
 * tree.c and its parts; as there, all of it is reading.
 */
#ifndef FS_TREE_FOLDER_H
#define FS_TREE_FOLDER_H

#include "fs/tree.h"

/* Directories that are places of a folder, in the order they are listed. */
struct tree_place_row {
	const char *name;
	enum inode_kind kind;
	enum cache_place place;
};
#define TREE_PLACE_COUNT 3
extern const struct tree_place_row TREE_PLACES[TREE_PLACE_COUNT];

static inline bool tree_has_place(const struct cache_folder *folder,
                                  enum cache_place place)
{
	return (folder->places & 1U << place) != 0;
}

/* Whether the layout of node's account is Maildir++. */
bool tree_is_dotted(const struct tree *t, const struct inode *node);

/* Whether a folder has a directory of its own, and that stands in dir. */
bool tree_folder_is_in(const struct tree *t, const struct inode *dir,
                       const struct cache_folder *folder);

/* The name of a folder's directory in dir: 0, or -ENOENT: one above it went. */
int tree_folder_name(const struct tree *t, const struct inode *dir,
                     const struct cache_folder *folder,
                     char name_out[MAILDIR_NAME_MAX + 1]);

/* The folder directory in dir with the smallest id above after, or -ENOENT. */
int tree_folder_next(struct tree *t, const struct inode *dir, int64_t after,
                     struct cache_folder *folder_out);

int tree_folder_find(struct tree *t, const struct inode *dir, const char *name,
                     struct cache_folder *folder_out);

/* When any folder of an account changed: Maildir++ shows all in one directory. */
int64_t tree_folders_changed_ns(const struct tree *t, unsigned account);

/* The directory that a folder's stands in; or where it would. */
struct inode tree_folder_above(const struct tree *t, const struct inode *node,
                               const struct cache_folder *folder);

void tree_fill_folder(const struct tree *t, const struct inode *node,
                      const struct cache_folder *folder, struct stat *st_out);

#endif
