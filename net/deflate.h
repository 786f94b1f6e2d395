/*
 * A stream that is compressed both ways: RFC 1951 without a frame, as
 * COMPRESS=DEFLATE has it (RFC 4978).  Private to net/.
 */
#ifndef NET_DEFLATE_H
#define NET_DEFLATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/reader.h"
#include "util/strbuf.h"

/*
 * A byte received may stand for a thousand.  No mail is like that, but for
 * short stretches: more than so many for each, and so many besides, is a bomb.
 */
#define DEFLATE_RATIO 100
#define DEFLATE_SLACK (1024 * 1024)

struct deflate;

/* The bytes were received already. */
struct deflate *deflate_new(const void *bytes, size_t len);
/* NULL is fine. */
void deflate_free(struct deflate *d);

/*
 * As conn_read(); source gives the compressed bytes.  -EPROTO: they are none,
 * or a bomb.
 */
ssize_t deflate_read(struct deflate *d, reader_source *source, void *arg,
                     void *bytes, size_t size, int64_t deadline);

/* Compressed bytes that are here. */
size_t deflate_buffered(const struct deflate *d);

/*
 * Add to sb what makes the other side read these bytes, and all before them.
 */
void deflate_write(struct deflate *d, const void *bytes, size_t len,
                   struct strbuf *sb);

#endif
