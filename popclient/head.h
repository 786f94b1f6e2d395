/*
 * What the head of a message tells, for servers that tell less.  Pure.
 *
 * A head has LF line ends; it may be cut off anywhere, and a body may follow.
 */
#ifndef POPCLIENT_HEAD_H
#define POPCLIENT_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "util/digest.h"

/* Of a head so much is looked at. */
#define POP_HEAD_MAX ((size_t)64 * 1024)

/*
 * When the message arrived: the date of the topmost Received, else Date.
 * Seconds since 1970, UTC; 0: it does not say.
 */
int64_t pop_head_date(const char *head, size_t len);

/* Of all but the fields in which servers note what was done with a message. */
void pop_head_digest(const char *head, size_t len, uint8_t out[DIGEST_SIZE]);

#endif
