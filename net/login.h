/*
 * Which ways to log in libcurl may take, and what server and libcurl say of
 * it.  Private to net/.
 *
 * A password is used with SCRAM, CRAM-MD5, PLAIN and LOGIN.  GSSAPI needs a
 * ticket besides, DIGEST-MD5 is historic (RFC 6331) and offered by servers
 * that have no secret for it, NTLM is broken: the user must name them.
 */
#ifndef NET_LOGIN_H
#define NET_LOGIN_H

#include <stdbool.h>

#include "net/conn.h"

/* Longest part of a server's refusal that we repeat. */
#define LOGIN_WORDS_SIZE 120

/* One connection's dialogue, as far as it is known. */
struct login {
	enum conn_protocol protocol;
	bool is_at_proxy;    /* an HTTP one was asked for the server … */
	bool is_granted;     /* … and its answer so far is yes */
	bool has_greeting;   /* the server said something */
	bool is_foreign;     /* and it was no greeting of our protocol */
	bool has_asked_tls;  /* we sent STARTTLS or STLS */
	bool is_disabled;    /* LOGINDISABLED (RFC 3501 6.2.3) */
	bool has_plain;      /* PLAIN or LOGIN is offered */
	bool has_begun;      /* a mechanism was tried */
	bool is_challenge;   /* and it was one that hides the password */
	const char *avoided; /* static: a mechanism offered that we do not use
	                        unasked; NULL: none */
	char words[LOGIN_WORDS_SIZE]; /* the refusal, if the last line was one */
};

/* Each line that the server sends, and each that libcurl does. */
void login_heard(struct login *l, const char *line);
void login_said(struct login *l, const char *line);

/*
 * The CURLOPT_LOGIN_OPTIONS to begin with.  The caller frees it.
 *
 * With any but "AUTH=*", libcurl uses SASL alone: no LOGIN command, no USER
 * and PASS, no APOP.  (By default it tries GSSAPI, DIGEST-MD5 and NTLM first.)
 */
char *login_options(const struct conn_config *config);

/*
 * Is it left to the commands USER and PASS (RFC 1939 7)?  The server has no
 * SASL for us.  libcurl would choose APOP wherever a greeting allows it, also
 * for users who have no secret of that kind; so it may only connect.
 */
bool login_is_by_user(const struct login *l, const struct conn_config *config);

/*
 * Those for one more connection after the server refused l, which went by
 * login_options(); NULL where another login is not worth it.
 */
const char *login_options_after(const struct login *l,
                                const struct conn_config *config);

#endif
