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

#define INFO     ":2,"
#define INFO_LEN (sizeof(INFO) - 1)

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

static size_t put_letters(char *out, unsigned flags)
{
	size_t len = 0;
	for (size_t i = 0; i < LETTER_COUNT; i++)
		if (flags & LETTERS[i].flag)
			out[len++] = LETTERS[i].letter;
	for (int n = 0; (flags & ~MAIL_FLAGS) >= CACHE_KEYWORD(n); n++) {
		if (flags & CACHE_KEYWORD(n))
			out[len++] = (char)('a' + n);
		if (n == CACHE_KEYWORDS - 1)
			break;
	}
	return len;
}

static unsigned flag_of(char letter)
{
	if (letter >= 'a' && letter <= 'z')
		return CACHE_KEYWORD(letter - 'a');
	for (size_t i = 0; i < LETTER_COUNT; i++)
		if (LETTERS[i].letter == letter)
			return LETTERS[i].flag;
	return 0;
}

void maildir_letters(unsigned flags, char letters_out[MAILDIR_LETTERS_MAX + 1])
{
	letters_out[put_letters(letters_out, flags)] = '\0';
}

int maildir_letters_parse(const char *letters, unsigned *flags_out)
{
	unsigned flags = 0;
	for (const char *p = letters; *p; p++) {
		if ((flag_of(*p) & MAIL_FLAGS) == 0)
			return -EINVAL;
		flags |= flag_of(*p);
	}
	*flags_out = flags;
	return 0;
}

static const char *info_letters(const char *info)
{
	return strncmp(info, INFO, INFO_LEN) == 0 ? info + INFO_LEN : "";
}

/* The flags end at a comma: what follows is another program's. */
static unsigned info_flags(const char *info)
{
	unsigned flags = 0;
	for (const char *p = info_letters(info); *p && *p != ','; p++)
		flags |= flag_of(*p);
	return flags;
}

int maildir_info_change(const char *old, unsigned shown, unsigned flags,
                        char info_out[MAILDIR_NAME_MAX + 1])
{
	char info[INFO_LEN + MAILDIR_LETTERS_MAX + MAILDIR_NAME_MAX + 1] = INFO;
	size_t len = INFO_LEN + put_letters(info + INFO_LEN, flags);
	bool is_ours = true;
	for (const char *p = info_letters(old); *p; p++) {
		if (*p == ',')
			is_ours = false;
		unsigned flag = is_ours ? flag_of(*p) : 0;
		if ((flag & (shown | MAIL_FLAGS)) == 0 &&
		    (flag == 0 || (flag & flags) == 0))
			info[len++] = *p;
	}
	if (len > MAILDIR_NAME_MAX)
		return -ENAMETOOLONG;
	info[len] = '\0';
	memcpy(info_out, info, len + 1);
	return 0;
}

int maildir_name_split(const char *name, enum cache_place place,
                       struct maildir_parts *parts_out)
{
	size_t len = strlen(name);
	if (len > MAILDIR_NAME_MAX)
		return -ENAMETOOLONG;
	size_t base_len = len;
	const char *colon = strrchr(name, INFO[0]);
	if (place < CACHE_MAIL_PLACES && colon && colon > name &&
	    strncmp(colon, INFO, INFO_LEN) == 0)
		base_len = (size_t)(colon - name);
	memcpy(parts_out->base, name, base_len);
	parts_out->base[base_len] = '\0';
	memcpy(parts_out->info, name + base_len, len - base_len + 1);
	parts_out->flags = info_flags(parts_out->info);
	return 0;
}

static void given_name(const struct cache_entry *entry,
                       char name_out[MAILDIR_NAME_MAX + 1])
{
	char changed[MAILDIR_NAME_MAX + 1];
	const char *info = entry->info;
	unsigned other = entry->flags ^ entry->shown;
	/* In new keywords alone make no other name, as in one that is made. */
	if (entry->place == CACHE_NEW)
		other &= MAIL_FLAGS;
	if (entry->place < CACHE_MAIL_PLACES && other != 0 &&
	    maildir_info_change(entry->info, entry->shown, entry->flags,
	                        changed) == 0 &&
	    strlen(entry->base) + strlen(changed) <= MAILDIR_NAME_MAX)
		info = changed;
	/* The two were one name; but they come from a disk. */
	size_t len = strlen(entry->base);
	size_t info_len = strnlen(info, MAILDIR_NAME_MAX - len);
	memcpy(name_out, entry->base, len);
	memcpy(name_out + len, info, info_len);
	name_out[len + info_len] = '\0';
}

/* By hand: a listing makes a million, and snprintf() would be its half. */
void maildir_message_name(const struct cache_entry *entry, const char *account,
                          char name_out[MAILDIR_NAME_MAX + 1])
{
	if (*entry->base) {
		given_name(entry, name_out);
		return;
	}
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
		memcpy(at, INFO, INFO_LEN);
		at += INFO_LEN;
		at += put_letters(at, entry->flags);
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

/* The length of the UTF-8 character at p, or 0: it is none. */
static size_t character_len(const unsigned char *p)
{
	if (p[0] < 0x80)
		return p[0] < 0x20 || p[0] == 0x7f ? 0 : 1;
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	static const unsigned char LEADS[] = { 0, 0, 0x1f, 0x0f, 0x07 };
	uint32_t code = p[0] & LEADS[len];
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	static const uint32_t LEAST[] = { 0, 0, 0x80, 0x800, 0x10000 };
	bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
	bool is_lead = p[0] >= 0xc0 && p[0] < 0xf8;
	if (!is_lead || code < LEAST[len] || code > 0x10ffff || is_surrogate)
		return 0;
	return len;
}

bool maildir_level_is_valid(const char *level)
{
	const char *p = level;
	while (*p) {
		size_t len = character_len((const unsigned char *)p);
		if (len == 0 || *p == '/')
			return false;
		if (*p == '%' && strncmp(p, "%25", 3) != 0 &&
		    strncmp(p, "%2F", 3) != 0)
			return false;
		p += len;
	}
	return p > level;
}
