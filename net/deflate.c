#include "net/deflate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "util/log.h"
#include "util/mem.h"

#define BUFFER_SIZE ((size_t)64 * 1024)

/* Negative: raw, the largest window (RFC 4978 4). */
#define WINDOW_BITS (-15)
#define MEMORY      8 /* zlib's own default */

struct deflate {
	z_stream in, out;
	bool has_more;  /* in may hold output for which there was no room */
	int64_t credit; /* bytes that may still come of what was received */
	unsigned char *received; /* at least BUFFER_SIZE */
};

struct deflate *deflate_new(const void *bytes, size_t len)
{
	struct deflate *d = xmalloc(sizeof(*d));
	d->credit = DEFLATE_SLACK;
	d->received = xmalloc(len > BUFFER_SIZE ? len : BUFFER_SIZE);
	memcpy(d->received, bytes, len);
	d->in.next_in = d->received;
	d->in.avail_in = (uInt)len;
	/* Like any small allocation, these fail only without memory. */
	if (inflateInit2(&d->in, WINDOW_BITS) != Z_OK ||
	    deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
	                 WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	return d;
}

void deflate_free(struct deflate *d)
{
	if (d == NULL)
		return;
	(void)inflateEnd(&d->in);
	(void)deflateEnd(&d->out);
	free(d->received);
	free(d);
}

static int receive(struct deflate *d, reader_source *source, void *arg,
                   int64_t deadline)
{
	ssize_t n = source(arg, d->received, BUFFER_SIZE, deadline);
	if (n < 0)
		return (int)n;
	d->in.next_in = d->received;
	d->in.avail_in = (uInt)n;
	return 0;
}

/* What was saved up is worth no more than what a stream begins with. */
static int account(struct deflate *d, size_t taken, size_t given)
{
	d->credit += (int64_t)taken * DEFLATE_RATIO - (int64_t)given;
	if (d->credit > DEFLATE_SLACK)
		d->credit = DEFLATE_SLACK;
	if (d->credit >= 0)
		return 0;
	log_warn("the server sends next to nothing, which would become very "
	         "much");
	return -EPROTO;
}

/* Returns the count, 0 if more has to be received first, or -errno. */
static ssize_t expand(struct deflate *d, void *bytes, size_t size)
{
	size_t before = d->in.avail_in;
	d->in.next_out = bytes;
	d->in.avail_out = (uInt)size;
	int rc = inflate(&d->in, Z_SYNC_FLUSH);
	size_t given = size - d->in.avail_out;
	d->has_more = d->in.avail_out == 0;
	/* A buffer error means that there was nothing to do. */
	if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END) {
		log_warn("what the server sends was not compressed well: %s",
		         d->in.msg != NULL ? d->in.msg : "no reason");
		return -EPROTO;
	}
	int err = account(d, before - d->in.avail_in, given);
	if (err < 0)
		return err;
	/* There is no more, whatever follows. */
	if (rc == Z_STREAM_END && given == 0)
		return -EHOSTUNREACH;
	return (ssize_t)given;
}

ssize_t deflate_read(struct deflate *d, reader_source *source, void *arg,
                     void *bytes, size_t size, int64_t deadline)
{
	for (;;) {
		if (d->in.avail_in == 0 && !d->has_more) {
			int err = receive(d, source, arg, deadline);
			if (err < 0)
				return err;
		}
		ssize_t n = expand(d, bytes, size);
		if (n != 0)
			return n;
	}
}

size_t deflate_buffered(const struct deflate *d)
{
	return d->in.avail_in;
}

void deflate_write(struct deflate *d, const void *bytes, size_t len,
                   struct strbuf *sb)
{
	d->out.next_in = bytes;
	d->out.avail_in = (uInt)len;
	do {
		strbuf_reserve(sb, BUFFER_SIZE);
		d->out.next_out = (Bytef *)sb->bytes + sb->len;
		d->out.avail_out = BUFFER_SIZE;
		(void)deflate(&d->out, Z_SYNC_FLUSH);
		sb->len += BUFFER_SIZE - d->out.avail_out;
		sb->bytes[sb->len] = '\0';
	} while (d->out.avail_out == 0);
}
