/*
 * Sequence sets (RFC 9051 9): "1:5,7,9:*".  Pure.
 */
#ifndef IMAPCLIENT_SEQSET_H
#define IMAPCLIENT_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imapclient/response.h"
#include "util/strbuf.h"

/* Some servers refuse lines of more than 8000 bytes. */
#define IMAP_SEQSET_MAX 7000

/* Sort; drop those that come twice.  Returns how many are left. */
size_t imap_seqset_sort(uint32_t *uids, size_t count);

/*
 * Append a set of the sorted uids, ascending (exmail.qq.com refuses any
 * other), as many of them as IMAP_SEQSET_MAX bytes hold.  Returns their number:
 * at least 1.
 */
size_t imap_seqset_add(struct strbuf *sb, const uint32_t *uids, size_t count);

/*
 * Step over the set's next range; '*' is UINT32_MAX, first is never above
 * last.  Returns false at the end, and at the first byte that is no set.
 */
bool imap_seqset_next(struct imap_text *set, uint32_t *first_out,
                      uint32_t *last_out);

#endif
