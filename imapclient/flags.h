/*
 * Flags and keywords as IMAP writes them (RFC 9051 2.3.2).  Pure.
 */
#ifndef IMAPCLIENT_FLAGS_H
#define IMAPCLIENT_FLAGS_H

#include <stdbool.h>

#include "imapclient/response.h"
#include "util/strbuf.h"

/*
 * Take apart what stands between the parentheses of FLAGS.  Returns the set of
 * enum mail_flag; what is none of them is appended to keywords, separated by
 * blanks.  \Recent and system flags nobody knows are dropped.
 */
unsigned imap_flags_parse(struct imap_text list, struct strbuf *keywords);

/*
 * Append the IMAP names of flags and keywords (separated by blanks), in this
 * order and separated by blanks.  A keyword that is no atom is left out, and
 * one that allowed, what PERMANENTFLAGS lists, has not: neither it nor \*.
 * Without bytes in allowed, all are.
 */
void imap_flags_add(unsigned flags, const char *keywords,
                    struct imap_text allowed, struct strbuf *out);

/* Is word, in upper case, one of the atoms? */
bool imap_flags_has(struct imap_text atoms, const char *word);

#endif
