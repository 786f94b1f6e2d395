/*
 * "From SENDER Thu Jan  1 00:00:00 1970", as asctime(3) writes dates, and what
 * others make of it: no seconds, a zone before or after the year, and things
 * behind it.  Without a zone it is UTC (RFC 4155).
 */
#include "cli/mbox.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define YEAR_MIN 1900

static bool take_blanks(const char **at)
{
	size_t len = strspn(*at, " \t");
	*at += len;
	return len > 0;
}

/* One of several names of three letters, joined. */
static bool take_name(const char **at, const char *names, int *index_out)
{
	for (int i = 0; names[3 * i] != '\0'; i++) {
		if (strncasecmp(*at, names + 3 * i, 3) == 0) {
			*at += 3;
			*index_out = i;
			return true;
		}
	}
	return false;
}

static bool take_number(const char **at, int digits_max, int *number_out)
{
	int number = 0, digits = 0;
	while (digits < digits_max && isdigit((unsigned char)**at)) {
		number = 10 * number + *(*at)++ - '0';
		digits++;
	}
	*number_out = number;
	return digits > 0;
}

static bool take_time(const char **at, struct tm *tm)
{
	if (!take_number(at, 2, &tm->tm_hour) || *(*at)++ != ':' ||
	    !take_number(at, 2, &tm->tm_min))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!take_number(at, 2, &tm->tm_sec))
			return false;
	}
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60;
}

/* "+0100"; a name is left out: which zone it means, nobody knows. */
static void take_zone(const char **at, int64_t *seconds)
{
	if (**at != '+' && **at != '-') {
		while (isalpha((unsigned char)**at))
			(*at)++;
		return;
	}
	int sign = *(*at)++ == '-' ? -1 : 1, number = 0;
	if (take_number(at, 4, &number))
		*seconds = (int64_t)sign *
		           (number / 100 * 3600 + number % 100 * 60);
}

static bool take_date(const char *at, int64_t *time_out)
{
	struct tm tm = { 0 };
	int weekday, year;
	int64_t zone = 0;
	if (!take_name(&at, "SunMonTueWedThuFriSat", &weekday) ||
	    !take_blanks(&at) ||
	    !take_name(&at, "JanFebMarAprMayJunJulAugSepOctNovDec",
	               &tm.tm_mon) ||
	    !take_blanks(&at) || !take_number(&at, 2, &tm.tm_mday) ||
	    !take_blanks(&at) || !take_time(&at, &tm))
		return false;
	if (!take_blanks(&at))
		return false;
	take_zone(&at, &zone);
	(void)take_blanks(&at);
	if (!take_number(&at, 4, &year) || year < YEAR_MIN ||
	    isdigit((unsigned char)*at))
		return false;
	if (take_blanks(&at))
		take_zone(&at, &zone);
	if (tm.tm_mday < 1 || tm.tm_mday > 31)
		return false;
	tm.tm_year = year - 1900;
	*time_out = (int64_t)timegm(&tm) - zone;
	return true;
}

bool mbox_date_parse(const char *line, size_t len, int64_t *time_out)
{
	char text[MBOX_HEAD_MAX + 1];
	if (len >= sizeof(text) || memchr(line, '\0', len) != NULL)
		return false;
	memcpy(text, line, len);
	text[len] = '\0';
	/* The sender may have blanks in it: try at every word. */
	for (const char *at = text; *at != '\0'; at++)
		if ((*at == ' ' || *at == '\t') && take_date(at + 1, time_out))
			return true;
	return false;
}
