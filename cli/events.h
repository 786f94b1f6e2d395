/*
 * What happened to an account's mail, as lines of JSON: for who asked for it on
 * the control socket, and for the account's hook.  See EVENTS in mailmount(1).
 */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include <pthread.h>
#include <stddef.h>

#include "cli/config.h"
#include "cli/hook.h"
#include "fs/fs.h"

/* More at once are sent away. */
#define EVENTS_READERS_MAX 32

struct events_reader {
	int fd;
	bool is_lost; /* it did not read, and is to be told so */
};

struct events {
	const char *account;    /* borrowed from the config */
	const char *mountpoint; /* borrowed from the daemon */
	pthread_mutex_t lock;
	/* All below is guarded by lock. */
	struct events_reader readers[EVENTS_READERS_MAX];
	size_t count;
	struct hook_news news; /* since hook_run() */
};

void events_init(struct events *e, const char *account, const char *mountpoint);
/* When nobody can call events_tell() any more. */
void events_release(struct events *e);

/* Takes fd; the socket's buffer is all that a slow reader may fill. */
void events_add(struct events *e, int fd);

/* Any thread; never waits. */
void events_tell(struct events *e, const struct fs_event *event);

/* Once a second: what was lost is said, and who has gone is forgotten. */
void events_tick(struct events *e);

/* What there is for the hook; it is the caller's from now on. */
struct hook_news events_take_news(struct events *e);

/* `mailmount events`: returns an exit code. */
int events_show(const struct config_account *const *accounts, size_t count);

#endif
