/* The small pure parts: dates, flags, sequence sets, commands. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "imapclient/capability.h"
#include "imapclient/command.h"
#include "imapclient/date.h"
#include "imapclient/flags.h"
#include "imapclient/key.h"
#include "imapclient/seqset.h"
#include "mail/mail.h"

static struct imap_text text_of(const char *s)
{
	return (struct imap_text){ .bytes = s, .len = strlen(s) };
}

static void dates_are_read_as_servers_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t at;
	} rows[] = {
		{ "17-Jul-1996 02:44:25 -0700", 837596665 },
		{ " 7-Feb-1994 21:52:25 -0800", 760686745 },
		{ "7-feb-1994 21:52:25 -0800", 760686745 },
		{ "01-Jan-1970 00:00:00 +0000", 0 },
		{ "29-Feb-2024 23:59:60 +0530", 1709231400 },
		{ "29-Feb-2000 00:00:00 GMT", 951782400 },
		{ "29-Feb-2000 00:00:00", 951782400 },
		{ "29-Feb-2000", 951782400 },
		{ "29-Feb-00 0:00:00 +0000", 951782400 },
		{ "01-Jan-1960 00:00:00 +0000", 0 },
		{ "31-Dec-9999 23:59:59 +0000", 253402300799 },
		{ "31-Dec-9999 23:59:59 -0001", 253402300799 },
		{ "99-Foo-2000 00:00:00 +0000", 0 },
		{ "", 0 },
		{ "yesterday", 0 },
		{ "1-Ja", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(imap_date_parse(text_of(rows[i].text)),
		                 rows[i].at);
	assert_int_equal(imap_date_parse((struct imap_text){ 0 }), 0);
}

static void flags_and_keywords_part(void **state)
{
	static const struct {
		const char *list;
		unsigned flags;
		const char *keywords;
	} rows[] = {
		{ "", 0, "" },
		{ "\\Seen", MAIL_SEEN, "" },
		{ "\\seen \\ANSWERED \\Flagged \\Deleted \\Draft",
		  MAIL_SEEN | MAIL_ANSWERED | MAIL_FLAGGED | MAIL_DELETED |
		          MAIL_DRAFT,
		  "" },
		{ "\\Recent \\Unheard-Of", 0, "" },
		{ "$Forwarded", MAIL_FORWARDED, "" },
		{ "Forwarded", MAIL_FORWARDED, "" },
		{ "  NonJunk  nonjunk ", 0, "NonJunk nonjunk" },
		/* Gmail */
		{ "a]b \\Seen [x", MAIL_SEEN, "a]b [x" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf keywords = { 0 };
		assert_int_equal(imap_flags_parse(text_of(rows[i].list),
		                                  &keywords),
		                 rows[i].flags);
		assert_string_equal(strbuf_text(&keywords), rows[i].keywords);
	}
}

static void a_set_is_ascending_and_merged(void **state)
{
	uint32_t uids[] = { 9, 3, 1, 2, 7, 3, UINT32_MAX };
	auto_strbuf struct strbuf set = { 0 };
	size_t count = imap_seqset_sort(uids, COUNT_OF(uids));
	assert_int_equal(count, 6);
	assert_int_equal(imap_seqset_add(&set, uids, count), count);
	assert_string_equal(strbuf_text(&set), "1:3,7,9,4294967295");
}

static void a_long_set_comes_in_pieces(void **state)
{
	static uint32_t uids[5000];
	size_t done = 0, pieces = 0;
	for (size_t i = 0; i < COUNT_OF(uids); i++)
		uids[i] = (uint32_t)(4000000000 + 2 * i);
	while (done < COUNT_OF(uids)) {
		auto_strbuf struct strbuf set = { 0 };
		size_t n = imap_seqset_add(&set, uids + done,
		                           COUNT_OF(uids) - done);
		assert_true(n > 0 && set.len <= IMAP_SEQSET_MAX);
		struct imap_text text = text_of(set.bytes);
		uint32_t first, last;
		for (size_t i = 0; i < n; i++) {
			assert_true(imap_seqset_next(&text, &first, &last));
			assert_int_equal(first, uids[done + i]);
			assert_int_equal(last, first);
		}
		done += n;
		pieces++;
	}
	assert_int_equal(pieces, 8);
}

static void a_set_is_read_up_to_nonsense(void **state)
{
	static const struct {
		const char *set;
		const char *ranges;
	} rows[] = {
		{ "1:5,7,9:*", "1-5 7-7 9-4294967295 " },
		{ "5:1", "1-5 " },
		{ "*", "4294967295-4294967295 " },
		{ "*:3", "3-4294967295 " },
		{ "0", "" },
		{ "3,0,4", "3-3 " },
		{ "1,4294967296", "1-1 " },
		{ "1:", "" },
		{ "1,,2", "1-1 " },
		{ "", "" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf ranges = { 0 };
		struct imap_text set = text_of(rows[i].set);
		uint32_t first, last;
		while (imap_seqset_next(&set, &first, &last))
			strbuf_printf(&ranges, "%u-%u ", first, last);
		assert_string_equal(strbuf_text(&ranges), rows[i].ranges);
	}
}

static void dates_are_written_as_they_are_read(void **state)
{
	static const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{ 0, "01-Jan-1970 00:00:00 +0000" },
		{ -1, "01-Jan-1970 00:00:00 +0000" },
		{ 951782399, "28-Feb-2000 23:59:59 +0000" },
		{ 951782400, "29-Feb-2000 00:00:00 +0000" },
		{ 4102444799, "31-Dec-2099 23:59:59 +0000" },
		{ 253402300799, "31-Dec-9999 23:59:59 +0000" },
		{ INT64_MAX, "31-Dec-9999 23:59:59 +0000" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[IMAP_DATE_SIZE];
		imap_date_print(rows[i].at, text);
		assert_string_equal(text, rows[i].text);
		imap_date_print(imap_date_parse(text_of(text)), text);
		assert_string_equal(text, rows[i].text);
	}
}

static void capabilities_are_known_by_name(void **state)
{
	static const struct {
		const char *atoms;
		unsigned capabilities;
		uint64_t append_limit;
	} rows[] = {
		{ "", 0, UINT64_MAX },
		{ "IMAP4rev1 x move", IMAP_CAP_MOVE, UINT64_MAX },
		{ "LITERAL-", IMAP_CAP_LITERAL, UINT64_MAX },
		{ "literal+ UIDPLUS",
		  IMAP_CAP_LITERAL | IMAP_CAP_LITERAL_PLUS | IMAP_CAP_UIDPLUS,
		  UINT64_MAX },
		{ "QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE,
		  UINT64_MAX },
		{ "APPENDLIMIT", 0, UINT64_MAX },
		{ "APPENDLIMIT=", 0, UINT64_MAX },
		{ "APPENDLIMIT=x", 0, UINT64_MAX },
		{ "XAPPENDLIMIT=4 appendlimit=5", 0, 5 },
		{ "APPENDLIMIT=35651584 MULTIAPPEND", IMAP_CAP_MULTIAPPEND,
		  35651584 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct imap_text atoms = text_of(rows[i].atoms);
		assert_int_equal(imap_capability_parse(atoms),
		                 rows[i].capabilities);
		assert_true(imap_capability_append_limit(atoms) ==
		            rows[i].append_limit);
	}
}

static void keys_are_of_one_uidvalidity(void **state)
{
	char key[32];
	assert_int_equal(imap_key_uid("9.4294967295", 9), UINT32_MAX);
	assert_int_equal(imap_key_uid("8.1", 9), 0);
	assert_int_equal(imap_key_uid("9.0", 9), 0);
	assert_int_equal(imap_key_uid("9.1 ", 9), 0);
	assert_int_equal(imap_key_uid("9", 9), 0);
	assert_int_equal(imap_key_uid("", 9), 0);
	imap_key_print(9, UINT32_MAX, key, sizeof(key));
	assert_string_equal(key, "9.4294967295");
}

static void strings_are_quoted_or_become_literals(void **state)
{
	auto_command struct imap_command c;
	imap_command_init(&c, false, "STATUS ");
	imap_command_string(&c, "a\"b\\c", 5);
	assert_string_equal(c.text.bytes, "STATUS \"a\\\"b\\\\c\"");
	assert_int_equal(c.break_count, 0);
	imap_command_string(&c, "\xe9", 1);
	assert_string_equal(c.text.bytes, "STATUS \"a\\\"b\\\\c\"{1}\r\n\xe9");
	assert_int_equal(c.break_count, 1);
	assert_int_equal(c.breaks[0], c.text.len - 1);
}

static void a_literal_needs_no_break_where_the_server_says_so(void **state)
{
	auto_command struct imap_command c;
	imap_command_init(&c, true, "");
	imap_command_string(&c, "\xe9t", 2);
	assert_string_equal(c.text.bytes, "{2+}\r\n\xe9t");
	assert_int_equal(c.break_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read_as_servers_write_them),
		cmocka_unit_test(flags_and_keywords_part),
		cmocka_unit_test(a_set_is_ascending_and_merged),
		cmocka_unit_test(a_long_set_comes_in_pieces),
		cmocka_unit_test(a_set_is_read_up_to_nonsense),
		cmocka_unit_test(dates_are_written_as_they_are_read),
		cmocka_unit_test(capabilities_are_known_by_name),
		cmocka_unit_test(keys_are_of_one_uidvalidity),
		cmocka_unit_test(strings_are_quoted_or_become_literals),
		cmocka_unit_test(
			a_literal_needs_no_break_where_the_server_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
