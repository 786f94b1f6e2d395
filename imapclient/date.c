#include "imapclient/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DATE_MAX INT64_C(253402300799) /* the last second of 9999 */

struct cursor {
	const char *p, *end;
};

/* Digits, at most 4, behind blanks; false if there are none. */
static bool number(struct cursor *c, int *out)
{
	while (c->p < c->end && *c->p == ' ')
		c->p++;
	int n = 0, count = 0;
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && count < 4;
	     count++)
		n = n * 10 + (*c->p++ - '0');
	*out = n;
	return count > 0;
}

static bool accept(struct cursor *c, char ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static bool month(struct cursor *c, int *out)
{
	static const char names[] = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
	if (c->end - c->p < 3)
		return false;
	struct imap_text name = { .bytes = c->p, .len = 3 };
	c->p += 3;
	for (int i = 0; i < 12; i++) {
		char word[4] = { 0 };
		memcpy(word, names + 3 * i, 3);
		if (imap_text_is(name, word)) {
			*out = i + 1;
			return true;
		}
	}
	return false;
}

/* Days from 1970-01-01 in the Gregorian calendar; months from 1. */
static int64_t days_from_civil(int year, int mon, int day)
{
	year -= mon <= 2;
	int64_t era = year / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year =
		(153 * (mon + (mon > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	       year_of_era / 100 + day_of_year - 719468;
}

static int64_t zone_seconds(struct cursor *c)
{
	int zone;
	while (accept(c, ' '))
		continue;
	bool is_west = c->p < c->end && *c->p == '-';
	if (!accept(c, '+') && !accept(c, '-'))
		return 0;
	if (!number(c, &zone))
		return 0;
	int seconds = (zone / 100 * 60 + zone % 100) * 60;
	return is_west ? -seconds : seconds;
}

static int64_t clamp(int64_t at)
{
	if (at < 0)
		return 0;
	return at > DATE_MAX ? DATE_MAX : at;
}

int64_t imap_date_parse(struct imap_text text)
{
	if (text.bytes == NULL)
		return 0;
	struct cursor c = { text.bytes, text.bytes + text.len };
	int day, mon, year, hour = 0, minute = 0, second = 0;
	if (!number(&c, &day) || !accept(&c, '-') || !month(&c, &mon) ||
	    !accept(&c, '-') || !number(&c, &year))
		return 0;
	if (year < 100)
		year += year < 70 ? 2000 : 1900;
	if (number(&c, &hour) && accept(&c, ':') && number(&c, &minute) &&
	    accept(&c, ':'))
		(void)number(&c, &second);
	int64_t at = days_from_civil(year, mon, day) * 86400 + hour * 3600 +
	             minute * 60 + second - zone_seconds(&c);
	return clamp(at);
}

/* By hand: the names of strftime() are those of a locale. */
void imap_date_print(int64_t at, char out[IMAP_DATE_SIZE])
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
		                              "May", "Jun", "Jul", "Aug",
		                              "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = { 0 };
	time_t seconds = clamp(at);
	(void)gmtime_r(&seconds, &tm);
	snprintf(out, IMAP_DATE_SIZE, "%02d-%s-%04d %02d:%02d:%02d +0000",
	         tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
	         tm.tm_min, tm.tm_sec);
}
