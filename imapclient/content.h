/*
 * A message in a file, as it goes over the wire (RFC 9051 4.3): each line ends
 * in CRLF, the last one too.  Read by pread(2), piece by piece.
 */
#ifndef IMAPCLIENT_CONTENT_H
#define IMAPCLIENT_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/strbuf.h"

/* At first: fd, size, and the rest 0. */
struct imap_content {
	int fd;
	uint64_t size; /* bytes of the file */
	uint64_t at;   /* of these, read */
	char last;     /* the byte given last */
	bool is_ended;
};

/*
 * Append the next piece.  Returns 1, 0 at the end, or -EIO when the file cannot
 * be read up to its size.
 */
int imap_content_next(struct imap_content *c, struct strbuf *out);

/*
 * How long is all of it on the wire?  Returns 0, -EIO as above, or -EILSEQ: it
 * holds a NUL, which no literal may.
 */
int imap_content_measure(int fd, uint64_t size, uint64_t *wire_size_out);

#endif
