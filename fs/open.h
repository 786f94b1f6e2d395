/*
 * The files that programs have open.  Belongs to the fuse thread.
 *
 * All descriptors of one file lead to the same data, also where it was opened
 * for reading before, and for writing after, the cache made a copy of it that
 * may be changed.  And what has lost its last name is still to be told of:
 * the kernel asks by node, not by descriptor.
 */
#ifndef FS_OPEN_H
#define FS_OPEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define OPEN_BUCKETS 256

struct open_file {
	struct open_file *next; /* in its bucket */
	uint64_t number;        /* of the node */
	struct open_handle *handles;
	unsigned writers; /* handles that write */
	int fd;           /* where writers write; -1: none did */
	bool is_touched;  /* written to since it was last synced */
	bool has_last;
	struct stat last; /* when a name of it went; has_last */
};

/* What an open gave. */
struct open_handle {
	struct open_handle *next; /* in file->handles */
	struct open_file *file;
	int fd; /* -1: the file's */
	bool is_writer;
};

struct open_files {
	struct open_file *buckets[OPEN_BUCKETS];
};

/* Takes fd. */
struct open_handle *open_add(struct open_files *files, uint64_t number, int fd,
                             bool is_writer);
void open_close(struct open_files *files, struct open_handle *handle);

/* All that are still open when the mount goes. */
void open_release(struct open_files *files);

/* NULL: it is not open. */
struct open_file *open_find(const struct open_files *files, uint64_t number);

/* To read from, or to write to. */
int open_fd(const struct open_handle *handle);

/* The data is at fd from now on, which is taken. */
void open_set_fd(struct open_file *file, int fd);

/* Its data is about to be made to last: the next write tells again. */
void open_settle(const struct open_files *files, uint64_t number);

/* A name of st's file is about to go. */
void open_remember(const struct open_files *files, const struct stat *st);

/* What fstat(2) says of a file without a name: 0, or -ENOENT: unknown. */
int open_stat(const struct open_file *file, struct stat *st_out);

#endif
