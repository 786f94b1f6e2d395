#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "util/clock.h"

#define INTERVAL_MS 250

void progress_init(struct progress *p)
{
	*p = (struct progress){ .is_terminal = isatty(STDERR_FILENO) == 1 };
}

void progress_show(struct progress *p, const char *format, ...)
{
	int64_t now = clock_now_ms();
	if (!p->is_terminal || now < p->next_ms)
		return;
	p->next_ms = now + INTERVAL_MS;
	p->is_shown = true;
	(void)fputs("\r\033[K", stderr);
	va_list args;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (p->is_shown)
		(void)fputs("\r\033[K", stderr);
	p->is_shown = false;
}
