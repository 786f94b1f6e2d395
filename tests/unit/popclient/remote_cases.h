/*
 * What servers say, and what the client makes of it; played by test_remote.c.
 * The quirks of docs/protocols.md are here by name.
 */
#ifndef TESTS_UNIT_POPCLIENT_REMOTE_CASES_H
#define TESTS_UNIT_POPCLIENT_REMOTE_CASES_H

#define LOGIN \
	"S: +OK hello\n" \
	"C: CAPA\n" \
	"S: +OK\n" \
	"S: SASL PLAIN\n" \
	"S: .\n" \
	"C: AUTH PLAIN\n" \
	"S: + \n" \
	"C: AGJvYgBwdw==\n" \
	"S: +OK\n" \
	"C: CAPA\n" \
	"S: +OK\n"

#define FULL LOGIN "S: TOP\nS: UIDL\nS: PIPELINING\nS: .\n"

/* A server that has no CAPA is asked anew without SASL. */
#define BARE \
	"S: +OK hello\n" \
	"C: CAPA\n" \
	"S: -ERR\n" \
	"!stall\n" \
	"S: +OK hello\n" \
	"C: CAPA\n" \
	"S: -ERR\n" \
	"C: USER bob\n" \
	"S: +OK\n" \
	"C: PASS pw\n" \
	"S: +OK\n" \
	"C: CAPA\n" \
	"S: -ERR\n"

#define ONE \
	"C: UIDL\n" \
	"C: LIST\n" \
	"S: +OK\n" \
	"S: 1 a\n" \
	"S: .\n" \
	"S: +OK\n" \
	"S: 1 9\n" \
	"S: .\n"

/* The first and the third are alike. */
#define THREE \
	"C: UIDL\n" \
	"C: LIST\n" \
	"S: +OK\n" \
	"S: 1 a\n" \
	"S: 2 b\n" \
	"S: 3 a\n" \
	"S: .\n" \
	"S: +OK\n" \
	"S: 1 9\n" \
	"S: 2 4\n" \
	"S: 3 9\n" \
	"S: .\n"

#define TWO_HEADS \
	"S: +OK\n" \
	"S: Received: x; 14 Nov 2023 22:13:20 +0000\n" \
	"S: \n" \
	"S: .\n" \
	"S: +OK\n" \
	"S: Date: 14 Nov 2023 22:13:21 +0000\n" \
	"S: .\n"

#define LONG_UIDL \
	"0123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789"

/*
 * A connection, and calls on it: l list, p pull, f fetch, r remove, w an idle
 * while.
 */
static const struct {
	const char *name;
	const char *actions;
	const char *transcript;
	const char *expected;
} cases[] = {
	{ "copies have one UIDL (popa3d)", "lp",
	  FULL THREE "C: TOP 1 0\nC: TOP 2 0\nC: TOP 3 0\n" TWO_HEADS
	             "S: -ERR no such message\n",
	  "INBOX 0 3\n"
	  "message ua 1700000000 9\n"
	  "message ub 1700000001 4\n"
	  "message 2ua now 9\n"
	  "u 3 complete\n" },
	{ "what was told is not asked for again", "pp",
	  FULL ONE "C: TOP 1 0\nS: +OK\nS: .\n",
	  "message ua now 9\n"
	  "u 1 complete\n"
	  "present ua\n"
	  "u 1 complete\n" },
	{ "a message in the middle is new, another gone", "pwlp",
	  FULL ONE "C: TOP 1 0\nS: +OK\nS: .\n"
	           "C: QUIT\nS: +OK\n!eof\n" FULL THREE "C: TOP 2 0\n"
	           "C: TOP 3 0\n" TWO_HEADS,
	  "message ua now 9\n"
	  "u 1 complete\n"
	  "INBOX 0 3\n"
	  "present ua\n"
	  "message ub 1700000000 4\n"
	  "message 2ua 1700000001 9\n"
	  "u 3 complete\n" },
	{ "no CAPA: one command at a time", "f",
	  BARE "C: UIDL\nS: +OK\nS: 1 a\nS: 2 b\nS: .\n"
	       "C: LIST\nS: +OK\nS: 1 9\nS: 2 4\nS: .\n"
	       "C: RETR 2\nS: +OK\nS: b\nS: .\n"
	       "C: RETR 1\nS: +OK\nS: ..\nS: .\n",
	  "ub ok 2 3 [b\n]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ESTALE 0 0 []\n"
	  "ua ok 2 3 [.\n]\n" },
	{ "no UIDL: heads tell messages apart", "p",
	  BARE "C: UIDL\nS: -ERR\n"
	       "C: LIST\nS: +OK\nS: 1 9\nS: 2 4\nS: .\n"
	       "C: TOP 1 0\nS: +OK\nS: Date: 14 Nov 2023 22:13:20 +0000\nS: .\n"
	       "C: TOP 2 0\nS: -ERR\n"
	       "C: RETR 2\nS: +OK\nS: Date: 14 Nov 2023 22:13:21 +0000\n"
	       "S: \nS: body\nS: .\n",
	  "message d882962be95f 1700000000 9\n"
	  "message d5c1e1a699f4 1700000001 4\n"
	  "d 2 complete\n" },
	{ "no UIDL for an empty drop (Plan 9)", "lp",
	  BARE "C: UIDL\nS: -ERR\nC: LIST\nS: +OK\nS: .\n",
	  "INBOX 0 0\n"
	  "u 0 complete\n" },
	{ "UIDL that is offered and refused makes no other keys", "p",
	  FULL "C: UIDL\nC: LIST\nS: -ERR sorry\nS: +OK\nS: 1 9\nS: .\n",
	  "connect: EPROTO\n" },
	{ "UIDL that is refused for now", "p",
	  FULL "C: UIDL\nC: LIST\nS: -ERR [SYS/TEMP] sorry\n"
	       "S: +OK\nS: 1 9\nS: .\n",
	  "connect: EHOSTUNREACH\n" },
	{ "UIDL too long, of odd bytes, missing", "p",
	  FULL "C: UIDL\nC: LIST\n"
	       "S: +OK\nS: 9 z\nS: 1 " LONG_UIDL
	       "\nS: 2 a b\nS: 3\nS: 9 y\nS: .\n"
	       "S: +OK\nS: 2 1\nS: 1 1\nS: 3 x\nS: 1 1\nS: nonsense\nS: .\n"
	       "C: TOP 3 0\nS: +OK\nS: Subject: x\nS: .\n"
	       "C: TOP 1 0\nC: TOP 2 0\nC: TOP 9 0\n" TWO_HEADS "S: -ERR\n",
	  "message haf1909413b9 1700000000 1\n"
	  "message hc8687a08aa5 1700000001 1\n"
	  "message d7f4b298b201 now 0\n"
	  "message uz now 0\n"
	  "u 4 complete\n" },
	{ "a size that is wrong (Exchange, Courier, Mailutils)", "f",
	  FULL THREE "C: RETR 2\nC: RETR 3\nC: RETR 1\n"
	             "S: +OK\nS: longer than 4\nS: .\n"
	             "S: -ERR gone\n"
	             "S: +OK\nS: .\n",
	  "ub ok 14 15 [longer than 4\n]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua EIO 0 0 []\n"
	  "ua ok 0 0 []\n" },
	{ "the last line end is missing (Exchange)", "f",
	  LOGIN "S: UIDL\nS: .\n"
	        "C: UIDL\nS: +OK\nS: 1 b\nS: .\n"
	        "C: LIST\nS: +OK\nS: 1 7\nS: .\n"
	        "C: RETR 1\n"
	        "S: +OK\n"
	        "S: b.\n"
	        "S: end.\n",
	  "ub ok 6 7 [b.\nend]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ESTALE 0 0 []\n"
	  "ua ESTALE 0 0 []\n" },
	{ "an answer that is none ends the session", "f",
	  FULL THREE "C: RETR 2\nC: RETR 3\nC: RETR 1\nS: * OK\n",
	  "fetch: EPROTO\n" },
	{ "SYS/TEMP ends the session", "f",
	  FULL THREE "C: RETR 2\nC: RETR 3\nC: RETR 1\n"
	             "S: -ERR [SYS/TEMP] disk\n",
	  "fetch: EHOSTUNREACH\n" },
	{ "removed when QUIT says so", "r",
	  FULL THREE "C: DELE 2\nC: DELE 3\nC: DELE 1\n"
	             "S: +OK\nS: -ERR not this\nS: +OK\n"
	             "C: QUIT\nS: +OK\n!eof\n",
	  "ub done\n"
	  "uz done\n"
	  "2ua refused not this\n"
	  "ua done\n" },
	{ "not removed as QUIT says", "r",
	  FULL THREE "C: DELE 2\nC: DELE 3\nC: DELE 1\n"
	             "S: +OK\nS: +OK\nS: +OK\n"
	             "C: QUIT\nS: -ERR some deleted messages not removed\n"
	             "!eof\n",
	  "ub unknown\n"
	  "uz done\n"
	  "2ua unknown\n"
	  "ua unknown\n"
	  "remove: EPROTO\n" },
	{ "cut before QUIT was answered", "r",
	  FULL THREE "C: DELE 2\nC: DELE 3\nC: DELE 1\n"
	             "S: +OK\nS: +OK\nS: +OK\n"
	             "C: QUIT\n!close\n",
	  "ub unknown\n"
	  "uz done\n"
	  "2ua unknown\n"
	  "ua unknown\n"
	  "remove: EHOSTUNREACH\n" },
	{ "heads come by TOP", "hf",
	  FULL THREE "C: TOP 2 0\nC: TOP 3 0\nC: TOP 1 0\n"
	             "S: +OK\nS: B: 2\nS: \nS: .\n"
	             "S: +OK\nS: .\n"
	             "S: -ERR no\n"
	             "C: RETR 2\nC: RETR 3\nC: RETR 1\n"
	             "S: +OK\nS: b\nS: .\n"
	             "S: +OK\nS: c\nS: .\n"
	             "S: +OK\nS: a\nS: .\n",
	  "ub ok 6 8 [B: 2\n\n]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ok 0 0 []\n"
	  "ua EIO 0 0 []\n"
	  "ub ok 2 3 [b\n]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ok 2 3 [c\n]\n"
	  "ua ok 2 3 [a\n]\n" },
	{ "heads are bodies where there is no TOP", "h",
	  LOGIN "S: UIDL\nS: PIPELINING\nS: .\n" ONE
	        "C: RETR 1\nS: +OK\nS: A: 1\nS: \nS: x\nS: .\n",
	  "ub ESTALE 0 0 []\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ESTALE 0 0 []\n"
	  "ua ok 8 11 [A: 1\n\nx\n]\n" },
	{ "no CAPA and no TOP", "h",
	  BARE "C: UIDL\nS: +OK\nS: 1 a\nS: .\n"
	       "C: LIST\nS: +OK\nS: 1 9\nS: .\n"
	       "C: TOP 1 0\nS: -ERR what\n"
	       "C: RETR 1\nS: +OK\nS: A: 1\nS: .\n",
	  "ub ESTALE 0 0 []\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ESTALE 0 0 []\n"
	  "ua ok 5 6 [A: 1\n]\n" },
	{ "a session is ended when idle, and the next one made", "wf",
	  FULL THREE "C: QUIT\nS: +OK\n!eof\n" FULL "C: UIDL\nC: LIST\n"
	             "S: +OK\nS: 1 b\nS: .\nS: +OK\nS: 1 3\nS: .\n"
	             "C: RETR 1\nS: +OK\nS: b\nS: .\n",
	  "ub ok 2 3 [b\n]\n"
	  "uz ESTALE 0 0 []\n"
	  "2ua ESTALE 0 0 []\n"
	  "ua ESTALE 0 0 []\n" },
};

#endif
