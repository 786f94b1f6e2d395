/*
 * How a transcript begins and ends.
 */
#ifndef TESTS_UNIT_IMAPCLIENT_GREETINGS_H
#define TESTS_UNIT_IMAPCLIENT_GREETINGS_H

#define LOGIN \
	"S: * OK hello\n" \
	"C: A1 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\n" \
	"S: A1 OK done\n" \
	"C: A2 AUTHENTICATE PLAIN AGJvYgBwdw==\n" \
	"S: A2 OK welcome\n" \
	"C: A3 CAPABILITY\n"

/* Up to A4; blanks before the capabilities. */
#define SERVER(capabilities) \
	LOGIN \
	"S: * CAPABILITY IMAP4rev1" capabilities "\n" \
	"S: A3 OK\n" \
	"C: A4 LIST \"\" \"\"\n" \
	"S: * LIST (\\Noselect) \"/\" \"\"\n" \
	"S: A4 OK\n"

/* A server that can nothing, and tells its delimiter. */
#define PLAIN SERVER(" LOGINDISABLED ")

#define BYE "C: Z LOGOUT\n"

#endif
