#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "util/cleanup.h"

static void words_for_yes_and_no(void **state)
{
	static const struct {
		const char *text;
		int is; /* -1: neither */
	} rows[] = {
		{ "yes", 1 }, { "Yes", 1 }, { "true", 1 },  { "on", 1 },
		{ "1", 1 },   { "no", 0 },  { "FALSE", 0 }, { "off", 0 },
		{ "0", 0 },   { "", -1 },   { "y", -1 },    { "yes ", -1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool is = false;
		const char *why = value_bool(rows[i].text, &is);
		assert_int_equal(why == NULL ? is : -1, rows[i].is);
	}
}

static void durations_have_units_and_bounds(void **state)
{
	static const struct {
		const char *text;
		int ms; /* -1: refused */
	} rows[] = {
		{ "1", 1000 },
		{ "90s", 90000 },
		{ "2m", 120000 },
		{ "1h", 3600000 },
		{ "2H", 7200000 },
		{ "0", -1 },
		{ "3h", -1 },
		{ "7201", -1 },
		{ "", -1 },
		{ "s", -1 },
		{ "1d", -1 },
		{ "1 s", -1 },
		{ "-1", -1 },
		{ "1.5m", -1 },
		{ "1ms", -1 },
		{ "99999999999999999999", -1 },
		{ "5124095576030431h", -1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int ms = -1;
		const char *why = value_duration(rows[i].text, 1, 7200, &ms);
		assert_int_equal(ms, rows[i].ms);
		assert_int_equal(why == NULL, rows[i].ms > 0);
	}
}

static void sizes_have_units_and_bounds(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* 0: refused */
	} rows[] = {
		{ "1M", 1 << 20 },
		{ "1m", 1 << 20 },
		{ "2G", 2ULL << 30 },
		{ "1T", 1ULL << 40 },
		{ "1048576", 1 << 20 },
		{ "1024K", 1 << 20 },
		{ "1048575", 0 },
		{ "0", 0 },
		{ "", 0 },
		{ "M", 0 },
		{ "1MB", 0 },
		{ "1 M", 0 },
		{ "1P", 0 },
		{ "-1M", 0 },
		{ "8388608T", 0 },
		{ "99999999999999999999", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t bytes = 0;
		const char *why = value_size(rows[i].text, 1 << 20, &bytes);
		assert_int_equal(bytes, rows[i].bytes);
		assert_int_equal(why == NULL, rows[i].bytes > 0);
	}
}

static void counts_have_bounds(void **state)
{
	unsigned count = 0;
	assert_null(value_count("1", 1, 8, &count));
	assert_int_equal(count, 1);
	assert_null(value_count("8", 1, 8, &count));
	assert_int_equal(count, 8);
	assert_non_null(value_count("0", 1, 8, &count));
	assert_non_null(value_count("9", 1, 8, &count));
	assert_non_null(value_count("3x", 1, 8, &count));
	assert_non_null(value_count("", 1, 8, &count));
	assert_int_equal(count, 8);
}

static void paths_become_absolute(void **state)
{
	static const struct {
		const char *text, *path;
	} rows[] = {
		{ "/a/b", "/a/b" },
		{ "~/a", "/home/me/a" },
		{ "$HOME/a", "/home/me/a" },
		{ "/a/~/b", "/a/~/b" },
		{ "a/b", NULL },
		{ "~other/a", NULL },
		{ "$HOMES/a", NULL },
		{ "~", NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *path = NULL;
		const char *why = value_path(rows[i].text, "/home/me", &path);
		assert_int_equal(why == NULL, rows[i].path != NULL);
		if (rows[i].path != NULL)
			assert_string_equal(path, rows[i].path);
	}
}

static void server_urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		bool is_imap, has_tls;
		const char *host, *user;
		unsigned port;
	} rows[] = {
		{ "imaps://h.example", true, true, "h.example" },
		{ "IMAPS://h.example/", true, true, "h.example" },
		{ "imap://h:1143", true, false, "h", NULL, 1143 },
		{ "pop3s://h", false, true, "h" },
		{ "pop3://h:65535/", false, false, "h", NULL, 65535 },
		{ "imaps://me@h", true, true, "h", "me" },
		{ "imaps://me@example.org@h", true, true, "h",
		  "me@example.org" },
		{ "imaps://me%40x%3ay@h:1", true, true, "h", "me@x:y", 1 },
		{ "imaps://%41@h", true, true, "h", "A" },
		{ "imap://[::1]:993", true, false, "::1", NULL, 993 },
		{ "imap://192.0.2.1", true, false, "192.0.2.1" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct value_url url = { 0 };
		assert_null(value_url(rows[i].text, &url));
		assert_int_equal(url.is_imap, rows[i].is_imap);
		assert_int_equal(url.has_tls, rows[i].has_tls);
		assert_string_equal(url.host, rows[i].host);
		if (rows[i].user != NULL)
			assert_string_equal(url.user, rows[i].user);
		else
			assert_null(url.user);
		assert_int_equal(url.port, rows[i].port);
		value_url_release(&url);
	}
}

static void other_urls_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"h.example",
		"http://h",
		"imaps:h",
		"imaps://",
		"imaps:///INBOX",
		"imaps://h/INBOX",
		"imaps://h:",
		"imaps://h:0",
		"imaps://h:65536",
		"imaps://h:993x",
		"imaps://h?x",
		"imaps://h h",
		"imaps://-h",
		"imaps://@h",
		"imaps://me:secret@h",
		"imaps://me%4@h",
		"imaps://me%zz@h",
		"imaps://me%00@h",
		"imaps://me%@h",
		"imaps://[::1",
		"imaps://[]",
		"imaps://[h]",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct value_url url;
		assert_non_null(value_url(rows[i], &url));
	}
}

static void words_are_set_apart_by_blanks_and_commas(void **state)
{
	const char *text = ", INBOX,,Lists/*\t\"Sent Items\" a\"b c\"d \"\" ";
	static const char *const words[] = { "INBOX", "Lists/*", "Sent Items",
		                             "ab cd", "" };
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		auto_free char *word = value_word(&text);
		assert_string_equal(word, words[i]);
	}
	assert_null(value_word(&text));
}

static void account_names_are_file_names(void **state)
{
	assert_true(value_is_account_name("a"));
	assert_true(value_is_account_name("Work_2.home-x"));
	assert_false(value_is_account_name(""));
	assert_false(value_is_account_name("."));
	assert_false(value_is_account_name(".."));
	assert_false(value_is_account_name(".hidden"));
	assert_false(value_is_account_name("-f"));
	assert_false(value_is_account_name("a/b"));
	assert_false(value_is_account_name("a b"));
	assert_false(value_is_account_name("\xc3\xa9"));
	char name[66];
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	assert_true(value_is_account_name(name));
	name[64] = 'a';
	name[65] = '\0';
	assert_false(value_is_account_name(name));
}

static void distance_counts_typing_errors(void **state)
{
	assert_int_equal(value_distance("user", "user"), 0);
	assert_int_equal(value_distance("usr", "user"), 1);
	assert_int_equal(value_distance("usre", "user"), 1);
	assert_int_equal(value_distance("users", "user"), 1);
	assert_int_equal(value_distance("uses", "user"), 1);
	assert_int_equal(value_distance("", "user"), 4);
	char text[100];
	memset(text, 'a', sizeof(text));
	text[99] = '\0';
	assert_true(value_distance(text, "user") == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_for_yes_and_no),
		cmocka_unit_test(durations_have_units_and_bounds),
		cmocka_unit_test(sizes_have_units_and_bounds),
		cmocka_unit_test(counts_have_bounds),
		cmocka_unit_test(paths_become_absolute),
		cmocka_unit_test(server_urls_are_taken_apart),
		cmocka_unit_test(other_urls_are_refused),
		cmocka_unit_test(words_are_set_apart_by_blanks_and_commas),
		cmocka_unit_test(account_names_are_file_names),
		cmocka_unit_test(distance_counts_typing_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
