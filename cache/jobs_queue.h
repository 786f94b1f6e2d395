/*
 * Inside jobs*.c only: the queue, and what its parts share.  Functions that
 * end in _locked are called with the lock held.
 */
#ifndef CACHE_JOBS_QUEUE_H
#define CACHE_JOBS_QUEUE_H

#include <pthread.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "cache/jobs.h"

#define JOBS_BUCKETS 1024
/* Sessions that may fail under a job before those who wait are told. */
#define JOBS_TRIES_MAX 2

enum wait_kind {
	WAIT_BODY,    /* id is a message */
	WAIT_LISTING, /* id is a folder */
	WAIT_SENT,    /* id is a row of the journal; 0: not yet known */
};

/*
 * A wait is known outside by its number, dressed as a pointer, so that one
 * that is over is never taken for another.
 */
struct wait {
	TAILQ_ENTRY(wait) link;
	uintptr_t number;
	enum wait_kind kind;
	int64_t id;
	int64_t deadline;
	cache_done *done;
	void *arg;
};
TAILQ_HEAD(wait_list, wait);
TAILQ_HEAD(task_list, task);

/*
 * QUEUED: in one of the queues.  RUNNING: a session has it.  It stays in the
 * table until it ends, so that others can join.
 */
struct task {
	LIST_ENTRY(task) bucket;
	TAILQ_ENTRY(task) link;  /* while queued */
	struct task_list *queue; /* borrowed: of the jobs; NULL: running */
	struct job job;
	size_t session; /* while running */
	int tries;      /* that ended with their session, or in a pull */
	bool is_flying; /* its bytes are counted in jobs.flying */
};
LIST_HEAD(bucket, task);

struct pull {
	TAILQ_ENTRY(pull) link;
	struct jobs_pull job;
	bool is_running;
	bool is_awaited;
	bool is_again; /* asked for while it ran */
	int tries;     /* that ended with their session */
	int64_t progress_at;
};
TAILQ_HEAD(pull_list, pull);

struct served {
	struct remote *remote; /* borrowed until jobs_free() */
	int failure;           /* why it cannot connect; 0: it can, or may */
	int64_t attempt_at;    /* when it last tried; 0: not yet */
	unsigned words;        /* enum jobs_word: said, and not taken yet */
	bool is_asleep;        /* or about to be: it saw nothing to do */
	int64_t sleeps_until;
	int receiving;
	off_t received;
	int64_t progress_at;
};

struct jobs {
	int timeout_ms;
	uint64_t ahead_max;
	uint64_t daily_limit; /* 0: none */
	size_t count;         /* of served; set before the sessions start */
	pthread_mutex_t lock;
	/* All below is guarded by lock. */
	struct served served[JOBS_SESSIONS];
	bool is_stopped;
	uintptr_t next_wait;
	struct wait_list waits;
	struct bucket buckets[JOBS_BUCKETS];
	struct task_list readers;
	struct task_list ahead;
	struct task_list postponed; /* until a pull of their folder ends */
	size_t ahead_count;
	struct pull_list pulls;
	int64_t list_at;
	int64_t push_at;
	int64_t burst_until;  /* till then new changes are gathered */
	int64_t suspended_ms; /* what clock_suspended_ms() was */
	bool is_split_due;
	struct db_budget budget; /* of its day, which may be over */
	uint64_t flying;         /* bytes asked for unasked, and not here */
	int64_t spent_day;       /* nothing more is fetched ahead on it */
};

/* jobs.c */

/*
 * Which sessions sleep that would now find something to do: a bit each.  Give
 * them to jobs_wake() when the lock is free.
 */
unsigned jobs_sleepers_locked(struct jobs *jobs);
void jobs_wake(struct jobs *jobs, unsigned sleepers);
/*
 * Why nobody could serve a wait begun now: every session failed, and lately.
 * 0: someone may.
 */
int jobs_refusal_locked(struct jobs *jobs);

/* jobs_wait.c */

void jobs_wait_add_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
                          cache_done *done, void *arg,
                          struct cache_wait **wait_out);
/* Move those for a thing to ended, to be answered when the lock is free. */
void jobs_wait_end_locked(struct jobs *jobs, enum wait_kind kind, int64_t id,
                          struct wait_list *ended);
bool jobs_wait_is_locked(struct jobs *jobs, enum wait_kind kind, int64_t id);
/* Run and free what was taken from the list of waits; no lock is held. */
void jobs_answer(struct wait_list *ended, int err, int fd, uint64_t size);

/* The day of the budget, and what is spent of it. */
int64_t jobs_today(void);
uint64_t jobs_spent_locked(const struct jobs *jobs);
/* Is all fetched today that may come unasked? */
bool jobs_is_spent_locked(const struct jobs *jobs);

/* jobs_body.c */

struct task *jobs_task_find_locked(struct jobs *jobs, int64_t message);
/* Nobody waits for it any more: not worth a fetch that has not begun. */
void jobs_task_forsake_locked(struct jobs *jobs, const struct wait *w);
/* A pull of folder ended; on err, so do the tasks postponed for it. */
void jobs_task_resume_locked(struct jobs *jobs, int64_t folder, int err,
                             struct wait_list *ended);
/* Drop all that no session has. */
void jobs_task_clear_locked(struct jobs *jobs);

/* jobs_pull.c */

struct pull *jobs_pull_find_locked(struct jobs *jobs, int64_t folder);
/* As jobs_pull_add(). */
struct pull *jobs_pull_add_locked(struct jobs *jobs, int64_t folder,
                                  bool is_first, const char *state,
                                  int64_t messages);
/* The next that no session has; NULL: none. */
struct pull *jobs_pull_next_locked(struct jobs *jobs, bool awaited_only);

#endif
