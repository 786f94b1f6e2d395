/*
 * Inside cache/ only: what a message's bytes are, whoever holds them.
 */
#ifndef CACHE_CONTENT_H
#define CACHE_CONTENT_H

#include <stdint.h>

#include "cache/core.h"
#include "util/digest.h"

struct content {
	uint64_t size;
	uint64_t wire_size; /* with CRLF line ends, and a last one */
	/*
	 * Of the normal form, in which servers and we agree: line ends are
	 * LF, and there is none at the end.
	 */
	uint8_t digest[DIGEST_SIZE];
	uint8_t body_digest[DIGEST_SIZE]; /* the same without the headers */
	uint64_t id; /* of the Message-ID; 0: it has none */
};

/* Read fd, with pread(2).  Returns 0 or -errno. */
int content_read(int fd, struct content *out);

/* The bytes of a message that is here; else -ENOENT, or another -errno. */
int content_open(struct cache *c, const struct cache_message *message);

#endif
