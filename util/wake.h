/*
 * A descriptor that interrupts a wait: any thread may signal it, the waiting
 * one polls wake_fd().  Signals do not count up; a signal sent before the wait
 * ends the wait at once.
 */
#ifndef UTIL_WAKE_H
#define UTIL_WAKE_H

struct wake {
	int fd; /* eventfd, non-blocking */
};

/* Returns 0 or -errno (-EMFILE, -ENFILE, -ENOMEM). */
int wake_init(struct wake *w);

void wake_release(struct wake *w);

/* Safe in any thread and in a signal handler. */
void wake_signal(struct wake *w);

/* Take back all signals sent so far. */
void wake_clear(struct wake *w);

static inline int wake_fd(const struct wake *w)
{
	return w->fd;
}

#endif
