#include "tests/unit/net/peer.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/mem.h"

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
	{ "expired", "!eof\n", CONN_TLS, CERT_EXPIRED, -ENOKEY, CONN_STEP_TLS,
	  "certificate has expired; is the clock right?" },
	{ "wrong name", "!eof\n", CONN_TLS, CERT_WRONG_NAME, -ENOKEY,
	  CONN_STEP_TLS, "write in server the name the certificate is for" },
	{ "self-signed", "!eof\n", CONN_TLS, CERT_SELF_SIGNED, -ENOKEY,
	  CONN_STEP_TLS,
	  "self-signed certificate; if you trust it, name its CA with tls-ca" },
	{ "another CA", "!eof\n", CONN_TLS, CERT_OTHER_CA, -ENOKEY,
	  CONN_STEP_TLS, "if you trust it, name its CA with tls-ca" },
	{ "STARTTLS stripped",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	  "S: A1 OK done\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS,
	  "does not offer STARTTLS, or refuses it; if imaps:// or pop3s:// fails too, someone may be in between" },
	{ "CAPABILITY refused",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: A1 BAD what\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS, "STARTTLS" },
	{ "STARTTLS refused",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 NO not today\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS, "refuses it" },
	{ "STARTTLS with an expired certificate",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 OK go\n"
	  "!starttls\n",
	  CONN_STARTTLS, CERT_EXPIRED, -ENOKEY, CONN_STEP_TLS,
	  "certificate has expired" },
	{ "PREAUTH instead of STARTTLS",
	  "S: * PREAUTH welcome\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS, "STARTTLS" },
	{ "an answer glued behind the STARTTLS OK",
	  "S: * OK hello\n"
	  "C: A1 CAPABILITY\n"
	  "S: * CAPABILITY IMAP4rev1 STARTTLS\n"
	  "S: A1 OK done\n"
	  "C: A2 STARTTLS\n"
	  "S: A2 OK go\n"
	  "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN\n"
	  "!eof\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS,
	  "behind the answer to STARTTLS, ahead of TLS; someone may be" },
	{ "an answer glued behind the STLS +OK",
	  "S: +OK hello\n"
	  "C: CAPA\n"
	  "S: +OK\nS: STLS\nS: .\n"
	  "C: STLS\n"
	  "S: +OK go\n"
	  "S: +OK injected\n"
	  "!eof\n",
	  CONN_STARTTLS, CERT_GOOD, -ENOKEY, CONN_STEP_TLS,
	  "behind the answer to STARTTLS, ahead of TLS; someone may be" },
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
		peer_start(&p, row->transcript, row->security, row->cert);
		if (strstr(row->transcript, "+OK") != NULL)
			p.config.protocol = CONN_POP3;
		assert_int_equal(peer_open(&p), row->err);
		assert_null(p.conn);
		assert_int_equal(p.report.failed, row->step);
		peer_assert_mentions(p.report.text, row->words);
		server_assert_untold(p.server, CANARY);
		peer_finish(&p);
	}
}

static void a_server_without_tls_is_not_told_the_password(void **state)
{
	struct peer p;
	peer_start(&p, "S: * OK hello\n!stall\n", CONN_PLAIN, CERT_GOOD);
	p.config.security = CONN_TLS;
	assert_int_equal(peer_open(&p), -ENOKEY);
	assert_int_equal(p.report.failed, CONN_STEP_TLS);
	peer_assert_mentions(p.report.text, "no TLS on this port? imap:// and");
	server_assert_untold(p.server, CANARY);
	peer_finish(&p);
}

static void an_unknown_ca_is_refused(void **state)
{
	struct peer p;
	peer_start(&p, "!eof\n", CONN_TLS, CERT_GOOD);
	p.config.tls_ca = NULL;
	assert_int_equal(peer_open(&p), -ENOKEY);
	peer_assert_mentions(p.report.text, "tls-ca");
	server_assert_untold(p.server, CANARY);
	peer_finish(&p);
}

static void a_pin_lets_in_one_key(void **state)
{
	struct peer p;
	peer_start(&p, LOGIN_OK, CONN_TLS, CERT_GOOD);
	p.config.tls_pin = server_pin(p.server);
	assert_int_equal(peer_open(&p), 0);
	peer_finish(&p);

	peer_start(&p, "!stall\n", CONN_TLS, CERT_GOOD);
	p.config.tls_pin =
		"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	assert_int_equal(peer_open(&p), -ENOKEY);
	peer_assert_mentions(
		p.report.text,
		"not the one of tls-pin; someone may be listening in");
	server_assert_untold(p.server, CANARY);
	peer_finish(&p);
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
		peer_start(&p, script, CONN_TLS, CERT_GOOD);
		assert_int_equal(peer_open(&p), answers[i].err);
		assert_int_equal(p.report.failed, CONN_STEP_LOGIN);
		peer_assert_mentions(p.report.text, answers[i].words);
		peer_finish(&p);
	}
}

static void nobody_there_is_unreachable(void **state)
{
	struct peer p;
	peer_start(&p, "# nobody comes\n", CONN_TLS, CERT_GOOD);
	p.config.port = 1;
	assert_int_equal(peer_open(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_CONNECT);
	peer_assert_mentions(p.report.text, "localhost:1: ");
	p.config.host = "no such host";
	assert_int_equal(peer_open(&p), -EHOSTUNREACH);
	assert_int_equal(p.report.failed, CONN_STEP_RESOLVE);
	peer_finish(&p);
}

static void no_secret_no_connection(void **state)
{
	struct peer p;
	peer_start(&p, "# nobody comes\n", CONN_TLS, CERT_GOOD);
	p.config.secret_kind = CONN_SECRET_PASSWORD_COMMAND;
	p.config.secret = "exit 3";
	assert_int_equal(peer_open(&p), -ENOKEY);
	assert_int_equal(p.report.failed, CONN_STEP_SECRET);
	peer_assert_mentions(p.report.text, "failed with exit status 3");
	peer_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused_never_hears_the_password),
		cmocka_unit_test(a_server_without_tls_is_not_told_the_password),
		cmocka_unit_test(an_unknown_ca_is_refused),
		cmocka_unit_test(a_pin_lets_in_one_key),
		cmocka_unit_test(a_refused_login_carries_the_servers_words),
		cmocka_unit_test(nobody_there_is_unreachable),
		cmocka_unit_test(no_secret_no_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
