/*
 * Time.  Everything that waits does so until a deadline: a point of the
 * monotonic clock (CLOCK_BOOTTIME, so that a suspended machine's time counts)
 * in milliseconds.  Wall time is only ever written into files.
 *
 * In builds with -Dfault_points=true MAILMOUNT_CLOCK_RATE=N makes it run N
 * times as fast, from 1 to 1000, so that a test need not sleep; and
 * MAILMOUNT_SUSPENDED=FILE adds the milliseconds in it, an int64_t, as if the
 * machine had been suspended for so long.
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>

#define DEADLINE_NEVER INT64_MAX

int64_t clock_now_ms(void);

/* How long the machine was suspended since it started. */
int64_t clock_suspended_ms(void);

/* Wall time in nanoseconds since 1970, UTC. */
int64_t clock_wall_ns(void);

/* The point ms from now. */
int64_t deadline_in(int64_t ms);

/*
 * Milliseconds left, as poll(2) wants them: 0 when over, -1 for
 * DEADLINE_NEVER, else rounded so that a wait never ends early.
 */
int deadline_left(int64_t deadline);

/* For tests: move both clocks forward.  They never go back. */
void clock_advance_ms(int64_t ms);

#endif
