/*
 * An account's hook: a command of the user's that is run when something
 * happened to its mail.  One run at a time, and what happens meanwhile is for
 * the next.  Belongs to the main thread, but for the news.
 */
#ifndef CLI_HOOK_H
#define CLI_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/fs.h"

/* Paths that are told of; of more arrivals, the last. */
#define HOOK_PATHS_MAX 64

/* A run that takes longer is killed. */
#define HOOK_MS (5 * 60 * 1000)

/* What happened since the last run. */
struct hook_news {
	unsigned arrived, changed, removed;
	bool is_any;
	char *paths[HOOK_PATHS_MAX]; /* of arrivals; a ring */
	size_t path_count;           /* that came; they stand modulo MAX */
};

/* path as it is told; copied, may be NULL. */
void hook_news_add(struct hook_news *news, enum fs_event_kind kind,
                   const char *path);
/* Add what is later; it is released. */
void hook_news_join(struct hook_news *news, struct hook_news *later);
void hook_news_release(struct hook_news *news);

struct hook {
	const char *command; /* borrowed from the config; NULL: there is none */
	const char *account; /* the same */
	pid_t pid;           /* 0: none is running */
	int64_t deadline;
	struct hook_news news; /* not told yet */
};

/*
 * Once a second.  news is taken.  may_run: else what happened is kept for
 * later.
 */
void hook_step(struct hook *h, struct hook_news news, bool may_run);

/* End a run; once the mount is gone, so that it cannot hang in there. */
void hook_release(struct hook *h);

#endif
