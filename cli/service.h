/*
 * One account being served: its cache, its sessions, its control socket.
 * Belongs to the main thread.
 */
#ifndef CLI_SERVICE_H
#define CLI_SERVICE_H

#include <stdatomic.h>

#include "cli/config.h"
#include "cli/events.h"
#include "util/wake.h"

/* How the folders' first listing stands; or -errno: it failed. */
#define SERVICE_KNOWN   0 /* now, or from an earlier run */
#define SERVICE_WAITING 1

struct service {
	const struct config_account *account; /* borrowed from the config */
	const char *mountpoint;               /* borrowed from the daemon */
	bool is_single;    /* nothing else is mounted there */
	struct wake *wake; /* borrowed from the daemon: first_list changed */
	struct cache *cache;
	int control_fd;
	_Atomic int first_list;
	bool is_failure_told;
	struct events events;
	struct hook hook;
};

/*
 * Open the cache and the control socket; no thread starts.  Returns 0, or
 * -errno and one line in *why_out, to be freed.  Release in either case.
 */
int service_open(struct service *s, const struct config_account *account,
                 const char *mountpoint, char **why_out);

/*
 * Start the sessions, before the file system reads the cache.  wake is
 * signalled when first_list is no longer SERVICE_WAITING.  Returns 0 or
 * -errno.
 */
int service_start(struct service *s, struct wake *wake);

/* Of all at once, so that many take no longer than one. */
void services_stop(struct service *services, size_t count);

void service_release(struct service *s);

/* Once a second. */
void service_tick(struct service *s);

/* Answer one caller of the control socket. */
void service_answer(struct service *s);

#endif
