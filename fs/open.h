/*
 * The files that are open for writing, and those that are kept: for fstat(2)
 * of one whose last name went, and to notice the first write after a sync.
 * Belongs to the fuse thread.
 */
#ifndef FS_OPEN_H
#define FS_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct open_file {
	uint64_t number; /* of the node */
	int fd;
};

struct open_files {
	struct open_file *files;
	size_t count, capacity;
	/* Nodes whose data changed since it was last synced. */
	uint64_t *touched;
	size_t touched_count, touched_capacity;
};

void open_release(struct open_files *open);
void open_add(struct open_files *open, uint64_t number, int fd);
/* True if it was there: then it was open for writing. */
bool open_remove(struct open_files *open, uint64_t number, int fd);
/* A descriptor of an open file, or -1. */
int open_find(const struct open_files *open, uint64_t number);
/* True the first time since it was synced. */
bool open_touch(struct open_files *open, uint64_t number);
void open_synced(struct open_files *open, uint64_t number);

#endif
