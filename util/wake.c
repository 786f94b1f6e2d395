#include "util/wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int wake_init(struct wake *w)
{
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd < 0 ? -errno : 0;
}

void wake_release(struct wake *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
}

void wake_signal(struct wake *w)
{
	uint64_t one = 1;
	int saved = errno;
	/* EAGAIN: the counter is full, so it is signalled already. */
	ssize_t n = write(w->fd, &one, sizeof(one));
	(void)n;
	errno = saved;
}

void wake_clear(struct wake *w)
{
	uint64_t count;
	ssize_t n = read(w->fd, &count, sizeof(count));
	(void)n;
}
