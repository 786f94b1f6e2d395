#include "cli/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

#define ACCOUNT_NAME_MAX 64
#define HOST_MAX         255
#define WORD_MAX         64 /* of value_distance() */

const char *value_bool(const char *text, bool *is_out)
{
	static const struct {
		const char *word;
		bool is;
	} words[] = {
		{ "yes", true }, { "no", false },    { "true", true },
		{ "on", true },  { "false", false }, { "off", false },
		{ "1", true },   { "0", false },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			*is_out = words[i].is;
			return NULL;
		}
	}
	return "is neither yes nor no";
}

/* Digits at the start of text; false when there are none, or too many. */
static bool parse_digits(const char **text, uint64_t *number_out)
{
	uint64_t number = 0;
	const char *at = *text;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (number > UINT64_MAX / 100)
			return false;
		number = number * 10 + (uint64_t)(*at - '0');
	}
	bool has_any = at != *text;
	*text = at;
	*number_out = number;
	return has_any;
}

/* The factor of a one-letter unit; 0: there is no such unit. */
static uint64_t parse_unit(const char *text, const char *letters,
                           const uint64_t *factors)
{
	if (*text == '\0' || text[1] != '\0')
		return 0;
	const char *found = strchr(letters, tolower((unsigned char)*text));
	return found != NULL ? factors[found - letters] : 0;
}

const char *value_duration(const char *text, int min_s, int max_s, int *ms_out)
{
	static const uint64_t factors[] = { 1, 60, 3600 };
	uint64_t number;
	if (!parse_digits(&text, &number))
		return "is not a time; write 30s, 5m or 1h";
	uint64_t factor = *text != '\0' ? parse_unit(text, "smh", factors) : 1;
	if (factor == 0)
		return "has no known unit; write 30s, 5m or 1h";
	if (number > (uint64_t)max_s / factor)
		return "is too long";
	if (number * factor < (uint64_t)min_s)
		return "is too short";
	*ms_out = (int)(number * factor) * 1000;
	return NULL;
}

const char *value_size(const char *text, uint64_t min, uint64_t *bytes_out)
{
	static const uint64_t factors[] = { 1, 1ULL << 10, 1ULL << 20,
		                            1ULL << 30, 1ULL << 40 };
	uint64_t number;
	if (!parse_digits(&text, &number))
		return "is not a size; write 500M or 2G";
	uint64_t factor =
		*text != '\0' ? parse_unit(text, "bkmgt", factors) : 1;
	if (factor == 0)
		return "has no known unit; write 500M or 2G";
	if (number > INT64_MAX / factor)
		return "is too much";
	if (number * factor < min)
		return min == 1 ? "is too little; at least 1"
		                : "is too little; at least 1M";
	*bytes_out = number * factor;
	return NULL;
}

const char *value_count(const char *text, unsigned min, unsigned max,
                        unsigned *count_out)
{
	uint64_t number;
	if (!parse_digits(&text, &number) || *text != '\0')
		return "is not a number";
	if (number < min || number > max)
		return "is out of range";
	*count_out = (unsigned)number;
	return NULL;
}

const char *value_path(const char *text, const char *home, char **path_out)
{
	const char *below = NULL;
	if (strncmp(text, "~/", 2) == 0)
		below = text + 1;
	else if (strncmp(text, "$HOME/", 6) == 0)
		below = text + 5;
	if (below != NULL) {
		*path_out = xasprintf("%s%s", home, below);
		return NULL;
	}
	if (*text == '~')
		return "names another user's home; write the path out";
	if (*text != '/')
		return "is not a path that begins with / or ~/";
	*path_out = xstrdup(text);
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *decode_user(const char *text, size_t len, char **user_out)
{
	auto_strbuf struct strbuf user = { 0 };
	for (size_t i = 0; i < len; i++) {
		if (text[i] == ':')
			return "holds a password; use password-command";
		if (text[i] != '%') {
			strbuf_putc(&user, text[i]);
			continue;
		}
		int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
		int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
		if (high < 0 || low < 0 || high * 16 + low < 0x20)
			return "has a bad %-code in the user's name";
		strbuf_putc(&user, (char)(high * 16 + low));
		i += 2;
	}
	if (user.len == 0)
		return "has an empty user's name before the @";
	*user_out = strbuf_take(&user);
	return NULL;
}

static const char *parse_scheme(const char **text, struct value_url *url)
{
	static const struct {
		const char *prefix;
		bool is_imap, has_tls;
	} schemes[] = {
		{ "imaps://", true, true },
		{ "imap://", true, false },
		{ "pop3s://", false, true },
		{ "pop3://", false, false },
	};
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].prefix);
		if (strncasecmp(*text, schemes[i].prefix, len) != 0)
			continue;
		url->is_imap = schemes[i].is_imap;
		url->has_tls = schemes[i].has_tls;
		*text += len;
		return NULL;
	}
	return "is no mail server's URL; write imaps://imap.example.org";
}

static bool is_host_byte(char c, bool is_address)
{
	if (is_address)
		return isxdigit((unsigned char)c) || c == ':' || c == '.';
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_' ||
	       (c & 0x80) != 0;
}

/* HOST or [ADDRESS]; *text is left behind it. */
static const char *parse_host(const char **text, char **host_out)
{
	bool is_address = **text == '[';
	const char *start = *text + (is_address ? 1 : 0);
	const char *end = start;
	while (*end != '\0' && is_host_byte(*end, is_address))
		end++;
	size_t len = (size_t)(end - start);
	if (len == 0 || len > HOST_MAX || *start == '-')
		return "has no good host name";
	if (is_address && *end++ != ']')
		return "lacks the ] behind the address";
	*host_out = xstrndup(start, len);
	*text = end;
	return NULL;
}

static const char *parse_url(const char *text, struct value_url *url)
{
	const char *why = parse_scheme(&text, url);
	if (why != NULL)
		return why;
	const char *at = strrchr(text, '@');
	if (at != NULL) {
		why = decode_user(text, (size_t)(at - text), &url->user);
		if (why != NULL)
			return why;
		text = at + 1;
	}
	why = parse_host(&text, &url->host);
	if (why != NULL)
		return why;
	if (*text == ':') {
		uint64_t port;
		text++;
		if (!parse_digits(&text, &port) || port < 1 || port > 65535)
			return "has a port that is not 1 to 65535";
		url->port = (unsigned)port;
	}
	if (strcmp(text, "/") == 0 || *text == '\0')
		return NULL;
	return *text == '/' ? "has a path; choose mailboxes with folders ="
	                    : "has something odd behind the host name";
}

const char *value_url(const char *text, struct value_url *url_out)
{
	struct value_url url = { 0 };
	const char *why = parse_url(text, &url);
	if (why != NULL) {
		value_url_release(&url);
		return why;
	}
	*url_out = url;
	return NULL;
}

void value_url_release(struct value_url *url)
{
	free(take(url->host));
	free(take(url->user));
}

char *value_word(const char **text)
{
	*text += strspn(*text, " \t,");
	if (**text == '\0')
		return NULL;
	auto_strbuf struct strbuf word = { 0 };
	bool is_quoted = false;
	for (; **text != '\0'; (*text)++) {
		if (**text == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (!is_quoted && strchr(" \t,", **text) != NULL)
			break;
		strbuf_putc(&word, **text);
	}
	return word.len > 0 ? strbuf_take(&word) : xstrdup("");
}

bool value_is_account_name(const char *text)
{
	size_t len = strlen(text);
	if (len < 1 || len > ACCOUNT_NAME_MAX || *text == '.' || *text == '-')
		return false;
	for (const char *at = text; *at != '\0'; at++)
		if (!isascii((unsigned char)*at) ||
		    (!isalnum((unsigned char)*at) &&
		     strchr("._-", *at) == NULL))
			return false;
	return true;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau and Levenshtein, neighbours swapped once counting one. */
size_t value_distance(const char *a, const char *b)
{
	size_t rows = strlen(a), columns = strlen(b);
	if (rows > WORD_MAX || columns > WORD_MAX)
		return SIZE_MAX;
	size_t cost[WORD_MAX + 1][WORD_MAX + 1];
	for (size_t i = 0; i <= rows; i++) {
		for (size_t k = 0; k <= columns; k++) {
			if (i == 0 || k == 0) {
				cost[i][k] = i + k;
				continue;
			}
			size_t change = a[i - 1] == b[k - 1] ? 0 : 1;
			size_t best = cost[i - 1][k - 1] + change;
			best = smaller(best, cost[i - 1][k] + 1);
			best = smaller(best, cost[i][k - 1] + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1])
				best = smaller(best, cost[i - 2][k - 2] + 1);
			cost[i][k] = best;
		}
	}
	return cost[rows][columns];
}
