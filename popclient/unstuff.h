/*
 * A multi-line response (RFC 1939 3) taken off the stream: dots are
 * unstuffed, CRLF becomes LF, and ".CRLF" alone ends it.  Bytes come in any
 * portions; lines have any length.  Pure.
 *
 * Only CRLF makes a line: a message may hold a bare LF and a dot behind it.
 */
#ifndef POPCLIENT_UNSTUFF_H
#define POPCLIENT_UNSTUFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unstuff_state {
	UNSTUFF_LINE,   /* at the begin of a line */
	UNSTUFF_DOT,    /* behind a dot there */
	UNSTUFF_DOT_CR, /* behind a dot and CR there */
	UNSTUFF_TEXT,   /* within a line */
	UNSTUFF_CR,     /* behind a CR there, which may begin a line end */
	UNSTUFF_END,    /* the end was met */
};

/* Begins all zero. */
struct unstuff {
	enum unstuff_state state;
	bool is_dot;        /* the last line ended with a dot */
	uint64_t wire_size; /* bytes as the server holds them */
};

/* What unstuff_take() may give beyond what it took: bytes held back. */
#define UNSTUFF_EXTRA 2

/*
 * Take bytes up to the end of the response.  out has room for len and
 * UNSTUFF_EXTRA bytes.  Returns how many were taken: all, unless the end came.
 */
size_t unstuff_take(struct unstuff *u, const char *bytes, size_t len, char *out,
                    size_t *len_out);

#endif
