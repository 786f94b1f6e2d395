#include "util/clock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What tests have added to the machine's clock. */
static _Atomic int64_t advanced_ms;

#ifdef FAULT_POINTS
static int rate = 1;

/* Before there are threads. */
__attribute__((constructor)) static void set_rate(void)
{
	const char *text = getenv("MAILMOUNT_CLOCK_RATE");
	int wanted = text == NULL ? 0 : atoi(text);
	if (wanted > 0 && wanted <= 1000)
		rate = wanted;
}

/* Where a test of the program writes for how long it was suspended. */
static const _Atomic int64_t *suspended_ms;

__attribute__((constructor)) static void map_suspension(void)
{
	const char *path = getenv("MAILMOUNT_SUSPENDED");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	void *mapped =
		mmap(NULL, sizeof(*suspended_ms), PROT_READ, MAP_SHARED, fd, 0);
	if (mapped != MAP_FAILED)
		suspended_ms = mapped;
	(void)close(fd);
}

static int64_t jumped_ms(void)
{
	return advanced_ms + (suspended_ms != NULL ? *suspended_ms : 0);
}
#else
enum { rate = 1 };

static int64_t jumped_ms(void)
{
	return advanced_ms;
}
#endif

static int64_t read_ms(clockid_t clock)
{
	struct timespec t;
	(void)clock_gettime(clock, &t);
	return (t.tv_sec * INT64_C(1000000000) + t.tv_nsec) / (1000000 / rate);
}

int64_t clock_now_ms(void)
{
	return read_ms(CLOCK_BOOTTIME) + jumped_ms();
}

int64_t clock_suspended_ms(void)
{
	/* This clock stands still meanwhile. */
	return clock_now_ms() - read_ms(CLOCK_MONOTONIC);
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
	left /= rate;
	return left >= INT_MAX ? INT_MAX : (int)left + 1;
}

void clock_advance_ms(int64_t ms)
{
	advanced_ms += ms;
}
