/*
 * Inside cache/ only: small bodies that the log holds, so that one sync makes
 * both the data and the name of a delivery last.
 */
#ifndef CACHE_LOGGED_H
#define CACHE_LOGGED_H

#include "cache/core.h"

/* Larger bodies are synced: to write them twice would cost more. */
#define LOGGED_BODY_MAX (32 * 1024)
/* Of all; then bodies are synced until there is room again. */
#define LOGGED_TOTAL_MAX (32 * 1024 * 1024)
/* By then the kernel has written most of the files. */
#define LOGGED_SETTLE_S 40
/* Files synced at a time: whoever delivers meanwhile waits for them. */
#define LOGGED_SETTLE_BATCH 8

/* Belongs to the keeper's thread. */
struct logged;

struct logged *logged_new(struct cache *c);
void logged_free(struct logged *l);

/*
 * Is message's body to go into the log with a change?  Then it was read, for
 * logged_add() in that change's transaction, and logged_end() behind it.
 */
bool logged_take(struct logged *l, int64_t message);
int logged_add(struct db_conn *conn, const struct logged *l);
void logged_end(struct logged *l, bool is_committed);

#define LOGGED_NEVER INT64_MAX
/*
 * When some are to be synced, by CLOCK_MONOTONIC in seconds, as the kernel
 * counts how long it keeps what is not written; or LOGGED_NEVER.
 */
int64_t logged_due(const struct logged *l);
/* Sync some, whatever the time. */
void logged_settle(struct logged *l);

/* The file is about to change.  Any thread that holds no transaction. */
int logged_touch(struct cache *c, int64_t message);

/*
 * At a start: write again what a power cut left of the files.  Where that
 * fails, *why_out tells, to be freed.
 */
int logged_restart(struct cache *c, char **why_out);

#endif
