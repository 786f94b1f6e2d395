/*
 * What `mailmount status` says, and how the daemon tells it.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <stdio.h>
#include <sys/types.h>

#include "cli/config.h"

/* One line of JSON, to be freed. */
char *status_to_json(const char *account, const char *mountpoint, pid_t pid,
                     const struct cache_status *status);

/*
 * Ask the daemons of count accounts and write what they say to out: a table,
 * or a JSON array with an object for each.  Returns an exit code: EX_OK, or
 * EX_UNAVAILABLE when one of them is not mounted or not online.
 */
int status_show(const struct config_account *const *accounts, size_t count,
                bool is_json, FILE *out);

#endif
