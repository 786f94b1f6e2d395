/*
 * What servers say, and what the client makes of it; played by test_remote.c.
 * The quirks of docs/protocols.md are here by name.
 */
#ifndef TESTS_UNIT_IMAPCLIENT_REMOTE_CASES_H
#define TESTS_UNIT_IMAPCLIENT_REMOTE_CASES_H

#include "tests/unit/imapclient/greetings.h"

#define QRESYNC \
	LOGIN \
	"S: * CAPABILITY IMAP4rev1 ENABLE CONDSTORE QRESYNC NAMESPACE ID " \
	"LIST-EXTENDED LIST-STATUS SPECIAL-USE ESEARCH LITERAL+ OBJECTID\n" \
	"S: A3 OK\n" \
	"C: A4 ID (\"name\" \"mailmount\" \"version\" \"1.0\")\n" \
	"S: * ID NIL\n" \
	"S: A4 OK\n" \
	"C: A5 NAMESPACE\n" \
	"S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n" \
	"S: A5 OK\n" \
	"C: A6 ENABLE QRESYNC\n" \
	"S: * ENABLED QRESYNC\n" \
	"S: A6 OK\n"

/* Twenty-nine windows of an audit, with one message in the first. */
#define FIRST_WINDOWS \
	"C: A9 UID SEARCH RETURN (ALL) UID 1:100000\n" \
	"S: * ESEARCH (TAG \"x\") UID ALL 7\n" \
	"S: A9 OK\n" \
	"C: A10 UID SEARCH RETURN (ALL) UID 100001:200000\n" \
	"S: A10 OK\n" \
	"C: A11 UID SEARCH RETURN (ALL) UID 200001:300000\n" \
	"S: A11 OK\n" \
	"C: A12 UID SEARCH RETURN (ALL) UID 300001:400000\n" \
	"S: A12 OK\n" \
	"C: A13 UID SEARCH RETURN (ALL) UID 400001:500000\n" \
	"S: A13 OK\n" \
	"C: A14 UID SEARCH RETURN (ALL) UID 500001:600000\n" \
	"S: A14 OK\n" \
	"C: A15 UID SEARCH RETURN (ALL) UID 600001:700000\n" \
	"S: A15 OK\n" \
	"C: A16 UID SEARCH RETURN (ALL) UID 700001:800000\n" \
	"S: A16 OK\n" \
	"C: A17 UID SEARCH RETURN (ALL) UID 800001:900000\n" \
	"S: A17 OK\n" \
	"C: A18 UID SEARCH RETURN (ALL) UID 900001:1000000\n" \
	"S: A18 OK\n" \
	"C: A19 UID SEARCH RETURN (ALL) UID 1000001:1100000\n" \
	"S: A19 OK\n" \
	"C: A20 UID SEARCH RETURN (ALL) UID 1100001:1200000\n" \
	"S: A20 OK\n" \
	"C: A21 UID SEARCH RETURN (ALL) UID 1200001:1300000\n" \
	"S: A21 OK\n" \
	"C: A22 UID SEARCH RETURN (ALL) UID 1300001:1400000\n" \
	"S: A22 OK\n" \
	"C: A23 UID SEARCH RETURN (ALL) UID 1400001:1500000\n" \
	"S: A23 OK\n" \
	"C: A24 UID SEARCH RETURN (ALL) UID 1500001:1600000\n" \
	"S: A24 OK\n" \
	"C: A25 UID SEARCH RETURN (ALL) UID 1600001:1700000\n" \
	"S: A25 OK\n" \
	"C: A26 UID SEARCH RETURN (ALL) UID 1700001:1800000\n" \
	"S: A26 OK\n" \
	"C: A27 UID SEARCH RETURN (ALL) UID 1800001:1900000\n" \
	"S: A27 OK\n" \
	"C: A28 UID SEARCH RETURN (ALL) UID 1900001:2000000\n" \
	"S: A28 OK\n" \
	"C: A29 UID SEARCH RETURN (ALL) UID 2000001:2100000\n" \
	"S: A29 OK\n" \
	"C: A30 UID SEARCH RETURN (ALL) UID 2100001:2200000\n" \
	"S: A30 OK\n" \
	"C: A31 UID SEARCH RETURN (ALL) UID 2200001:2300000\n" \
	"S: A31 OK\n" \
	"C: A32 UID SEARCH RETURN (ALL) UID 2300001:2400000\n" \
	"S: A32 OK\n" \
	"C: A33 UID SEARCH RETURN (ALL) UID 2400001:2500000\n" \
	"S: A33 OK\n" \
	"C: A34 UID SEARCH RETURN (ALL) UID 2500001:2600000\n" \
	"S: A34 OK\n" \
	"C: A35 UID SEARCH RETURN (ALL) UID 2600001:2700000\n" \
	"S: A35 OK\n" \
	"C: A36 UID SEARCH RETURN (ALL) UID 2700001:2800000\n" \
	"S: A36 OK\n" \
	"C: A37 UID SEARCH RETURN (ALL) UID 2800001:2900000\n" \
	"S: A37 OK\n"

enum action { LIST, PULL, FETCH };

/* A connection, one call, and what came of it. */
static const struct {
	const char *name;
	enum action action;
	const char *cursor; /* PULL */
	const char *disable;
	const char *transcript;
	const char *expected;
} cases[] = {
	{ "list with status in one go", LIST, "", "",
	  QRESYNC
	  "C: A7 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))\n"
	  "S: * LIST (\\Subscribed) \"/\" inbox\n"
	  "S: * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 9 MAILBOXID (F2212-ea87) HIGHESTMODSEQ 12)\n"
	  "S: * LIST (\\Sent) \"/\" {4}\n"
	  "S: Se/x\n"
	  "S: * STATUS {4}\n"
	  "S: Se/x (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 8 HIGHESTMODSEQ 0)\n"
	  "S: * 5 EXISTS\n"
	  "S: * LIST (\\NonExistent) \"/\" \"..\"\n"
	  "S: * LIST () \"/\" \"../evil\"\n"
	  "S: * LIST () \"/\" \"../evil\"\n"
	  "S: * NO [UNAVAILABLE] a word\n"
	  "S: A7 OK done\n"
	  "C: A8 STATUS \"../evil\" (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID)\n"
	  "S: * STATUS \"../evil\" (MESSAGES 7)\n"
	  "S: A8 OK\n" BYE,
	  ".. 1 -1 \n"
	  "../evil 0 7 \n"
	  "INBOX 2 3 9:4:3:12 F2212-ea87\n"
	  "Se/x 40 0 \n" },
	{ "Cyrus is not asked for MAILBOXID", LIST, "", "",
	  LOGIN
	  "S: * CAPABILITY IMAP4rev1 ID LIST-EXTENDED LIST-STATUS LITERAL+ OBJECTID\n"
	  "S: A3 OK\n"
	  "C: A4 ID (\"name\" \"mailmount\" \"version\" \"1.0\")\n"
	  "S: * ID (\"name\" \"Cyrus IMAP\" \"version\" \"3.6.1\")\n"
	  "S: A4 OK\n"
	  "C: A5 LIST \"\" \"\"\n"
	  "S: * LIST (\\Noselect) \"/\" \"\"\n"
	  "S: A5 OK\n"
	  "C: A6 LIST \"\" \"*\" RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY))\n"
	  "S: * LIST () \"/\" INBOX\n"
	  "S: * STATUS INBOX (MESSAGES 3)\n"
	  "S: A6 OK done\n" BYE,
	  "INBOX 0 3 \n" },
	{ "a MAILBOXID that is none spoils all", LIST, "", "",
	  QRESYNC
	  "C: A7 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))\n"
	  "S: * LIST () \"/\" INBOX\n"
	  "S| * STATUS INBOX (MESSAGES 3 MAILBOXID (c@\\xe4g\\x98U))\\r\\n\n"
	  "S: * LIST () \"/\" b\n"
	  "S: * STATUS b (MESSAGES 0 MAILBOXID (F1))\n"
	  "S: A7 OK done\n" BYE,
	  "INBOX 0 3 \n"
	  "b 0 0 \n" },
	{ "two of one MAILBOXID have none", LIST, "", "",
	  QRESYNC
	  "C: A7 LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ MAILBOXID))\n"
	  "S: * LIST () \"/\" a\n"
	  "S: * STATUS a (MESSAGES 3 MAILBOXID (F1))\n"
	  "S: * LIST () \"/\" b\n"
	  "S: * STATUS b (MESSAGES 0 MAILBOXID (F1))\n"
	  "S: A7 OK done\n" BYE,
	  "a 0 3 \n"
	  "b 0 0 \n" },
	{ "list without extensions", LIST, "", "",
	  PLAIN "C: A5 LIST \"\" \"*\"\n"
	        "S: * LIST () \"/\" \"INBOX\"\n"
	        "S: * LIST (\\Noselect) \"/\" \"dir\"\n"
	        "S: * LIST (\\HasNoChildren) \"/\" R&AOk-\n"
	        "S: A5 OK\n"
	        "C: A6 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)\n"
	        "C: A7 STATUS \"R&AOk-\" (MESSAGES UIDNEXT UIDVALIDITY)\n"
	        "S: * STATUS \"INBOX\" (MESSAGES 2 UIDNEXT 5 UIDVALIDITY 1 ) \n"
	        "S: A6 OK\n"
	        "S: A7 NO [NOPERM] not yours\n" BYE,
	  "INBOX 0 2 \n"
	  "R\xc3\xa9 0 -1 \n"
	  "dir 1 -1 \n" },
	{ "eight bits go as a literal that is asked for", LIST, "", "",
	  PLAIN "C: A5 LIST \"\" \"*\"\n"
	        "S| * LIST () \"/\" {1}\\r\\n\\xe9\\r\\n\n"
	        "S: A5 OK\n"
	        "C: A6 STATUS {1}\n"
	        "S: * OK wait\n"
	        "S: + \n"
	        "C| \\xe9 (MESSAGES UIDNEXT UIDVALIDITY)\\r\\n\n"
	        "S: A6 OK\n" BYE,
	  "%E9 0 -1 \n" },
	{ "other namespaces are listed where the star forgot them", LIST, "",
	  "",
	  LOGIN
	  "S: * CAPABILITY IMAP4rev1 NAMESPACE\n"
	  "S: A3 OK\n"
	  "C: A4 NAMESPACE\n"
	  "S: * NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"#shared.\" \".\")(\"#x.\" \".\"))\n"
	  "S: A4 OK\n"
	  "C: A5 LIST \"\" \"*\"\n"
	  "S: * LIST (\\Noselect) \".\" INBOX.Sent\n"
	  "S: * LIST (\\Noselect) \".\" #x.a\n"
	  "S: A5 OK\n"
	  "C: A6 LIST \"\" \"#shared.*\"\n"
	  "S: * LIST (\\Noselect) \".\" #shared.team\n"
	  "S: A6 OK\n" BYE,
	  "#shared/team 1 -1 \n"
	  "#x/a 1 -1 \n"
	  "Sent 1 -1 \n" },
	{ "a BYE in the middle of a list", LIST, "", "",
	  PLAIN "C: A5 LIST \"\" \"*\"\n"
	        "S: * LIST () \"/\" \"INBOX\"\n"
	        "S: * BYE\n" BYE,
	  "list: EHOSTUNREACH\n" },
	{ "first pull with everything offered", PULL, "", "",
	  QRESYNC
	  "C: A7 SELECT \"INBOX\"\n"
	  "S: * OK [CLOSED]\n"
	  "S: * 2 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 8]\n"
	  "S: * OK [HIGHESTMODSEQ 55]\n"
	  "S: A7 OK [READ-WRITE]\n"
	  "C: A8 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)\n"
	  "S: * 1 FETCH (FLAGS (\\Seen) UID 3)\n"
	  "S: * 1 FETCH (UID 3 FLAGS (\\Seen x) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 20 EMAILID (Ma))\n"
	  "S: * 3 EXISTS\n"
	  "S: * 2 FETCH (RFC822.SIZE 30 INTERNALDATE \"17-Jul-1996 02:44:26 -0700\" FLAGS () UID 7 MODSEQ (60))\n"
	  "S: A8 OK\n" BYE,
	  "message 9.3 10 [x] 837596665 20\n"
	  "message 9.7 0 [] 837596666 30\n"
	  "v=9 n=8 m=55 e=3 l=0\n" },
	{ "pull with QRESYNC", PULL, "v=9 n=8 m=55 e=5 l=0", "",
	  QRESYNC
	  "C: A7 SELECT \"INBOX\"\n"
	  "S: * 3 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 10]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 55 VANISHED)\n"
	  "S: * VANISHED (EARLIER) 2:3,9:400\n"
	  "S: * 1 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (60))\n"
	  "S: * VANISHED 5\n"
	  "S: A8 OK\n"
	  "C: A9 UID FETCH 8:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)\n"
	  "S: * 3 FETCH (UID 9 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A9 OK\n" BYE,
	  "gone 9.2\n"
	  "gone 9.3\n"
	  "flags 9.4 2 []\n"
	  "gone 9.5\n"
	  "message 9.9 0 [] 1 4\n"
	  "v=9 n=10 m=70 e=2 l=0\n" },
	{ "what is new is asked for at once, and may come first", PULL,
	  "v=9 n=8 m=55 e=5 l=0", "",
	  QRESYNC
	  "C: A7 SELECT \"INBOX\"\n"
	  "S: * 5 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 10]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 55 VANISHED)\n"
	  "C: A9 UID FETCH 8:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)\n"
	  "S: * 5 FETCH (UID 9 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A9 OK\n"
	  "S: * VANISHED (EARLIER) 2\n"
	  "S: * 1 FETCH (UID 4 FLAGS (\\Flagged) MODSEQ (60))\n"
	  "S: A8 OK\n" BYE,
	  "message 9.9 0 [] 1 4\n"
	  "gone 9.2\n"
	  "flags 9.4 2 []\n"
	  "v=9 n=10 m=70 e=5 l=0\n" },
	{ "nothing changed costs only the SELECT", PULL, "v=9 n=8 m=55 e=3 l=0",
	  "",
	  QRESYNC "C: A7 SELECT \"INBOX\"\n"
	          "S: * 3 EXISTS\n"
	          "S: * OK [UIDVALIDITY 9] x\n"
	          "S: * OK [UIDNEXT 8] x\n"
	          "S: * OK [HIGHESTMODSEQ 55] x\n"
	          "S: A7 OK\n" BYE,
	  "v=9 n=8 m=55 e=3 l=0\n" },
	{ "pull with CONDSTORE looks who is left", PULL, "v=9 n=8 m=55 e=4 l=0",
	  "",
	  LOGIN
	  "S: * CAPABILITY IMAP4rev1 CONDSTORE ESEARCH\n"
	  "S: A3 OK\n"
	  "C: A4 LIST \"\" \"\"\n"
	  "S: * LIST (\\Noselect) \"/\" \"\"\n"
	  "S: A4 OK\n"
	  "C: A7 SELECT \"INBOX\" (CONDSTORE)\n"
	  "S: * 3 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 10]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 55)\n"
	  "S: * 1 FETCH (UID 4 FLAGS () MODSEQ (60))\n"
	  "S: A8 OK\n"
	  "C: A9 UID FETCH 8:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * 3 FETCH (UID 9 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A9 OK\n"
	  "C: A10 UID SEARCH RETURN (ALL) UID 1:9\n"
	  "S: * ESEARCH (TAG \"x\") UID ALL 4:5,9\n"
	  "S: A10 OK\n" BYE,
	  "flags 9.4 0 []\n"
	  "message 9.9 0 [] 1 4\n"
	  "present 9.4\n"
	  "present 9.5\n"
	  "present 9.9\n"
	  "v=9 n=10 m=70 e=3 l=0 complete\n" },
	{ "a failing search makes no deletion", PULL, "v=9 n=8 m=55 e=4 l=0",
	  "",
	  LOGIN
	  "S: * CAPABILITY IMAP4rev1 CONDSTORE ESEARCH\n"
	  "S: A3 OK\n"
	  "C: A4 LIST \"\" \"\"\n"
	  "S: * LIST (\\Noselect) \"/\" \"\"\n"
	  "S: A4 OK\n"
	  "C: A7 SELECT \"INBOX\" (CONDSTORE)\n"
	  "S: * 3 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 10]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 1:7 (UID FLAGS) (CHANGEDSINCE 55)\n"
	  "S: * 1 FETCH (UID 4 FLAGS () MODSEQ (60))\n"
	  "S: A8 OK\n"
	  "C: A9 UID FETCH 8:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * 3 FETCH (UID 9 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A9 OK\n"
	  "C: A10 UID SEARCH RETURN (ALL) UID 1:9\n"
	  "S: A10 NO I will not\n" BYE,
	  "flags 9.4 0 []\n"
	  "message 9.9 0 [] 1 4\n"
	  "pull: EACCES\n" },
	{ "pull without extensions", PULL, "v=9 n=8 m=0 e=2 l=0", "",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * 2 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 10]\n"
	  "S: A5 OK\n"
	  "C: A6 UID FETCH 1:7 (UID FLAGS)\n"
	  "S: * 1 FETCH (UID 4 FLAGS (\\Seen))\n"
	  "S: A6 OK\n"
	  "C: A7 UID FETCH 8:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * 1 FETCH (UID 4 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A7 OK\n" BYE,
	  "flags 9.4 10 []\n"
	  "flags 9.4 0 []\n"
	  "v=9 n=8 m=0 e=1 l=0 complete\n" },
	{ "a known folder is empty now", PULL, "v=9 n=8 m=0 e=2 l=0", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 0 EXISTS\n"
	        "S: * OK [UIDVALIDITY 9]\n"
	        "S: * OK [UIDNEXT 8]\n"
	        "S: A5 OK\n"
	        "C: A6 UID FETCH 1:7 (UID FLAGS)\n"
	        "S: A6 OK\n" BYE,
	  "v=9 n=8 m=0 e=0 l=0 complete\n" },
	{ "an absurd VANISHED is checked against what is there", PULL,
	  "v=9 n=3000000 m=55 e=2 l=0", "",
	  QRESYNC
	  "C: A7 SELECT \"INBOX\"\n"
	  "S: * 2 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 3000000]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 1:2999999 (UID FLAGS) (CHANGEDSINCE 55 VANISHED)\n"
	  "S: * VANISHED (EARLIER) 1:4294967295\n"
	  "S: A8 OK\n" FIRST_WINDOWS
	  "C: A38 UID SEARCH RETURN (ALL) UID 2900001:2999999\n"
	  "S: * ESEARCH (TAG \"x\") UID ALL 2999999:4294967295\n"
	  "S: A38 OK\n" BYE,
	  "present 9.7\n"
	  "present 9.2999999\n"
	  "v=9 n=3000000 m=70 e=2 l=0 complete\n" },
	{ "a listing goes on where it stopped", PULL,
	  "v=9 n=501 m=55 e=400 l=1", "",
	  QRESYNC
	  "C: A7 SELECT \"INBOX\"\n"
	  "S: * 402 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 600]\n"
	  "S: * OK [HIGHESTMODSEQ 70]\n"
	  "S: A7 OK\n"
	  "C: A8 UID FETCH 501:* (UID FLAGS INTERNALDATE RFC822.SIZE EMAILID)\n"
	  "S: * 401 FETCH (UID 520 FLAGS () RFC822.SIZE 4)\n"
	  "S: * 402 FETCH (UID 590 FLAGS () RFC822.SIZE 5)\n"
	  "S: A8 OK\n" BYE,
	  "message 9.520 0 [] 0 4\n"
	  "message 9.590 0 [] 0 5\n"
	  "v=9 n=591 m=55 e=402 l=0\n" },
	{ "another UIDVALIDITY voids what was known", PULL,
	  "v=9 n=8 m=0 e=2 l=0", "",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * 1 EXISTS\n"
	  "S: * OK [UIDVALIDITY 10]\n"
	  "S: * OK [UIDNEXT 8]\n"
	  "S: A5 OK\n"
	  "C: A6 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A6 OK\n" BYE,
	  "reset \n"
	  "message 10.1 0 [] 1 4\n"
	  "v=10 n=2 m=0 e=1 l=0\n" },
	{ "UIDNEXT going back voids what was known", PULL,
	  "v=9 n=8 m=0 e=2 l=0", "",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * 1 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 2]\n"
	  "S: A5 OK\n"
	  "C: A6 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * 1 FETCH (UID 1 FLAGS () RFC822.SIZE 4 INTERNALDATE \"01-Jan-1970 00:00:01 +0000\")\n"
	  "S: A6 OK\n" BYE,
	  "reset \n"
	  "message 9.1 0 [] 1 4\n"
	  "v=9 n=2 m=0 e=1 l=0\n" },
	{ "Courier tells UIDNEXT only in STATUS", PULL, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 60000 EXISTS\n"
	        "S: * OK [UIDVALIDITY 9] Ok\n"
	        "S: A5 OK\n"
	        "C: A6 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)\n"
	        "S: * STATUS \"INBOX\" (UIDNEXT 120001)\n"
	        "S: A6 OK\n"
	        "C: A7 UID FETCH 1:50000 (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 50001:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	        "S: * 1 FETCH (UID 120000 FLAGS () RFC822.SIZE 4)\n"
	        "S: A8 OK\n" BYE,
	  "message 9.120000 0 [] 0 4\n"
	  "v=9 n=120001 m=0 e=1 l=0\n" },
	{ "no such folder", PULL, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: A5 NO [NONEXISTENT] where?\n" BYE,
	  "pull: ENOENT\n" },
	{ "no such folder on Courier", PULL, "", "",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: A5 NO Mailbox does not exist, or must be subscribed to.\n" BYE,
	  "pull: ENOENT\n" },
	{ "nonsense ends the session", PULL, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 1 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)\n"
	        "S: A6 OK\n"
	        "C: A7 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	        "S: * 1 FETCH (UID 4 FLAGS (\n" BYE,
	  "pull: EPROTO\n" },
	{ "a literal too large ends the session", PULL, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 1 FETCH (X {65537}\n" BYE,
	  "pull: EPROTO\n" },
	{ "a disabled capability is not used", PULL, "", "ENABLE,CONDSTORE",
	  LOGIN "S: * CAPABILITY IMAP4rev1 CONDSTORE ENABLE\n"
	        "S: A3 OK\n"
	        "C: A4 LIST \"\" \"\"\n"
	        "S: * LIST () \"/\" \"\"\n"
	        "S: A4 OK\n"
	        "C: A5 SELECT \"INBOX\"\n"
	        "S: * 0 EXISTS\n"
	        "S: * OK [UIDVALIDITY 9]\n"
	        "S: * OK [UIDNEXT 1]\n"
	        "S: A5 OK\n" BYE,
	  "v=9 n=1 m=0 e=0 l=0\n" },
	{ "bodies come in any form and order", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S: * 4 EXISTS\n"
	        "S: * 2 FETCH (UID 2 FLAGS (\\Seen))\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\na\\r\\nb FLAGS ())\\r\\n\n"
	        "S| * 1 FETCH (BODY[] {4}\\r\\nxyz\\n UID 1)\\r\\n\n"
	        "S| * 1 FETCH (BODY[] {4}\\r\\nxyz\\n UID 1)\\r\\n\n"
	        "S| * 9 FETCH (BODY[] {9}\\r\\n012345678 UID 9)\\r\\n\n"
	        "S: * 2 FETCH (UID 2 BODY[] \"w\\\"yz\")\n"
	        "S: A6 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.3 ok 3 4 a\n"
	  "b\n"
	  "9.1 ok 4 4 xyz\n"
	  "\n"
	  "9.2 ok 4 4 w\"yz\n" },
	{ "what does not come is gone", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 OK [EXPUNGEISSUED] some are gone\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.3 ok 4 4 abcd\n"
	  "9.1 ESTALE 0 0 \n"
	  "9.2 ESTALE 0 0 \n" },
	{ "what this session has not seen yet is looked for", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 2 EXISTS\n"
	        "S: * OK [UIDNEXT 2]\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 OK\n"
	        "C: A7 NOOP\n"
	        "S: * 3 EXISTS\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 3 FETCH (UID 2 FLAGS ())\n"
	        "S: A8 OK\n"
	        "C: A9 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S| * 3 FETCH (UID 2 BODY[] {4}\\r\\nefgh)\\r\\n\n"
	        "S: A9 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.3 ok 4 4 abcd\n"
	  "9.1 ESTALE 0 0 \n"
	  "9.2 ok 4 4 efgh\n" },
	{ "Courier forges a message that is gone", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 1 FETCH (UID 1 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S| * 2 FETCH (UID 2 BODY[] {7}\\r\\nforgery)\\r\\n\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 OK\n"
	        "C: A7 NOOP\n"
	        "S: * 2 EXPUNGE\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 2 (UID FLAGS)\n"
	        "S: A8 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.1 ok 4 4 abcd\n"
	  "9.3 ok 4 4 abcd\n"
	  "9.2 ESTALE 0 0 \n" },
	{ "Exchange lies about a size", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 1 FETCH (UID 1 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S| * 2 FETCH (UID 2 BODY[] {7}\\r\\ngenuine)\\r\\n\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 OK\n"
	        "C: A7 NOOP\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: A8 OK\n"
	        "C: A9 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S| * 2 FETCH (UID 2 BODY[] {7}\\r\\ngenuine)\\r\\n\n"
	        "S: A9 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.1 ok 4 4 abcd\n"
	  "9.3 ok 4 4 abcd\n"
	  "9.2 ok 7 7 genuine\n" },
	{ "one message that the server cannot give", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 1 FETCH (UID 1 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 NO [UNAVAILABLE] UID FETCH Server error\n"
	        "C: A7 NOOP\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 2:3 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: * 3 FETCH (UID 3 FLAGS ())\n"
	        "S: A8 OK\n"
	        "C: A9 UID FETCH 3 (UID BODY.PEEK[])\n"
	        "C: A10 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S: A10 NO [UNAVAILABLE] UID FETCH Server error\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A9 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.1 ok 4 4 abcd\n"
	  "9.2 EIO 0 0 \n"
	  "9.3 ok 4 4 abcd\n" },
	{ "a body that stays empty is not believed", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 1 FETCH (UID 1 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: * 2 FETCH (UID 2 BODY[] \"\")\n"
	        "S| * 3 FETCH (UID 3 BODY[] {4}\\r\\nabcd)\\r\\n\n"
	        "S: A6 OK\n"
	        "C: A7 NOOP\n"
	        "S: A7 OK\n"
	        "C: A8 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: A8 OK\n"
	        "C: A9 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S: * 2 FETCH (UID 2 BODY[] NIL)\n"
	        "S: A9 OK\n"
	        "C: A10 NOOP\n"
	        "S: A10 OK\n"
	        "C: A11 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: A11 OK\n"
	        "C: A12 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S: * 2 FETCH (UID 2 BODY[] NIL)\n"
	        "S: A12 OK\n"
	        "C: A13 NOOP\n"
	        "S: A13 OK\n"
	        "C: A14 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: A14 OK\n"
	        "C: A15 UID FETCH 2 (UID BODY.PEEK[])\n"
	        "S: * 2 FETCH (UID 2 BODY[] NIL)\n"
	        "S: A15 OK\n"
	        "C: A16 NOOP\n"
	        "S: A16 OK\n"
	        "C: A17 UID FETCH 2 (UID FLAGS)\n"
	        "S: * 2 FETCH (UID 2 FLAGS ())\n"
	        "S: A17 OK\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "9.1 ok 4 4 abcd\n"
	  "9.3 ok 4 4 abcd\n"
	  "9.2 EIO 0 0 \n" },
	{ "throttling ends the session", FETCH, "", "",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * 3 EXISTS\n"
	  "S: A5 OK [UIDVALIDITY 9]\n"
	  "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	  "S: A6 NO [OVERQUOTA] Account exceeded command or bandwidth limits\n" BYE,
	  "7.1 ESTALE 0 0 \n"
	  "fetched: EHOSTUNREACH\n" },
	{ "a connection lost in a body", FETCH, "", "",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 3 EXISTS\n"
	        "S: A5 OK [UIDVALIDITY 9]\n"
	        "C: A6 UID FETCH 1:3 (UID BODY.PEEK[])\n"
	        "S| * 1 FETCH (UID 1 BODY[] {400}\\r\\nabcd\n"
	        "!close\n",
	  "7.1 ESTALE 0 0 \n"
	  "fetched: EHOSTUNREACH\n" },
};

#endif
