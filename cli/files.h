/*
 * Reading, writing and naming files: what the system calls leave to do.
 */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stddef.h>
#include <sys/types.h>

#define FILES_CHUNK ((size_t)64 * 1024)

/* Returns how many bytes, at most size; 0 at the end; or -errno. */
ssize_t files_read(int fd, char *bytes, size_t size);

/* Write all of it.  Returns 0 or -errno. */
int files_write(int fd, const char *bytes, size_t len);

/*
 * Give a file another name.  -EEXIST: there is a file of that name, and it
 * stays (file systems that cannot do that replace it); or -errno.
 */
int files_move(int from_dir, const char *from, int to_dir, const char *to);

#endif
