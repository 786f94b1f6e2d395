#include "tests/unit/net/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

static void a_login_over_tls_carries_bytes_both_ways(void **state)
{
	struct peer p;
	peer_start(&p, LOGIN_OK "C: x NOOP\nS: x OK there\n", CONN_TLS,
	           CERT_GOOD);
	assert_int_equal(peer_open(&p), 0);
	assert_int_equal(p.report.failed, CONN_STEP_DONE);
	assert_true(p.report.has_tls);
	assert_true(p.report.tls_ms >= p.report.connected_ms);
	assert_true(p.report.login_ms >= p.report.tls_ms);
	assert_true(fcntl(conn_fd(p.conn), F_GETFD) & FD_CLOEXEC);
	int64_t deadline = deadline_in(TIMEOUT_MS);
	assert_int_equal(conn_write(p.conn, "x NOOP\r\n", 8, deadline), 0);
	char bytes[64];
	ssize_t n = conn_read(p.conn, bytes, sizeof(bytes), deadline);
	assert_int_equal(n, 12);
	assert_memory_equal(bytes, "x OK there\r\n", 12);
	peer_finish(&p);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void a_dead_peer_is_noticed_by_the_kernel(void **state)
{
	struct peer p;
	peer_start(&p, LOGIN_OK, CONN_TLS, CERT_GOOD);
	assert_int_equal(peer_open(&p), 0);
	int fd = conn_fd(p.conn);
	assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_in_range(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 1, 60);
	assert_in_range(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 1, 15);
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT),
	                 TIMEOUT_MS);
	peer_finish(&p);
}

static void starttls_is_used_and_the_login_comes_after(void **state)
{
	struct peer p;
	peer_start(&p,
	           "S: * OK hello\n"
	           "C: A1 CAPABILITY\n"
	           "S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\n"
	           "S: A1 OK done\n"
	           "C: A2 STARTTLS\n"
	           "S: A2 OK go\n"
	           "!starttls\n"
	           "C: A3 CAPABILITY\n"
	           "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\n"
	           "S: A3 OK done\n"
	           "C: A4 AUTHENTICATE PLAIN *\n"
	           "S: A4 OK welcome\n",
	           CONN_STARTTLS, CERT_GOOD);
	assert_int_equal(peer_open(&p), 0);
	assert_true(p.report.has_tls);
	peer_finish(&p);
}

static void without_tls_a_login_works_where_the_user_says_so(void **state)
{
	struct peer p;
	peer_start(&p, LOGIN_OK, CONN_PLAIN, CERT_GOOD);
	assert_int_equal(peer_open(&p), 0);
	assert_false(p.report.has_tls);
	peer_finish(&p);
}

/* ---- Through a proxy ---- */

static void a_proxy_is_told_the_name_and_no_more(void **state)
{
	static const enum relay_kind kinds[] = { RELAY_HTTP, RELAY_SOCKS5 };
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const struct relay_plan plan = { .kind = kinds[i] };
		struct peer p;
		char target[64], expected[64];
		peer_start(&p, LOGIN_OK, CONN_TLS, CERT_GOOD);
		struct relay *r = relay_start(&p, &plan);
		assert_int_equal(peer_open(&p), 0);
		assert_true(p.report.has_tls);
		(void)snprintf(expected, sizeof(expected), "localhost:%u",
		               p.config.port);
		relay_finish(r, &p, target);
		assert_string_equal(target, expected);
		peer_finish(&p);
	}
}

static void a_proxy_that_refuses_is_named(void **state)
{
	const struct relay_plan plan = { .kind = RELAY_REFUSE };
	struct peer p;
	char target[64];
	peer_start(&p, "# nobody comes\n", CONN_TLS, CERT_GOOD);
	struct relay *r = relay_start(&p, &plan);
	assert_int_equal(peer_open(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_CONNECT);
	peer_assert_mentions(p.report.text, "403");
	relay_finish(r, &p, target);
	p.config.proxy = "socks5h://127.0.0.1:1";
	assert_int_equal(peer_open(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_CONNECT);
	peer_finish(&p);
}

/* ---- No answer ---- */

#define CLIENT_HELLO "\x16\x03\x01"
#define HANDSHAKE    '\x16'

static const struct stall {
	const char *name;
	const char *transcript;
	enum conn_security security;
	const char *trigger; /* what the client says last */
	char say;            /* the server; too little to be an answer */
	enum conn_step step;
	const char *words;
} stalls[] = {
	{ "before the greeting", "!stall\n", CONN_PLAIN, "", '*',
	  CONN_STEP_LOGIN, "login: no answer within 10000 ms" },
	{ "in the TLS handshake", "!stall\n", CONN_TLS, CLIENT_HELLO, HANDSHAKE,
	  CONN_STEP_TLS, "ms; the wrong port? imaps:// and pop3s:// use TLS" },
	{ "before STARTTLS", "S: * OK hello\n!stall\n", CONN_STARTTLS,
	  "CAPABILITY", '*', CONN_STEP_TLS, "TLS: no answer" },
	{ "after STARTTLS", OFFER("STARTTLS") "C: A2 STARTTLS\n!stall\n",
	  CONN_STARTTLS, "STARTTLS", 'A', CONN_STEP_TLS, "TLS: no answer" },
	{ "in the STARTTLS handshake",
	  OFFER("STARTTLS") "C: A2 STARTTLS\nS: A2 OK go\n!stall\n",
	  CONN_STARTTLS, CLIENT_HELLO, HANDSHAKE, CONN_STEP_TLS,
	  "TLS: no answer" },
	{ "after AUTHENTICATE",
	  OFFER("AUTH=PLAIN") "C: A2 AUTHENTICATE PLAIN\n!stall\n", CONN_PLAIN,
	  "AUTHENTICATE", '*', CONN_STEP_LOGIN, "login: no answer" },
};

static void open_with(const struct stall *row, enum relay_event event, int err)
{
	const struct relay_plan plan = { .event = event,
		                         .trigger = row->trigger,
		                         .say = row->say };
	struct peer p;
	print_message("%s\n", row->name);
	peer_start(&p, row->transcript, CONN_PLAIN, CERT_GOOD);
	p.config.security = row->security;
	struct relay *r = relay_start(&p, &plan);
	assert_int_equal(peer_open(&p), err);
	assert_null(p.conn);
	assert_int_equal(p.report.failed, row->step);
	peer_assert_mentions(p.report.text,
	                     err == -ECANCELED ? "canceled" : row->words);
	relay_finish(r, &p, NULL);
	server_assert_untold(p.server, CANARY);
	peer_finish(&p);
}

static void a_stall_ends_at_the_deadline(void **state)
{
	for (size_t i = 0; i < COUNT_OF(stalls); i++)
		open_with(&stalls[i], RELAY_EXPIRES, -ETIMEDOUT);
}

/* Were it to wait for the deadline, it would find another error. */
static void an_abort_ends_a_login_at_once(void **state)
{
	for (size_t i = 0; i < COUNT_OF(stalls); i++)
		open_with(&stalls[i], RELAY_ABORTS, -ECANCELED);
}

/* ---- After the login ---- */

static void a_wait_for_bytes_ends_in_each_way(void **state)
{
	struct peer p;
	char byte;
	peer_start(&p, LOGIN_OK "C: on\nS: x\n!close\n", CONN_TLS, CERT_GOOD);
	assert_int_equal(peer_open(&p), 0);
	assert_int_equal(conn_read(p.conn, &byte, 1, deadline_in(20)),
	                 -ETIMEDOUT);
	wake_signal(&p.abort);
	int64_t later = deadline_in(TIMEOUT_MS);
	assert_int_equal(conn_read(p.conn, &byte, 1, later), -ECANCELED);
	wake_clear(&p.abort);
	assert_int_equal(conn_write(p.conn, "on\r\n", 4, later), 0);
	/* The rest of the record waits in TLS, where poll sees nothing. */
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(conn_read(p.conn, &byte, 1, later), 1);
	assert_int_equal(conn_read(p.conn, &byte, 1, later), -EHOSTUNREACH);
	peer_finish(&p);
}

static void a_write_that_nobody_reads_ends(void **state)
{
	const struct relay_plan plan = { .event = RELAY_HOLDS,
		                         .trigger = "welcome?" };
	struct peer p;
	peer_start(&p, LOGIN_OK "!stall\n", CONN_PLAIN, CERT_GOOD);
	struct relay *r = relay_start(&p, &plan);
	assert_int_equal(peer_open(&p), 0);
	int64_t later = deadline_in(TIMEOUT_MS);
	assert_int_equal(conn_write(p.conn, "welcome?", 8, later), 0);
	/* More than the kernel takes. */
	size_t len = (size_t)64 * 1024 * 1024;
	auto_free char *bytes = xmalloc(len);
	assert_int_equal(conn_write(p.conn, bytes, len, deadline_in(50)),
	                 -ETIMEDOUT);
	wake_signal(&p.abort);
	assert_int_equal(conn_write(p.conn, bytes, len,
	                            deadline_in(TIMEOUT_MS)),
	                 -ECANCELED);
	relay_finish(r, &p, NULL);
	peer_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_over_tls_carries_bytes_both_ways),
		cmocka_unit_test(a_dead_peer_is_noticed_by_the_kernel),
		cmocka_unit_test(starttls_is_used_and_the_login_comes_after),
		cmocka_unit_test(
			without_tls_a_login_works_where_the_user_says_so),
		cmocka_unit_test(a_proxy_is_told_the_name_and_no_more),
		cmocka_unit_test(a_proxy_that_refuses_is_named),
		cmocka_unit_test(a_stall_ends_at_the_deadline),
		cmocka_unit_test(an_abort_ends_a_login_at_once),
		cmocka_unit_test(a_wait_for_bytes_ends_in_each_way),
		cmocka_unit_test(a_write_that_nobody_reads_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
