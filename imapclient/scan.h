/*
 * Steps through a response: atoms, numbers, strings, lists (RFC 9051 9).  Pure.
 *
 * Every step checks p against end; there is no NUL to rely on.  One that fails
 * returns false, and the line is refused.  Results borrow the line.
 */
#ifndef IMAPCLIENT_SCAN_H
#define IMAPCLIENT_SCAN_H

#include "imapclient/response.h"

struct scan {
	const char *line, *p, *end;
	size_t streamed;
	bool met_streamed; /* the missing literal was the last value */
};

struct imap_text scan_text_between(const char *start, const char *end);

/* Is c next? */
bool scan_at(const struct scan *s, char c);

/* The same, and step over it. */
bool scan_accept(struct scan *s, char c);

void scan_skip_blanks(struct scan *s);

/* All that is left, without the blanks before it. */
struct imap_text scan_rest_of(struct scan *s);

/* Up to a blank, a parenthesis, a quote or the end; may be empty. */
struct imap_text scan_atom(struct scan *s);

/* Up to a blank or the end: names that some servers do not quote. */
struct imap_text scan_word(struct scan *s);

/* Digits; a number too large becomes one that is very large. */
bool scan_number(struct scan *s, uint64_t *out);

bool scan_at_literal(const struct scan *s);

/*
 * An atom, a quoted string, a literal, or NIL (bytes NULL).  met_streamed says
 * if it is the literal whose bytes are elsewhere.
 */
bool scan_string(struct scan *s, struct imap_text *out);

/* Any value, a list included: stepped over. */
bool scan_skip_value(struct scan *s);

/* What is between two parentheses, for lists of atoms such as flags. */
bool scan_atom_list(struct scan *s, struct imap_text *out);

#endif
