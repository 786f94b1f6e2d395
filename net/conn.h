/*
 * One authenticated byte stream to a mail server.
 *
 * libcurl resolves, connects (through a proxy if asked), makes TLS, checks the
 * certificate and logs in; from then on this module only moves bytes.  Nothing
 * secret is sent before TLS is up, unless the security is CONN_PLAIN.
 *
 * A conn belongs to one thread.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/wake.h"

enum conn_protocol { CONN_IMAP, CONN_POP3 };

enum conn_security {
	CONN_TLS,      /* TLS from the first byte */
	CONN_STARTTLS, /* upgraded; refused if the server cannot */
	CONN_PLAIN,    /* in the clear: only where the user wrote tls = none */
};

/* Where the secret comes from; exactly one. */
enum conn_secret {
	CONN_SECRET_NONE,     /* the server asks for none (client cert) */
	CONN_SECRET_PASSWORD, /* secret is the password itself */
	CONN_SECRET_PASSWORD_COMMAND, /* secret is run by sh, first line read */
	CONN_SECRET_PASSWORD_FILE,    /* secret is a path, first line read */
	CONN_SECRET_NETRC,            /* secret is the path of a netrc file */
	CONN_SECRET_TOKEN_COMMAND,    /* prints an OAuth 2 bearer token */
};

/* All strings borrowed: they outlive every conn made from this. */
struct conn_config {
	enum conn_protocol protocol;
	enum conn_security security;
	const char *host;
	unsigned port; /* 0: the scheme's own */
	const char *user;
	enum conn_secret secret_kind;
	const char *secret;
	const char *auth;     /* SASL mechanism to insist on; NULL: the best */
	const char *tls_ca;   /* PEM file of trusted CAs; NULL: the system's */
	const char *tls_pin;  /* sha256//BASE64 of the public key; NULL: none */
	const char *tls_cert; /* client certificate, PEM; NULL: none */
	const char *tls_key;  /* its key; NULL: in the same file */
	const char *proxy;    /* URL, socks5h://… or http://…; NULL: none */
	int timeout_ms;
};

/* The steps of conn_open(), in order; for messages and `mailmount check`. */
enum conn_step {
	CONN_STEP_SECRET,
	CONN_STEP_RESOLVE,
	CONN_STEP_CONNECT,
	CONN_STEP_TLS,
	CONN_STEP_LOGIN,
	CONN_STEP_DONE,
};

struct conn_report {
	enum conn_step failed; /* CONN_STEP_DONE: it did not */
	char text[256];        /* what failed, why, what to do; one line */
	bool has_tls;
	/* Milliseconds from the start until the step was done; -1: not. */
	int64_t resolved_ms, connected_ms, tls_ms, login_ms;
};

struct conn;

/*
 * Connect and log in.  abort, when signalled, ends it and every later wait.
 * *report_out is always filled.
 *
 * Returns 0, -EHOSTUNREACH (no address, no connection, or it was lost),
 * -ETIMEDOUT, -EPROTO (not a mail server), -ENOKEY (certificate or TLS not
 * as it must be, or no secret to be had), -EKEYREJECTED (the server refuses the
 * credentials), -ECANCELED.
 */
int conn_open(const struct conn_config *config, struct wake *abort,
              struct conn **conn_out, struct conn_report *report_out);

/*
 * Read what is there, waiting for the first byte.  Returns the count (> 0),
 * -EHOSTUNREACH (closed or lost), -ETIMEDOUT, -ECANCELED; where it is
 * compressed, -EPROTO for what makes no sense or would be far too much.
 */
ssize_t conn_read(struct conn *c, void *bytes, size_t size, int64_t deadline);

/* Write all of it.  Returns 0 or the errors of conn_read(). */
int conn_write(struct conn *c, const void *bytes, size_t len, int64_t deadline);

/*
 * From now on all is compressed, both ways (RFC 4978).  The bytes were read
 * already, and belong to that.
 */
void conn_compress(struct conn *c, const void *bytes, size_t len);

/* The socket, to poll for input.  TLS and zlib may hold what poll does not see. */
int conn_fd(const struct conn *c);

/* Bytes that came and were not read: about, for some are TLS's or zlib's. */
size_t conn_buffered(const struct conn *c);

/* At once, without a word to the server.  NULL is fine. */
void conn_close(struct conn *c);

/* The port that a connection goes to. */
unsigned conn_port(const struct conn_config *config);

/* "resolve", "connect", … */
const char *conn_step_name(enum conn_step step);

#endif
