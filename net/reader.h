/*
 * Lines and counted bytes from a stream, with limits.
 *
 * The reader buffers; what it hands out is borrowed until its next call.
 * Where the bytes come from is a function, so that tests and fuzzers can be
 * the server.
 */
#ifndef NET_READER_H
#define NET_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/strbuf.h"

/* As conn_read(): count > 0 or -errno. */
typedef ssize_t reader_source(void *arg, void *bytes, size_t size,
                              int64_t deadline);

struct reader {
	reader_source *source;
	void *arg; /* borrowed: the owner of the reader owns it too */
	char *buffer;
	size_t capacity, start, end;
	uint64_t received; /* bytes since reader_init() */
};

void reader_init(struct reader *r, reader_source *source, void *arg);
void reader_release(struct reader *r);

/*
 * The next line, without its line end (CRLF, or a bare LF).  Returns 0, the
 * source's error, or -EPROTO when the line is longer than limit bytes.
 */
int reader_line(struct reader *r, size_t limit, int64_t deadline,
                const char **line_out, size_t *len_out);

/* Append exactly len bytes to sb.  The caller has checked len. */
int reader_add(struct reader *r, size_t len, int64_t deadline,
               struct strbuf *sb);

/*
 * Copy exactly len bytes to fd, CRLF pairs as LF.  *written_out is the count
 * after that.  The deadline is for progress: it starts anew with every
 * READER_PROGRESS bytes received, timeout_ms from then.  fd < 0 drops the
 * bytes.  Errors: the source's, or -errno of write(2).
 */
#define READER_PROGRESS (64 * 1024)
int reader_copy(struct reader *r, uint64_t len, int timeout_ms, int fd,
                uint64_t *written_out);

/* Bytes already here, that a wait would not see. */
static inline size_t reader_buffered(const struct reader *r)
{
	return r->end - r->start;
}

/*
 * The bytes that are here, at least one, to look at: for what is neither lines
 * nor counted.  Returns 0 or the source's error.
 */
int reader_peek(struct reader *r, int64_t deadline, const char **bytes_out,
                size_t *len_out);

/* Take so many of them. */
static inline void reader_skip(struct reader *r, size_t len)
{
	r->start += len;
}

#endif
