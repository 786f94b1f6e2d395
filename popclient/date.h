/*
 * Dates of mail headers (RFC 5322 3.3, 4.3): "Mon, 7 Feb 1994 21:52:25 -0800
 * (PST)".  Pure.
 */
#ifndef POPCLIENT_DATE_H
#define POPCLIENT_DATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Seconds since 1970, UTC.  Liberal: the weekday, seconds and zone may be
 * missing, a zone may be a name, a year have two digits.  0: it is no date,
 * or one that is not between 1970 and 9999.
 */
int64_t pop_date_parse(const char *text, size_t len);

#endif
