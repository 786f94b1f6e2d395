/*
 * Requests of the kernel that wait for the cache.  All calls but pending_done()
 * belong to the fuse thread.
 */
#ifndef FS_PENDING_H
#define FS_PENDING_H

#include <pthread.h>
#include <stdbool.h>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "cache/cache.h"
#include "util/wake.h"

struct pending;

/*
 * Answer a request whose wait is over: p->err, and p->body if one was asked
 * for.  p is freed behind it.  Runs in the fuse thread, unless p->is_direct.
 */
typedef void pending_resume(struct pending *p);

struct pending {
	struct pending *next, *prev; /* in pendings.waiting */
	struct pending *next_done;   /* guarded by pendings.lock */
	struct pendings *set;
	pending_resume *resume;
	fuse_req_t req;      /* NULL: answered */
	struct cache *cache; /* borrowed: the caches outlive the mount */
	struct cache_wait *wait;
	bool is_interrupted;
	/* Whoever ends the wait answers, and the fuse thread is not woken. */
	bool is_direct;

	fuse_ino_t ino;
	struct fuse_file_info fi; /* open, opendir */
	char *name;               /* lookup; else NULL */
	struct cache_entry *old;  /* setxattr; else NULL */
	struct stat attr;         /* setattr */
	int to_set;

	/* Set by pending_done(). */
	int err;
	struct cache_body body; /* fd -1: none */
};

struct pendings {
	struct wake *wake; /* borrowed from struct fs: ends its poll */
	struct pending *waiting;
	bool has_interrupted;
	unsigned direct; /* of those that wait */

	pthread_mutex_t lock;
	struct pending *done, **done_tail; /* guarded by lock; oldest first */
};

void pendings_init(struct pendings *set, struct wake *wake);

/* Only once nothing is waiting. */
void pendings_release(struct pendings *set);

/*
 * Prepare to wait.  Give p as the argument of pending_done() and &p->wait to
 * the cache's call; if that does not have to wait, pending_free().
 */
struct pending *pending_new(struct pendings *set, fuse_req_t req,
                            fuse_ino_t ino, struct cache *cache,
                            pending_resume *resume);
void pending_free(struct pending *p);
/* Its answer needs nothing of the fuse thread's. */
void pending_direct(struct pending *p);

/* A cache_done; arg is the pending.  Runs in the cache's threads. */
void pending_done(void *arg, int err, const struct cache_body *body);

/* Answer what is done, and what was interrupted.  Between two requests. */
void pendings_resume(struct pendings *set);
void pendings_interrupt(struct pendings *set);

#endif
