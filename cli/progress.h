/*
 * A line on the terminal that tells how far something is.  Nothing is shown
 * where standard error is no terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool is_terminal;
	bool is_shown;
	int64_t next_ms; /* not before; so that it costs nothing */
};

void progress_init(struct progress *p);
void progress_show(struct progress *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Before anything else is written there. */
void progress_clear(struct progress *p);

#endif
