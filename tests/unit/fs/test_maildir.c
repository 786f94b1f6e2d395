#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "fs/maildir.h"

static void a_message_name_has_time_identity_account_and_flags(void **state)
{
	static const struct {
		int64_t received_at;
		uint64_t identity;
		enum cache_place place;
		unsigned flags;
		const char *name;
	} ROWS[] = {
		{ 1700000000, 0x2a, CACHE_NEW, 0,
		  "1700000000.000000000000002a.work" },
		{ 1700000000, UINT64_MAX, CACHE_CUR, 0,
		  "1700000000.ffffffffffffffff.work:2," },
		{ 1, 1, CACHE_CUR, MAIL_SEEN | MAIL_ANSWERED,
		  "1.0000000000000001.work:2,RS" },
		{ 1, 1, CACHE_CUR, 0x3f, "1.0000000000000001.work:2,DFPRST" },
		{ 1, 1, CACHE_CUR,
		  MAIL_SEEN | CACHE_KEYWORD(0) | CACHE_KEYWORD(3),
		  "1.0000000000000001.work:2,Sad" },
		{ 1, 1, CACHE_CUR, ~0U,
		  "1.0000000000000001.work:2,DFPRSTabcdefghijklmnopqrstuvwxyz" },
		{ 1, 1, CACHE_CUR, CACHE_KEYWORD(25),
		  "1.0000000000000001.work:2,z" },
		{ 1, 1, CACHE_NEW, CACHE_KEYWORD(25),
		  "1.0000000000000001.work" },
		{ 1, 1, CACHE_NEW, 0x3f, "1.0000000000000001.work" },
		{ -7, 1, CACHE_NEW, 0, "0.0000000000000001.work" },
	};
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		struct cache_entry entry = {
			.place = ROWS[i].place,
			.identity = ROWS[i].identity,
			.flags = ROWS[i].flags,
			.message.received_at = ROWS[i].received_at,
		};
		char name[MAILDIR_NAME_MAX + 1];
		maildir_message_name(&entry, "work", name);
		assert_string_equal(name, ROWS[i].name);
		uint64_t identity;
		assert_true(maildir_identity_parse(name, &identity));
		assert_true(identity == ROWS[i].identity);
	}
}

static void a_name_that_was_given_shows_flags_as_they_are(void **state)
{
	static const unsigned A = CACHE_KEYWORD(0), B = CACHE_KEYWORD(1);
	const struct {
		enum cache_place place;
		const char *info;
		unsigned shown, flags;
		const char *name;
	} ROWS[] = {
		{ CACHE_CUR, ":2,S", MAIL_SEEN, MAIL_SEEN, "x:2,S" },
		{ CACHE_CUR, ":2,S", MAIL_SEEN, MAIL_SEEN | A, "x:2,Sa" },
		{ CACHE_CUR, ":2,Sab", MAIL_SEEN | A | B, MAIL_SEEN | B,
		  "x:2,Sb" },
		/* It does not show all, and what it shows is another's. */
		{ CACHE_CUR, ":2,Sa", MAIL_SEEN | B, MAIL_SEEN | B, "x:2,Sa" },
		{ CACHE_CUR, ":2,Sac", MAIL_SEEN | A, MAIL_FLAGGED, "x:2,Fc" },
		{ CACHE_CUR, ":2,Sa,b=a", MAIL_SEEN | A, 0, "x:2,,b=a" },
		{ CACHE_CUR, "", 0, A, "x:2,a" },
		/* In new keywords alone make no other name. */
		{ CACHE_NEW, "", 0, A, "x" },
		{ CACHE_NEW, ":2,F", MAIL_FLAGGED, MAIL_FLAGGED | A, "x:2,F" },
		{ CACHE_NEW, ":2,F", MAIL_FLAGGED, MAIL_SEEN | A, "x:2,Sa" },
	};
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		struct cache_entry entry = {
			.place = ROWS[i].place,
			.base = "x",
			.flags = ROWS[i].flags,
			.shown = ROWS[i].shown,
		};
		char name[MAILDIR_NAME_MAX + 1];
		strcpy(entry.info, ROWS[i].info);
		maildir_message_name(&entry, "work", name);
		assert_string_equal(name, ROWS[i].name);
	}
}

static void letters_of_a_name_are_flags_and_keywords(void **state)
{
	struct maildir_parts parts;
	assert_int_equal(maildir_name_split("x:2,SazX,b", CACHE_CUR, &parts),
	                 0);
	assert_int_equal(parts.flags,
	                 MAIL_SEEN | CACHE_KEYWORD(0) | CACHE_KEYWORD(25));
	unsigned flags;
	assert_int_equal(maildir_letters_parse("Sa", &flags), -EINVAL);
	assert_int_equal(maildir_letters_parse("SF", &flags), 0);
	assert_int_equal(flags, MAIL_SEEN | MAIL_FLAGGED);
}

static void what_is_no_message_name_has_no_identity(void **state)
{
	static const char *const NAMES[] = {
		"",
		".",
		"x",
		"1.2",
		"1",
		".0000000000000001.work",
		"-1.0000000000000001.work",
		"1.000000000000001.work",
		"1.00000000000000001.work",
		"1.000000000000000A.work",
		"1,0000000000000001.work",
	};
	uint64_t identity;
	for (size_t i = 0; i < COUNT_OF(NAMES); i++)
		assert_false(maildir_identity_parse(NAMES[i], &identity));
}

static void a_level_and_its_name_give_each_other(void **state)
{
	static const char *const ROWS[][2] = {
		{ "INBOX", "INBOX" },
		{ "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe" },
		{ ".", "%2E" },
		{ "..", "%2E%2E" },
		{ "...", "..." },
		{ ".hidden", ".hidden" },
		{ "cur", "%63ur" },
		{ "new", "%6Eew" },
		{ "tmp", "%74mp" },
		{ "Cur", "Cur" },
		{ "%2563ur", "%2563ur" },
		{ "%252E", "%252E" },
		{ "a%2Fb", "a%2Fb" },
		{ "%", "%" },
	};
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		char text[MAILDIR_NAME_MAX + 1];
		maildir_level_encode(ROWS[i][0], text);
		assert_string_equal(text, ROWS[i][1]);
		assert_int_equal(maildir_level_decode(ROWS[i][1], text), 1);
		assert_string_equal(text, ROWS[i][0]);
	}
}

static void a_path_and_its_name_give_each_other(void **state)
{
	static const char *const ROWS[][2] = {
		{ "Lists/cryptography", ".Lists.cryptography" },
		{ "cur", ".cur" },
		{ "..", ".%2E%2E" },
		{ "a.b/c", ".a%2Eb.c" },
		{ "a%252Eb/c", ".a%252Eb.c" },
		{ "%/%", ".%.%" },
	};
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		char text[MAILDIR_NAME_MAX + 1];
		maildir_path_encode(ROWS[i][0], text);
		assert_string_equal(text, ROWS[i][1]);
		assert_int_equal(maildir_path_decode(ROWS[i][1], text), 1);
		assert_string_equal(text, ROWS[i][0]);
	}
}

static void reserved_names_are_no_folders(void **state)
{
	static const char *const NAMES[] = { ".", "..", "cur", "new", "tmp" };
	char text[MAILDIR_NAME_MAX + 1];
	for (size_t i = 0; i < COUNT_OF(NAMES); i++)
		assert_int_equal(maildir_level_decode(NAMES[i], text), -ENOENT);
	assert_int_equal(maildir_path_decode("Lists", text), -ENOENT);
	assert_int_equal(maildir_path_decode("", text), -ENOENT);
}

static void a_long_name_is_cut_between_characters(void **state)
{
	/* Whatever stands at the border: 1 to 4 bytes, or an escape. */
	static const char *const UNITS[] = { "a", "\xc3\xbc", "\xe2\x82\xac",
		                             "\xf0\x9f\x93\xa7", "%25" };
	for (size_t i = 0; i < COUNT_OF(UNITS); i++) {
		for (size_t shift = 0; shift < 4; shift++) {
			char level[1024] = "";
			memset(level, 'b', shift);
			while (strlen(level) < 300)
				strcat(level, UNITS[i]);
			char name[MAILDIR_NAME_MAX + 1];
			char text[MAILDIR_NAME_MAX + 1];
			maildir_level_encode(level, name);
			size_t kept = strlen(name) - 18;
			assert_true(strlen(name) <= MAILDIR_NAME_MAX);
			assert_true(kept >= 234);
			assert_int_equal((kept - shift) % strlen(UNITS[i]), 0);
			assert_memory_equal(name, level, kept);
			assert_memory_equal(name + kept, "%~", 2);
			assert_int_equal(maildir_level_decode(name, text), 0);
		}
	}
}

static void names_cut_alike_still_differ(void **state)
{
	char level[1024], one[MAILDIR_NAME_MAX + 1], two[MAILDIR_NAME_MAX + 1];
	memset(level, 'x', 400);
	level[400] = '\0';
	maildir_path_encode(level, one);
	level[399] = 'y';
	maildir_path_encode(level, two);
	assert_string_not_equal(one, two);
}

static void the_longest_whole_name_is_not_cut(void **state)
{
	char level[257], name[MAILDIR_NAME_MAX + 1];
	memset(level, 'x', 256);
	level[255] = '\0';
	maildir_level_encode(level, name);
	assert_string_equal(name, level);
	level[255] = 'x';
	level[256] = '\0';
	maildir_level_encode(level, name);
	assert_string_not_equal(name, level);
	assert_int_equal(maildir_level_decode(level, name), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_message_name_has_time_identity_account_and_flags),
		cmocka_unit_test(a_name_that_was_given_shows_flags_as_they_are),
		cmocka_unit_test(letters_of_a_name_are_flags_and_keywords),
		cmocka_unit_test(what_is_no_message_name_has_no_identity),
		cmocka_unit_test(a_level_and_its_name_give_each_other),
		cmocka_unit_test(a_path_and_its_name_give_each_other),
		cmocka_unit_test(reserved_names_are_no_folders),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
		cmocka_unit_test(names_cut_alike_still_differ),
		cmocka_unit_test(the_longest_whole_name_is_not_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
