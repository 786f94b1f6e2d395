#include "util/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/digest.h"
#include "util/mem.h"

void strbuf_reserve(struct strbuf *sb, size_t extra)
{
	size_t need = sb->len + extra + 1;
	if (need <= sb->capacity)
		return;
	size_t capacity = sb->capacity < 64 ? 64 : sb->capacity;
	while (capacity < need)
		capacity *= 2;
	sb->bytes = xrealloc(sb->bytes, capacity);
	sb->capacity = capacity;
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t len)
{
	strbuf_reserve(sb, len);
	if (len > 0)
		memcpy(sb->bytes + sb->len, bytes, len);
	sb->len += len;
	sb->bytes[sb->len] = '\0';
}

void strbuf_puts(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_putc(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_printf(struct strbuf *sb, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		abort();
	strbuf_reserve(sb, (size_t)n);
	va_start(args, format);
	(void)vsnprintf(sb->bytes + sb->len, (size_t)n + 1, format, args);
	va_end(args);
	sb->len += (size_t)n;
}

const char *strbuf_text(const struct strbuf *sb)
{
	return sb->bytes == NULL ? "" : sb->bytes;
}

char *strbuf_take(struct strbuf *sb)
{
	strbuf_reserve(sb, 0);
	sb->bytes[sb->len] = '\0';
	char *text = sb->bytes;
	*sb = (struct strbuf){ 0 };
	return text;
}

void strbuf_clear(struct strbuf *sb)
{
	sb->len = 0;
	if (sb->bytes != NULL)
		sb->bytes[0] = '\0';
}

void strbuf_wipe(struct strbuf *sb)
{
	if (sb->bytes != NULL)
		wipe(sb->bytes, sb->capacity);
	strbuf_release(sb);
}

void strbuf_release(struct strbuf *sb)
{
	free(sb->bytes);
	*sb = (struct strbuf){ 0 };
}
