/*
 * Inside cache/ only: callers that wait until the server has a delivery.
 */
#ifndef CACHE_ACK_H
#define CACHE_ACK_H

#include "cache/core.h"
#include "cache/write.h"

struct ack;

/*
 * Begin to wait.  0: done will run; else it will not: -EHOSTUNREACH and what
 * else keeps us from the server.  *ack_out goes to the keeper, which gives it
 * to ack_made().
 */
int ack_new(struct cache *c, cache_done *done, void *arg, struct ack **ack_out,
            struct cache_wait **wait_out);
/* In the transaction of its change: this row is what it waits for. */
void ack_name(struct ack *ack, int64_t row);
/*
 * The keeper is through: err is why it was not made, unsynced why it may not
 * last.
 */
void ack_made(struct ack *ack, int err, int unsynced);

/* Nobody waits any more for what was offered before we died. */
int ack_restart(struct cache *c);

#endif
