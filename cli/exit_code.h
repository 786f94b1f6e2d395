/*
 * Exit codes, those of sysexits.h, by errno.
 */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

/* err is 0 or -errno. */
int exit_code(int err);

#endif
