#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/mbox.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define DATE "Thu Jan  1 00:00:00 1970"
#define FROM "From MAILER-DAEMON " DATE "\n"

/*
 * What was read, one after the other: "[TIME|" text "|FLAGS]"; then ".", or
 * "!" if it is no mbox.
 */
static void read_in_steps(const char *bytes, size_t len, size_t step,
                          struct strbuf *out)
{
	struct mbox_reader r;
	mbox_reader_init(&r);
	size_t at = 0;
	for (;;) {
		struct mbox_piece piece;
		switch (mbox_reader_next(&r, &piece)) {
		case MBOX_MORE:
			if (at == len) {
				mbox_reader_finish(&r);
				break;
			}
			if (step > len - at)
				step = len - at;
			mbox_reader_feed(&r, bytes + at, step);
			at += step;
			break;
		case MBOX_BEGIN:
			strbuf_printf(out, "[%lld|",
			              (long long)piece.received_at);
			break;
		case MBOX_TEXT:
			strbuf_add(out, piece.bytes, piece.len);
			break;
		case MBOX_END:
			strbuf_printf(out, "|%x%s]", piece.marks.flags,
			              piece.marks.is_old ? "o" : "");
			break;
		case MBOX_WRONG:
			strbuf_printf(out, "!%lld@%lld",
			              (long long)r.line_number,
			              (long long)r.offset);
			mbox_reader_release(&r);
			return;
		case MBOX_DONE:
			strbuf_putc(out, '.');
			mbox_reader_release(&r);
			return;
		}
	}
}

static void assert_bytes(const struct strbuf *sb, const char *bytes, size_t len)
{
	assert_int_equal(sb->len, len);
	assert_memory_equal(strbuf_text(sb), bytes, len);
}

static void messages_are_told_apart(void **state)
{
	static const struct {
		const char *mbox, *expected;
	} rows[] = {
		{ "", "." },
		{ "\n\r\n", "." },
		{ FROM "\n", "[0||0]." },
		{ FROM, "[0||0]." },
		{ "\n" FROM "\n", "[0||0]." },
		{ FROM "a: b\n\nc\n\n", "[0|a: b\n\nc\n|0]." },
		{ FROM "a\n\n" FROM "b\n\n", "[0|a\n|0][0|b\n|0]." },
		/* The last line has no end; the empty line is not there. */
		{ FROM "a", "[0|a|0]." },
		{ FROM "a\n", "[0|a\n|0]." },
		{ FROM "a\n" FROM "b", "[0|a|0][0|b|0]." },
		{ FROM "\n\n\n", "[0|\n\n|0]." },
		{ FROM FROM, "[0||0][0||0]." },
		/* No From_ line, and quoted ones. */
		{ FROM "a\nFrom now on\n\n", "[0|a\nFrom now on\n|0]." },
		{ FROM ">From a\n>>From b\n> From c\n>Fro\n\n",
		  "[0|From a\n>From b\n> From c\n>Fro\n|0]." },
		{ FROM " " FROM "\n", "[0| " FROM "|0]." },
		{ "From a b " DATE, "[0||0]." },
		/* Marks. */
		{ FROM "Status: RO\nX-Status: AFTDP\na: b\n\nc\n\n",
		  "[0|a: b\n\nc\n|3fo]." },
		{ FROM "a: b\nstatus:O\n c\nX-STATUS: \n\n\n",
		  "[0|a: b\n c\n\n|0o]." },
		{ FROM "Status: open\nX-Status: X\n\n",
		  "[0|Status: open\nX-Status: X\n|0]." },
		{ FROM "Status: NU\n\n", "[0||0]." },
		{ FROM "\nStatus: R\n\n", "[0|\nStatus: R\n|0]." },
		{ FROM "no field\nStatus: R\n\n",
		  "[0|no field\nStatus: R\n|0]." },
		{ FROM ">From a\nStatus: R\n\n", "[0|From a\n|10]." },
		{ FROM "Status: R\n" FROM "\n", "[0||10][0||0]." },
		{ FROM "Status: R", "[0||10]." },
		/* Content-Length counts for nothing. */
		{ FROM "Content-Length: 99\n\n" FROM "\n",
		  "[0|Content-Length: 99\n|0][0||0]." },
		/* A file of another system. */
		{ "From a " DATE "\r\na: b\r\n\r\nc\rd\r\r\n\r\nFrom a " DATE
		  "\r\nx\r",
		  "[0|a: b\n\nc\rd\r\n|0][0|x\r|0]." },
		{ FROM "a\r\n\r\nb\r\n\n", "[0|a\r\n\r\nb\r\n|0]." },
		/* No mbox. */
		{ "a: b\n", "!1@0" },
		{ "\n\nFrom now on\n", "!3@2" },
		{ ">From x " DATE "\n", "!1@0" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = strlen(rows[i].mbox);
		auto_strbuf struct strbuf whole = { 0 };
		auto_strbuf struct strbuf bytewise = { 0 };
		read_in_steps(rows[i].mbox, len, len + 1, &whole);
		assert_string_equal(strbuf_text(&whole), rows[i].expected);
		read_in_steps(rows[i].mbox, len, 1, &bytewise);
		assert_string_equal(strbuf_text(&bytewise), rows[i].expected);
	}
}

static void dates_are_understood(void **state)
{
	static const struct {
		const char *line;
		int64_t time;
	} rows[] = {
		{ "From a@b Mon Nov 13 22:13:20 2023", 1699913600 },
		{ "From  a@b  mon  nov 13  22:13:20  2023 ", 1699913600 },
		{ "From a@b Mon Nov 13 22:13 2023", 1699913580 },
		{ "From a@b Mon Nov 13 23:13:20 +0100 2023", 1699913600 },
		{ "From a@b Mon Nov 13 16:43:20 2023 -0530", 1699913600 },
		{ "From a@b Mon Nov 13 22:13:20 CET 2023", 1699913600 },
		{ "From a@b Mon Nov 13 22:13:20 2023 remote from c",
		  1699913600 },
		{ "From \"a b\" c Mon Mon Nov 13 22:13:20 2023", 1699913600 },
		{ "From Mon Jan  1 00:00:00 1900", -2208988800 },
		{ "From a Fri Dec 31 23:59:60 9999\r", 253402300800 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int64_t time = -1;
		assert_true(mbox_date_parse(rows[i].line, strlen(rows[i].line),
		                            &time));
		assert_int_equal(time, rows[i].time);
	}
	static const char *const wrong[] = {
		"From ",
		"From a@b",
		"From a@bMon Nov 13 22:13:20 2023",
		"From a@b Mon Nov 13 22:13:20",
		"From a@b Mon Nov 13 22:13:20 23",
		"From a@b Mon Nov 13 22:13:20 20233",
		"From a@b Mon Nov 13 22.13.20 2023",
		"From a@b Mon Nov 13 24:13:20 2023",
		"From a@b Mon Nov 13 22:60:20 2023",
		"From a@b Mon Nov 13 22:13:61 2023",
		"From a@b Mon Nov 0 22:13:20 2023",
		"From a@b Mon Nov 32 22:13:20 2023",
		"From a@b Mo Nov 13 22:13:20 2023",
		"From a@b Mon Nom 13 22:13:20 2023",
		"From a@b Mon Nov 13 22:13:20 1899",
	};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		int64_t time;
		assert_false(
			mbox_date_parse(wrong[i], strlen(wrong[i]), &time));
	}
	int64_t time;
	assert_false(mbox_date_parse("From a\0" DATE, 7 + strlen(DATE), &time));
}

struct message {
	int64_t received_at;
	struct mbox_marks marks;
	const char *text;
	size_t len;
};

static void write_in_steps(const struct message *messages, size_t count,
                           size_t step, struct strbuf *out)
{
	struct mbox_writer w = { 0 };
	for (size_t i = 0; i < count; i++) {
		const struct message *m = &messages[i];
		mbox_writer_begin(&w, m->received_at, m->marks, out);
		for (size_t at = 0; at < m->len; at += step)
			mbox_writer_text(&w, m->text + at,
			                 m->len - at < step ? m->len - at
			                                    : step,
			                 out);
		mbox_writer_end(&w, out);
	}
	mbox_writer_finish(&w, out);
}

static void write_messages(const struct message *messages, size_t count,
                           struct strbuf *out)
{
	auto_strbuf struct strbuf bytewise = { 0 };
	write_in_steps(messages, count, SIZE_MAX / 2, out);
	write_in_steps(messages, count, 1, &bytewise);
	assert_bytes(&bytewise, strbuf_text(out), out->len);
}

#define TEXT(s) (s), sizeof(s) - 1

static void messages_are_written(void **state)
{
	static const struct {
		struct message message;
		const char *expected;
	} rows[] = {
		{ { 0, { 0 }, TEXT("") }, FROM "\n" },
		{ { 0, { 0 }, TEXT("a: b\n\nc\n") }, FROM "a: b\n\nc\n\n" },
		{ { 0, { 0 }, TEXT("a") }, FROM "a" },
		{ { 0, { MAIL_SEEN, true }, TEXT("a: b\n") },
		  FROM "Status: RO\na: b\n\n" },
		{ { 0, { 0, true }, TEXT("") }, FROM "Status: O\n\n" },
		{ { 0, { 0x3f, false }, TEXT("") },
		  FROM "Status: R\nX-Status: AFTDP\n\n" },
		{ { 0,
		    { 0 },
		    TEXT("Status: RO\na: b\nX-Status: F\n\nStatus: R\n") },
		  FROM "a: b\n\nStatus: R\n\n" },
		{ { 0, { 0 }, TEXT("From a\n>From b\n>> From\nFrom") },
		  FROM ">From a\n>>From b\n>> From\nFrom" },
		{ { 1699913600, { 0 }, TEXT("") },
		  "From MAILER-DAEMON Mon Nov 13 22:13:20 2023\n\n" },
		{ { INT64_MIN, { 0 }, TEXT("") },
		  "From MAILER-DAEMON Mon Jan  1 00:00:00 1900\n\n" },
		{ { INT64_MAX, { 0 }, TEXT("") },
		  "From MAILER-DAEMON Fri Dec 31 23:59:59 9999\n\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf out = { 0 };
		write_messages(&rows[i].message, 1, &out);
		assert_string_equal(strbuf_text(&out), rows[i].expected);
	}
	auto_strbuf struct strbuf none = { 0 };
	write_messages(NULL, 0, &none);
	assert_int_equal(none.len, 0);
}

/* Whatever the message, and wherever in the file it is. */
static void every_message_comes_back(void **state)
{
	enum { LONG = 900 * 1000 };
	auto_free char *line = xmalloc(LONG);
	memset(line, '>', LONG);
	memcpy(line + LONG - 6, "From a", 6);
	auto_free char *name = xmalloc(LONG);
	memset(name, 'x', LONG);
	const struct message odd[] = {
		{ 0, { 0 }, TEXT("") },
		{ 1, { MAIL_SEEN, true }, TEXT("\n") },
		{ 2, { 0, true }, TEXT("\n\n\n") },
		{ 3, { 0x3f, true }, TEXT("a: b\0c\n\n\0\n") },
		{ 4, { MAIL_SEEN, false }, TEXT("no header") },
		{ 5, { MAIL_FLAGGED, false }, TEXT(" a continuation\n") },
		{ 6, { 0 }, TEXT("a: b\r\n\r\nc\r\n") },
		{ 7, { 0 }, TEXT("a: b\r\n\r\nc\r") },
		{ 8, { 0 }, TEXT(FROM FROM ">" FROM "\n>>" FROM) },
		{ 9, { 0 }, TEXT("a: b\n\n" FROM "Status: R\n") },
		{ 10, { 0 }, line, LONG },
		{ 11, { 0 }, line, LONG - 3 },
		{ 12, { 0 }, line, LONG - 6 },
		{ 13, { MAIL_SEEN, true }, name, LONG },
		{ 14, { 0 }, TEXT("From ") },
		{ 15, { 0 }, TEXT(">") },
	};
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		const struct message *m = &odd[i];
		const struct message both[] = { *m, *m };
		auto_strbuf struct strbuf mbox = { 0 };
		write_messages(both, 2, &mbox);
		auto_strbuf struct strbuf one = { 0 };
		strbuf_printf(&one, "[%lld|", (long long)m->received_at);
		strbuf_add(&one, m->text, m->len);
		strbuf_printf(&one, "|%x%s]", m->marks.flags,
		              m->marks.is_old ? "o" : "");
		auto_strbuf struct strbuf expected = { 0 };
		strbuf_add(&expected, one.bytes, one.len);
		strbuf_add(&expected, one.bytes, one.len);
		strbuf_putc(&expected, '.');
		for (size_t step = 1; step <= mbox.len; step = step * 997 + 1) {
			auto_strbuf struct strbuf found = { 0 };
			read_in_steps(mbox.bytes, mbox.len, step, &found);
			assert_bytes(&found, expected.bytes, expected.len);
		}
	}
}

static void a_message_knows_where_it_stands(void **state)
{
	static const char mbox[] = FROM "a\n\n" FROM "b\n\n";
	struct mbox_reader r;
	mbox_reader_init(&r);
	mbox_reader_feed(&r, mbox, sizeof(mbox) - 1);
	struct mbox_piece piece;
	assert_int_equal(mbox_reader_next(&r, &piece), MBOX_BEGIN);
	assert_int_equal(r.message_line, 1);
	assert_int_equal(r.message_offset, 0);
	assert_int_equal(mbox_reader_next(&r, &piece), MBOX_TEXT);
	assert_int_equal(mbox_reader_next(&r, &piece), MBOX_END);
	assert_int_equal(mbox_reader_next(&r, &piece), MBOX_BEGIN);
	assert_int_equal(r.message_line, 4);
	assert_int_equal(r.message_offset, strlen(FROM) + 3);
	mbox_reader_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_told_apart),
		cmocka_unit_test(dates_are_understood),
		cmocka_unit_test(messages_are_written),
		cmocka_unit_test(every_message_comes_back),
		cmocka_unit_test(a_message_knows_where_it_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
