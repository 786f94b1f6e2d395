/*
 * What must survive a power cut.  Each sync has a name of its own: in builds
 * with -Dfault_points=true MAILMOUNT_NO_SYNC=NAME leaves it out, and a test
 * must notice (docs/testing.md).
 *
 * All return 0 or -errno.
 */
#ifndef UTIL_SYNC_H
#define UTIL_SYNC_H

#include <stdbool.h>

/* Data and attributes. */
int sync_file(int fd, const char *name);
/* Data, and what it takes to read it. */
int sync_data(int fd, const char *name);
/* The names in a directory. */
int sync_dir(const char *path, const char *name);

/* For a sync that is not ours to call. */
bool sync_is_left_out(const char *name);

#endif
