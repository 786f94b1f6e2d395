/*
 * What is to be done, and who waits for it: bodies to fetch, folders to pull.
 * One lock guards all; completions run with it released.
 *
 * A body is one job however many wait for it.  Sessions ask for the kind of
 * work that matters most, take it, and give the result back.
 */
#ifndef CACHE_JOBS_H
#define CACHE_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/cache.h"
#include "cache/db.h"

/* Sessions an account may have. */
#define JOBS_SESSIONS 8

/* In one remote_fetch(). */
#define JOBS_BATCH       64
#define JOBS_BATCH_BYTES (1 << 20)

struct jobs;

enum work {
	WORK_NONE,
	WORK_BODIES,
	WORK_LIST,
	WORK_PULL,
	WORK_PUSH,
	WORK_SPLIT,
};

/*
 * What is larger than ahead_max bytes is not fetched ahead, nor is anything
 * once daily_limit bytes came in a day; 0: no limit.
 */
struct jobs *jobs_new(int timeout_ms, uint64_t ahead_max, uint64_t daily_limit);
void jobs_free(struct jobs *jobs);

/* Before the sessions start; they are borrowed until jobs_free(). */
void jobs_serve(struct jobs *jobs, struct remote **remotes, size_t count);

/*
 * For callers of the cache.  0: done will run; else -errno: it will not,
 * -ECANCELED after jobs_stop(), or why there is no connection.
 */
int jobs_await_body(struct jobs *jobs, int64_t message, int64_t folder,
                    cache_done *done, void *arg, struct cache_wait **wait_out);
int jobs_await_listing(struct jobs *jobs, int64_t folder, bool is_inbox,
                       cache_done *done, void *arg,
                       struct cache_wait **wait_out);
/* One that waits for a delivery cannot be withdrawn: it ends with -EINTR. */
bool jobs_cancel(struct jobs *jobs, struct cache_wait *wait);

/*
 * To wait until a row of the journal was sent, as long as the timeout.  It is
 * named when there is one; jobs_sent() ends it; true from jobs_sent_forget():
 * done will not run.
 */
int jobs_await_sent(struct jobs *jobs, cache_done *done, void *arg,
                    struct cache_wait **wait_out);
void jobs_sent_name(struct jobs *jobs, struct cache_wait *wait, int64_t row);
void jobs_sent(struct jobs *jobs, int64_t row, int err);
bool jobs_sent_forget(struct jobs *jobs, struct cache_wait *wait);

/*
 * So many bytes came; save them with what they were, so that a restart does not
 * forget them.  Without a limit nothing is counted.
 */
void jobs_spend(struct jobs *jobs, uint64_t bytes);
int jobs_budget_save(struct jobs *jobs, struct db_conn *conn);
int jobs_budget_load(struct jobs *jobs, struct db_conn *conn);
/* Is nothing fetched ahead any more today?  And what was fetched in it. */
bool jobs_is_spent(struct jobs *jobs, uint64_t *today_out);

/*
 * Fetch a body ahead, if nobody does; bytes is about its size.  False: it will
 * not be.
 */
bool jobs_prefetch(struct jobs *jobs, int64_t message, int64_t folder,
                   uint64_t bytes);

/* End overdue waits; wake sessions whose time has come. */
void jobs_tick(struct jobs *jobs);

/* Answer all with -ECANCELED, now and later. */
void jobs_stop(struct jobs *jobs);
bool jobs_is_stopped(struct jobs *jobs);

int64_t jobs_bodies_waiting(struct jobs *jobs);

/* For sessions: what to do now, and until when to sleep if nothing. */
enum work jobs_next(struct jobs *jobs, size_t session, int64_t *until_out);
/* The same for one that is at work and will not sleep. */
enum work jobs_peek(struct jobs *jobs, size_t session);

struct job {
	int64_t message;
	int64_t folder;
	uint64_t bytes;
};
/*
 * Take bodies of one folder (0: of any), all awaited or none, readers first;
 * how many.  Each is ended by jobs_finish() or jobs_return().
 */
size_t jobs_take(struct jobs *jobs, size_t session, int64_t folder,
                 struct job out[JOBS_BATCH]);
/*
 * A body is here or will not come.  Everyone who waits gets a descriptor of
 * their own of what fd reads; fd stays the caller's.
 */
void jobs_finish(struct jobs *jobs, int64_t message, int err, int fd,
                 uint64_t size);
/*
 * The session failed with err under a body: another try, or the end of it
 * when there were enough.
 */
void jobs_return(struct jobs *jobs, int64_t message, int err);
/*
 * An awaited body has no key that is known to be good: another try when a pull
 * of folder ended, which tells one or that the message is gone.
 */
void jobs_postpone(struct jobs *jobs, int64_t message, int64_t folder);
/* It is in another folder by now: to be asked for there. */
void jobs_redirect(struct jobs *jobs, int64_t message, int64_t folder);
bool jobs_is_awaited(struct jobs *jobs, int64_t message);
/* Has its job not ended? */
bool jobs_is_under_way(struct jobs *jobs, int64_t message);

/* The file that a session now receives into, -1: none.  It shows progress. */
void jobs_receiving(struct jobs *jobs, size_t session, int fd);

/* When to list the folders next. */
void jobs_list_at(struct jobs *jobs, int64_t when);

/* The journal has something to send by then; and: that is being done. */
void jobs_push_by(struct jobs *jobs, int64_t when);
void jobs_push_begin(struct jobs *jobs);
/* The same, but not while a burst of changes is gathered; and: it is. */
void jobs_push_soon(struct jobs *jobs, int64_t when);
void jobs_gather(struct jobs *jobs, int64_t until);

/* INBOX is to be looked at, by split.h, or all of it has been. */
void jobs_split(struct jobs *jobs, bool is_due);

/*
 * Queue a folder for a pull that brings it to state; messages is how many it
 * has, -1 if that is not known.
 */
void jobs_pull_add(struct jobs *jobs, int64_t folder, bool is_first,
                   const char *state, int64_t messages);

struct jobs_pull {
	int64_t folder;
	int64_t messages;
	char state[REMOTE_CURSOR_MAX + 1]; /* "": unknown, or too long */
};
/* True, and *out: one was taken. */
bool jobs_pull_take(struct jobs *jobs, struct jobs_pull *out);
void jobs_pull_progress(struct jobs *jobs, int64_t folder);
/* It ended well; more: it goes back to the queue's end. */
void jobs_pull_end(struct jobs *jobs, int64_t folder, bool more);
/*
 * Its session failed: another try, or when there were enough, err for who
 * waits, and peace until the next list.
 */
void jobs_pull_failed(struct jobs *jobs, int64_t folder, int err);

/* A folder was listed, or cannot be. */
void jobs_listed(struct jobs *jobs, int64_t folder, int err);

/*
 * A session tried to connect: 0 or -errno.  When none is left that might,
 * whoever waits is told.
 */
void jobs_connected(struct jobs *jobs, size_t session, int err);
/* What sessions are to be told; each takes it once. */
enum jobs_word {
	JOBS_CHECK = 1 << 0, /* connections may have died, or can be had now */
	JOBS_RETRY = 1 << 1, /* those that were refused may try again */
	JOBS_HURRY = 1 << 2, /* somebody waits: no more of a back-off */
};
void jobs_say(struct jobs *jobs, unsigned words);
unsigned jobs_take_words(struct jobs *jobs, size_t session);
bool jobs_has_words(struct jobs *jobs, size_t session);

/* Sleeping after a failure until then; a reader may end it earlier. */
int64_t jobs_backoff_until(struct jobs *jobs, size_t session, int64_t until);

#endif
