/*
 * Small allocations.  They cannot fail: without memory the process aborts,
 * which is as safe as any crash.  A size from outside is checked against a
 * named limit before it comes here.
 */
#ifndef UTIL_MEM_H
#define UTIL_MEM_H

#include <stddef.h>

/* Zeroed memory, to be freed with free(). */
void *xmalloc(size_t size);

/* An array of count elements, zeroed; aborts when the product overflows. */
void *xcalloc(size_t count, size_t size);

/* Grow or shrink p; the new part is not zeroed. */
void *xrealloc(void *p, size_t size);

/* NULL gives NULL. */
char *xstrdup(const char *s);

/* The first len bytes of s, with a NUL behind them. */
char *xstrndup(const char *s, size_t len);

char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
