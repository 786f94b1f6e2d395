/*
 * A command line, with its strings quoted (RFC 9051 4.3).  Pure.
 *
 * A quoted string cannot hold 8-bit bytes; those names go as literals, and
 * before the bytes of a literal a server without LITERAL+ or LITERAL- must be
 * asked: there the command is broken.
 */
#ifndef IMAPCLIENT_COMMAND_H
#define IMAPCLIENT_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "util/strbuf.h"

#define IMAP_BREAKS_MAX 4

struct imap_command {
	struct strbuf text;
	bool is_non_sync; /* the server has LITERAL+ or LITERAL- */
	size_t breaks[IMAP_BREAKS_MAX]; /* offsets: wait before these bytes */
	size_t break_count;
};

/* Begin with the name and what follows it; the tag comes when it is sent. */
void imap_command_init(struct imap_command *c, bool is_non_sync,
                       const char *text);

void imap_command_release(struct imap_command *c);

/* Append as quoted string, or as literal.  No NUL, CR or LF. */
void imap_command_string(struct imap_command *c, const char *s, size_t len);

#define auto_command __attribute__((cleanup(imap_command_release)))

#endif
