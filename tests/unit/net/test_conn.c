#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "net/conn.h"
#include "tests/fake/server.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Must never be seen on a connection that is not safe. */
#define CANARY "Zq7-CANARY-password"

/* Long enough for valgrind where nothing waits for it. */
#define TIMEOUT_MS 10000
#define SHORT_MS   200

/* A server, a client's configuration for it, and how it went. */
struct peer {
	struct server *server;
	struct conn_config config;
	struct conn *conn;
	struct conn_report report;
	struct wake abort;
};

static void start(struct peer *p, const char *transcript,
                  enum conn_security security, enum cert_kind cert)
{
	const struct server_options options = { .tls = security == CONN_TLS,
		                                .cert = cert };
	*p = (struct peer){ 0 };
	assert_int_equal(wake_init(&p->abort), 0);
	p->server = server_start(transcript, &options);
	p->config = (struct conn_config){
		.protocol = CONN_IMAP,
		.security = security,
		.host = "localhost",
		.port = server_port(p->server),
		.user = "bob",
		.secret_kind = CONN_SECRET_PASSWORD,
		.secret = CANARY,
		.tls_ca = server_ca(p->server),
		.timeout_ms = TIMEOUT_MS,
	};
}

static int open_it(struct peer *p)
{
	return conn_open(&p->config, &p->abort, &p->conn, &p->report);
}

static void finish(struct peer *p)
{
	conn_close(p->conn);
	server_finish(p->server);
	wake_release(&p->abort);
}

static void assert_mentions(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, text);
	assert_null(strstr(text, CANARY));
}

#define LOGIN_OK \
	"S: * OK hello\n" \
	"C: A1 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\n" \
	"S: A1 OK done\n" \
	"C: A2 AUTHENTICATE PLAIN AGJvYgBacTctQ0FOQVJZLXBhc3N3b3Jk\n" \
	"S: A2 OK welcome\n"

static void a_login_over_tls_carries_bytes_both_ways(void **state)
{
	struct peer p;
	start(&p, LOGIN_OK "C: x NOOP\nS: x OK there\n", CONN_TLS, CERT_GOOD);
	assert_int_equal(open_it(&p), 0);
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
	finish(&p);
}

static void starttls_is_used_and_the_login_comes_after(void **state)
{
	struct peer p;
	start(&p,
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
	assert_int_equal(open_it(&p), 0);
	assert_true(p.report.has_tls);
	finish(&p);
}

static void without_tls_a_login_works_where_the_user_says_so(void **state)
{
	struct peer p;
	start(&p, LOGIN_OK, CONN_PLAIN, CERT_GOOD);
	assert_int_equal(open_it(&p), 0);
	assert_false(p.report.has_tls);
	finish(&p);
}

/* ---- Which way to log in ---- */

#define OFFER(LIST) \
	"S: * OK hello\n" \
	"C: A1 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 " LIST "\n" \
	"S: A1 OK done\n"
#define OFFER_AGAIN(LIST) \
	"S: * OK hello\n" \
	"C: A3 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 " LIST "\n" \
	"S: A3 OK done\n"
#define POP_OFFER(LIST) \
	"S: +OK hello\n" \
	"C: CAPA\n" \
	"S: +OK\n" LIST "S: .\n"
#define APOP_OFFER \
	"S: +OK hello <1896.697170952@dbc.mtview.ca.us>\n" \
	"C: CAPA\n" \
	"S: -ERR what?\n"
/* The challenge of RFC 2195 2. */
#define CHALLENGE "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
#define CRAM_REFUSED \
	"C: A2 AUTHENTICATE CRAM-MD5\n" \
	"S: + " CHALLENGE "\n" \
	"C: *\n" \
	"S: A2 NO I have hashes only\n"
#define PLAIN_OK \
	"C: A4 AUTHENTICATE PLAIN\n" \
	"S: +\n" \
	"C: *\n" \
	"S: A4 OK welcome\n"

static const struct way {
	const char *name;
	const char *transcript;
	enum conn_protocol protocol;
	enum conn_security security;
	const char *auth;
	int err;
	const char *words; /* of the failure */
	bool is_told;      /* the password, in the clear or as base64 */
} ways[] = {
	{ "PLAIN before GSSAPI, DIGEST-MD5 and NTLM",
	  OFFER("AUTH=GSSAPI AUTH=DIGEST-MD5 AUTH=NTLM AUTH=PLAIN SASL-IR") "C: A2 AUTHENTICATE PLAIN *\nS: A2 OK welcome\n",
	  CONN_IMAP, CONN_TLS, NULL, 0, "", true },
	{ "SASL LOGIN before DIGEST-MD5",
	  OFFER("AUTH=DIGEST-MD5 AUTH=LOGIN SASL-IR") "C: A2 AUTHENTICATE LOGIN Ym9i\nS: + UGFzc3dvcmQ6\nC: *\n"
	                                              "S: A2 OK welcome\n",
	  CONN_IMAP, CONN_TLS, NULL, 0, "", true },
	{ "DIGEST-MD5 where the user names it",
	  OFFER("AUTH=DIGEST-MD5 AUTH=PLAIN") "C: A2 AUTHENTICATE DIGEST-MD5\nS: A2 NO later\n",
	  CONN_IMAP, CONN_TLS, "DIGEST-MD5", -EKEYREJECTED, "later", false },
	{ "DIGEST-MD5 alone", OFFER("AUTH=DIGEST-MD5"), CONN_IMAP, CONN_TLS,
	  NULL, -EKEYREJECTED, "but DIGEST-MD5; auth = DIGEST-MD5 would",
	  false },
	{ "NTLM alone, without TLS", OFFER("AUTH=NTLM"), CONN_IMAP, CONN_PLAIN,
	  NULL, -EKEYREJECTED, "but NTLM; auth = NTLM would", false },
	{ "CRAM-MD5 before PLAIN",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN SASL-IR") "C: A2 AUTHENTICATE CRAM-MD5\nS: + " CHALLENGE
	                                            "\nC: *\n"
	                                            "S: A2 OK welcome\n",
	  CONN_IMAP, CONN_TLS, NULL, 0, "", false },
	{ "PLAIN once CRAM-MD5 is refused",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED
	  "!stall\n" OFFER_AGAIN("AUTH=CRAM-MD5 AUTH=PLAIN") PLAIN_OK,
	  CONN_IMAP, CONN_TLS, NULL, 0, "", true },
	{ "PLAIN refused as well is the end",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!stall\n" OFFER_AGAIN(
		  "AUTH=CRAM-MD5 AUTH=PLAIN") "C: A4 AUTHENTICATE PLAIN\nS: +\nC: *\nS: A4 NO wrong\n!stall\n",
	  CONN_IMAP, CONN_TLS, NULL, -EKEYREJECTED, "wrong", true },
	{ "CRAM-MD5 refused without TLS",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!stall\n", CONN_IMAP,
	  CONN_PLAIN, NULL, -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused and nothing else offered",
	  OFFER("AUTH=CRAM-MD5") CRAM_REFUSED "!stall\n", CONN_IMAP, CONN_TLS,
	  NULL, -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused where the user names it",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!stall\n", CONN_IMAP,
	  CONN_TLS, "CRAM-MD5", -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused for now",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") "C: A2 AUTHENTICATE CRAM-MD5\n"
	                                    "S: A2 NO [UNAVAILABLE] later\n!stall\n",
	  CONN_IMAP, CONN_TLS, NULL, -EHOSTUNREACH, "later", false },
	{ "PLAIN refused is refused",
	  OFFER("AUTH=PLAIN SASL-IR") "C: A2 AUTHENTICATE PLAIN *\nS: A2 NO wrong\n!stall\n",
	  CONN_IMAP, CONN_TLS, NULL, -EKEYREJECTED, "wrong", true },
	{ "the LOGIN command where there is no SASL",
	  OFFER("ID") "!stall\n" OFFER_AGAIN("ID") "C: A4 LOGIN bob " CANARY
	                                           "\nS: A4 OK welcome\n",
	  CONN_IMAP, CONN_TLS, NULL, 0, "", true },
	{ "no LOGIN where it is disabled", OFFER("LOGINDISABLED"), CONN_IMAP,
	  CONN_PLAIN, NULL, -EKEYREJECTED, "want TLS: leave tls out", false },
	{ "a mechanism that is not offered", OFFER("AUTH=PLAIN"), CONN_IMAP,
	  CONN_TLS, "CRAM-MD5", -EKEYREJECTED,
	  "does not offer CRAM-MD5; leave auth out", false },
	{ "a mechanism that nobody knows", "!eof\n", CONN_IMAP, CONN_TLS,
	  "ROT13", -EKEYREJECTED, "auth = ROT13: libcurl does not know it",
	  false },
	{ "POP3: PLAIN before DIGEST-MD5",
	  POP_OFFER(
		  "S: SASL NTLM DIGEST-MD5 PLAIN\n") "C: AUTH PLAIN\nS: + \nC: *\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: PLAIN once CRAM-MD5 is refused",
	  POP_OFFER(
		  "S: SASL CRAM-MD5 PLAIN\n") "C: AUTH CRAM-MD5\nS: + " CHALLENGE
	                                      "\nC: *\nS: -ERR no\n!stall\n" POP_OFFER(
						      "S: SASL CRAM-MD5 PLAIN\n") "C: AUTH PLAIN\nS: + \nC: *\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: USER and PASS where there is no SASL",
	  POP_OFFER("S: USER\n") "!stall\n" POP_OFFER(
		  "S: USER\n") "C: USER bob\nS: +OK\nC: PASS " CANARY
	                       "\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: no APOP that nobody asked for",
	  APOP_OFFER "!stall\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: APOP where it is asked for",
	  APOP_OFFER "C: APOP bob *\nS: +OK\n", CONN_POP3, CONN_TLS, "APOP",
	  0, "", false },
	{ "POP3: APOP that is not offered",
	  POP_OFFER("S: USER\n") "!stall\n", CONN_POP3, CONN_TLS, "APOP",
	  -EKEYREJECTED, "does not offer APOP; leave auth out", false },
	{ "POP3: PASS refused",
	  APOP_OFFER "!stall\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR [AUTH] wrong\n!stall\n",
	  CONN_POP3, CONN_TLS, NULL, -EKEYREJECTED, "[AUTH] wrong", true },
	{ "POP3: somebody else is in the drop",
	  APOP_OFFER "!stall\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR [IN-USE] locked\n!stall\n",
	  CONN_POP3, CONN_TLS, NULL, -EHOSTUNREACH, "[IN-USE] locked", true },
	{ "POP3: gone before PASS",
	  APOP_OFFER "!stall\n" APOP_OFFER "C: USER bob\n!close\n", CONN_POP3,
	  CONN_TLS, NULL, -EHOSTUNREACH, "lost during the login", false },
};

static void a_password_is_used_in_the_safest_way_that_works(void **state)
{
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		const struct way *row = &ways[i];
		struct peer p;
		print_message("%s\n", row->name);
		start(&p, row->transcript, row->security, CERT_GOOD);
		p.config.protocol = row->protocol;
		p.config.auth = row->auth;
		/* A domain in it would make libcurl choose GSSAPI. */
		p.config.user = "bob@example.org";
		if (strstr(row->transcript, " bob ") != NULL ||
		    strstr(row->transcript, " bob\n") != NULL ||
		    strstr(row->transcript, " Ym9i\n") != NULL)
			p.config.user = "bob";
		assert_int_equal(open_it(&p), row->err);
		assert_mentions(p.report.text, row->words);
		conn_close(take(p.conn));
		if (!row->is_told)
			server_assert_untold(p.server, CANARY);
		finish(&p);
	}
}

static void a_token_is_sent_as_a_bearer(void **state)
{
	struct peer p;
	start(&p,
	      "S: * OK hello\n"
	      "C: A1 CAPABILITY\n"
	      "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR\n"
	      "S: A1 OK done\n"
	      "C: A2 AUTHENTICATE XOAUTH2 "
	      "dXNlcj1ib2IBYXV0aD1CZWFyZXIgdDBrM24BAQ==\n"
	      "S: A2 OK welcome\n",
	      CONN_TLS, CERT_GOOD);
	p.config.secret_kind = CONN_SECRET_TOKEN_COMMAND;
	p.config.secret = "echo t0k3n";
	assert_int_equal(open_it(&p), 0);
	finish(&p);
}

/* ---- Refused before anything secret is said ---- */

static const struct refused {
	const char *name;
	const char *transcript;
	enum conn_security security;
	enum cert_kind cert;
	int err;
	enum conn_step step;
	const char *words;
} refused[] = {
	{ "expired", "!eof\n", CONN_TLS, CERT_EXPIRED, -EKEYREJECTED,
	  CONN_STEP_TLS, "certificate has expired; is the clock right?" },
	{ "wrong name", "!eof\n", CONN_TLS, CERT_WRONG_NAME, -EKEYREJECTED,
	  CONN_STEP_TLS, "write in server the name the certificate is for" },
	{ "self-signed", "!eof\n", CONN_TLS, CERT_SELF_SIGNED, -EKEYREJECTED,
	  CONN_STEP_TLS,
	  "self-signed certificate; if you trust it, name its CA with tls-ca" },
	{ "another CA", "!eof\n", CONN_TLS, CERT_OTHER_CA, -EKEYREJECTED,
	  CONN_STEP_TLS, "if you trust it, name its CA with tls-ca" },
	{ "not TLS at all", "S: * OK hello\n!stall\n", CONN_STARTTLS, CERT_GOOD,
	  -ETIMEDOUT, CONN_STEP_TLS,
	  "ms; the wrong port? imaps:// and pop3s:// use TLS" },
	{ "STARTTLS stripped",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	  "S: A1 OK done\n",
	  CONN_STARTTLS, CERT_GOOD, -EKEYREJECTED, CONN_STEP_TLS,
	  "does not offer STARTTLS, or refuses it; if imaps:// or pop3s:// fails too, someone may be in between" },
	{ "CAPABILITY refused",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: A1 BAD what\n",
	  CONN_STARTTLS, CERT_GOOD, -EKEYREJECTED, CONN_STEP_TLS, "STARTTLS" },
	{ "STARTTLS refused",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 NO not today\n",
	  CONN_STARTTLS, CERT_GOOD, -EKEYREJECTED, CONN_STEP_TLS,
	  "refuses it" },
	{ "STARTTLS with an expired certificate",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 OK go\n"
	  "!starttls\n",
	  CONN_STARTTLS, CERT_EXPIRED, -EKEYREJECTED, CONN_STEP_TLS,
	  "certificate has expired" },
	{ "PREAUTH instead of STARTTLS",
	  "S: * PREAUTH welcome\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n",
	  CONN_STARTTLS, CERT_GOOD, -EKEYREJECTED, CONN_STEP_TLS, "STARTTLS" },
	{ "an answer glued behind the STARTTLS OK",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 OK go\n"
	  "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	  "!eof\n",
	  CONN_STARTTLS, CERT_GOOD, -EPROTO, CONN_STEP_LOGIN,
	  "not what a mail server says" },
	{ "a stall in the STARTTLS handshake",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 OK go\n"
	  "!stall\n",
	  CONN_STARTTLS, CERT_GOOD, -ETIMEDOUT, CONN_STEP_TLS, "no answer" },
	{ "a stall before the greeting", "!stall\n", CONN_TLS, CERT_GOOD,
	  -ETIMEDOUT, CONN_STEP_LOGIN, "no answer" },
	{ "another protocol", "S: HTTP/1.1 400 Bad Request\n!stall\n", CONN_TLS,
	  CERT_GOOD, -EPROTO, CONN_STEP_LOGIN, "not what a mail server" },
	{ "BYE for a greeting", "S: * BYE too many of you\n", CONN_TLS,
	  CERT_GOOD, -EHOSTUNREACH, CONN_STEP_LOGIN, "too many of you" },
	{ "closed before the greeting", "!close\n", CONN_TLS, CERT_GOOD,
	  -EHOSTUNREACH, CONN_STEP_LOGIN, "localhost:" },
	{ "no way to log in",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 LOGINDISABLED\n"
	  "S: A1 OK done\n",
	  CONN_TLS, CERT_GOOD, -EKEYREJECTED, CONN_STEP_LOGIN,
	  "no way to log in" },
};

static void what_is_refused_never_hears_the_password(void **state)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		const struct refused *row = &refused[i];
		struct peer p;
		print_message("%s\n", row->name);
		start(&p, row->transcript, row->security, row->cert);
		if (row->err == -ETIMEDOUT)
			p.config.timeout_ms = SHORT_MS;
		assert_int_equal(open_it(&p), row->err);
		assert_null(p.conn);
		assert_int_equal(p.report.failed, row->step);
		assert_mentions(p.report.text, row->words);
		server_assert_untold(p.server, CANARY);
		finish(&p);
	}
}

static void a_server_without_tls_is_not_told_the_password(void **state)
{
	struct peer p;
	start(&p, "S: * OK hello\n!stall\n", CONN_PLAIN, CERT_GOOD);
	p.config.security = CONN_TLS;
	assert_int_equal(open_it(&p), -EKEYREJECTED);
	assert_int_equal(p.report.failed, CONN_STEP_TLS);
	assert_mentions(p.report.text, "no TLS on this port? imap:// and");
	server_assert_untold(p.server, CANARY);
	finish(&p);
}

static void a_stall_in_the_tls_handshake_ends(void **state)
{
	struct peer p;
	start(&p, "!stall\n", CONN_PLAIN, CERT_GOOD);
	p.config.security = CONN_TLS;
	p.config.timeout_ms = SHORT_MS;
	assert_int_equal(open_it(&p), -ETIMEDOUT);
	assert_int_equal(p.report.failed, CONN_STEP_TLS);
	server_assert_untold(p.server, CANARY);
	finish(&p);
}

static void an_unknown_ca_is_refused(void **state)
{
	struct peer p;
	start(&p, "!eof\n", CONN_TLS, CERT_GOOD);
	p.config.tls_ca = NULL;
	assert_int_equal(open_it(&p), -EKEYREJECTED);
	assert_mentions(p.report.text, "tls-ca");
	server_assert_untold(p.server, CANARY);
	finish(&p);
}

static void a_pin_lets_in_one_key(void **state)
{
	struct peer p;
	start(&p, LOGIN_OK, CONN_TLS, CERT_GOOD);
	p.config.tls_pin = server_pin(p.server);
	assert_int_equal(open_it(&p), 0);
	finish(&p);

	start(&p, "!stall\n", CONN_TLS, CERT_GOOD);
	p.config.tls_pin =
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	assert_int_equal(open_it(&p), -EKEYREJECTED);
	assert_mentions(p.report.text,
	                "not the one of tls-pin; someone may be listening in");
	server_assert_untold(p.server, CANARY);
	finish(&p);
}

/* ---- Refused logins ---- */

static const struct {
	const char *answer;
	int err;
	const char *words;
} answers[] = {
	{ "S: A2 NO [AUTHENTICATIONFAILED] Wrong.\n", -EKEYREJECTED,
	  "login refused: [AUTHENTICATIONFAILED] Wrong.; check user" },
	{ "S: A2 NO red \x1b[31m tape\n", -EKEYREJECTED, "red  [31m tape" },
	{ "S: A2 NO [UNAVAILABLE] Later.\n", -EHOSTUNREACH,
	  "[UNAVAILABLE] Later." },
	{ "S: * BYE Going down\n!close\n", -EHOSTUNREACH, "Going down" },
};

static void a_refused_login_carries_the_servers_words(void **state)
{
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct peer p;
		auto_free char *script =
			xasprintf("S: * OK hello\n"
		                  "C: A1 CAPABILITY\n"
		                  "S: * CAPABILITY AUTH=PLAIN SASL-IR\n"
		                  "S: A1 OK done\n"
		                  "C: A2 AUTHENTICATE PLAIN *\n%s",
		                  answers[i].answer);
		start(&p, script, CONN_TLS, CERT_GOOD);
		assert_int_equal(open_it(&p), answers[i].err);
		assert_int_equal(p.report.failed, CONN_STEP_LOGIN);
		assert_mentions(p.report.text, answers[i].words);
		finish(&p);
	}
}

#define STALL_AT_LOGIN \
	"S: * OK hello\n" \
	"C: A1 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n" \
	"S: A1 OK done\n" \
	"C: A2 AUTHENTICATE PLAIN\n" \
	"!stall\n"

static void a_stall_after_authenticate_ends(void **state)
{
	struct peer p;
	start(&p, STALL_AT_LOGIN, CONN_TLS, CERT_GOOD);
	p.config.timeout_ms = SHORT_MS;
	assert_int_equal(open_it(&p), -ETIMEDOUT);
	assert_int_equal(p.report.failed, CONN_STEP_LOGIN);
	assert_mentions(p.report.text, "login: no answer within 200 ms");
	server_assert_untold(p.server, CANARY);
	finish(&p);
}

static void *abort_soon(void *arg)
{
	const struct timespec soon = { .tv_nsec = 30000000 };
	(void)nanosleep(&soon, NULL);
	wake_signal(arg);
	return NULL;
}

static void an_abort_ends_a_login_at_once(void **state)
{
	static const char *const scripts[] = { "!stall\n",
		                               "S: * OK hello\n!stall\n" };
	for (size_t i = 0; i < COUNT_OF(scripts); i++) {
		struct peer p;
		pthread_t thread;
		start(&p, scripts[i], CONN_TLS, CERT_GOOD);
		int64_t begun = clock_now_ms();
		(void)pthread_create(&thread, NULL, abort_soon, &p.abort);
		assert_int_equal(open_it(&p), -ECANCELED);
		assert_true(clock_now_ms() - begun < TIMEOUT_MS / 2);
		(void)pthread_join(thread, NULL);
		finish(&p);
	}
}

/* ---- After the login ---- */

static void a_wait_for_bytes_ends_in_each_way(void **state)
{
	struct peer p;
	char byte;
	start(&p, LOGIN_OK "C: on\nS: x\n!close\n", CONN_TLS, CERT_GOOD);
	assert_int_equal(open_it(&p), 0);
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
	finish(&p);
}

static void a_write_that_nobody_reads_ends(void **state)
{
	struct peer p;
	start(&p, LOGIN_OK "S: x\n!stall\n", CONN_PLAIN, CERT_GOOD);
	assert_int_equal(open_it(&p), 0);
	wake_signal(&p.abort);
	/* More than the kernel takes, whether or not anyone reads. */
	size_t len = (size_t)256 * 1024 * 1024;
	auto_free char *bytes = xmalloc(len);
	assert_int_equal(conn_write(p.conn, bytes, len,
	                            deadline_in(TIMEOUT_MS)),
	                 -ECANCELED);
	finish(&p);
}

static void nobody_there_is_unreachable(void **state)
{
	struct peer p;
	start(&p, "# nobody comes\n", CONN_TLS, CERT_GOOD);
	p.config.port = 1;
	assert_int_equal(open_it(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_CONNECT);
	assert_mentions(p.report.text, "localhost:1: ");
	p.config.host = "no such host";
	assert_int_equal(open_it(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_RESOLVE);
	finish(&p);
}

static void no_secret_no_connection(void **state)
{
	struct peer p;
	start(&p, "# nobody comes\n", CONN_TLS, CERT_GOOD);
	p.config.secret_kind = CONN_SECRET_PASSWORD_COMMAND;
	p.config.secret = "exit 3";
	assert_int_equal(open_it(&p), -EKEYREJECTED);
	assert_int_equal(p.report.failed, CONN_STEP_SECRET);
	assert_mentions(p.report.text, "failed with exit status 3");
	finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_over_tls_carries_bytes_both_ways),
		cmocka_unit_test(starttls_is_used_and_the_login_comes_after),
		cmocka_unit_test(
			without_tls_a_login_works_where_the_user_says_so),
		cmocka_unit_test(
			a_password_is_used_in_the_safest_way_that_works),
		cmocka_unit_test(a_token_is_sent_as_a_bearer),
		cmocka_unit_test(what_is_refused_never_hears_the_password),
		cmocka_unit_test(a_server_without_tls_is_not_told_the_password),
		cmocka_unit_test(a_stall_in_the_tls_handshake_ends),
		cmocka_unit_test(an_unknown_ca_is_refused),
		cmocka_unit_test(a_pin_lets_in_one_key),
		cmocka_unit_test(a_refused_login_carries_the_servers_words),
		cmocka_unit_test(a_stall_after_authenticate_ends),
		cmocka_unit_test(an_abort_ends_a_login_at_once),
		cmocka_unit_test(a_wait_for_bytes_ends_in_each_way),
		cmocka_unit_test(a_write_that_nobody_reads_ends),
		cmocka_unit_test(nobody_there_is_unreachable),
		cmocka_unit_test(no_secret_no_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
