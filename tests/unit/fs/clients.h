/*
 * Programs that use the mount at $M in ways no shell command does.  They run
 * in processes of their own: one that waits for itself cannot be killed.
 */
#ifndef TESTS_UNIT_FS_CLIENTS_H
#define TESTS_UNIT_FS_CLIENTS_H

/*
 * Be the client of that name: "sizes", "churn", "seekdir", "eintr", or
 * "open_errno", whose status is the errno of an open.  Returns 0, or the
 * line (modulo 256) where it failed.
 */
int client_run(const char *name);

#endif
