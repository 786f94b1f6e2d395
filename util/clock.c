#include "util/clock.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>

/* What tests have added to the machine's clock. */
static _Atomic int64_t advanced_ms;

int64_t clock_now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + advanced_ms;
}

int64_t clock_suspended_ms(void)
{
	struct timespec t;
	/* This clock stands still meanwhile. */
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return clock_now_ms() -
	       ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

int64_t clock_wall_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec +
	       advanced_ms * 1000000;
}

int64_t deadline_in(int64_t ms)
{
	return clock_now_ms() + ms;
}

int deadline_left(int64_t deadline)
{
	if (deadline == DEADLINE_NEVER)
		return -1;
	int64_t left = deadline - clock_now_ms();
	if (left <= 0)
		return 0;
	return left >= INT_MAX ? INT_MAX : (int)left + 1;
}

void clock_advance_ms(int64_t ms)
{
	advanced_ms += ms;
}
