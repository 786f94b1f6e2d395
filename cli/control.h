/*
 * The socket between the daemon and whoever asks it, as `mailmount status`:
 * "control" in an account's state directory.  One line asks, the answer is all
 * there is to read.  Only the same user, and root, may ask.
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <stddef.h>

#include "util/strbuf.h"

#define CONTROL_REQUEST_MAX 64 /* bytes, without the NUL */

/*
 * Listen in dir, replacing what a killed daemon left.  The caller holds the
 * lock on dir.  Returns a non-blocking descriptor or -errno.
 */
int control_listen(const char *dir);

/*
 * Take a caller's connection and its request (without the line end).  Returns
 * a descriptor to answer on, -EAGAIN (nobody there), -EACCES (another user),
 * -ETIMEDOUT (says nothing for a moment), -EPROTO, or -errno.
 */
int control_accept(int listener, char request_out[CONTROL_REQUEST_MAX + 1]);

/* Write the answer; a caller who does not take it in time is dropped. */
void control_answer(int fd, const char *text);

void control_unlink(const char *dir);

/*
 * Connect to who listens in dir, and ask.  Returns a non-blocking descriptor to
 * read the answer from; errors as below.
 */
int control_open(const char *dir, const char *request);

/*
 * Ask who listens in dir.  Returns 0 and appends the answer; -ECONNREFUSED or
 * -ENOENT: nobody; -ETIMEDOUT; or -errno.
 */
int control_ask(const char *dir, const char *request, struct strbuf *answer);

#endif
