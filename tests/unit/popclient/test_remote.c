/*
 * The whole client against transcripts.  Each case is played as it stands and
 * with the server's bytes arriving one at a time, and what came out is written
 * down as text.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "popclient/popclient.h"
#include "tests/fake/server.h"
#include "tests/unit/popclient/remote_cases.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/strbuf.h"

struct peer {
	struct server *server;
	struct conn_config conn;
	struct remote *remote;
};

static void start(struct peer *p, const char *transcript, bool is_split)
{
	*p = (struct peer){ .conn = { .protocol = CONN_POP3,
		                      .security = CONN_PLAIN,
		                      .host = "localhost",
		                      .user = "bob",
		                      .secret_kind = CONN_SECRET_PASSWORD,
		                      .secret = "pw",
		                      .timeout_ms = 10000 } };
	const struct pop_config config = { .conn = &p->conn };
	auto_strbuf struct strbuf text = { 0 };
	strbuf_printf(&text, "!split %d\n%s", is_split, transcript);
	p->server = server_start(text.bytes, NULL);
	p->conn.port = server_port(p->server);
	assert_int_equal(pop_remote_new(&config, &p->remote), 0);
}

static void finish(struct peer *p)
{
	remote_free(p->remote);
	server_finish(p->server);
}

static void write_list(struct remote *r, struct strbuf *out)
{
	struct remote_folder f;
	int err = remote_list(r);
	if (err < 0)
		strbuf_printf(out, "list: %s\n", strerrorname_np(-err));
	while (err == 0 && remote_list_next(r, &f) == 1)
		strbuf_printf(out, "%s %x %lld\n", f.name, f.attributes,
		              (long long)f.count);
}

/* Digests are long: their first letters tell them apart. */
static void write_change(const struct remote_change *c, struct strbuf *out)
{
	bool is_new = c->kind == REMOTE_MESSAGE;
	assert_true(is_new || c->kind == REMOTE_PRESENT);
	strbuf_printf(out, "%s %.12s", is_new ? "message" : "present", c->key);
	bool is_now = c->received_at > clock_wall_ns() / 1000000000 - 1000;
	if (is_new && is_now)
		strbuf_puts(out, " now");
	else if (is_new)
		strbuf_printf(out, " %lld", (long long)c->received_at);
	if (is_new) {
		strbuf_printf(out, " %llu",
		              (unsigned long long)c->claimed_size);
		assert_true(c->identity == digest_u64(c->key, strlen(c->key)));
	}
	strbuf_putc(out, '\n');
}

/* Pull once; the cursor is replaced. */
static void write_pull(struct remote *r, struct remote_cursor *cursor,
                       struct strbuf *out)
{
	struct remote_change c;
	int n = remote_pull(r, "INBOX", cursor->text);
	if (n == 0) {
		while ((n = remote_next(r, &c, cursor)) == 1)
			write_change(&c, out);
	}
	if (n < 0)
		strbuf_printf(out, "pull: %s\n", strerrorname_np(-n));
	else
		strbuf_printf(out, "%.3s%s%s\n", cursor->text,
		              cursor->complete ? " complete" : "",
		              cursor->more ? " more" : "");
}

static int write_bodies(struct remote *r, struct strbuf *out)
{
	struct remote_body b;
	auto_fd int fd = memfd_create("body", 0);
	int n;
	while ((n = remote_fetched(r, fd, &b)) == 1) {
		char text[200] = { 0 };
		ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
		assert_int_equal(got, b.size < 199 ? (ssize_t)b.size : 199);
		if (b.size > 60)
			text[0] = '\0';
		strbuf_printf(out, "%s %s %llu %llu [%s]\n", b.key,
		              b.err == 0 ? "ok" : strerrorname_np(-b.err),
		              (unsigned long long)b.size,
		              (unsigned long long)b.wire_size, text);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	}
	return n;
}

static const struct remote_want wants[] = {
	{ "ub", 4 },
	{ "uz", 4 },
	{ "2ua", 4 },
	{ "ua", 4 },
};

static void write_fetch(struct remote *r, struct strbuf *out)
{
	int err = remote_fetch(r, "INBOX", wants, COUNT_OF(wants));
	if (err == 0)
		err = write_bodies(r, out);
	if (err < 0)
		strbuf_printf(out, "fetch: %s\n", strerrorname_np(-err));
}

static void write_heads(struct remote *r, struct strbuf *out)
{
	int err = remote_fetch_heads(r, "INBOX", "Delivered-To", wants,
	                             COUNT_OF(wants));
	if (err == 0)
		err = write_bodies(r, out);
	if (err < 0)
		strbuf_printf(out, "heads: %s\n", strerrorname_np(-err));
}

static void write_remove(struct remote *r, struct strbuf *out)
{
	static const char *const fates[] = { "unsent", "unknown", "done",
		                             "refused" };
	struct remote_wish wishes[COUNT_OF(wants)] = { 0 };
	for (size_t i = 0; i < COUNT_OF(wants); i++)
		wishes[i].key = wants[i].key;
	int err = remote_remove(r, "INBOX", wishes, COUNT_OF(wants));
	for (size_t i = 0; i < COUNT_OF(wants); i++)
		strbuf_printf(out, "%s %s%s%s\n", wishes[i].key,
		              fates[wishes[i].fate],
		              wishes[i].why[0] != '\0' ? " " : "",
		              wishes[i].why);
	if (err < 0)
		strbuf_printf(out, "remove: %s\n", strerrorname_np(-err));
}

static void act(struct remote *r, const char *actions, struct strbuf *out)
{
	const char *folder;
	struct remote_cursor cursor = { 0 };
	for (const char *a = actions; *a != '\0'; a++) {
		switch (*a) {
		case 'l':
			write_list(r, out);
			break;
		case 'p':
			write_pull(r, &cursor, out);
			break;
		case 'f':
			write_fetch(r, out);
			break;
		case 'h':
			write_heads(r, out);
			break;
		case 'r':
			write_remove(r, out);
			break;
		case 'w': /* longer than a session lingers */
			clock_advance_ms(2000);
			assert_int_equal(remote_wait(r, deadline_in(0),
			                             &folder),
			                 0);
			break;
		default:
			fail();
		}
	}
}

static void play(size_t i, bool is_split, struct strbuf *out)
{
	struct peer p;
	start(&p, cases[i].transcript, is_split);
	int err = remote_connect(p.remote);
	if (err < 0)
		strbuf_printf(out, "connect: %s\n", strerrorname_np(-err));
	else
		act(p.remote, cases[i].actions, out);
	finish(&p);
}

static void transcripts_give_what_they_say(void **state)
{
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		auto_strbuf struct strbuf out = { 0 };
		print_message("%s\n", cases[i / 2].name);
		play(i / 2, i % 2 != 0, &out);
		if (strcmp(strbuf_text(&out), cases[i / 2].expected) != 0)
			fail_msg("%s%s:\n%snot\n%s", cases[i / 2].name,
			         i % 2 != 0 ? ", split" : "", strbuf_text(&out),
			         cases[i / 2].expected);
	}
}

static void escape(const char *bytes, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len; i++)
		strbuf_printf(out, "\\x%02x", (unsigned char)bytes[i]);
}

/* Whatever byte is the last that comes: what is given is whole. */
static void a_cut_anywhere_gives_no_part_of_a_body(void **state)
{
	static const char answers[] = "+OK\r\n1 a\r\n2 b\r\n3 a\r\n.\r\n"
				      "+OK\r\n1 9\r\n2 4\r\n3 9\r\n.\r\n"
				      "+OK\r\nb\r\n\r\n.\r\n"
				      "+OK\r\n..a2\r\nx\r\n.\r\n"
				      "+OK\r\n..a1\r\nx\r\n.\r\n";
	static const char *const whole[] = { "ub ok 3 5 [b\n\n]",
		                             "2ua ok 6 8 [.a2\nx\n]",
		                             "ua ok 6 8 [.a1\nx\n]" };
	for (size_t cut = 0; cut < sizeof(answers) - 1; cut++) {
		auto_strbuf struct strbuf script = { 0 }, out = { 0 };
		struct peer p;
		strbuf_puts(&script, FULL "S| ");
		escape(answers, cut, &script);
		strbuf_puts(&script, "\n!close\n");
		start(&p, script.bytes, false);
		int err = remote_connect(p.remote);
		if (err == 0)
			err = remote_fetch(p.remote, "INBOX", wants,
			                   COUNT_OF(wants));
		if (err == 0)
			err = write_bodies(p.remote, &out);
		assert_int_equal(err, -EHOSTUNREACH);
		char *rest = out.bytes;
		for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
			bool is_whole = *line == '\0' || *line == ']' ||
			                strcmp(line, "x") == 0 ||
			                strncmp(line, "uz ESTALE", 9) == 0;
			for (size_t i = 0; i < COUNT_OF(whole); i++)
				is_whole |= strncmp(line, whole[i],
				                    strlen(line)) == 0;
			if (!is_whole)
				fail_msg("cut after %zu: %s", cut, line);
		}
		finish(&p);
	}
}

static void a_large_body_streams_into_the_file(void **state)
{
	static const struct remote_want want = { "ua", 720000 };
	struct peer p;
	auto_strbuf struct strbuf out = { 0 };
	start(&p,
	      FULL ONE "C: RETR 1\n"
	               "S: +OK\n"
	               "!literal 720000\n"
	               "S: .\n",
	      false);
	assert_int_equal(remote_connect(p.remote), 0);
	assert_int_equal(remote_fetch(p.remote, "INBOX", &want, 1), 0);
	assert_int_equal(write_bodies(p.remote, &out), 0);
	assert_string_equal(strbuf_text(&out), "ua ok 710000 720000 []\n");
	finish(&p);
}

static void a_server_that_stalls_is_left(void **state)
{
	struct peer p;
	start(&p, FULL "C: UIDL\nC: LIST\nS: +OK\nS: 1 2\n!stall\n", false);
	p.conn.timeout_ms = 300;
	assert_int_equal(remote_connect(p.remote), -ETIMEDOUT);
	finish(&p);
}

static void a_long_wait_can_be_woken_and_ended(void **state)
{
	struct peer p;
	const char *folder;
	start(&p, FULL ONE "C: QUIT\nS: +OK\n!eof\n", false);
	assert_int_equal(remote_connect(p.remote), 0);
	remote_wake(p.remote);
	assert_int_equal(remote_wait(p.remote, DEADLINE_NEVER, &folder), 0);
	clock_advance_ms(2000);
	remote_wake(p.remote);
	assert_int_equal(remote_wait(p.remote, DEADLINE_NEVER, &folder), 0);
	assert_int_equal(remote_wait(p.remote, deadline_in(0), &folder), 0);
	remote_abort(p.remote);
	assert_int_equal(remote_wait(p.remote, DEADLINE_NEVER, &folder),
	                 -ECANCELED);
	finish(&p);
}

static void nothing_is_removed_from_a_server_that_keeps(void **state)
{
	static const struct conn_config conn = { .protocol = CONN_POP3 };
	const struct pop_config config = { .conn = &conn,
		                           .is_read_only = true };
	struct remote_wish wish = { .key = "ua" };
	struct remote *r;
	assert_int_equal(pop_remote_new(&config, &r), 0);
	assert_int_equal(r->abilities, REMOTE_HAS_NO_FLAGS);
	assert_int_equal(remote_remove(r, "INBOX", &wish, 1), -EOPNOTSUPP);
	assert_int_equal(wish.fate, REMOTE_UNSENT);
	remote_free(r);
}

static void there_is_no_folder_but_inbox(void **state)
{
	static const struct remote_want want = { "ua", 1 };
	struct remote_wish wish = { .key = "ua" };
	struct peer p;
	start(&p, FULL ONE, false);
	assert_int_equal(remote_connect(p.remote), 0);
	assert_int_equal(remote_pull(p.remote, "Sent", ""), -ENOENT);
	assert_int_equal(remote_fetch(p.remote, "Sent", &want, 1), -ENOENT);
	assert_int_equal(remote_remove(p.remote, "Sent", &wish, 1), -ENOENT);
	finish(&p);
}

static void note_line(void *arg, const char *line)
{
	strbuf_printf(arg, "%s\n", line);
}

static void check_tells_what_it_found(void **state)
{
	struct peer p;
	auto_strbuf struct strbuf out = { 0 };
	start(&p, FULL THREE, false);
	const struct pop_config config = { .conn = &p.conn };
	assert_int_equal(pop_check(&config, note_line, &out), 0);
	assert_non_null(
		strstr(out.bytes, "capabilities: TOP, UIDL, PIPELINING"));
	assert_non_null(strstr(out.bytes, "messages: 3, 22 bytes\n"));
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_give_what_they_say),
		cmocka_unit_test(a_cut_anywhere_gives_no_part_of_a_body),
		cmocka_unit_test(a_large_body_streams_into_the_file),
		cmocka_unit_test(a_server_that_stalls_is_left),
		cmocka_unit_test(a_long_wait_can_be_woken_and_ended),
		cmocka_unit_test(nothing_is_removed_from_a_server_that_keeps),
		cmocka_unit_test(there_is_no_folder_but_inbox),
		cmocka_unit_test(check_tells_what_it_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
