/*
 * Header fields (RFC 5322 2.2), bytes to struct.  Pure.
 *
 * A head has LF line ends; it may be cut off anywhere, and a body may follow.
 */
#ifndef MAIL_FIELD_H
#define MAIL_FIELD_H

#include <stdbool.h>
#include <stddef.h>

/* With its continuation lines, name and line end included. */
struct mail_field {
	const char *text; /* borrowed from the head */
	size_t len;
};

/* The next of the rest of a head; false at the blank line or the end. */
bool mail_field_next(const char **rest, const char *end,
                     struct mail_field *out);

/* Without regard to case. */
bool mail_field_is(const struct mail_field *field, const char *name);

#endif
