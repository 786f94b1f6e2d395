/*
 * Modified UTF-7 (RFC 3501 5.1.3).  Pure.
 */
#ifndef IMAPCLIENT_UTF7_H
#define IMAPCLIENT_UTF7_H

#include <stdbool.h>
#include <stddef.h>

#include "util/strbuf.h"

/*
 * Append the text as UTF-8.  Returns false, and leaves *out in any state, if
 * it is not what imap_utf7_encode() makes of that, or holds a control.
 */
bool imap_utf7_decode(const char *bytes, size_t len, struct strbuf *out);

/* Append; false if the text is not valid UTF-8. */
bool imap_utf7_encode(const char *text, size_t len, struct strbuf *out);

#endif
