/* What is pure, by table. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "popclient/date.h"
#include "popclient/head.h"
#include "popclient/response.h"
#include "popclient/unstuff.h"
#include "util/strbuf.h"

static void answers_and_their_codes(void **state)
{
	static const struct {
		const char *line;
		bool is_ok;
		enum pop_code code;
		const char *text;
	} rows[] = {
		{ "+OK", true, POP_CODE_NONE, "" },
		{ "+ok  2 messages", true, POP_CODE_NONE, "2 messages" },
		{ "+OK [IN-USE] is a word here", true, POP_CODE_NONE,
		  "[IN-USE] is a word here" },
		{ "-ERR", false, POP_CODE_NONE, "" },
		{ "-ERR no such message", false, POP_CODE_NONE,
		  "no such message" },
		{ "-ERR [IN-USE] Do you have another POP session running?",
		  false, POP_CODE_IN_USE,
		  "Do you have another POP session running?" },
		{ "-ERR [login-delay]", false, POP_CODE_LOGIN_DELAY, "" },
		{ "-ERR [AUTH] no", false, POP_CODE_AUTH, "no" },
		{ "-ERR [SYS/TEMP] no", false, POP_CODE_SYS_TEMP, "no" },
		{ "-ERR [SYS/PERM] no", false, POP_CODE_SYS_PERM, "no" },
		{ "-ERR [X] no", false, POP_CODE_OTHER, "no" },
		{ "-ERR [unclosed", false, POP_CODE_NONE, "[unclosed" },
		{ "-ERR []", false, POP_CODE_OTHER, "" },
	};
	struct pop_answer a;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *line = rows[i].line;
		assert_int_equal(pop_answer_parse(line, strlen(line), &a), 0);
		assert_int_equal(a.is_ok, rows[i].is_ok);
		assert_int_equal(a.code, rows[i].code);
		assert_int_equal(a.len, strlen(rows[i].text));
		assert_memory_equal(a.text, rows[i].text, a.len);
	}
	static const char *const none[] = { "",       "+",    "OK",  "+OKAY",
		                            "-ERROR", "* OK", " +OK" };
	for (size_t i = 0; i < COUNT_OF(none); i++)
		assert_true(pop_answer_parse(none[i], strlen(none[i]), &a) < 0);
}

static void entries_of_lists(void **state)
{
	static const struct {
		const char *line;
		uint32_t number;
		const char *text;
	} rows[] = {
		{ "1 120", 1, "120" },
		{ " 2  whqtswO00WBw418f9t5JxYwZ ", 2,
		  "whqtswO00WBw418f9t5JxYwZ" },
		{ "4294967295 x", UINT32_MAX, "x" },
		{ "3", 3, "" },
		{ "3 a b", 3, "a b" },
		{ "0 1", 0, NULL },
		{ "4294967296 x", 0, NULL },
		{ "-1 x", 0, NULL },
		{ "1x 2", 0, NULL },
		{ "", 0, NULL },
		{ ".", 0, NULL },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct pop_entry e;
		const char *line = rows[i].line;
		bool is_one = pop_entry_parse(line, strlen(line), &e);
		assert_int_equal(is_one, rows[i].text != NULL);
		if (!is_one)
			continue;
		assert_int_equal(e.number, rows[i].number);
		assert_int_equal(e.len, strlen(rows[i].text));
		assert_memory_equal(e.text, rows[i].text, e.len);
	}
}

static void sizes_have_a_bound(void **state)
{
	uint64_t size = 0;
	assert_true(pop_size_parse("120 octets", 10, &size));
	assert_int_equal(size, 120);
	assert_true(pop_size_parse("9223372036854775807", 19, &size));
	assert_true(size == INT64_MAX);
	assert_false(pop_size_parse("9223372036854775808", 19, &size));
	assert_false(pop_size_parse("many", 4, &size));
	assert_false(pop_size_parse("", 0, &size));
}

static void capabilities_by_their_first_word(void **state)
{
	assert_int_equal(pop_capability_parse("pipelining", 10),
	                 POP_CAP_PIPELINING);
	assert_int_equal(pop_capability_parse("TOP x", 5), POP_CAP_TOP);
	assert_int_equal(pop_capability_parse("UIDL", 4), POP_CAP_UIDL);
	assert_int_equal(pop_capability_parse("UIDLX", 5), 0);
	assert_int_equal(pop_capability_parse("SASL UIDL", 9), 0);
}

static void dates_of_headers(void **state)
{
	static const struct {
		const char *text;
		int64_t at;
	} rows[] = {
		{ " Fri, 21 Nov 1997 09:55:06 -0600", 880127706 },
		{ "21 Nov 97 09:55:06 GMT", 880106106 },
		{ "Thu,\n      13\n        Feb\n          1969\n      23:32\n"
		  "               -0330 (Newfoundland Time)",
		  0 },
		{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
		  880127706 },
		{ "Tue, 14 Nov 2023 22:13:20 +0000 (UTC)", 1700000000 },
		{ "Tue, 14 Nov 2023 22:13:20 EST", 1700018000 },
		{ "14 November 2023 22:13:20", 1700000000 },
		{ "14 Nov 2023", 1699920000 },
		{ "14 Nov 23 22:13 Z", 1699999980 },
		{ "31 Dec 9999 23:59:59 +0000", 253402300799 },
		{ "31 Dec 9999 23:59:59 -0001", 0 },
		{ "yesterday", 0 },
		{ "14 Nov", 0 },
		{ "14 No 2023", 0 },
		{ "((((", 0 },
		{ "", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (pop_date_parse(rows[i].text, strlen(rows[i].text)) !=
		    rows[i].at)
			fail_msg("%s", rows[i].text);
}

static void heads_tell_when_a_message_came(void **state)
{
	static const struct {
		const char *head;
		int64_t at;
	} rows[] = {
		{ "Received: from a by b;\n\tTue, 14 Nov 2023 22:13:20 +0000\n"
		  "Received: from c; Mon, 13 Nov 2023 00:00:00 +0000\n"
		  "Date: Mon, 1 Jan 2001 00:00:00 +0000\n\n",
		  1700000000 },
		{ "date : Tue, 14 Nov 2023 22:13:20 +0000\n\n", 1700000000 },
		{ "Received: without a date\n"
		  "Date: Tue, 14 Nov 2023 22:13:20 +0000",
		  1700000000 },
		{ "Received: a; b; Tue, 14 Nov 2023 22:13:20 +0000\n",
		  1700000000 },
		{ "Subject: x\n\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n", 0 },
		{ "Dated: Tue, 14 Nov 2023 22:13:20 +0000\n", 0 },
		{ "\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n", 0 },
		{ "", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (pop_head_date(rows[i].head, strlen(rows[i].head)) !=
		    rows[i].at)
			fail_msg("%s", rows[i].head);
}

static void a_digest_leaves_out_what_servers_note(void **state)
{
	static const char plain[] = "Subject: x\nMessage-ID: <1@x>\n\nbody\n";
	static const char noted[] = "Status: RO\nSubject: x\nX-UIDL: 12\n 34\n"
				    "Message-ID: <1@x>\nX-Status: A\n\n";
	static const char other[] = "Subject: x\nMessage-ID: <2@x>\n\n";
	uint8_t a[DIGEST_SIZE], b[DIGEST_SIZE], c[DIGEST_SIZE];
	pop_head_digest(plain, strlen(plain), a);
	pop_head_digest(noted, strlen(noted), b);
	pop_head_digest(other, strlen(other), c);
	assert_memory_equal(a, b, DIGEST_SIZE);
	assert_memory_not_equal(a, c, DIGEST_SIZE);
}

/* Take text in portions; what it gave goes to out. */
static bool unstuff(const char *text, size_t portion, struct strbuf *out,
                    uint64_t *wire_out, size_t *taken_out)
{
	struct unstuff u = { 0 };
	size_t len = strlen(text), at = 0;
	while (at < len && u.state != UNSTUFF_END) {
		char bytes[1024 + UNSTUFF_EXTRA];
		size_t some = len - at < portion ? len - at : portion, kept;
		at += unstuff_take(&u, text + at, some, bytes, &kept);
		assert_true(kept <= some + UNSTUFF_EXTRA);
		strbuf_add(out, bytes, kept);
	}
	*wire_out = u.wire_size;
	*taken_out = at;
	return u.state == UNSTUFF_END;
}

static void dots_are_unstuffed_and_line_ends_are_lf(void **state)
{
	static const struct {
		const char *wire;
		const char *text;
		uint64_t wire_size;
		size_t left; /* behind the end */
	} rows[] = {
		{ ".\r\n", "", 0, 0 },
		{ "a\r\n.\r\n+OK\r\n", "a\n", 3, 5 },
		{ "..\r\n...\r\n.x\r\n.\r\n", ".\n..\nx\n", 10, 0 },
		{ "a.\r\n\r\n.\r\n", "a.\n\n", 6, 0 },
		{ "a\rb\r\r\n.\r\n", "a\rb\r\n", 6, 0 },
		{ ".\rx\r\n.\r\n", "\rx\n", 4, 0 },
		{ ".\r\r\n.\r\n", "\r\n", 3, 0 },
		{ "a\n.\nb\n.\r\nc\r\n.\r\n", "a\n.\nb\n.\nc\n", 12, 0 },
		{ "a\n.\r\n.\r\n", "a\n.\n", 5, 0 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t portion = 1; portion < 20; portion++) {
			auto_strbuf struct strbuf out = { 0 };
			uint64_t wire_size;
			size_t taken;
			assert_true(unstuff(rows[i].wire, portion, &out,
			                    &wire_size, &taken));
			assert_string_equal(strbuf_text(&out), rows[i].text);
			assert_int_equal(wire_size, rows[i].wire_size);
			assert_int_equal(strlen(rows[i].wire) - taken,
			                 rows[i].left);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_and_their_codes),
		cmocka_unit_test(entries_of_lists),
		cmocka_unit_test(sizes_have_a_bound),
		cmocka_unit_test(capabilities_by_their_first_word),
		cmocka_unit_test(dates_of_headers),
		cmocka_unit_test(heads_tell_when_a_message_came),
		cmocka_unit_test(a_digest_leaves_out_what_servers_note),
		cmocka_unit_test(dots_are_unstuffed_and_line_ends_are_lf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
