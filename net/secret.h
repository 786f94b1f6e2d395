/*
 * Secrets: got when a connection is made, wiped when it stands.
 */
#ifndef NET_SECRET_H
#define NET_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "net/conn.h"
#include "util/strbuf.h"

#define SECRET_MAX 65536 /* bytes; a longer one is refused */

/*
 * Get the secret that config names.  A command is run by /bin/sh -c with our
 * environment, standard input /dev/null; only the first line it prints counts.
 * The caller wipes *secret_out with strbuf_wipe().
 *
 * Returns 0, -ENOKEY and one line in why (size bytes) that names the
 * command or file but never what it printed, -ETIMEDOUT, or -ECANCELED.
 */
int secret_get(const struct conn_config *config, struct wake *abort,
               struct strbuf *secret_out, char *why, size_t size);

#endif
