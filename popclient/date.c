#include "popclient/date.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DATE_MAX INT64_C(253402300799) /* the last second of 9999 */

struct cursor {
	const char *p, *end;
};

/* Blanks, line ends of folded fields, and comments, which nest. */
static void skip_space(struct cursor *c)
{
	int depth = 0;
	for (; c->p < c->end; c->p++) {
		if (*c->p == '(')
			depth++;
		else if (*c->p == ')' && depth > 0)
			depth--;
		else if (depth == 0 && strchr(" \t\r\n", *c->p) == NULL)
			return;
	}
}

/* 1 to 4 digits. */
static bool number(struct cursor *c, int *out)
{
	int n = 0, count = 0;
	skip_space(c);
	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && count < 4;
	     count++)
		n = n * 10 + (*c->p++ - '0');
	*out = n;
	return count > 0;
}

static bool accept(struct cursor *c, char ch)
{
	skip_space(c);
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

/* Letters; *len_out may be 0. */
static const char *word(struct cursor *c, size_t *len_out)
{
	skip_space(c);
	const char *begin = c->p;
	while (c->p < c->end && ((*c->p >= 'A' && *c->p <= 'Z') ||
	                         (*c->p >= 'a' && *c->p <= 'z')))
		c->p++;
	*len_out = (size_t)(c->p - begin);
	return begin;
}

static bool month(struct cursor *c, int *out)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	size_t len;
	const char *name = word(c, &len);
	for (int i = 0; i < 12 && len >= 3; i++) {
		if (strncasecmp(name, names + 3 * i, 3) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* RFC 5322 4.3: any other name says nothing, and so means UTC. */
static int named_zone(const char *name, size_t len)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = { { "EDT", -4 }, { "EST", -5 }, { "CDT", -5 },
		      { "CST", -6 }, { "MDT", -6 }, { "MST", -7 },
		      { "PDT", -7 }, { "PST", -8 } };
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (len == 3 && strncasecmp(name, zones[i].name, 3) == 0)
			return zones[i].hours * 3600;
	return 0;
}

static int zone_seconds(struct cursor *c)
{
	int zone;
	size_t len;
	bool is_west = accept(c, '-');
	if (is_west || accept(c, '+')) {
		if (!number(c, &zone))
			return 0;
		int seconds = (zone / 100 * 60 + zone % 100) * 60;
		return is_west ? -seconds : seconds;
	}
	const char *name = word(c, &len);
	return named_zone(name, len);
}

int64_t pop_date_parse(const char *text, size_t len)
{
	struct cursor c = { text, text + len };
	struct tm tm = { 0 };
	size_t weekday;
	(void)word(&c, &weekday);
	(void)accept(&c, ',');
	if (!number(&c, &tm.tm_mday) || !month(&c, &tm.tm_mon) ||
	    !number(&c, &tm.tm_year))
		return 0;
	if (tm.tm_year < 50)
		tm.tm_year += 2000;
	else if (tm.tm_year < 1000)
		tm.tm_year += 1900;
	tm.tm_year -= 1900;
	if (number(&c, &tm.tm_hour) && accept(&c, ':') &&
	    number(&c, &tm.tm_min) && accept(&c, ':'))
		(void)number(&c, &tm.tm_sec);
	int64_t at = timegm(&tm) - zone_seconds(&c);
	return at < 0 || at > DATE_MAX ? 0 : at;
}
