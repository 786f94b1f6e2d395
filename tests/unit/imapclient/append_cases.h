/*
 * What write_cases.h is, of messages that are appended, of those that are new
 * since a mark, and of folders.
 */
#ifndef TESTS_UNIT_IMAPCLIENT_APPEND_CASES_H
#define TESTS_UNIT_IMAPCLIENT_APPEND_CASES_H

#include "tests/unit/imapclient/write_cases.h"

#define EPOCH "\"01-Jan-1970 00:00:00 +0000\""

static const struct write_case append_cases[] = {
	/* ---- Append ---- */
	{ "messages go one behind the other",
	  SERVER(" LITERAL+") "C: A5 APPEND \"a b\" (\\Seen work) \"09-Sep-2001 01:46:40 +0000\" {6+}\n"
	                      "C| a\\r\\nb\\r\\n\\r\\n\n"
	                      "C: A6 APPEND \"a b\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A5 OK [APPENDUID 9 4]\n"
	                      "S: A6 OK\n" BYE,
	  "append a~b S,work 1000000000 a\\nb - -5 x", "- done 9.4\n- done\n" },
	{ "line ends become CRLF, and the last one too",
	  SERVER(" LITERAL+") "C: A5 APPEND \"a\" () " EPOCH " {2+}\n"
	                      "C| \\r\\n\\r\\n\n"
	                      "C: A6 APPEND \"a\" () " EPOCH " {9+}\n"
	                      "C| a\\r\\n\\r\\n\\rb\\r\\n\\r\\n\n"
	                      "C: A7 APPEND \"a\" () " EPOCH " {4+}\n"
	                      "C| c\\r\\r\\n\\r\\n\n"
	                      "S: A5 OK\n"
	                      "S: A6 OK\n"
	                      "S: A7 OK\n" BYE,
	  "append a - 0  - 0 a\\r\\n\\n\\rb\\n - 0 c\\r",
	  "- done\n- done\n- done\n" },
	{ "a literal waits for the server",
	  PLAIN "C: A5 APPEND \"a\" () " EPOCH " {3}\n"
	        "S: * OK wait\n"
	        "S: + go\n"
	        "C| x\\r\\n\\r\\n\n"
	        "C: A6 APPEND \"a\" () " EPOCH " {3}\n"
	        "S: A5 OK [APPENDUID 9 4]\n"
	        "S: A6 NO [TOOBIG] y is large\n"
	        "C: A7 APPEND \"a\" () " EPOCH " {3}\n"
	        "S: +\n"
	        "C| z\\r\\n\\r\\n\n"
	        "S: A7 OK\n" BYE,
	  "append a - 0 x - 0 y - 0 z",
	  "- done 9.4\n- refused EFBIG (y is large)\n- done\n" },
	{ "a name's literal waits for the server",
	  PLAIN "C: A5 APPEND {1}\n"
	        "S: +\n"
	        "C: \xe9 () " EPOCH " {3}\n"
	        "S: +\n"
	        "C| x\\r\\n\\r\\n\n"
	        "C: A6 APPEND {1}\n"
	        "S: A5 OK\n"
	        "S: A6 BAD no\n" BYE,
	  "append %E9 - 0 x - 0 y", "- done\n- refused EIO (no)\n" },
	{ "many messages in one command",
	  FULL "C: A5 APPEND \"a\" () " EPOCH " {3+}\n"
	       "C: x\n"
	       "C:  (\\Flagged) " EPOCH " {3+}\n"
	       "C: y\n"
	       "C:  () " EPOCH " {3+}\n"
	       "C: z\n"
	       "C: \n"
	       "S: A5 OK [APPENDUID 9 4:5,9] done\n" BYE,
	  "append a - 0 x F 0 y - 0 z",
	  "- done 9.4\n- done 9.5\n- done 9.9\n" },
	{ "one bad message does not stop the others",
	  FULL "C: A5 APPEND \"a\" () " EPOCH " {3+}\n"
	       "C: x\n"
	       "C:  () " EPOCH " {3+}\n"
	       "C: y\n"
	       "C: \n"
	       "S: A5 NO y is bad\n"
	       "C: A6 APPEND \"a\" () " EPOCH " {3+}\n"
	       "C: x\n"
	       "C: \n"
	       "C: A7 APPEND \"a\" () " EPOCH " {3+}\n"
	       "C: y\n"
	       "C: \n"
	       "S: A6 OK [APPENDUID 9 4]\n"
	       "S: A7 NO y is bad\n" BYE,
	  "append a - 0 x - 0 y", "- done 9.4\n- refused EIO (y is bad)\n" },
	{ "a folder that is not there is asked once",
	  FULL "C: A5 APPEND \"a\" () " EPOCH " {3+}\n"
	       "C: x\n"
	       "C:  () " EPOCH " {3+}\n"
	       "C: y\n"
	       "C: \n"
	       "S: A5 NO [TRYCREATE] no\n" BYE,
	  "append a - 0 x - 0 y\nappend a//b - 0 z",
	  "- refused ENOENT (no)\n- refused ENOENT (no)\n"
	  "- refused ENOENT\n" },
	{ "no more is sent to a folder that is not there",
	  PLAIN "C: A5 APPEND \"a\" () " EPOCH " {3}\n"
	        "S: A5 NO [TRYCREATE] no\n" BYE,
	  "append a - 0 x - 0 y",
	  "- refused ENOENT (no)\n- refused ENOENT (no)\n" },
	{ "what the server cannot hold is not sent",
	  SERVER(" LITERAL+ APPENDLIMIT=4") "C: A5 APPEND \"a\" () " EPOCH
	                                    " {4+}\n"
	                                    "C| xx\\r\\n\\r\\n\n"
	                                    "S: A5 OK\n" BYE,
	  "append a - 0 xx - 0 xxx - 0 a\\0",
	  "- done\n- refused EFBIG\n- refused EILSEQ\n" },
	{ "Mailutils takes a keyword for a mistake",
	  SERVER(" LITERAL+") "C: A5 APPEND \"a\" (\\Seen $Forwarded k) " EPOCH
	                      " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A5 BAD APPEND Unrecognized flag\n"
	                      "C: A6 APPEND \"a\" (\\Seen) " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A6 BAD no\n" BYE,
	  "append a PS,k 0 x", "- refused EIO (no)\n" },
	{ "APPENDUID of another number of messages is not believed",
	  SERVER(" LITERAL+") "C: A5 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A5 OK [APPENDUID 9 4:5]\n"
	                      "C: A6 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A6 OK [APPENDUID 9]\n"
	                      "C: A7 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A7 OK [APPENDUID 9 4,5]\n"
	                      "C: A8 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A8 OK [APPENDUID 9 1:4294967295]\n" BYE,
	  "append a - 0 x\nappend a - 0 x\nappend a - 0 x\nappend a - 0 x",
	  "- done\n- done\n- done\n- done\n" },
	{ "APPENDUID that the mark belies is not believed",
	  SERVER(" LITERAL+") "C: A5 STATUS \"a\" (UIDNEXT UIDVALIDITY)\n"
	                      "S: * STATUS \"a\" (UIDNEXT 5 UIDVALIDITY 9)\n"
	                      "S: A5 OK\n"
	                      "C: A6 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A6 OK [APPENDUID 9 4]\n"
	                      "C: A7 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A7 OK [APPENDUID 8 5]\n"
	                      "C: A8 APPEND \"a\" () " EPOCH " {3+}\n"
	                      "C| x\\r\\n\\r\\n\n"
	                      "S: A8 OK [APPENDUID 9 5]\n" BYE,
	  "mark a\nappend a - 0 x\nappend a - 0 x\nappend a - 0 x",
	  "9.5\n- done\n- done\n- done 9.5\n" },
	{ "APPENDUID that SELECT belies is not believed",
	  SERVER(" LITERAL+ UIDPLUS") OPENED
	  "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	  "S: A6 OK\n"
	  "C: A7 APPEND \"INBOX\" () " EPOCH " {3+}\n"
	  "C| x\\r\\n\\r\\n\n"
	  "S: A7 OK [APPENDUID 8 4]\n" BYE,
	  "flags INBOX 9.1 +S\nappend INBOX - 0 x", "9.1 done\n- done\n" },
	/* ---- Mark and since ---- */
	{ "a mark is what STATUS tells of a folder that is not selected",
	  FULL OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	              "S: A6 OK\n"
	              "C: A7 UNSELECT\n"
	              "S: A7 OK\n"
	              "C: A8 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)\n"
	              "S: * STATUS INBOX (UIDNEXT 12 UIDVALIDITY 9)\n"
	              "S: A8 OK\n" BYE,
	  "flags INBOX 9.1 +S\nmark INBOX", "9.1 done\n9.12\n" },
	{ "or of one that was looked at just now",
	  PLUS OPENED "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	              "S: A6 OK\n"
	              "C: A7 NOOP\n"
	              "S: A7 OK\n"
	              "C: A8 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)\n"
	              "S: * STATUS INBOX (UIDNEXT 12 UIDVALIDITY 9)\n"
	              "S: A8 OK\n" BYE,
	  "flags INBOX 9.1 +S\nmark INBOX", "9.1 done\n9.12\n" },
	{ "no mark where no UIDNEXT is told",
	  PLAIN "C: A5 STATUS \"a\" (UIDNEXT UIDVALIDITY)\n"
	        "S: * STATUS a (UIDVALIDITY 9)\n"
	        "S: A5 OK\n"
	        "C: A6 STATUS \"b\" (UIDNEXT UIDVALIDITY)\n"
	        "S: A6 NO [NONEXISTENT] no\n" BYE,
	  "mark a\nmark b", "EOPNOTSUPP\nENOENT\n" },
	{ "since a mark come the new messages",
	  FULL
	  "C: A5 SELECT \"INBOX\"\n"
	  "S: * 3 EXISTS\n"
	  "S: * OK [UIDVALIDITY 9]\n"
	  "S: * OK [UIDNEXT 9]\n"
	  "S: A5 OK\n"
	  "C: A6 UID FETCH 7:* (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
	  "S: * VANISHED 1\n"
	  "S: * 1 FETCH (UID 4 FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 20)\n"
	  "S: * 2 FETCH (UID 7 FLAGS (\\Seen k) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 20)\n"
	  "S: * 2 FETCH (UID 7 FLAGS ())\n"
	  "S: * 3 FETCH (UID 8 FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 30)\n"
	  "S: A6 OK\n" BYE,
	  "since INBOX 9.7",
	  "9.7 10 [k] 837596665 20\n9.8 0 [] 837596665 30\n" },
	{ "nothing new",
	  FULL "C: A5 SELECT \"INBOX\"\n"
	       "S: * 3 EXISTS\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: * OK [UIDNEXT 9]\n"
	       "S: A5 OK\n" BYE,
	  "since INBOX 9.9", "" },
	{ "a mark that is void",
	  FULL "C: A5 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: * OK [UIDNEXT 9]\n"
	       "S: A5 OK\n"
	       "C: A6 SELECT \"INBOX\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: * OK [UIDNEXT 9]\n"
	       "S: A6 OK\n"
	       "C: A7 SELECT \"INBOX\"\n"
	       "S: A7 NO [NONEXISTENT] no\n" BYE,
	  "since INBOX 8.3\nsince INBOX 9.10\nsince INBOX x\nsince INBOX 9.1",
	  "ESTALE\nESTALE\nESTALE\nENOENT\n" },
	{ "since on a server that tells UIDNEXT only in STATUS",
	  PLAIN "C: A5 SELECT \"INBOX\"\n"
	        "S: * 1 EXISTS\n"
	        "S: * OK [UIDVALIDITY 9]\n"
	        "S: A5 OK\n"
	        "C: A6 STATUS \"INBOX\" (UIDNEXT UIDVALIDITY)\n"
	        "S: * STATUS INBOX (UIDNEXT 3 UIDVALIDITY 9)\n"
	        "S: A6 OK\n" BYE,
	  "since INBOX 9.5", "ESTALE\n" },
	/* ---- Folders ---- */
	{ "a new folder is subscribed",
	  PLAIN "C: A5 CREATE \"a/R&AOk-\"\n"
	        "S: A5 OK\n"
	        "C: A6 SUBSCRIBE \"a/R&AOk-\"\n"
	        "S: A6 NO never\n" BYE,
	  "create a/R\xc3\xa9", "" },
	{ "a folder is there already",
	  PLAIN "C: A5 CREATE \"a\"\n"
	        "S: A5 NO [ALREADYEXISTS] yes\n"
	        "C: A6 CREATE \"b\"\n"
	        "S: A6 NO cannot\n"
	        "C: A7 LIST \"\" \"b\"\n"
	        "S: * LIST () \"/\" b\n"
	        "S: A7 OK\n"
	        "C: A8 CREATE \"c\"\n"
	        "S: A8 NO cannot\n"
	        "C: A9 LIST \"\" \"c\"\n"
	        "S: * LIST (\\Noselect) \"/\" c\n"
	        "S: A9 OK\n"
	        "C: A10 CREATE \"d\"\n"
	        "S: A10 NO cannot\n"
	        "C: A11 LIST \"\" \"d\"\n"
	        "S: A11 NO neither\n" BYE,
	  "create a\ncreate b\ncreate c\ncreate d",
	  "(yes)\nEEXIST\n(cannot)\nEEXIST\n(cannot)\nEIO\n(cannot)\nEIO\n" },
	{ "a folder that the server cannot have",
	  LOGIN "S: * CAPABILITY IMAP4rev1\n"
	        "S: A3 OK\n"
	        "C: A4 LIST \"\" \"\"\n"
	        "S: * LIST (\\Noselect) \".\" \"\"\n"
	        "S: A4 OK\n" BYE,
	  "create a.b\nrename a a.b\nsubscribe a//b",
	  "(the server can have no folder of this name)\nEINVAL\n"
	  "(the server can have no folder of this name)\nEINVAL\n"
	  "(the server can have no folder of this name)\nEINVAL\n" },
	{ "a folder that is selected is left before it is deleted",
	  FULL "C: A5 SELECT \"a\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A5 OK\n"
	       "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	       "S: A6 OK\n"
	       "C: A7 UNSELECT\n"
	       "S: A7 OK\n"
	       "C: A8 DELETE \"a\"\n"
	       "S: A8 OK\n"
	       "C: A9 UNSUBSCRIBE \"a\"\n"
	       "S: A9 OK\n" BYE,
	  "flags a 9.1 +S\ndelete a", "9.1 done\n" },
	{ "by another one where there is no UNSELECT",
	  PLUS "C: A5 SELECT \"a/b\"\n"
	       "S: * OK [UIDVALIDITY 9]\n"
	       "S: A5 OK\n"
	       "C: A6 UID STORE 1 +FLAGS.SILENT (\\Seen)\n"
	       "S: A6 OK\n"
	       "C: A7 SELECT \"INBOX\"\n"
	       "S: A7 OK\n"
	       "C: A8 LSUB \"\" \"a*\"\n"
	       "S: A8 OK\n"
	       "C: A9 RENAME \"a\" \"c\"\n"
	       "S: A9 OK\n" BYE,
	  "flags a/b 9.1 +S\nrename a c", "9.1 done\n" },
	{ "a folder that is gone cannot be deleted",
	  PLAIN "C: A5 DELETE \"a\"\n"
	        "S: A5 NO [NONEXISTENT] no\n"
	        "C: A6 DELETE \"b\"\n"
	        "S: A6 NO cannot\n"
	        "C: A7 LIST \"\" \"b\"\n"
	        "S: A7 OK\n"
	        "C: A8 DELETE \"c\"\n"
	        "S: A8 NO [CANNOT] never\n" BYE,
	  "delete a\ndelete b\ndelete c\ndelete INBOX",
	  "(no)\nENOENT\n(cannot)\nENOENT\n(never)\nEOPNOTSUPP\n"
	  "EOPNOTSUPP\n" },
	{ "subscriptions follow a folder that is renamed",
	  PLAIN "C: A5 LSUB \"\" \"a*\"\n"
	        "S: * LSUB () \"/\" a/b\n"
	        "S: * LSUB () \"/\" a\n"
	        "S: * LSUB () \"/\" ab\n"
	        "S: A5 OK\n"
	        "C: A6 RENAME \"a\" \"x/y\"\n"
	        "S: A6 OK\n"
	        "C: A7 SUBSCRIBE \"x/y/b\"\n"
	        "S: A7 OK\n"
	        "C: A8 UNSUBSCRIBE \"a/b\"\n"
	        "S: A8 NO\n"
	        "C: A9 SUBSCRIBE \"x/y\"\n"
	        "S: A9 OK\n"
	        "C: A10 UNSUBSCRIBE \"a\"\n"
	        "S: A10 OK\n" BYE,
	  "rename a x/y", "" },
	{ "a name that is taken, or gone",
	  PLAIN "C: A5 LSUB \"\" \"a*\"\n"
	        "S: A5 NO what\n"
	        "C: A6 RENAME \"a\" \"b\"\n"
	        "S: A6 NO cannot\n"
	        "C: A7 LIST \"\" \"b\"\n"
	        "S: * LIST () \"/\" b\n"
	        "S: A7 OK\n"
	        "C: A8 LSUB \"\" \"a*\"\n"
	        "S: A8 OK\n"
	        "C: A9 RENAME \"a\" \"b\"\n"
	        "S: A9 NO cannot\n"
	        "C: A10 LIST \"\" \"b\"\n"
	        "S: A10 OK\n"
	        "C: A11 LIST \"\" \"a\"\n"
	        "S: A11 OK\n" BYE,
	  "rename a b\nrename a b\nrename INBOX b",
	  "(cannot)\nEEXIST\n(cannot)\nENOENT\nEOPNOTSUPP\n" },
	{ "subscriptions",
	  PLAIN "C: A5 SUBSCRIBE \"a\"\n"
	        "S: A5 OK\n"
	        "C: A6 UNSUBSCRIBE \"a\"\n"
	        "S: A6 NO [NOPERM] no\n" BYE,
	  "subscribe a\nunsubscribe a", "(no)\nEACCES\n" },
};

#endif
