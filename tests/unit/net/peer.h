/*
 * What the tests of net/ share: a scripted server, the configuration of a
 * client for it, and how the client fared; and a relay to put between them.
 */
#ifndef TESTS_UNIT_NET_PEER_H
#define TESTS_UNIT_NET_PEER_H

#include "tests/unit/test.h"

#include "net/conn.h"
#include "tests/fake/server.h"
#include "util/wake.h"

/* Must never be seen on a connection that is not safe. */
#define CANARY "Zq7-CANARY-password"

/* Long enough for valgrind: no test waits for it to pass. */
#define TIMEOUT_MS 10000

/* Offers of capabilities, and a login with the canary. */
#define OFFER(LIST) \
	"S: * OK hello\n" \
	"C: A1 CAPABILITY\n" \
	"S: * CAPABILITY IMAP4rev1 " LIST "\n" \
	"S: A1 OK done\n"
#define LOGIN_OK \
	OFFER("AUTH=PLAIN SASL-IR") \
	"C: A2 AUTHENTICATE PLAIN AGJvYgBacTctQ0FOQVJZLXBhc3N3b3Jk\n" \
	"S: A2 OK welcome\n"

struct peer {
	struct server *server;
	struct conn_config config;
	struct conn *conn;
	struct conn_report report;
	struct wake abort;
};

/* A server with this transcript; bob's account there, its secret CANARY. */
void peer_start(struct peer *p, const char *transcript,
                enum conn_security security, enum cert_kind cert);

/* conn_open() with all that. */
int peer_open(struct peer *p);

/* Close, and fail the test unless the server heard what was written. */
void peer_finish(struct peer *p);

/* text has these words, and not the canary. */
void peer_assert_mentions(const char *text, const char *words);

/* ---- A relay ---- */

enum relay_kind {
	RELAY_BARE,   /* to the server, whatever the client says */
	RELAY_HTTP,   /* as a proxy is told (RFC 9110 9.3.6) */
	RELAY_SOCKS5, /* as a proxy is told (RFC 1928) */
	RELAY_REFUSE, /* an HTTP proxy that says 403 */
};

/* What the relay does, as soon as the client has said trigger. */
enum relay_event {
	RELAY_GOES_ON,
	RELAY_EXPIRES, /* passes the deadline, and has the client look at its
	                  clock by sending it the byte in say */
	RELAY_ABORTS,  /* signals the peer's abort */
	RELAY_HOLDS,   /* takes nothing more from the client */
};

struct relay_plan {
	enum relay_kind kind;
	enum relay_event event;
	const char *trigger; /* "" at once */
	char say;
};

struct relay;

/* Begin to relay one connection for p, whose configuration is changed. */
struct relay *relay_start(struct peer *p, const struct relay_plan *plan);

/*
 * Close p's connection, which ends it.  *target_out, unless NULL, is what the
 * proxy was told: HOST:PORT, "" for nothing.
 */
void relay_finish(struct relay *r, struct peer *p, char target_out[64]);

#endif
