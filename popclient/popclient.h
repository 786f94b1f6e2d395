/*
 * POP3 (RFC 1939, RFC 2449) behind mail/remote.h.
 *
 * The account is one folder, INBOX.  A session holds the server's lock on the
 * drop, so it lasts only while there is work: each call makes one if it needs
 * it, and remote_wait() ends it after a second without work.
 */
#ifndef POPCLIENT_POPCLIENT_H
#define POPCLIENT_POPCLIENT_H

#include <stdbool.h>

#include "mail/remote.h"
#include "net/conn.h"

struct pop_config {
	const struct conn_config *conn; /* borrowed: outlives every remote */
	bool is_read_only;              /* nothing is removed there */
};

/* For one account only one: two would lock each other out. */
int pop_remote_new(const struct pop_config *config, struct remote **remote_out);

/*
 * Try an account for `mailmount check`: connect, then capabilities and count.
 * Each line of findings goes to say().  Returns 0 or an error of remote.h.
 */
typedef void pop_say(void *arg, const char *line);
int pop_check(const struct pop_config *config, pop_say *say, void *arg);

#endif
