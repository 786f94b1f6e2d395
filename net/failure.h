/*
 * What a failure of libcurl means to the user and to the callers of
 * conn_open().  Private to net/.
 *
 * Each function with an r fills its failed and text, and returns the -errno.
 */
#ifndef NET_FAILURE_H
#define NET_FAILURE_H

#include <curl/curl.h>

#include "net/conn.h"
#include "net/login.h"

struct failure {
	CURLcode code;
	enum conn_step step; /* where it ended, if the code does not say */
	const char *error;   /* libcurl's words, "" for none */
	const struct login *login;
};

int failure_say_code(const struct conn_config *config, const struct failure *f,
                     struct conn_report *r);
int failure_say_timeout(const struct conn_config *config, enum conn_step step,
                        struct conn_report *r);

/* The server's words say that the credentials are not to blame. */
bool failure_is_passing(const char *words);

/* Any other failure: why is one line, without host and hint. */
int failure_say(const struct conn_config *config, enum conn_step step, int err,
                const char *why, struct conn_report *r);

#endif
