/*
 * A mail server that plays a transcript on loopback, in a thread of its own.
 *
 * A transcript reads like an example in an RFC, one step a line:
 *
 *	S: text      send text and CRLF
 *	C: text      the client must send this line; a * at the end matches
 *	             any rest.  A first word "A1", "A2", … stands for whatever
 *	             tag the client uses: its first use in a C: line binds it,
 *	             later ones, and the first word of S: lines, mean the same.
 *	S| text      send exactly these bytes; escapes \r \n \t \\ \xHH
 *	C| text      the client must send exactly these bytes
 *	!literal N   send N bytes: byte i is server_literal_byte(i)
 *	!bytes HEX   send these bytes
 *	!split N     from here, send N bytes at a time; 0: as much as fits
 *	!starttls    do the TLS handshake
 *	!deflate     from here all is compressed, both ways (RFC 4978), until
 *	             the connection ends
 *	!close       close the connection; the next step, if any, waits for
 *	             the client to connect again
 *	!eof         the client must close the connection now; then as !close
 *	!stall       say nothing more, take what comes until the client closes;
 *	             then as !close
 *
 * Blank lines and those that begin with # are left out.  What consecutive
 * steps send goes out together, as one write.  The end of the transcript is
 * !eof where a connection is open: a client that says more fails the test.
 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/fake/cert.h"

struct server_options {
	bool tls; /* from the first byte, on every connection */
	enum cert_kind cert;
};

struct server;

/*
 * Begin to play: a transcript, or the name of a file in tests/scripts when it
 * has no line end.  NULL options: no TLS.  Ends with server_finish().
 */
struct server *server_start(const char *transcript,
                            const struct server_options *options);

/* On localhost. */
unsigned server_port(const struct server *s);

/* What a client needs to trust the server; until server_finish(). */
const char *server_ca(const struct server *s);
const char *server_pin(const struct server *s);

/*
 * Wait for the end of the play and fail the test if any byte the client sent
 * (TLS taken off) was part of secret, plain or as base64.
 */
void server_assert_untold(struct server *s, const char *secret);

/*
 * Wait for the end of the play, and fail the test unless it went to its end
 * as written.  Close the client first.
 */
void server_finish(struct server *s);

/* As !literal: lines of 70 letters, with CRLF. */
static inline char server_literal_byte(size_t i)
{
	size_t column = i % 72;
	if (column >= 70)
		return column == 70 ? '\r' : '\n';
	return (char)('a' + i / 72 % 26);
}

#endif
