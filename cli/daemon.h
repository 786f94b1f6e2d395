/*
 * Accounts mounted: from opening the caches to the last thread's end.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include "cli/config.h"

struct daemon_config {
	const struct config_account *const *accounts;
	size_t account_count;
	bool is_single;         /* the one account is the mount's root */
	const char *mountpoint; /* absolute */
	const char *options;    /* for the kernel */
	/*
	 * Of background_start(); told when the mount is up.  -1: in the
	 * foreground.
	 */
	int *background;
};

/*
 * Serve until a signal or the mount's end.  SIGINT, SIGTERM, SIGHUP and
 * SIGQUIT must be blocked.  Returns an exit code; nothing stays mounted.
 */
int daemon_run(const struct daemon_config *config);

#endif
