#include "tests/unit/net/peer.h"

#include <errno.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/mem.h"

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
	  "!eof\n" OFFER_AGAIN("AUTH=CRAM-MD5 AUTH=PLAIN") PLAIN_OK,
	  CONN_IMAP, CONN_TLS, NULL, 0, "", true },
	{ "PLAIN refused as well is the end",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!eof\n" OFFER_AGAIN(
		  "AUTH=CRAM-MD5 AUTH=PLAIN") "C: A4 AUTHENTICATE PLAIN\nS: +\nC: *\nS: A4 NO wrong\n!eof\n",
	  CONN_IMAP, CONN_TLS, NULL, -EKEYREJECTED, "wrong", true },
	{ "CRAM-MD5 refused without TLS",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!eof\n", CONN_IMAP,
	  CONN_PLAIN, NULL, -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused and nothing else offered",
	  OFFER("AUTH=CRAM-MD5") CRAM_REFUSED "!eof\n", CONN_IMAP, CONN_TLS,
	  NULL, -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused where the user names it",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") CRAM_REFUSED "!eof\n", CONN_IMAP,
	  CONN_TLS, "CRAM-MD5", -EKEYREJECTED, "hashes only", false },
	{ "CRAM-MD5 refused for now",
	  OFFER("AUTH=CRAM-MD5 AUTH=PLAIN") "C: A2 AUTHENTICATE CRAM-MD5\n"
	                                    "S: A2 NO [UNAVAILABLE] later\n!eof\n",
	  CONN_IMAP, CONN_TLS, NULL, -EHOSTUNREACH, "later", false },
	{ "PLAIN refused is refused",
	  OFFER("AUTH=PLAIN SASL-IR") "C: A2 AUTHENTICATE PLAIN *\nS: A2 NO wrong\n!eof\n",
	  CONN_IMAP, CONN_TLS, NULL, -EKEYREJECTED, "wrong", true },
	{ "the LOGIN command where there is no SASL",
	  OFFER("ID") "!eof\n" OFFER_AGAIN("ID") "C: A4 LOGIN bob " CANARY
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
	                                      "\nC: *\nS: -ERR no\n!eof\n" POP_OFFER(
						      "S: SASL CRAM-MD5 PLAIN\n") "C: AUTH PLAIN\nS: + \nC: *\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: USER and PASS where there is no SASL",
	  POP_OFFER("S: USER\n") "!eof\n" POP_OFFER(
		  "S: USER\n") "C: USER bob\nS: +OK\nC: PASS " CANARY
	                       "\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: no APOP that nobody asked for",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: +OK\n",
	  CONN_POP3, CONN_TLS, NULL, 0, "", true },
	{ "POP3: APOP where it is asked for",
	  APOP_OFFER "C: APOP bob *\nS: +OK\n", CONN_POP3, CONN_TLS, "APOP", 0,
	  "", false },
	{ "POP3: APOP that is not offered", POP_OFFER("S: USER\n") "!eof\n",
	  CONN_POP3, CONN_TLS, "APOP", -EKEYREJECTED,
	  "does not offer APOP; leave auth out", false },
	{ "POP3: PASS refused",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR [AUTH] wrong\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EKEYREJECTED, "[AUTH] wrong", true },
	{ "POP3: somebody else is in the drop",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR [IN-USE] locked\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EHOSTUNREACH, "[IN-USE] locked", true },
	{ "POP3: a locked drop, told without a code",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR unable to lock maildrop\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EHOSTUNREACH, "unable to lock maildrop",
	  true },
	{ "POP3: the same, otherwise",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR Mailbox is in use by another session\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EHOSTUNREACH,
	  "Mailbox is in use by another session", true },
	{ "POP3: a locked account",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR Mailbox locked after failed attempts\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EKEYREJECTED,
	  "Mailbox locked after failed attempts", true },
	{ "POP3: too soon",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\nS: +OK\nC: PASS " CANARY
	             "\nS: -ERR [LOGIN-DELAY] wait\n!eof\n",
	  CONN_POP3, CONN_TLS, NULL, -EHOSTUNREACH, "[LOGIN-DELAY] wait",
	  true },
	{ "POP3: gone before PASS",
	  APOP_OFFER "!eof\n" APOP_OFFER "C: USER bob\n!close\n", CONN_POP3,
	  CONN_TLS, NULL, -EHOSTUNREACH, "lost during the login", false },
};

static void a_password_is_used_in_the_safest_way_that_works(void **state)
{
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		const struct way *row = &ways[i];
		struct peer p;
		print_message("%s\n", row->name);
		peer_start(&p, row->transcript, row->security, CERT_GOOD);
		p.config.protocol = row->protocol;
		p.config.auth = row->auth;
		/* A domain in it would make libcurl choose GSSAPI. */
		p.config.user = "bob@example.org";
		if (strstr(row->transcript, " bob ") != NULL ||
		    strstr(row->transcript, " bob\n") != NULL ||
		    strstr(row->transcript, " Ym9i\n") != NULL)
			p.config.user = "bob";
		assert_int_equal(peer_open(&p), row->err);
		peer_assert_mentions(p.report.text, row->words);
		conn_close(take(p.conn));
		if (!row->is_told)
			server_assert_untold(p.server, CANARY);
		peer_finish(&p);
	}
}

/* ---- Without a password ---- */

/* RFC 7628 4.1, up to the port. */
#define BEARER "bixhPWJvYiwBaG9zdD1sb2NhbGhvc3QBcG9y*"
/* {"status":"401"}: the reason comes as a challenge (RFC 7628 3.2.2). */
#define REASON "eyJzdGF0dXMiOiI0MDEifQ=="

static const struct {
	const char *name;
	const char *transcript;
	const char *token_command; /* NULL: a certificate is all we have */
	int err;
	const char *words;
	enum conn_protocol protocol;
} others[] = {
	{ "XOAUTH2",
	  OFFER("AUTH=PLAIN AUTH=XOAUTH2 SASL-IR") "C: A2 AUTHENTICATE XOAUTH2 dXNlcj1ib2IBYXV0aD1CZWFyZXIgdDBrM24BAQ==\n"
	                                           "S: A2 OK welcome\n",
	  "echo t0k3n", 0, "" },
	{ "OAUTHBEARER before XOAUTH2",
	  OFFER("AUTH=XOAUTH2 AUTH=OAUTHBEARER SASL-IR") "C: A2 AUTHENTICATE OAUTHBEARER " BEARER
	                                                 "\nS: A2 OK welcome\n",
	  "echo t0k3n", 0, "" },
	{ "OAUTHBEARER refused",
	  OFFER("AUTH=OAUTHBEARER SASL-IR") "C: A2 AUTHENTICATE OAUTHBEARER " BEARER
	                                    "\nS: + " REASON "\nC: AQ==\n"
	                                    "S: A2 NO expired\n!eof\n",
	  "echo t0k3n", -EKEYREJECTED, "login refused: expired" },
	{ "XOAUTH2 refused",
	  OFFER("AUTH=XOAUTH2 SASL-IR") "C: A2 AUTHENTICATE XOAUTH2 *\nS: A2 NO expired\n!eof\n",
	  "echo t0k3n", -EKEYREJECTED, "login refused: expired" },
	{ "XOAUTH2 refused with a reason",
	  OFFER("AUTH=XOAUTH2 SASL-IR") "C: A2 AUTHENTICATE XOAUTH2 *\nS: + " REASON
	                                "\n!eof\n",
	  "echo t0k3n", -EKEYREJECTED, "login refused" },
	{ "no way to use a token", OFFER("AUTH=PLAIN") "!eof\n", "echo t0k3n",
	  -EKEYREJECTED, "OAUTHBEARER or XOAUTH2, which token-command needs" },
	{ "POP3: XOAUTH2",
	  POP_OFFER(
		  "S: SASL PLAIN XOAUTH2\n") "C: AUTH XOAUTH2\nS: + \n"
	                                     "C: dXNlcj1ib2IBYXV0aD1CZWFyZXIgdDBrM24BAQ==\n"
	                                     "S: +OK welcome\n",
	  "echo t0k3n", 0, "", CONN_POP3 },
	{ "POP3: OAUTHBEARER refused",
	  POP_OFFER(
		  "S: SASL OAUTHBEARER XOAUTH2\n") "C: AUTH OAUTHBEARER\nS: + \n"
	                                           "C: " BEARER "\nS: + " REASON
	                                           "\nC: AQ==\n"
	                                           "S: -ERR [AUTH] expired\n!eof\n",
	  "echo t0k3n", -EKEYREJECTED, "expired", CONN_POP3 },
	{ "EXTERNAL",
	  OFFER("AUTH=PLAIN AUTH=EXTERNAL SASL-IR") "C: A2 AUTHENTICATE EXTERNAL Ym9i\nS: A2 OK welcome\n",
	  NULL, 0, "" },
	{ "EXTERNAL refused",
	  OFFER("AUTH=EXTERNAL") "C: A2 AUTHENTICATE EXTERNAL\nS: +\nC: Ym9i\nS: A2 NO who\n!eof\n",
	  NULL, -EKEYREJECTED, "login refused: who" },
	{ "no way to use a certificate", OFFER("AUTH=PLAIN") "!eof\n", NULL,
	  -EKEYREJECTED, "EXTERNAL, which a tls-cert without a password" },
};

static void a_token_or_a_certificate_is_used_as_what_it_is(void **state)
{
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct peer p;
		print_message("%s\n", others[i].name);
		peer_start(&p, others[i].transcript, CONN_TLS, CERT_GOOD);
		p.config.protocol = others[i].protocol;
		p.config.secret = others[i].token_command;
		p.config.secret_kind = p.config.secret != NULL
		                               ? CONN_SECRET_TOKEN_COMMAND
		                               : CONN_SECRET_NONE;
		assert_int_equal(peer_open(&p), others[i].err);
		peer_assert_mentions(p.report.text, others[i].words);
		assert_null(strstr(p.report.text, "t0k3n"));
		peer_finish(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_password_is_used_in_the_safest_way_that_works),
		cmocka_unit_test(
			a_token_or_a_certificate_is_used_as_what_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
