/*
 * INTERNALDATE (RFC 9051 9, date-time): "07-Feb-1994 21:52:25 -0800".  Pure.
 */
#ifndef IMAPCLIENT_DATE_H
#define IMAPCLIENT_DATE_H

#include <stdint.h>

#include "imapclient/response.h"

/*
 * Seconds since 1970, UTC.  Liberal: digits missing, no zone, a zone's name
 * (taken for UTC), a year of two digits.  A date before 1970 or after 9999 is
 * clamped; one that is none at all gives 0.
 */
int64_t imap_date_parse(struct imap_text text);

/* Seconds since 1970, UTC, as a date-time without its quotes; clamped alike. */
#define IMAP_DATE_SIZE 64
void imap_date_print(int64_t at, char out[IMAP_DATE_SIZE]);

#endif
