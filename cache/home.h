/*
 * The two directories of an account: they are ours alone, and one process
 * has them.
 */
#ifndef CACHE_HOME_H
#define CACHE_HOME_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Make path and what is missing above it, for us only; if it lasts, it survives
 * a power cut.  -EPERM: it belongs to another or is open to others; *why_out
 * tells, to be freed, on any error.
 */
int home_make(const char *path, bool lasts, char **why_out);

/*
 * May so many more bytes go to the file system of fd?  0, or -ENOSPC: what is
 * left is for the journal, so that flags and removals go on.
 */
int home_room(int fd, uint64_t bytes);

/*
 * Lock a state directory until *fd_out is closed.  -EBUSY: another process
 * has it, *why_out says which.
 */
int home_lock(const char *state_dir, const char *account, int *fd_out,
              char **why_out);

#endif
