#include "net/reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/mem.h"

#define BUFFER_SIZE ((size_t)64 * 1024)

void reader_init(struct reader *r, reader_source *source, void *arg)
{
	*r = (struct reader){
		.source = source,
		.arg = arg,
		.buffer = xmalloc(BUFFER_SIZE),
		.capacity = BUFFER_SIZE,
	};
}

void reader_release(struct reader *r)
{
	free(r->buffer);
	*r = (struct reader){ 0 };
}

/*
 * Read more behind what is buffered.  That moves to the front first when
 * little room is left: it is less than a line then, so little is moved.
 */
static int fill(struct reader *r, int64_t deadline)
{
	if (r->start == r->end) {
		r->start = r->end = 0;
	} else if (r->start > 0 && r->capacity - r->end < r->capacity / 4) {
		memmove(r->buffer, r->buffer + r->start, reader_buffered(r));
		r->end -= r->start;
		r->start = 0;
	}
	ssize_t n = r->source(r->arg, r->buffer + r->end, r->capacity - r->end,
	                      deadline);
	if (n < 0)
		return (int)n;
	r->end += (size_t)n;
	r->received += (uint64_t)n;
	return 0;
}

/* Make room for a line of limit bytes and its end, growing as bytes come. */
static void grow(struct reader *r, size_t limit)
{
	if (r->start > 0 || r->end < r->capacity)
		return;
	size_t size = r->capacity * 2;
	r->capacity = size < limit + 2 ? size : limit + 2;
	r->buffer = xrealloc(r->buffer, r->capacity);
}

int reader_line(struct reader *r, size_t limit, int64_t deadline,
                const char **line_out, size_t *len_out)
{
	size_t seen = 0; /* bytes from start on that hold no line end */
	char *lf;
	while ((lf = memchr(r->buffer + r->start + seen, '\n',
	                    reader_buffered(r) - seen)) == NULL) {
		seen = reader_buffered(r);
		/* One byte over may be the CR of a line end. */
		if (seen > limit + 1)
			return -EPROTO;
		grow(r, limit);
		int err = fill(r, deadline);
		if (err < 0)
			return err;
	}
	const char *line = r->buffer + r->start;
	size_t len = (size_t)(lf - line);
	r->start += len + 1;
	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len > limit)
		return -EPROTO;
	*line_out = line;
	*len_out = len;
	return 0;
}

int reader_peek(struct reader *r, int64_t deadline, const char **bytes_out,
                size_t *len_out)
{
	int err = reader_buffered(r) == 0 ? fill(r, deadline) : 0;
	if (err < 0)
		return err;
	*bytes_out = r->buffer + r->start;
	*len_out = reader_buffered(r);
	return 0;
}

int reader_add(struct reader *r, size_t len, int64_t deadline,
               struct strbuf *sb)
{
	while (len > 0) {
		if (reader_buffered(r) == 0) {
			int err = fill(r, deadline);
			if (err < 0)
				return err;
		}
		size_t n = reader_buffered(r) < len ? reader_buffered(r) : len;
		strbuf_add(sb, r->buffer + r->start, n);
		r->start += n;
		len -= n;
	}
	return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Take the CR out of each CRLF, in place.  Returns the length after that. */
static size_t drop_crs(char *bytes, size_t len)
{
	char *from = bytes;
	char *to = bytes;
	char *end = bytes + len;
	while (from < end) {
		char *cr = memchr(from, '\r', (size_t)(end - from));
		char *stop = cr == NULL ? end : cr;
		bool is_pair = cr != NULL && cr + 1 < end && cr[1] == '\n';
		if (cr != NULL && !is_pair)
			stop++;
		memmove(to, from, (size_t)(stop - from));
		to += stop - from;
		from = is_pair ? stop + 1 : stop;
	}
	return (size_t)(to - bytes);
}

int reader_copy(struct reader *r, uint64_t len, int timeout_ms, int fd,
                uint64_t *written_out)
{
	uint64_t written = 0;
	uint64_t mark = r->received;
	int64_t deadline = deadline_in(timeout_ms);
	while (len > 0) {
		size_t n = reader_buffered(r) < len ? reader_buffered(r)
		                                    : (size_t)len;
		/* A CR that may have its LF in the next bytes waits for it. */
		if (n > 0 && n < len && r->buffer[r->start + n - 1] == '\r')
			n--;
		if (n == 0) {
			int err = fill(r, deadline);
			if (err < 0)
				return err;
			if (r->received - mark >= READER_PROGRESS) {
				mark = r->received;
				deadline = deadline_in(timeout_ms);
			}
			continue;
		}
		char *bytes = r->buffer + r->start;
		size_t kept = drop_crs(bytes, n);
		int err = fd < 0 ? 0 : write_all(fd, bytes, kept);
		if (err < 0)
			return err;
		r->start += n;
		len -= n;
		written += kept;
	}
	*written_out = written;
	return 0;
}
