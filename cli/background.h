/*
 * Going into the background: the parent stays until the child says how it
 * went, and ends with the exit code it was told.
 */
#ifndef CLI_BACKGROUND_H
#define CLI_BACKGROUND_H

#include <stdbool.h>

/*
 * Fork; call before any thread starts.  Returns only in the child, leader of
 * a session of its own, at /; its standard output and error stay until
 * background_tell().  *fd_out is for the other functions.  Returns 0 or
 * -errno (in the only process).
 */
int background_start(int *fd_out);

/* Let the parent end with code, and let go of the terminal.  Once. */
void background_tell(int *fd, int code);

/* Is somebody still there to be told? */
bool background_is_watched(int fd);

#endif
