/*
 * Where a folder stands in the mount.  Only the fuse thread can tell, for the
 * caches' reading calls are its; notify's second thread asks it.
 */
#ifndef FS_WHERE_H
#define FS_WHERE_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

#include "fs/seen.h"
#include "fs/tree.h"
#include "util/wake.h"

struct where_answer {
	bool is_seen;        /* the kernel was shown it */
	char path[PATH_MAX]; /* of the Maildir, below the mount; "." its root */
};

struct where {
	struct wake *wake; /* borrowed: wakes the fuse thread */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below is guarded by lock. */
	bool is_asked, is_answered, is_stopping;
	unsigned account;
	int64_t folder;
	int err;
	struct where_answer answer;
};

void where_init(struct where *w, struct wake *wake);
void where_release(struct where *w);

/*
 * Notify's second thread: 0 and *answer_out; -ENOENT: it is gone; -ENAMETOOLONG; or
 * -ECANCELED: after where_stop().
 */
int where_ask(struct where *w, unsigned account, int64_t folder,
              struct where_answer *answer_out);

/* Any thread. */
void where_stop(struct where *w);

/* Fuse thread: answer who asks, if anybody does.  seen: of each account. */
void where_answer(struct where *w, const struct tree *t,
                  const struct seen *seen);

#endif
