/*
 * COMPRESS=DEFLATE (RFC 4978) against transcripts.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "imapclient/imapclient.h"
#include "tests/fake/server.h"
#include "tests/unit/imapclient/greetings.h"
#include "util/cleanup.h"
#include "util/strbuf.h"

#define OFFERED \
	LOGIN \
	"S: * CAPABILITY IMAP4rev1 LITERAL+ NAMESPACE COMPRESS=DEFLATE\n" \
	"S: A3 OK\n"

#define NAMESPACES(tag) \
	"C: " tag " NAMESPACE\n" \
	"S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n" \
	"S: " tag " OK\n"

#define COMPRESSED \
	OFFERED \
	"C: A4 COMPRESS DEFLATE\n" \
	"S: A4 OK\n" \
	"!deflate\n" NAMESPACES("A5")

#define LISTED(tag, status) \
	"C: " tag " LIST \"\" \"*\"\n" \
	"S: * LIST () \"/\" INBOX\n" \
	"S: " tag " OK\n" \
	"C: " status " STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)\n" \
	"S: * STATUS INBOX (MESSAGES 3)\n" \
	"S: " status " OK\n"

static struct imap_config make_config(const struct server *server,
                                      bool compress, const char *disable)
{
	return (struct imap_config){
		.conn = { .protocol = CONN_IMAP,
		          .security = CONN_PLAIN,
		          .host = "localhost",
		          .port = server_port(server),
		          .user = "bob",
		          .secret_kind = CONN_SECRET_PASSWORD,
		          .secret = "pw",
		          /* 32 MiB pass, under valgrind, too. */
		          .timeout_ms = 120000 },
		.compress = compress,
		.disable = disable,
		.version = "1.0",
	};
}

static const struct {
	const char *name;
	bool compress;
	const char *disable, *transcript;
} rows[] = {
	{ "what is offered is used when it is wanted", true, NULL,
	  COMPRESSED LISTED("A6", "A7") BYE },
	{ "it is not used unasked", false, NULL,
	  OFFERED NAMESPACES("A4") LISTED("A5", "A6") BYE },
	{ "it may be disabled", true, "COMPRESS=DEFLATE",
	  OFFERED NAMESPACES("A4") LISTED("A5", "A6") BYE },
	{ "it is not used where it is not offered", true, NULL,
	  PLAIN LISTED("A5", "A6") BYE },
	{ "TLS compresses already", true, NULL,
	  OFFERED
	  "C: A4 COMPRESS DEFLATE\n"
	  "S: A4 NO [COMPRESSIONACTIVE] DEFLATE active via TLS\n" NAMESPACES(
		  "A5") LISTED("A6", "A7") BYE },
	{ "what is offered and not understood is left", true, NULL,
	  OFFERED "C: A4 COMPRESS DEFLATE\n"
	          "S: A4 BAD\n" NAMESPACES("A5") LISTED("A6", "A7") BYE },
	/* Compressed: "* OK [ALERT] early". */
	{ "compressed bytes come along with the OK", true, NULL,
	  OFFERED "C: A4 COMPRESS DEFLATE\n"
	          "S: A4 OK\n"
	          "!bytes d2 52 f0 f7 56 88 76 f4 71 0d 0a 89 55 48 4d 2c ca "
	          "a9 e4 e5 02 00 00 00 ff ff\n"
	          "!deflate\n" NAMESPACES("A5") LISTED("A6", "A7") BYE },
};

static void play(size_t i, bool is_split)
{
	struct remote_folder f;
	struct remote *r;
	auto_strbuf struct strbuf text = { 0 };
	strbuf_printf(&text, "!split %d\n%s", is_split, rows[i].transcript);
	struct server *server = server_start(text.bytes, NULL);
	struct imap_config config =
		make_config(server, rows[i].compress, rows[i].disable);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	if (remote_connect(r) < 0)
		fail_msg("%s: %s", rows[i].name, r->failure);
	assert_int_equal(remote_list(r), 0);
	assert_int_equal(remote_list_next(r, &f), 1);
	assert_string_equal(f.name, "INBOX");
	assert_int_equal(f.count, 3);
	assert_int_equal(remote_list_next(r, &f), 0);
	remote_free(r);
	server_finish(server);
}

static void transcripts_are_played_as_they_say(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		play(i, false);
		play(i, true);
	}
}

static void what_came_along_is_buffered(void **state)
{
	struct remote_body body;
	struct remote *r;
	const struct remote_want want = { "9.1", 5 };
	struct server *server =
		server_start(COMPRESSED "C: A6 SELECT \"INBOX\"\n"
	                                "S: A6 OK [UIDVALIDITY 9]\n"
	                                "C: A7 UID FETCH 1 (UID BODY.PEEK[])\n"
	                                "S| * 1 FETCH (UID 1 BODY[] {5}\\r\\n\n"
	                                "S| hello)\\r\\n\n"
	                                "S: A7 OK\n" BYE,
	                     NULL);
	struct imap_config config = make_config(server, true, NULL);
	auto_fd int fd = memfd_create("body", 0);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	assert_int_equal(remote_connect(r), 0);
	assert_int_equal(remote_fetch(r, "INBOX", &want, 1), 0);
	assert_int_equal(remote_fetched(r, fd, &body), 1);
	assert_int_equal(body.size, 5);
	assert_true(remote_buffered(r) > 0);
	assert_int_equal(remote_fetched(r, fd, &body), 0);
	remote_free(r);
	server_finish(server);
}

#define BOMB (32 * 1024 * 1024)

/* A message may be one by nature; without compression it can be read. */
static void a_bomb_comes_uncompressed_the_next_time(void **state)
{
	struct remote_body body;
	struct remote *r;
	const struct remote_want want = { "9.1", BOMB };
	struct server *server =
		server_start(COMPRESSED
	                     "C: A6 SELECT \"INBOX\"\n"
	                     "S: A6 OK [UIDVALIDITY 9]\n"
	                     "C: A7 UID FETCH 1 (UID BODY.PEEK[])\n"
	                     "S| * 1 FETCH (UID 1 BODY[] "
	                     "{33554432}\\r\\n\n"
	                     "!literal 33554432\n"
	                     "!stall\n"
	                     /* Tags are bound by their first use: others. */
	                     "S: * OK hello\n"
	                     "C: A11 CAPABILITY\n"
	                     "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\n"
	                     "S: A11 OK done\n"
	                     "C: A12 AUTHENTICATE PLAIN AGJvYgBwdw==\n"
	                     "S: A12 OK welcome\n"
	                     "C: A13 CAPABILITY\n"
	                     "S: * CAPABILITY IMAP4rev1 LITERAL+ NAMESPACE "
	                     "COMPRESS=DEFLATE\n"
	                     "S: A13 OK\n" NAMESPACES(
				     "A15") "C: A16 SELECT \"INBOX\"\n"
	                                    "S: A16 OK [UIDVALIDITY 9]\n"
	                                    "C: A17 UID FETCH 1 "
	                                    "(UID BODY.PEEK[])\n"
	                                    "S| * 1 FETCH (UID 1 BODY[] "
	                                    "{33554432}\\r\\n\n"
	                                    "!literal 33554432\n"
	                                    "S: )\n"
	                                    "S: A17 OK\n" BYE,
	                     NULL);
	struct imap_config config = make_config(server, true, NULL);
	auto_fd int fd = memfd_create("body", 0);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	assert_int_equal(remote_connect(r), 0);
	assert_int_equal(remote_fetch(r, "INBOX", &want, 1), 0);
	assert_int_equal(remote_fetched(r, fd, &body), -EPROTO);
	assert_in_range(lseek(fd, 0, SEEK_CUR), 0, BOMB / 2);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(remote_connect(r), 0);
	assert_int_equal(remote_fetch(r, "INBOX", &want, 1), 0);
	assert_int_equal(remote_fetched(r, fd, &body), 1);
	assert_int_equal(body.wire_size, BOMB);
	assert_int_equal(remote_fetched(r, fd, &body), 0);
	remote_free(r);
	server_finish(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_are_played_as_they_say),
		cmocka_unit_test(what_came_along_is_buffered),
		cmocka_unit_test(a_bomb_comes_uncompressed_the_next_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
