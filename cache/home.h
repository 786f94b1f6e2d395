/*
 * The two directories of an account: they are ours alone, and one process
 * has them.
 */
#ifndef CACHE_HOME_H
#define CACHE_HOME_H

/*
 * Make path and what is missing above it, for us only.  -EPERM: it belongs to
 * another or is open to others; *why_out tells, to be freed, on any error.
 */
int home_make(const char *path, char **why_out);

/*
 * Lock a state directory until *fd_out is closed.  -EBUSY: another process
 * has it, *why_out says which.
 */
int home_lock(const char *state_dir, const char *account, int *fd_out,
              char **why_out);

#endif
