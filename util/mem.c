#include "util/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *xmalloc(size_t size)
{
	return check(calloc(1, size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size > 0 ? size : 1));
}

char *xstrdup(const char *s)
{
	return s == NULL ? NULL : check(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	char *copy = check(malloc(len + 1));
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *s;
	va_start(args, format);
	int n = vasprintf(&s, format, args);
	va_end(args);
	return check(n < 0 ? NULL : s);
}
