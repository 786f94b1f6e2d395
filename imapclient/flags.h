/*
 * Flags and keywords as IMAP writes them (RFC 9051 2.3.2).  Pure.
 */
#ifndef IMAPCLIENT_FLAGS_H
#define IMAPCLIENT_FLAGS_H

#include "imapclient/response.h"
#include "util/strbuf.h"

/*
 * Take apart what stands between the parentheses of FLAGS.  Returns the set of
 * enum mail_flag; what is none of them is appended to keywords, separated by
 * blanks.  \Recent and system flags nobody knows are dropped.
 */
unsigned imap_flags_parse(struct imap_text list, struct strbuf *keywords);

#endif
