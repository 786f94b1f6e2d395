/*
 * Writes to a real IMAP server: each line of standard input is done, see
 * tests/fake/driver.h, and its answer ends in a line of one dot.
 *
 *   remote_tool PORT USER PASSWORD CA [DISABLE]
 *
 * CA is the file to trust; "": no TLS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/imapclient.h"
#include "tests/fake/driver.h"
#include "util/cleanup.h"

static int serve(struct remote *r)
{
	auto_free char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	while ((len = getline(&line, &capacity, stdin)) > 0) {
		auto_strbuf struct strbuf out = { 0 };
		line[len - 1] = '\0';
		int err = remote_connect(r);
		if (err < 0)
			strbuf_printf(&out, "connect: %s\n", r->failure);
		else
			driver_do(r, line, &out);
		printf("%s.\n", strbuf_text(&out));
		(void)fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct imap_config config = {
		.conn = { .protocol = CONN_IMAP,
		          .security = CONN_PLAIN,
		          .host = "localhost",
		          .secret_kind = CONN_SECRET_PASSWORD,
		          .timeout_ms = 20000 },
		.version = "1.0",
	};
	struct remote *r;
	if (argc < 5) {
		(void)fprintf(
			stderr,
			"usage: remote_tool PORT USER PASSWORD CA [DISABLE]\n");
		return 2;
	}
	config.conn.port = (unsigned)strtoul(argv[1], NULL, 10);
	config.conn.user = argv[2];
	config.conn.secret = argv[3];
	if (argv[4][0] != '\0') {
		config.conn.security = CONN_TLS;
		config.conn.tls_ca = argv[4];
	}
	config.disable = argv[5];
	if (imap_remote_new(&config, &r) < 0)
		return 1;
	int status = serve(r);
	remote_free(r);
	return status;
}
