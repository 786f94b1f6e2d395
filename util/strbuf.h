/*
 * The one growing buffer.  Its bytes always end with a NUL that len does not
 * count; an empty one is all zero.
 */
#ifndef UTIL_STRBUF_H
#define UTIL_STRBUF_H

#include <stddef.h>

struct strbuf {
	char *bytes; /* NULL until something was added */
	size_t len;
	size_t capacity;
};

/* Room for at least extra more bytes; nothing is added. */
void strbuf_reserve(struct strbuf *sb, size_t extra);

void strbuf_add(struct strbuf *sb, const void *bytes, size_t len);
void strbuf_puts(struct strbuf *sb, const char *s);
void strbuf_putc(struct strbuf *sb, char c);
void strbuf_printf(struct strbuf *sb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The text, "" when empty.  Borrowed until the buffer next changes. */
const char *strbuf_text(const struct strbuf *sb);

/* Move the text out, to be freed with free(); the buffer is left empty. */
char *strbuf_take(struct strbuf *sb);

/* Forget the content, keep the memory. */
void strbuf_clear(struct strbuf *sb);

/* Overwrite what the memory holds, then release it: for secrets. */
void strbuf_wipe(struct strbuf *sb);

void strbuf_release(struct strbuf *sb);

#define auto_strbuf __attribute__((cleanup(strbuf_release)))

#endif
