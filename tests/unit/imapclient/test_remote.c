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

#include "imapclient/imapclient.h"
#include "tests/fake/server.h"
#include "tests/unit/imapclient/remote_cases.h"
#include "util/cleanup.h"
#include "util/digest.h"
#include "util/strbuf.h"

struct peer {
	struct server *server;
	struct imap_config config;
	struct remote *remote;
	char *transcript;
};

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

static void start(struct peer *p, const char *transcript, bool is_split)
{
	*p = (struct peer){ .config = defaults };
	auto_strbuf struct strbuf text = { 0 };
	strbuf_printf(&text, "!split %d\n%s", is_split, transcript);
	p->transcript = strbuf_take(&text);
	p->server = server_start(p->transcript, NULL);
	p->config.conn.port = server_port(p->server);
	assert_int_equal(imap_remote_new(&p->config, &p->remote), 0);
}

static void finish(struct peer *p)
{
	remote_free(p->remote);
	server_finish(p->server);
	free(p->transcript);
}

static void write_list(struct remote *r, struct strbuf *out)
{
	struct remote_folder f;
	int err = remote_list(r);
	if (err < 0)
		strbuf_printf(out, "list: %s\n", strerrorname_np(-err));
	while (err == 0 && remote_list_next(r, &f) == 1)
		strbuf_printf(out, "%s %x %lld %s%s%s\n", f.name, f.attributes,
		              (long long)f.count, f.state,
		              f.id[0] != '\0' ? " " : "", f.id);
}

static void write_change(const struct remote_change *c, struct strbuf *out)
{
	static const char *const kinds[] = { "reset", "message", "flags",
		                             "present", "gone" };
	strbuf_printf(out, "%s %s", kinds[c->kind], c->key);
	if (c->kind == REMOTE_MESSAGE || c->kind == REMOTE_FLAGS)
		strbuf_printf(out, " %x [%s]", c->flags, c->keywords);
	if (c->kind == REMOTE_MESSAGE)
		strbuf_printf(out, " %lld %llu", (long long)c->received_at,
		              (unsigned long long)c->claimed_size);
	strbuf_putc(out, '\n');
}

/* Pull once; the cursor is replaced. */
static void write_pull(struct remote *r, const char *folder,
                       struct remote_cursor *cursor, struct strbuf *out)
{
	struct remote_change c;
	int n = remote_pull(r, folder, cursor->text);
	if (n == 0) {
		while ((n = remote_next(r, &c, cursor)) == 1)
			write_change(&c, out);
	}
	if (n < 0)
		strbuf_printf(out, "pull: %s\n", strerrorname_np(-n));
	else
		strbuf_printf(out, "%s%s%s\n", cursor->text,
		              cursor->complete ? " complete" : "",
		              cursor->more ? " more" : "");
}

static void write_bodies(struct remote *r, struct strbuf *out)
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
		strbuf_printf(out, "%s %s %llu %llu %s\n", b.key,
		              b.err == 0 ? "ok" : strerrorname_np(-b.err),
		              (unsigned long long)b.size,
		              (unsigned long long)b.wire_size, text);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	}
	if (n < 0)
		strbuf_printf(out, "fetched: %s\n", strerrorname_np(-n));
}

static void write_fetch(struct remote *r, const char *folder,
                        const struct remote_want *wants, size_t count,
                        struct strbuf *out)
{
	int err = remote_fetch(r, folder, wants, count);
	if (err < 0)
		strbuf_printf(out, "fetch: %s\n", strerrorname_np(-err));
	else
		write_bodies(r, out);
}

static struct remote_cursor cursor_of(const char *text)
{
	struct remote_cursor cursor = { 0 };
	snprintf(cursor.text, sizeof(cursor.text), "%s", text);
	return cursor;
}

static void play(size_t i, bool is_split, struct strbuf *out)
{
	/* One of the four is of another UIDVALIDITY. */
	static const struct remote_want wants[] = {
		{ "9.3", 4 },
		{ "9.1", 4 },
		{ "7.1", 4 },
		{ "9.2", 4 },
	};
	struct remote_cursor cursor = cursor_of(cases[i].cursor);
	struct peer p;
	start(&p, cases[i].transcript, is_split);
	p.config.disable = cases[i].disable;
	int err = remote_connect(p.remote);
	if (err < 0)
		fail_msg("%s: %s", cases[i].name, p.remote->failure);
	switch (cases[i].action) {
	case LIST:
		write_list(p.remote, out);
		break;
	case PULL:
		write_pull(p.remote, "INBOX", &cursor, out);
		break;
	case FETCH:
		write_fetch(p.remote, "INBOX", wants, COUNT_OF(wants), out);
		break;
	}
	finish(&p);
}

static void transcripts_give_what_they_say(void **state)
{
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
		auto_strbuf struct strbuf out = { 0 };
		play(i / 2, i % 2 != 0, &out);
		if (strcmp(strbuf_text(&out), cases[i / 2].expected) != 0)
			fail_msg("%s%s:\n%snot\n%s", cases[i / 2].name,
			         i % 2 != 0 ? ", split" : "", strbuf_text(&out),
			         cases[i / 2].expected);
	}
}

static void a_large_body_streams_into_the_file(void **state)
{
	struct peer p;
	auto_strbuf struct strbuf out = { 0 };
	static const struct remote_want want = { "9.1", 720000 };
	start(&p,
	      PLAIN "C: A5 SELECT \"INBOX\"\n"
	            "S: A5 OK [UIDVALIDITY 9]\n"
	            "C: A6 UID FETCH 1 (UID BODY.PEEK[])\n"
	            "S| * 1 FETCH (UID 1 BODY[] {720000}\\r\\n\n"
	            "!literal 720000\n"
	            "S: )\n"
	            "S: A6 OK\n" BYE,
	      false);
	assert_int_equal(remote_connect(p.remote), 0);
	write_fetch(p.remote, "INBOX", &want, 1, &out);
	assert_string_equal(strbuf_text(&out), "9.1 ok 710000 720000 \n");
	finish(&p);
}

static void a_server_that_stalls_is_left(void **state)
{
	struct peer p;
	struct remote_cursor cursor = cursor_of("");
	auto_strbuf struct strbuf out = { 0 };
	start(&p,
	      PLAIN "C: A5 SELECT \"INBOX\"\n"
	            "S: * 3 EXISTS\n"
	            "!stall\n",
	      false);
	assert_int_equal(remote_connect(p.remote), 0);
	p.config.conn.timeout_ms = 100;
	write_pull(p.remote, "INBOX", &cursor, &out);
	assert_string_equal(strbuf_text(&out), "pull: ETIMEDOUT\n");
	finish(&p);
}

/* Of any size, and empty where there is no such field. */
static void heads_come_as_fields(void **state)
{
	struct peer p;
	auto_strbuf struct strbuf out = { 0 };
	static const struct remote_want wants[] = {
		{ "9.1", 700 }, { "9.2", 700 }, { "9.3", 700 }, { "7.1", 700 }
	};
	start(&p,
	      PLAIN "C: A5 SELECT \"INBOX\"\n"
	            "S: * OK [UIDNEXT 4]\n"
	            "S: A5 OK [UIDVALIDITY 9]\n"
	            "C: A6 UID FETCH 1:3 (UID BODY.PEEK[HEADER.FIELDS "
	            "(delivered-to)])\n"
	            "S| * 1 FETCH (UID 1 BODY[HEADER.FIELDS (DELIVERED-TO)] "
	            "{21}\\r\\nDelivered-To: a@b\\r\\n\\r\\n)\\r\\n\n"
	            "S: * 2 FETCH (BODY[HEADER.FIELDS (\"delivered-to\")] \"\" "
	            "UID 2)\n"
	            "S: A6 OK\n"
	            "C: A7 UID FETCH 1 (UID BODY.PEEK[])\n"
	            "S: * 1 FETCH (UID 1 BODY[] \"x\")\n"
	            "S: A7 OK\n" BYE,
	      false);
	assert_int_equal(remote_connect(p.remote), 0);
	assert_int_equal(remote_fetch_heads(p.remote, "INBOX", "delivered-to",
	                                    wants, COUNT_OF(wants)),
	                 0);
	write_bodies(p.remote, &out);
	static const struct remote_want body = { "9.1", 1 };
	write_fetch(p.remote, "INBOX", &body, 1, &out);
	assert_string_equal(strbuf_text(&out),
	                    "7.1 ESTALE 0 0 \n"
	                    "9.1 ok 19 21 Delivered-To: a@b\n\n\n"
	                    "9.2 ok 0 0 \n"
	                    "9.3 ESTALE 0 0 \n"
	                    "9.1 ok 1 1 x\n");
	finish(&p);
}

static void two_requests_are_in_flight(void **state)
{
	struct peer p;
	auto_strbuf struct strbuf out = { 0 };
	static const struct remote_want wants[] = { { "9.1", 1 },
		                                    { "9.2", 1 } };
	start(&p,
	      PLAIN "C: A5 EXAMINE \"INBOX\"\n"
	            "S: A5 OK [UIDVALIDITY 9]\n"
	            "C: A6 UID FETCH 1 (UID BODY.PEEK[])\n"
	            "C: A7 UID FETCH 2 (UID BODY.PEEK[])\n"
	            "S: * 1 FETCH (UID 1 BODY[] \"a\")\n"
	            "S: A6 OK\n"
	            "S: * 2 FETCH (UID 2 BODY[] \"b\")\n"
	            "S: A7 OK\n" BYE,
	      false);
	p.config.read_only = true;
	assert_int_equal(remote_connect(p.remote), 0);
	assert_int_equal(remote_fetch(p.remote, "INBOX", &wants[0], 1), 0);
	write_fetch(p.remote, "INBOX", &wants[1], 1, &out);
	assert_string_equal(strbuf_text(&out), "9.1 ok 1 1 a\n9.2 ok 1 1 b\n");
	finish(&p);
}

static void a_name_of_a_message_outlives_the_cache(void **state)
{
	static const char script[] =
		QRESYNC "C: A7 SELECT \"INBOX\"\n"
			"S: * 2 EXISTS\n"
			"S: * OK [UIDVALIDITY 9]\n"
			"S: * OK [UIDNEXT 3]\n"
			"S: A7 OK\n"
			"C: A8 UID FETCH 1:* (UID FLAGS INTERNALDATE "
			"RFC822.SIZE EMAILID)\n"
			"S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 1 EMAILID "
			"(Mab))\n"
			"S: * 2 FETCH (UID 2 FLAGS () RFC822.SIZE 1)\n"
			"S: A8 OK\n" BYE;
	struct peer p;
	struct remote_change c;
	struct remote_cursor cursor;
	start(&p, script, false);
	assert_int_equal(remote_connect(p.remote), 0);
	assert_int_equal(remote_pull(p.remote, "INBOX", ""), 0);
	assert_int_equal(remote_next(p.remote, &c, &cursor), 1);
	assert_true(c.identity == digest_u64("Mab", 3));
	assert_true(c.is_identity_everywhere);
	assert_int_equal(remote_next(p.remote, &c, &cursor), 1);
	assert_true(c.identity == (digest_u64("INBOX/9", 7) << 32 | 2));
	assert_false(c.is_identity_everywhere);
	assert_int_equal(remote_next(p.remote, &c, &cursor), 0);
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
	start(&p,
	      PLAIN "C: A5 LIST \"\" \"*\"\n"
	            "S: * LIST (\\Noselect) \"/\" a\n"
	            "S: A5 OK\n" BYE,
	      false);
	assert_int_equal(imap_check(&p.config, note_line, &out), 0);
	assert_non_null(strstr(out.bytes, "capabilities: IMAP4rev1 "));
	assert_non_null(strstr(out.bytes, "folders: 1, with 0 messages\n"));
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_give_what_they_say),
		cmocka_unit_test(a_large_body_streams_into_the_file),
		cmocka_unit_test(a_server_that_stalls_is_left),
		cmocka_unit_test(heads_come_as_fields),
		cmocka_unit_test(two_requests_are_in_flight),
		cmocka_unit_test(a_name_of_a_message_outlives_the_cache),
		cmocka_unit_test(check_tells_what_it_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
