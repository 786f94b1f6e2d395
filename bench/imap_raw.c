/*
 * The least an IMAP client can do: one command, its answer read and counted.
 * What mailmount is measured against; it keeps nothing and parses nothing.
 *
 *   imap_raw plain|tls PORT USER PASSWORD MAILBOX metadata|bodies|send
 *
 * send: the commands on standard input, one behind the other as they are.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

/* Longer than any tagged line; the last bytes of what came. */
#define TAIL_MAX 512

struct link {
	int fd;
	SSL *tls; /* NULL: plain */
	uint64_t received;
};

static ssize_t link_read(struct link *l, void *bytes, size_t size)
{
	if (l->tls)
		return SSL_read(l->tls, bytes, (int)size);
	return read(l->fd, bytes, size);
}

static void link_write(struct link *l, const char *bytes, size_t len)
{
	ssize_t n = l->tls ? SSL_write(l->tls, bytes, (int)len)
	                   : write(l->fd, bytes, len);

	if (n != (ssize_t)len)
		errx(1, "cannot send");
}

static void link_open(struct link *l, const char *port, bool has_tls)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 ||
	    connect(l->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "port %s", port);
	if (!has_tls)
		return;
	l->tls = SSL_new(SSL_CTX_new(TLS_client_method()));
	if (!l->tls || !SSL_set_fd(l->tls, l->fd) || SSL_connect(l->tls) != 1)
		errx(1, "no TLS on port %s", port);
}

/*
 * Does the text end with a line that starts with tag?  A literal could hold
 * the same, but would have to end a read with it.
 */
static bool ends_with_tag(const char *text, size_t len, const char *tag)
{
	const char *line;

	if (len < 2 || text[len - 1] != '\n')
		return false;
	line = memrchr(text, '\n', len - 1);
	line = line ? line + 1 : text;
	return strncmp(line, tag, strlen(tag)) == 0;
}

/* Read until the line that starts with tag; it must say OK. */
static void link_expect(struct link *l, const char *tag)
{
	static char bytes[TAIL_MAX + (1 << 18)];
	size_t kept = 0;

	for (;;) {
		ssize_t n =
			link_read(l, bytes + kept, sizeof(bytes) - kept - 1);
		const char *line;

		if (n <= 0)
			errx(1, "connection lost, waiting for %s", tag);
		l->received += (uint64_t)n;
		kept += (size_t)n;
		bytes[kept] = '\0';
		if (ends_with_tag(bytes, kept, tag)) {
			line = memrchr(bytes, '\n', kept - 1);
			line = line ? line + 1 : bytes;
			if (strncmp(line + strlen(tag), "OK", 2) != 0 &&
			    tag[0] != '*')
				errx(1, "the server says: %s", line);
			return;
		}
		if (kept > TAIL_MAX) {
			memmove(bytes, bytes + kept - TAIL_MAX, TAIL_MAX);
			kept = TAIL_MAX;
		}
	}
}

__attribute__((format(printf, 3, 4))) static void
command(struct link *l, const char *tag, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line))
		errx(1, "command too long");
	link_write(l, line, (size_t)n);
	link_expect(l, tag);
}

/* The commands on standard input; what they answer is read at the end. */
static void send_input(struct link *l)
{
	static char bytes[1 << 16];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		link_write(l, bytes, (size_t)n);
	command(l, "c ", "c NOOP\r\n");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct link l = { .fd = -1 };
	double started = now(), fetching;
	uint64_t before;
	const char *what;

	if (argc != 7)
		errx(2, "usage: imap_raw plain|tls PORT USER PASSWORD MAILBOX "
		        "metadata|bodies|send");
	what = strcmp(argv[6], "bodies") == 0
	               ? "BODY.PEEK[]"
	               : "(UID FLAGS INTERNALDATE RFC822.SIZE)";
	link_open(&l, argv[2], strcmp(argv[1], "tls") == 0);
	link_expect(&l, "* OK");
	command(&l, "a ", "a LOGIN \"%s\" \"%s\"\r\n", argv[3], argv[4]);
	command(&l, "b ", "b EXAMINE \"%s\"\r\n", argv[5]);
	before = l.received;
	fetching = now();
	if (strcmp(argv[6], "send") == 0)
		send_input(&l);
	else
		command(&l, "c ", "c UID FETCH 1:* %s\r\n", what);
	printf("%.3f s total, %.3f s fetch, %llu bytes\n", now() - started,
	       now() - fetching, (unsigned long long)(l.received - before));
	return 0;
}
