/*
 * What is asked of servers that writes, what they say, and what the client
 * makes of it; played by test_write.c.  Here: flags, copies, moves and
 * removals; append_cases.h has the rest.
 */
#ifndef TESTS_UNIT_IMAPCLIENT_WRITE_CASES_H
#define TESTS_UNIT_IMAPCLIENT_WRITE_CASES_H

#include "tests/unit/imapclient/greetings.h"

#define FULL SERVER(" UIDPLUS MOVE LITERAL+ MULTIAPPEND UNSELECT")

/* It can nothing but say what came of a command. */
#define PLUS SERVER(" UIDPLUS")

#define OPENED \
	"C: A5 SELECT \"INBOX\"\n" \
	"S: * 9 EXISTS\n" \
	"S: * OK [UIDVALIDITY 9]\n" \
	"S: A5 OK [READ-WRITE]\n"

/* What it needs then is asked for: are they there? */
#define HAS(uid) "S: * 1 FETCH (UID " uid ")\n"
#define FOUND(tag, set, has) \
	"C: " tag " UID FETCH " set " (UID)\n" has "S: " tag " OK\n"

/* A connection; lines for driver_do(), and what it answers. */
struct write_case {
	const char *name;
	const char *transcript;
	const char *lines;
	const char *expected;
};

static const struct write_case write_cases[] = {
	/* ---- Flags ---- */
	{ "equal wishes are one set, and add comes before remove",
	  PLUS OPENED "C: A6 UID STORE 2 +FLAGS.SILENT (\\Flagged)\n"
	              "C: A7 UID STORE 2 -FLAGS.SILENT (\\Seen)\n"
	              "C: A8 UID STORE 1,3 +FLAGS.SILENT (\\Seen)\n"
	              "S: * 2 EXPUNGE\n"
	              "S: * VANISHED 2:8\n"
	              "S: * 1 FETCH (UID 1 FLAGS (\\Seen))\n"
	              "S: A6 OK\n"
	              "S: A7 OK [HIGHESTMODSEQ 7]\n"
	              "S: A8 OK [EXPUNGEISSUED] some are gone\n" BYE,
	  "flags INBOX 9.3 +S 9.1 +S 9.2 +F,-S 7.1 +S x +S",
	  "9.3 done\n9.1 done\n9.2 done\n"
	  "7.1 refused ESTALE\nx refused ESTALE\n" },
	{ "every flag has its name",
	  PLUS OPENED
	  "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded a b)\n"
	  "S: A6 OK\n" BYE,
	  "flags INBOX 9.1 +DFPRST,a,b", "9.1 done\n" },
	{ "a keyword that cannot be kept is left out",
	  PLUS "C: A5 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: * OK [PERMANENTFLAGS (\\Seen $forwarded)] limited\n"
	       "S: A5 OK\n"
	       "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen $Forwarded)\n"
	       "S: A6 OK\n" BYE,
	  "flags INBOX 9.1 +PS,work 9.2 +work", "9.1 done\n9.2 done\n" },
	{ "new keywords go where they may, but only atoms",
	  PLUS "C: A5 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: * OK [PERMANENTFLAGS (\\Seen Forwarded \\*)]\n"
	       "S: A5 OK\n"
	       "C: A6 UID STORE 1 +FLAGS.SILENT (work)\n"
	       "C: A7 UID STORE 1 -FLAGS.SILENT ($Forwarded Forwarded)\n"
	       "S: A6 OK\n"
	       "S: A7 OK\n" BYE,
	  "flags INBOX 9.1 +work,+b(d,+a]b,+\xe9,-P", "9.1 done\n" },
	{ "what was modified is refused",
	  PLUS OPENED "C: A6 UID STORE 1:3 +FLAGS.SILENT (\\Seen)\n"
	              "S: A6 OK [MODIFIED 2,8] half\n" BYE,
	  "flags INBOX 9.1 +S 9.2 +S 9.3 +S",
	  "9.1 done\n9.2 refused EBUSY\n9.3 done\n" },
	{ "one command that is refused spoils no other",
	  PLUS OPENED "C: A6 UID STORE 2 +FLAGS.SILENT (\\Flagged)\n"
	              "C: A7 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	              "S: A7 OK\n"
	              "S: A6 BAD what\n" BYE,
	  "flags INBOX 9.1 +S 9.2 +F", "9.1 done\n9.2 refused EIO (what)\n" },
	{ "a folder that is read-only refuses all",
	  PLUS "C: A5 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A5 OK [READ-ONLY]\n"
	       "C: A6 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A6 OK [READ-ONLY]\n"
	       "C: A7 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A7 OK [READ-ONLY]\n" BYE,
	  "flags INBOX 9.1 +S 9.2 +F\n"
	  "remove INBOX 9.1\n"
	  "move INBOX Sent 9.1",
	  "9.1 refused EROFS (the server opens it for reading only)\n"
	  "9.2 refused EROFS (the server opens it for reading only)\n"
	  "9.1 refused EROFS (the server opens it for reading only)\n"
	  "9.1 refused EROFS (the server opens it for reading only)\n" },
	{ "a folder that was read-only is looked at again",
	  PLUS "C: A5 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A5 OK [READ-ONLY]\n"
	       "C: A6 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A6 OK [READ-WRITE]\n"
	       "C: A7 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	       "S: A7 OK\n" BYE,
	  "flags INBOX 9.1 +S\nflags INBOX 9.1 +S",
	  "9.1 refused EROFS (the server opens it for reading only)\n"
	  "9.1 done\n" },
	{ "no mark of a folder that is gone, told without a code",
	  PLUS "C: A5 STATUS \"a\" (UIDNEXT UIDVALIDITY)\n"
	       "S: A5 NO none\n"
	       "C: A6 LIST \"\" \"a\"\n"
	       "S: A6 OK\n"
	       "C: A7 STATUS \"b\" (UIDNEXT UIDVALIDITY)\n"
	       "S: A7 NO no\n"
	       "C: A8 LIST \"\" \"b\"\n"
	       "S: * LIST () \"/\" b\n"
	       "S: A8 OK\n" BYE,
	  "mark a\nmark b", "ENOENT\nEIO\n" },
	{ "a folder that is not there refuses all",
	  PLUS "C: A5 SELECT \"a b\"\n"
	       "S: A5 NO [NONEXISTENT] no\x01such\n" BYE,
	  "flags a~b 9.1 +S 9.2 +F",
	  "9.1 refused ENOENT (no?such)\n9.2 refused ENOENT (no?such)\n" },
	{ "an open folder stays open",
	  PLUS OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	              "S: A6 OK\n"
	              "C: A7 UID STORE 2 +FLAGS.SILENT (\\Seen)\n"
	              "S: A7 OK\n" BYE,
	  "flags INBOX 9.1 +S\nflags INBOX 9.2 +S", "9.1 done\n9.2 done\n" },
	{ "a connection that is lost leaves three kinds",
	  PLUS OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Draft)\n"
	              "C: A7 UID STORE 2 +FLAGS.SILENT (\\Flagged)\n"
	              "C: A8 UID STORE 3 +FLAGS.SILENT ($Forwarded)\n"
	              "C: A9 UID STORE 4 +FLAGS.SILENT (\\Answered)\n"
	              "S: A6 OK\n"
	              "C: A10 UID STORE 5 +FLAGS.SILENT (\\Seen)\n"
	              "!close\n",
	  "flags INBOX 9.1 +D 9.2 +F 9.3 +P 9.4 +R 9.5 +S 9.6 +T",
	  "9.1 done\n9.2 unknown\n9.3 unknown\n9.4 unknown\n9.5 unknown\n"
	  "9.6 unsent\nEHOSTUNREACH\n" },
	/* ---- Copy and move ---- */
	{ "COPYUID tells what came where, and what was gone",
	  FULL OPENED "C: A6 UID COPY 1:3,5 \"Sent a\"\n"
	              "S: A6 OK [COPYUID 77 1:2,5 11:12,20] done\n" BYE,
	  "copy INBOX Sent~a 9.1 9.5 9.2 9.3",
	  "9.1 done 77.11\n9.5 done 77.20\n9.2 done 77.12\n"
	  "9.3 refused ESTALE\n" },
	{ "COPYUID of unequal sets is not believed",
	  FULL OPENED "C: A6 UID COPY 1:2 \"a\"\n"
	              "S: A6 OK [COPYUID 77 1:2 11:13]\n" BYE,
	  "copy INBOX a 9.1 9.2", "9.1 done\n9.2 done\n" },
	{ "COPYUID of others' messages is not believed",
	  FULL OPENED "C: A6 UID COPY 1:2 \"a\"\n"
	              "S: A6 OK [COPYUID 77 1,3 11:12]\n" BYE,
	  "copy INBOX a 9.1 9.2", "9.1 done\n9.2 done\n" },
	{ "COPYUID of all the world is not believed",
	  FULL OPENED "C: A6 UID COPY 1:2 \"a\"\n"
	              "S: A6 OK [COPYUID 77 1:4294967295 1:4294967295]\n" BYE,
	  "copy INBOX a 9.1 9.2", "9.1 done\n9.2 done\n" },
	{ "COPYUID without UIDVALIDITY is not believed",
	  FULL OPENED "C: A6 UID COPY 1 \"a\"\n"
	              "S: A6 OK [COPYUID 0 1 11]\n" BYE,
	  "copy INBOX a 9.1", "9.1 done\n" },
	{ "COPYUID that nobody can read is left out",
	  SERVER(" MOVE")
	          OPENED FOUND("A90", "1",
	                       HAS("1")) "C: A6 UID COPY 1 \"a\"\n"
	                                 "S: * OK [COPYUID]\n"
	                                 "S: * OK [COPYUID x y z]\n"
	                                 "S: * OK [COPYUID 77 5 9]\n"
	                                 "S: A6 OK [COPYUID 77 1]\n" BYE,
	  "copy INBOX a 9.1", "9.1 done\n" },
	{ "with UIDPLUS, nothing told is nothing copied",
	  FULL OPENED "C: A6 UID COPY 1 \"a\"\n"
	              "S: A6 OK No messages found.\n" BYE,
	  "copy INBOX a 9.1", "9.1 refused ESTALE\n" },
	{ "Dovecot copies nothing while a message is gone untold",
	  FULL OPENED "C: A6 UID COPY 1:2 \"a\"\n"
	              "S: A6 NO [EXPUNGEISSUED] some are gone\n"
	              "C: A7 NOOP\n"
	              "S: * 1 EXPUNGE\n"
	              "S: A7 OK\n"
	              "C: A8 UID COPY 1:2 \"a\"\n"
	              "S: A8 OK [COPYUID 77 2 8]\n"
	              "C: A9 UID COPY 3 \"a\"\n"
	              "S: A9 NO [EXPUNGEISSUED] gone\n"
	              "C: A10 NOOP\n"
	              "S: A10 OK\n"
	              "C: A11 UID COPY 3 \"a\"\n"
	              "S: A11 NO [EXPUNGEISSUED] gone\n" BYE,
	  "copy INBOX a 9.1 9.2\ncopy INBOX a 9.3",
	  "9.1 refused ESTALE\n9.2 done 77.8\n9.3 refused EBUSY (gone)\n" },
	{ "without UIDPLUS, nothing told means nothing",
	  PLAIN OPENED FOUND("A90", "1", HAS("1")) "C: A6 UID COPY 1 \"a\"\n"
	                                           "S: A6 OK\n" BYE,
	  "copy INBOX a 9.1", "9.1 done\n" },
	{ "the same message copied twice is copied once",
	  FULL OPENED "C: A6 UID COPY 1 \"a\"\n"
	              "S: A6 OK [COPYUID 77 1 2]\n" BYE,
	  "copy INBOX a 9.1 9.1", "9.1 done 77.2\n9.1 done 77.2\n" },
	{ "no target",
	  FULL OPENED "C: A6 UID COPY 1 \"a\"\n"
	              "S: A6 NO [TRYCREATE] no\n" BYE,
	  "copy INBOX a 9.1\ncopy INBOX a//b 9.2",
	  "9.1 refused ENOENT (no)\n9.2 refused ENOENT\n" },
	{ "what is read-only can be copied from",
	  PLAIN
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: A5 OK [READ-ONLY]\n" FOUND("A90", "1",
	                                 HAS("1")) "C: A6 UID COPY 1 \"a\"\n"
	                                           "S: A6 OK\n" BYE,
	  "copy INBOX a 9.1", "9.1 done\n" },
	{ "a name's literal is asked for when nothing else is under way",
	  PLAIN OPENED FOUND(
		  "A90", "1",
		  HAS("1")) "C: A6 UID COPY 1 {1}\n"
	                    "S: + \n"
	                    "C| \\xe9\\r\\n\n"
	                    "S: A6 OK\n" FOUND(
				    "A91", "2",
				    HAS("2")) "C: A7 UID COPY 2 {1}\n"
	                                      "S: A7 NO [TRYCREATE] no\n" BYE,
	  "copy INBOX %E9 9.1\ncopy INBOX %E9 9.2",
	  "9.1 done\n9.2 refused ENOENT (no)\n" },
	{ "MOVE tells before its end",
	  FULL OPENED "C: A6 UID MOVE 1:3 \"a\"\n"
	              "S: * OK [COPYUID 77 1,3 8:9] moved\n"
	              "S: * VANISHED 1,3\n"
	              "S: A6 OK\n" BYE,
	  "move INBOX a 9.1 9.2 9.3",
	  "9.1 done 77.8\n9.2 refused ESTALE\n9.3 done 77.9\n" },
	{ "MOVE that fails in the middle has moved some",
	  FULL OPENED "C: A6 UID MOVE 1:2 \"a\"\n"
	              "S: * OK [COPYUID 77 1 8]\n"
	              "S: * 1 EXPUNGE\n"
	              "S: A6 NO [OVERQUOTA] full\n" BYE,
	  "move INBOX a 9.1 9.2",
	  "9.1 done 77.8\n9.2 refused EDQUOT (full)\n" },
	{ "without MOVE, copy and remove",
	  SERVER(" UIDPLUS") OPENED
	  "C: A6 UID COPY 1:3 \"a\"\n"
	  "S: A6 OK [COPYUID 77 1,3 8:9]\n"
	  "C: A7 UID STORE 1,3 +FLAGS.SILENT (\\Deleted)\n"
	  "S: A7 OK\n"
	  "C: A8 UID EXPUNGE 1,3\n"
	  "S: * 1 EXPUNGE\n"
	  "S: * 2 EXPUNGE\n"
	  "S: A8 OK\n" BYE,
	  "move INBOX a 9.1 9.2 9.3",
	  "9.1 done 77.8\n9.2 refused ESTALE\n9.3 done 77.9\n" },
	{ "copied and not removed is neither done nor refused",
	  SERVER(" UIDPLUS") OPENED
	  "C: A6 UID COPY 1 \"a\"\n"
	  "S: A6 OK [COPYUID 77 1 8]\n"
	  "C: A7 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	  "S: A7 NO [NOPERM] never\n" BYE,
	  "move INBOX a 9.1", "9.1 unknown EACCES 77.8 (never)\nEACCES\n" },
	{ "copied and cut off is not done",
	  SERVER(" UIDPLUS") OPENED "C: A6 UID COPY 1 \"a\"\n"
	                            "S: A6 OK [COPYUID 77 1 8]\n"
	                            "!close\n",
	  "move INBOX a 9.1", "9.1 unknown 77.8\nEHOSTUNREACH\n" },
	{ "a copy that was refused removes nothing",
	  PLAIN OPENED FOUND("A90", "1",
	                     HAS("1")) "C: A6 UID COPY 1 \"a\"\n"
	                               "S: A6 NO [OVERQUOTA] full\n" BYE,
	  "move INBOX a 9.1", "9.1 refused EDQUOT (full)\n" },
	{ "without UIDPLUS, EXPUNGE removes all that is marked",
	  PLAIN OPENED FOUND(
		  "A90", "1,3",
		  HAS("3") HAS(
			  "1")) "C: A6 UID COPY 1,3 \"a\"\n"
	                        "S: A6 OK\n"
	                        "C: A7 UID STORE 1,3 +FLAGS.SILENT (\\Deleted)\n"
	                        "S: A7 OK\n"
	                        "C: A8 UID SEARCH DELETED\n"
	                        "S: * SEARCH 3\n"
	                        "S: * SEARCH 1\n"
	                        "S: A8 OK\n"
	                        "C: A9 EXPUNGE\n"
	                        "S: * 1 EXPUNGE\n"
	                        "S: A9 OK\n" BYE,
	  "move INBOX a 9.1 9.3", "9.1 done\n9.3 done\n" },
	{ "so nothing is removed while others are marked",
	  PLAIN OPENED FOUND(
		  "A90", "1",
		  HAS("1")) "C: A6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	                    "S: A6 OK\n"
	                    "C: A7 UID SEARCH DELETED\n"
	                    "S: * SEARCH 1 2\n"
	                    "S: A7 OK\n" FOUND(
				    "A91", "3",
				    HAS("3")) "C: A8 UID COPY 3 \"a\"\n"
	                                      "S: A8 OK\n"
	                                      "C: A9 UID STORE 3 +FLAGS.SILENT (\\Deleted)\n"
	                                      "S: A9 OK\n"
	                                      "C: A10 UID SEARCH DELETED\n"
	                                      "S: * SEARCH 1 2 3\n"
	                                      "S: A10 OK\n" BYE,
	  "remove INBOX 9.1\nmove INBOX a 9.3",
	  "9.1 refused EBUSY (other messages are marked deleted, too)\n"
	  "9.3 unknown EBUSY (other messages are marked deleted, too)\n"
	  "EBUSY\n" },
	{ "a search that is refused removes nothing",
	  PLAIN OPENED
	          FOUND("A90", "1",
	                HAS("1")) "C: A6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	                          "S: A6 OK\n"
	                          "C: A7 UID SEARCH DELETED\n"
	                          "S: A7 NO [UNAVAILABLE] later\n" BYE,
	  "remove INBOX 9.1", "9.1 refused EBUSY (later)\n" },
	{ "what could not be marked is not searched for",
	  PLAIN OPENED
	          FOUND("A90", "1",
	                HAS("1")) "C: A6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	                          "S: A6 NO no\n" BYE,
	  "remove INBOX 9.1", "9.1 refused EIO (no)\n" },
	{ "remove takes what is gone for removed",
	  FULL OPENED "C: A6 UID STORE 1:2 +FLAGS.SILENT (\\Deleted)\n"
	              "S: A6 OK\n"
	              "C: A7 UID EXPUNGE 1:2\n"
	              "S: * VANISHED 1\n"
	              "S: A7 OK [HIGHESTMODSEQ 9] done\n" BYE,
	  "remove INBOX 9.1 9.2", "9.1 done\n9.2 done\n" },
	/* Sent at once, Dovecot answers it with OK and does nothing. */
	{ "UID EXPUNGE waits for the mark",
	  FULL OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	              "S: A6 NO [NOPERM] never\n" BYE,
	  "remove INBOX 9.1", "9.1 refused EACCES (never)\n" },
	{ "an expunge that is refused",
	  FULL OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	              "S: A6 OK\n"
	              "C: A7 UID EXPUNGE 1\n"
	              "S: A7 NO [INUSE] locked\n" BYE,
	  "remove INBOX 9.1", "9.1 refused EBUSY (locked)\n" },
	{ "Mailutils does to the next one what was meant for one that is gone",
	  SERVER(" UNSELECT") OPENED FOUND(
		  "A6", "1:3",
		  HAS("2")) "C: A7 UID STORE 2 +FLAGS.SILENT (\\Deleted)\n"
	                    "S: A7 OK\n"
	                    "C: A8 UID SEARCH DELETED\n"
	                    "S: * SEARCH 2\n"
	                    "S: A8 OK\n"
	                    "C: A9 EXPUNGE\n"
	                    "S: A9 OK\n" FOUND("A10", "1", HAS("2")) FOUND(
				    "A11", "1",
				    "") "C: A12 UID FETCH 1 (UID)\n"
	                                "S: A12 NO [UNAVAILABLE] later\n" BYE,
	  "remove INBOX 9.1 9.2 9.3 8.1\ncopy INBOX a 9.1\nremove INBOX 9.1\n"
	  "remove INBOX 9.1",
	  "9.1 done\n9.2 done\n9.3 done\n8.1 refused ESTALE\n"
	  "9.1 refused ESTALE\n9.1 done\n9.1 refused EBUSY (later)\n" },
	{ "Mailutils keeps flags to itself until the folder is left",
	  SERVER(" UNSELECT") OPENED FOUND(
		  "A6", "1",
		  HAS("1")) "C: A7 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	                    "S: A7 OK\n"
	                    "C: A8 UNSELECT\n"
	                    "S: A8 OK\n"
	                    "C: A9 SELECT \"INBOX\"\n"
	                    "S: * OK [UIDVALIDITY 9]\n"
	                    "S: A9 OK\n" FOUND(
				    "A10", "2",
				    HAS("2")) "C: A11 UID STORE 2 +FLAGS.SILENT (\\Seen)\n"
	                                      "S: A11 OK\n"
	                                      "C: A12 UNSELECT\n"
	                                      "!close\n",
	  "flags INBOX 9.1 +S\nflags INBOX 9.2 +S",
	  "9.1 done\n9.2 unknown\nEHOSTUNREACH\n" },
};

#endif
