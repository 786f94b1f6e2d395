/*
 * What writes, against transcripts: each as it stands, and with the server's
 * bytes arriving one at a time.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "imapclient/imapclient.h"
#include "tests/fake/driver.h"
#include "tests/fake/server.h"
#include "tests/unit/imapclient/append_cases.h"
#include "tests/unit/imapclient/write_cases.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

static const struct imap_config defaults = {
	.conn = { .protocol = CONN_IMAP,
	          .security = CONN_PLAIN,
	          .host = "localhost",
	          .user = "bob",
	          .secret_kind = CONN_SECRET_PASSWORD,
	          .secret = "pw",
	          .timeout_ms = 10000 },
	.version = "1.0",
};

/* One connection to a server that plays; what the lines gave goes to out. */
static void play(const char *transcript, const char *lines, bool is_read_only,
                 struct strbuf *out)
{
	struct imap_config config = defaults;
	struct server *server = server_start(transcript, NULL);
	struct remote *r;
	config.conn.port = server_port(server);
	config.read_only = is_read_only;
	assert_int_equal(imap_remote_new(&config, &r), 0);
	if (remote_connect(r) < 0)
		fail_msg("%s", r->failure);
	auto_free char *copy = xstrdup(lines);
	char *rest = copy;
	char *line;
	while ((line = strsep(&rest, "\n")) != NULL)
		driver_do(r, line, out);
	remote_free(r);
	server_finish(server);
}

static void play_all(const struct write_case *cases, size_t count)
{
	for (size_t i = 0; i < 2 * count; i++) {
		auto_strbuf struct strbuf out = { 0 };
		auto_free char *transcript = xasprintf("!split %zu\n%s", i % 2,
		                                       cases[i / 2].transcript);
		print_message("%s\n", cases[i / 2].name);
		play(transcript, cases[i / 2].lines, false, &out);
		if (strcmp(strbuf_text(&out), cases[i / 2].expected) != 0)
			fail_msg("%s%s:\n%snot\n%s", cases[i / 2].name,
			         i % 2 != 0 ? ", split" : "", strbuf_text(&out),
			         cases[i / 2].expected);
	}
}

static void transcripts_give_what_they_say(void **state)
{
	play_all(write_cases, COUNT_OF(write_cases));
	play_all(append_cases, COUNT_OF(append_cases));
}

static void each_code_has_its_errno(void **state)
{
	static const struct {
		const char *code;
		const char *err;
	} rows[] = {
		{ "[ALREADYEXISTS] ", "EEXIST" },
		{ "[AUTHORIZATIONFAILED] ", "EACCES" },
		{ "[CANNOT] ", "EOPNOTSUPP" },
		{ "[CONTACTADMIN] ", "EACCES" },
		{ "[EXPUNGEISSUED] ", "EBUSY" },
		{ "[INUSE] ", "EBUSY" },
		{ "[LIMIT] ", "EFBIG" },
		{ "[NONEXISTENT] ", "ENOENT" },
		{ "[NOPERM] ", "EACCES" },
		{ "[OVERQUOTA] ", "EDQUOT" },
		{ "[READ-ONLY] ", "EROFS" },
		{ "[SERVERBUG] ", "EBUSY" },
		{ "[THROTTLED] ", "EBUSY" },
		{ "[TOOBIG] ", "EFBIG" },
		{ "[TRYCREATE] ", "ENOENT" },
		{ "[UNAVAILABLE] ", "EBUSY" },
		{ "[X-ELSE 4 5] ", "EIO" },
		{ "", "EIO" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf out = { 0 };
		auto_free char *transcript =
			xasprintf(PLUS OPENED
		                  "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
		                  "S: A6 NO %sso\n" BYE,
		                  rows[i].code);
		auto_free char *expected =
			xasprintf("9.1 refused %s (so)\n", rows[i].err);
		play(transcript, "flags INBOX 9.1 +S", false, &out);
		assert_string_equal(strbuf_text(&out), expected);
	}
}

static void a_read_only_account_sends_nothing(void **state)
{
	auto_strbuf struct strbuf out = { 0 };
	play(FULL "C: A5 STATUS \"a\" (UIDNEXT UIDVALIDITY)\n"
	          "S: * STATUS a (UIDNEXT 5 UIDVALIDITY 9)\n"
	          "S: A5 OK\n"
	          "C: A6 EXAMINE \"a\"\n"
	          "S: * OK [UIDVALIDITY 9]\n"
	          "S: * OK [UIDNEXT 5]\n"
	          "S: A6 OK [READ-ONLY]\n" BYE,
	     "flags a 9.1 +S\nappend a - 0 x\ncopy a b 9.1\nmove a b 9.1\n"
	     "remove a 9.1\ncreate a\ndelete a\nrename a b\nsubscribe a\n"
	     "mark a\nsince a 9.5",
	     true, &out);
	assert_string_equal(strbuf_text(&out),
	                    "9.1 unsent\nEROFS\n- unsent\nEROFS\n"
	                    "9.1 unsent\nEROFS\n9.1 unsent\nEROFS\n"
	                    "9.1 unsent\nEROFS\nEROFS\nEROFS\nEROFS\nEROFS\n"
	                    "9.5\n");
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;
	while ((text = strstr(text, part)) != NULL) {
		count++;
		text++;
	}
	return count;
}

/*
 * Ten thousand messages, no two of them neighbours, are moved without MOVE:
 * COPY, STORE and EXPUNGE.
 */
static void many_messages_need_few_commands(void **state)
{
	auto_strbuf struct strbuf transcript = { 0 }, line = { 0 }, out = { 0 };
	strbuf_puts(&transcript, SERVER(" UIDPLUS") OPENED);
	strbuf_puts(&line, "move INBOX a");
	for (unsigned i = 0; i < 10000; i++)
		strbuf_printf(&line, " 9.%u", 4000000000U + 2 * i);
	/* The first 635 UIDs fill a line; all fit into sixteen. */
	unsigned tag = 6;
	uint32_t uid = 4000000000;
	unsigned copied = 0;
	const unsigned a_line = 635;
	for (; copied < 10000; copied += a_line, tag++) {
		unsigned n = copied + a_line <= 10000 ? a_line : 10000 - copied;
		strbuf_printf(&transcript,
		              "C: A%u UID COPY %u,*\n"
		              "S: A%u OK [COPYUID 7 ",
		              tag, uid, tag);
		for (unsigned i = 0; i < n; i++)
			strbuf_printf(&transcript, "%s%u", i > 0 ? "," : "",
			              uid + 2 * i);
		strbuf_printf(&transcript, " %u:%u]\n", copied + 1, copied + n);
		uid += 2 * n;
	}
	assert_int_equal(tag, 6 + 16);
	for (; tag < 6 + 3 * 16; tag++)
		strbuf_printf(&transcript,
		              "C: A%u UID %s *\n"
		              "S: A%u OK\n",
		              tag, tag < 6 + 2 * 16 ? "STORE" : "EXPUNGE", tag);
	strbuf_puts(&transcript, BYE);
	play(transcript.bytes, line.bytes, false, &out);
	assert_int_equal(count_of(out.bytes, " done 7."), 10000);
	assert_non_null(strstr(out.bytes, "4000000000 done 7.1\n"));
	assert_non_null(strstr(out.bytes, "4000019998 done 7.10000\n"));
}

/* A text of so many bytes on the wire. */
static char *text_of(size_t wire_size)
{
	char *text = xmalloc(wire_size - 1);
	memset(text, 'a', wire_size - 2);
	return text;
}

static void literal_minus_is_for_short_ones(void **state)
{
	auto_free char *shorter = text_of(4096);
	auto_free char *longer = text_of(4097);
	auto_strbuf struct strbuf out = { 0 };
	auto_free char *lines =
		xasprintf("append a - 0 %s - 0 %s - 0 x", shorter, longer);
	auto_free char *transcript = xasprintf(
		SERVER(" LITERAL- MULTIAPPEND") "C: A5 APPEND \"a\" () " EPOCH
						" {4096+}\n"
						"C: %s\n"
						"C: \n"
						"C: A6 APPEND \"a\" () " EPOCH
						" {4097}\n"
						"S: +\n"
						"C: %s\n"
						"C: \n"
						"C: A7 APPEND \"a\" () " EPOCH
						" {3+}\n"
						"C: x\n"
						"C: \n"
						"S: A5 OK\n"
						"S: A6 OK\n"
						"S: A7 OK\n" BYE,
		shorter, longer);
	play(transcript, lines, false, &out);
	assert_string_equal(strbuf_text(&out), "- done\n- done\n- done\n");
}

static void a_group_has_a_hundred_messages_or_a_megabyte(void **state)
{
	auto_strbuf struct strbuf transcript = { 0 }, line = { 0 }, out = { 0 };
	strbuf_puts(&transcript, FULL);
	strbuf_puts(&line, "append a");
	for (unsigned i = 0; i < 150; i++) {
		strbuf_puts(&line, " - 0 x");
		if (i % 100 == 0)
			strbuf_printf(&transcript,
			              "%sC: A%u APPEND \"a\" () " EPOCH
			              " {3+}\n",
			              i > 0 ? "C: \n" : "", 5 + i / 100);
		else
			strbuf_puts(&transcript, "C:  () " EPOCH " {3+}\n");
		strbuf_puts(&transcript, "C: x\n");
	}
	auto_free char *large = text_of(600 * 1024);
	strbuf_printf(&line, " - 0 %s - 0 %s", large, large);
	strbuf_printf(&transcript,
	              "C:  () " EPOCH " {614400+}\n"
	              "C: %s\n"
	              "C: \n"
	              "C: A7 APPEND \"a\" () " EPOCH " {614400+}\n"
	              "C: %s\n"
	              "C: \n"
	              "S: A5 OK [APPENDUID 9 1:100]\n"
	              "S: A6 OK [APPENDUID 9 101:151]\n"
	              "S: A7 OK [APPENDUID 9 152]\n" BYE,
	              large, large);
	play(transcript.bytes, line.bytes, false, &out);
	assert_int_equal(count_of(out.bytes, "- done 9."), 152);
	assert_non_null(strstr(out.bytes, "- done 9.152\n"));
}

/* The second message fails to be written; the first was answered before. */
static void an_answer_before_the_cut_counts(void **state)
{
	auto_free char *large = text_of((size_t)16 * 1024 * 1024);
	auto_free char *line = xasprintf("append a - 0 x - 0 %s", large);
	auto_strbuf struct strbuf out = { 0 };
	play(SERVER(" LITERAL+") "C: A5 APPEND \"a\" () " EPOCH " {3+}\n"
	                         "C: x\n"
	                         "C: \n"
	                         "S: A5 OK\n"
	                         "C: A6 APPEND *\n"
	                         "!close\n",
	     line, false, &out);
	assert_string_equal(strbuf_text(&out),
	                    "- done\n- unknown\nEHOSTUNREACH\n");
}

static void a_long_copy_waits_for_each_literal(void **state)
{
	auto_strbuf struct strbuf line = { 0 }, out = { 0 };
	strbuf_puts(&line, "copy INBOX %E9");
	for (unsigned i = 0; i < 700; i++)
		strbuf_printf(&line, " 9.%u", 4000000000U + 2 * i);
	play(SERVER(" UIDPLUS") OPENED
	     "C: A6 UID COPY 4000000000,*\n"
	     "S: +\n"
	     "C| \\xe9\\r\\n\n"
	     "S: A6 OK [COPYUID 7 4000000000 1]\n"
	     "C: A7 UID COPY 4000001270,*\n"
	     "S: +\n"
	     "C| \\xe9\\r\\n\n"
	     "S: A7 OK [COPYUID 7 4000001270,4000001272 2:3]\n" BYE,
	     line.bytes, false, &out);
	assert_int_equal(count_of(out.bytes, " done 7."), 3);
	assert_int_equal(count_of(out.bytes, " refused ESTALE"), 697);
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
	struct imap_config config = defaults;
	struct server *server = server_start(FULL BYE, NULL);
	struct remote *r;
	struct remote_wish wish = { .keywords = "", .size = 10 };
	auto_fd int fd = memfd_create("short", MFD_CLOEXEC);
	wish.fd = fd;
	config.conn.port = server_port(server);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	assert_int_equal(remote_connect(r), 0);
	assert_int_equal(remote_append(r, "a", &wish, 1), 0);
	assert_int_equal(wish.fate, REMOTE_REFUSED);
	assert_int_equal(wish.err, -EIO);
	remote_free(r);
	server_finish(server);
}

/* ---- Cut at every byte ---- */

/*
 * An exchange of two messages, as bytes: C is ours, S the server's.  What a
 * step begins or ends are commands of messages, as bits.
 */
struct exchange {
	const char *capabilities;
	struct {
		char from;
		unsigned begins, ends;
		const char *bytes;
	} steps[12];
};

#define LITERALLY(tag, size) tag " APPEND \"a\" () " EPOCH " {" size "}\r\n"

static const struct exchange exchanges[] = {
	{ "",
	  { { 'C', 1, 0, LITERALLY("M3", "3") },
	    { 'S', 0, 0, "+ go\r\n" },
	    { 'C', 0, 0, "x\r\n\r\n" },
	    { 'C', 2, 0, LITERALLY("M4", "3") },
	    { 'S', 0, 1, "M3 OK done\r\n" },
	    { 'S', 0, 0, "+ go\r\n" },
	    { 'C', 0, 0, "y\r\n\r\n" },
	    { 'S', 0, 2, "M4 OK done\r\n" } } },
	{ " LITERAL+",
	  { { 'C', 1, 0, LITERALLY("M3", "3+") "x\r\n\r\n" },
	    { 'C', 2, 0, LITERALLY("M4", "3+") "y\r\n\r\n" },
	    { 'S', 0, 2, "M4 OK done\r\n" },
	    { 'S', 0, 1, "M3 OK done\r\n" } } },
	{ " LITERAL+ MULTIAPPEND",
	  { { 'C', 3, 0, LITERALLY("M3", "3+") "x\r\n" },
	    { 'C', 0, 0, " () " EPOCH " {3+}\r\ny\r\n\r\n" },
	    { 'S', 0, 3, "M3 OK [APPENDUID 9 4:5] done\r\n" } } },
};

static void add_escaped(const char *bytes, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\r')
			strbuf_puts(out, "\\r");
		else if (bytes[i] == '\n')
			strbuf_puts(out, "\\n");
		else if (bytes[i] == '\\')
			strbuf_puts(out, "\\\\");
		else
			strbuf_putc(out, bytes[i]);
	}
}

struct cut {
	unsigned begun, ended; /* messages, as bits */
	bool is_whole;         /* nothing was cut off */
	struct strbuf transcript;
};

/* The exchange up to so many bytes, then the end. */
static void write_cut(const struct exchange *e, size_t bytes, struct cut *cut)
{
	struct strbuf *out = &cut->transcript;
	strbuf_printf(out,
	              LOGIN "S: * CAPABILITY IMAP4rev1%s\n"
	                    "S: A3 OK\n"
	                    "C: A4 LIST \"\" \"\"\n"
	                    "S: * LIST (\\Noselect) \"/\" \"\"\n"
	                    "S: A4 OK\n",
	              e->capabilities);
	size_t i = 0;
	for (; e->steps[i].from != 0 && bytes > 0; i++) {
		size_t len = strlen(e->steps[i].bytes);
		size_t n = len < bytes ? len : bytes;
		cut->begun |= e->steps[i].begins;
		cut->ended |= n == len ? e->steps[i].ends : 0;
		strbuf_printf(out, "%c| ", e->steps[i].from);
		add_escaped(e->steps[i].bytes, n, out);
		strbuf_putc(out, '\n');
		bytes -= n;
	}
	/* To wait for nothing sends what is owed. */
	strbuf_puts(out, "C| \n!close\n");
	cut->is_whole = bytes > 0;
}

static void check_fates(const struct cut *cut)
{
	auto_strbuf struct strbuf out = { 0 };
	play(cut->transcript.bytes, "append a - 0 x - 0 y", false, &out);
	const char *at = strbuf_text(&out);
	for (unsigned message = 1; message < 4; message <<= 1) {
		bool is_done = strncmp(at, "- done", 6) == 0;
		bool is_unsent = strncmp(at, "- unsent", 8) == 0;
		if (is_done != ((cut->ended & message) != 0) ||
		    (is_unsent && (cut->begun & message) != 0))
			fail_msg("%s\n%s", cut->transcript.bytes, out.bytes);
		at = strchr(at, '\n') + 1;
	}
}

static void a_cut_at_any_byte_tells_the_truth(void **state)
{
	for (size_t i = 0; i < COUNT_OF(exchanges); i++) {
		bool is_whole = false;
		for (size_t bytes = 0; !is_whole; bytes++) {
			struct cut cut = { 0 };
			write_cut(&exchanges[i], bytes, &cut);
			check_fates(&cut);
			is_whole = cut.is_whole;
			if (is_whole)
				assert_int_equal(cut.ended, 3);
			strbuf_release(&cut.transcript);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_give_what_they_say),
		cmocka_unit_test(each_code_has_its_errno),
		cmocka_unit_test(a_read_only_account_sends_nothing),
		cmocka_unit_test(many_messages_need_few_commands),
		cmocka_unit_test(literal_minus_is_for_short_ones),
		cmocka_unit_test(a_group_has_a_hundred_messages_or_a_megabyte),
		cmocka_unit_test(an_answer_before_the_cut_counts),
		cmocka_unit_test(a_long_copy_waits_for_each_literal),
		cmocka_unit_test(a_file_that_cannot_be_read_is_refused),
		cmocka_unit_test(a_cut_at_any_byte_tells_the_truth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
