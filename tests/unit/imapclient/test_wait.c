/*
 * Waiting for news against transcripts: what came out is written down as text.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/imapclient.h"
#include "tests/fake/server.h"
#include "tests/unit/imapclient/greetings.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/strbuf.h"

#define IDLING SERVER(" IDLE")

#define INBOX_OPENED \
	"C: A5 SELECT \"INBOX\"\n" \
	"S: * 3 EXISTS\n" \
	"S: * OK [UIDVALIDITY 9]\n" \
	"S: * OK [UIDNEXT 4]\n" \
	"S: A5 OK\n"

#define NOTIFYING \
	LOGIN \
	"S: * CAPABILITY IMAP4rev1 ENABLE CONDSTORE LIST-EXTENDED " \
	"LIST-STATUS LITERAL+ IDLE NOTIFY\n" \
	"S: A3 OK\n" \
	"C: A4 ENABLE CONDSTORE\n" \
	"S: * ENABLED CONDSTORE\n" \
	"S: A4 OK\n" \
	"C: A5 LIST \"\" \"\"\n" \
	"S: * LIST (\\Noselect) \"/\" \"\"\n" \
	"S: A5 OK\n" \
	"C: A6 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS " \
	"(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))\n" \
	"S: * LIST () \"/\" INBOX\n" \
	"S: * STATUS INBOX " STATE(3) "\n" \
				      "S: * LIST () \"/\" Work\n" \
				      "S: * STATUS Work " STATE( \
					      7) "\n" \
						 "S: A6 OK\n" \
						 "C: A7 SELECT \"INBOX\"\n" \
						 "S: * 3 EXISTS\n" \
						 "S: * OK [UIDVALIDITY 9]\n" \
						 "S: A7 OK\n"

#define STATE(modseq) \
	"(MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 HIGHESTMODSEQ " #modseq ")"

#define NOTIFY(tag) \
	"C: " tag " NOTIFY SET STATUS (selected (MessageNew MessageExpunge " \
	"FlagChange)) (personal (MessageNew MessageExpunge FlagChange " \
	"MailboxName SubscriptionChange))\n"

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

/* l: list, w: wait for a minute at most, s: be woken before the wait, c: check */
static const struct wait_case {
	const char *name, *actions, *transcript, *expected;
} cases[] = {
	{ "what changed while another folder was open", "w",
	  IDLING INBOX_OPENED BYE, "INBOX\n" },
	{ "IDLE tells of an arrival", "ww",
	  IDLING INBOX_OPENED "C: A6 IDLE\n"
	                      "S: + idling\n"
	                      "S: * 4 EXISTS\n"
	                      "C| DONE\\r\\n\n"
	                      "S: A6 OK\n" BYE,
	  "INBOX\nINBOX\n" },
	{ "IDLE tells of flags, and not of what is as it was", "ww",
	  IDLING INBOX_OPENED "C: A6 IDLE\n"
	                      "S: + idling\n"
	                      "S: * OK Still here\n"
	                      "S: * 3 EXISTS\n"
	                      "S: * 1 FETCH (FLAGS (\\Seen))\n"
	                      "C| DONE\\r\\n\n"
	                      "S: A6 OK\n" BYE,
	  "INBOX\nINBOX\n" },
	{ "what comes behind DONE is news for the next wait", "www",
	  IDLING INBOX_OPENED "C: A6 IDLE\n"
	                      "S: + idling\n"
	                      "S: * 1 EXPUNGE\n"
	                      "C| DONE\\r\\n\n"
	                      "S: * 3 EXISTS\n"
	                      "S: A6 OK\n" BYE,
	  "INBOX\nINBOX\nINBOX\n" },
	{ "one that is woken sends nothing", "s", IDLING BYE, "nothing\n" },
	{ "IDLE that is refused is not asked for again", "www",
	  IDLING INBOX_OPENED "C: A6 IDLE\n"
	                      "S: A6 NO\n"
	                      "S: * 4 EXISTS\n"
	                      "S: * 5 EXISTS\n" BYE,
	  "INBOX\nINBOX\nINBOX\n" },
	{ "NOTIFY names the mailbox, what is as it was has no news", "lwww",
	  NOTIFYING NOTIFY(
		  "A8") "C: A9 IDLE\n"
	                "S: * STATUS Work " STATE(
				7) "\n"
	                           "S: A8 OK\n"
	                           "S: + idling\n"
	                           "S: * LIST () \"/\" Work\n"
	                           "S: * STATUS Work (HIGHESTMODSEQ 8)\n"
	                           "C| DONE\\r\\n\n"
	                           "S: A9 OK\n" NOTIFY(
					   "A10") "C: A11 IDLE\n"
	                                          "S: * STATUS Work " STATE(
							  8) "\n"
	                                                     "S: A10 OK\n"
	                                                     "S: + idling\n"
	                                                     "S: * LIST (\\NonExistent) \"/\" Work\n"
	                                                     "C| DONE\\r\\n\n"
	                                                     "S: A11 OK\n" BYE,
	  "INBOX\nWork\nall\n" },
	{ "a check is answered, and its news kept", "wcw",
	  IDLING INBOX_OPENED "C: A6 NOOP\n"
	                      "S: * 4 EXISTS\n"
	                      "S: A6 OK\n" BYE,
	  "INBOX\nthere\nINBOX\n" },
	{ "a check of a connection that was lost", "wc",
	  IDLING INBOX_OPENED "C: A6 NOOP\n"
	                      "!close\n",
	  "INBOX\nEHOSTUNREACH\n" },
	{ "the server ends an IDLE", "ww",
	  IDLING INBOX_OPENED "C: A6 IDLE\n"
	                      "S: + idling\n"
	                      "S: * BYE Autologout\n" BYE,
	  "INBOX\nEHOSTUNREACH\n" },
};

static void write_wait(struct remote *r, struct strbuf *out)
{
	const char *folder;
	int n = remote_wait(r, deadline_in(60 * 1000), &folder);
	if (n < 0)
		strbuf_printf(out, "%s\n", strerrorname_np(-n));
	else if (n == 0)
		strbuf_puts(out, "nothing\n");
	else
		strbuf_printf(out, "%s\n", folder == NULL ? "all" : folder);
}

static void act(struct remote *r, const char *actions, struct strbuf *out)
{
	struct remote_folder folder;
	for (; *actions != '\0'; actions++) {
		if (*actions == 'l') {
			assert_int_equal(remote_list(r), 0);
			while (remote_list_next(r, &folder) == 1)
				;
			continue;
		}
		if (*actions == 'c') {
			int err = remote_check(r);
			strbuf_printf(out, "%s\n",
			              err < 0 ? strerrorname_np(-err)
			                      : "there");
			continue;
		}
		if (*actions == 's')
			remote_wake(r);
		write_wait(r, out);
	}
}

static void play(const struct wait_case *c, bool is_split)
{
	struct imap_config config = defaults;
	auto_strbuf struct strbuf text = { 0 }, out = { 0 };
	struct remote *r;
	strbuf_printf(&text, "!split %d\n%s", is_split, c->transcript);
	struct server *server = server_start(strbuf_text(&text), NULL);
	config.conn.port = server_port(server);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	assert_int_equal(remote_connect(r), 0);
	act(r, c->actions, &out);
	remote_free(r);
	server_finish(server);
	if (strcmp(strbuf_text(&out), c->expected) != 0)
		fail_msg("%s%s:\n%snot\n%s", c->name, is_split ? ", split" : "",
		         strbuf_text(&out), c->expected);
}

static void transcripts_give_what_they_say(void **state)
{
	for (size_t i = 0; i < 2 * COUNT_OF(cases); i++)
		play(&cases[i / 2], i % 2 != 0);
}

/* Exchange says for how long; nothing is sent until that is over. */
static void who_is_throttled_stays_away(void **state)
{
	struct imap_config config = defaults;
	struct remote *r;
	struct server *server =
		server_start(PLAIN
	                     "C: A5 LIST \"\" \"*\"\n"
	                     "S: A5 BAD Request is throttled. Suggested Backoff "
	                     "Time: 92415 milliseconds\n" BYE "!eof\n"
	                     "S: * PREAUTH hello again\n"
	                     "C: A11 CAPABILITY\n"
	                     "S: * CAPABILITY IMAP4rev1\n"
	                     "S: A11 OK\n"
	                     "C: A12 CAPABILITY\n"
	                     "S: * CAPABILITY IMAP4rev1\n"
	                     "S: A12 OK\n"
	                     "C: A13 LIST \"\" \"\"\n"
	                     "S: * LIST (\\Noselect) \"/\" \"\"\n"
	                     "S: A13 OK\n" BYE,
	                     NULL);
	config.conn.port = server_port(server);
	assert_int_equal(imap_remote_new(&config, &r), 0);
	assert_int_equal(remote_connect(r), 0);
	assert_int_equal(remote_list(r), -EPROTO);
	assert_int_equal(remote_connect(r), -EHOSTUNREACH);
	assert_string_equal(r->failure,
	                    "the server is throttling us: 93 s to go");
	clock_advance_ms(92000);
	assert_int_equal(remote_connect(r), -EHOSTUNREACH);
	clock_advance_ms(1000);
	assert_int_equal(remote_connect(r), 0);
	remote_free(r);
	server_finish(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_give_what_they_say),
		cmocka_unit_test(who_is_throttled_stays_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
