/*
 * The injector: a child process that uses the mount as any program does, so
 * that programs which watch it are told.  Why a process: docs/architecture.md.
 *
 * All calls belong to one thread but injector_kill(), and injector_pid().
 */
#ifndef FS_INJECTOR_H
#define FS_INJECTOR_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fs/maildir.h"

enum injector_what {
	INJECTOR_RENAME, /* never over something */
	INJECTOR_UNLINK,
	INJECTOR_MKDIR,
	INJECTOR_RMDIR,
};

/* Directories by their path below the mount, "." for its root. */
struct injector_order {
	enum injector_what what;
	char dir[PATH_MAX], name[MAILDIR_NAME_MAX + 1];
	char to_dir[PATH_MAX], to_name[MAILDIR_NAME_MAX + 1]; /* of a rename */
};

struct injector {
	const char *mountpoint; /* borrowed: absolute */
	dev_t device;           /* of the mount; nothing else is touched */
	int fd;                 /* to the child; -1: there is none */
	int64_t not_before;     /* clock_now_ms(): when to make another */

	atomic_int pid; /* 0: there is none */
	pthread_mutex_t lock;
	bool is_killed; /* guarded by lock: none is to be made any more */
};

void injector_init(struct injector *i, const char *mountpoint, dev_t device);

/* Waits for the child; so once the mount answers, or is gone. */
void injector_release(struct injector *i);

/*
 * Have it done, and wait until it is; the child is made if there is none.
 * Returns 0; the -errno of the operation; -ESHUTDOWN: there is no child, and
 * none for a while; or -EXDEV: the mount is not to be found there.
 */
int injector_run(struct injector *i, const struct injector_order *order);

/* End it, for good: an injector_run() under way returns -ESHUTDOWN. */
void injector_kill(struct injector *i);

/* The process that requests of the child come from; 0: there is none. */
static inline pid_t injector_pid(const struct injector *i)
{
	return atomic_load_explicit(&i->pid, memory_order_relaxed);
}

#endif
