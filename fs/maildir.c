/*
 * A level of the seam holds '%' only before two hexadecimal digits of a byte
 * that needs it, or alone.  What is escaped here are other bytes, so the two
 * kinds never meet: a server's own "%2E" arrives as "%252E".  "%~" is neither.
 */
#include "fs/maildir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/digest.h"
#include "util/strbuf.h"

#define CUT_MARK "%~"
#define CUT_LEN  (sizeof(CUT_MARK) - 1 + 16)

#define IDENTITY_LEN 16

/* In the order of the letters, as Maildir wants them. */
static const struct {
	unsigned flag;
	char letter;
} LETTERS[] = {
	{ MAIL_DRAFT, 'D' },    { MAIL_FLAGGED, 'F' }, { MAIL_FORWARDED, 'P' },
	{ MAIL_ANSWERED, 'R' }, { MAIL_SEEN, 'S' },    { MAIL_DELETED, 'T' },
};
#define LETTER_COUNT (sizeof(LETTERS) / sizeof(LETTERS[0]))

/* Levels that mean something else as a name, in the nested layout. */
static const struct {
	const char *level;
	const char *name;
} RESERVED[] = {
	{ ".", "%2E" },     { "..", "%2E%2E" }, { "cur", "%63ur" },
	{ "new", "%6Eew" }, { "tmp", "%74mp" },
};
#define RESERVED_COUNT (sizeof(RESERVED) / sizeof(RESERVED[0]))

/* These two write the digits at out, and return how many. */
static size_t put_decimal(char *out, uint64_t n)
{
	char digits[20];
	size_t len = 0;
	do
		digits[len++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	for (size_t i = 0; i < len; i++)
		out[i] = digits[len - 1 - i];
	return len;
}

static size_t put_identity(char *out, uint64_t n)
{
	for (int i = IDENTITY_LEN - 1; i >= 0; i--, n >>= 4)
		out[i] = "0123456789abcdef"[n & 15];
	return IDENTITY_LEN;
}

/* By hand: a listing makes a million, and snprintf() would be its half. */
void maildir_message_name(const struct cache_entry *entry, const char *account,
                          char name_out[MAILDIR_NAME_MAX + 1])
{
	int64_t time = entry->message.received_at;
	size_t account_len = strnlen(account, MAILDIR_ACCOUNT_MAX);
	char *at = name_out;
	at += put_decimal(at, time > 0 ? (uint64_t)time : 0);
	*at++ = '.';
	at += put_identity(at, entry->identity);
	*at++ = '.';
	memcpy(at, account, account_len);
	at += account_len;
	if (entry->place != CACHE_NEW) {
		memcpy(at, ":2,", 3);
		at += 3;
		for (size_t i = 0; i < LETTER_COUNT; i++)
			if (entry->flags & LETTERS[i].flag)
				*at++ = LETTERS[i].letter;
	}
	*at = '\0';
}

bool maildir_identity_parse(const char *name, uint64_t *identity_out)
{
	size_t time_len = strspn(name, "0123456789");
	if (time_len == 0 || name[time_len] != '.')
		return false;
	const char *digits = name + time_len + 1;
	if (strspn(digits, "0123456789abcdef") != IDENTITY_LEN)
		return false;
	uint64_t identity = 0;
	for (int i = 0; i < IDENTITY_LEN; i++) {
		char c = digits[i];
		unsigned value = (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		identity = identity << 4 | value;
	}
	*identity_out = identity;
	return true;
}

/* Where text may be cut, at limit or before: not in a character or escape. */
static size_t cut_at(const char *text, size_t limit)
{
	size_t len = limit;
	/* Levels are UTF-8: no character has more than three such bytes. */
	for (int i = 0; i < 3 && ((unsigned char)text[len] & 0xc0) == 0x80; i++)
		len--;
	for (size_t back = 1; back <= 2 && back <= len; back++)
		if (text[len - back] == '%')
			return len - back;
	return len;
}

static void fit(const char *text, size_t len,
                char name_out[MAILDIR_NAME_MAX + 1])
{
	if (len <= MAILDIR_NAME_MAX) {
		memcpy(name_out, text, len + 1);
		return;
	}
	size_t kept = cut_at(text, MAILDIR_NAME_MAX - CUT_LEN);
	memcpy(name_out, text, kept);
	(void)snprintf(name_out + kept, CUT_LEN + 1, "%s%016" PRIx64, CUT_MARK,
	               digest_u64(text, len));
}

static bool is_cut(const char *name)
{
	size_t len = strlen(name);
	return len > CUT_LEN &&
	       memcmp(name + len - CUT_LEN, CUT_MARK, strlen(CUT_MARK)) == 0;
}

void maildir_level_encode(const char *level,
                          char name_out[MAILDIR_NAME_MAX + 1])
{
	const char *text = level;
	for (size_t i = 0; i < RESERVED_COUNT; i++)
		if (strcmp(level, RESERVED[i].level) == 0)
			text = RESERVED[i].name;
	fit(text, strlen(text), name_out);
}

int maildir_level_decode(const char *name, char level_out[MAILDIR_NAME_MAX + 1])
{
	if (strlen(name) > MAILDIR_NAME_MAX)
		return -ENOENT;
	if (is_cut(name))
		return 0;
	const char *level = name;
	for (size_t i = 0; i < RESERVED_COUNT; i++) {
		if (strcmp(name, RESERVED[i].level) == 0)
			return -ENOENT;
		if (strcmp(name, RESERVED[i].name) == 0)
			level = RESERVED[i].level;
	}
	memcpy(level_out, level, strlen(level) + 1);
	return 1;
}

void maildir_path_encode(const char *path, char name_out[MAILDIR_NAME_MAX + 1])
{
	auto_strbuf struct strbuf name = { 0 };
	strbuf_putc(&name, '.');
	for (const char *p = path; *p; p++) {
		if (*p == '.')
			strbuf_puts(&name, "%2E");
		else
			strbuf_putc(&name, *p == '/' ? '.' : *p);
	}
	fit(name.bytes, name.len, name_out);
}

int maildir_path_decode(const char *name, char path_out[MAILDIR_NAME_MAX + 1])
{
	if (name[0] != '.' || strlen(name) > MAILDIR_NAME_MAX)
		return -ENOENT;
	if (is_cut(name))
		return 0;
	char *end = path_out;
	for (const char *p = name + 1; *p; p++) {
		if (*p == '.') {
			*end++ = '/';
		} else if (strncmp(p, "%2E", 3) == 0) {
			*end++ = '.';
			p += 2;
		} else {
			*end++ = *p;
		}
	}
	*end = '\0';
	return 1;
}
