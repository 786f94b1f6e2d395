/*
 * Fill a mailbox fast: MULTIAPPEND (RFC 3502) with LITERAL+ (RFC 7888), a
 * thousand messages a command.
 *
 *   fill PORT USER PASSWORD MAILBOX COUNT SIZE
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH      1000
#define HEADER_MAX 1024
#define FIRST_DAY  1500000000 /* received dates rise from here, by a minute */

static const char *const senders[] = { "ada", "bela", "chen", "dana", "eva" };

static void put_date(FILE *out, long number)
{
	time_t when = FIRST_DAY + (time_t)number * 60;
	struct tm tm;
	char text[64];

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "\"%d-%b-%Y %H:%M:%S +0000\"", &tm);
	fputs(text, out);
}

/* One message of an APPEND: flags, date, literal. */
static void put_message(FILE *out, long number, size_t size)
{
	static const char line[] = "The quick brown fox jumps over the lazy "
				   "dog, again and again.\r\n";
	char header[HEADER_MAX];
	int n = snprintf(header, sizeof(header),
	                 "From: %s@example.org\r\nTo: me@example.org\r\n"
	                 "Subject: message %ld\r\n"
	                 "Message-ID: <%ld@bench.example.org>\r\n\r\n",
	                 senders[number % 5], number, number);
	size_t left;

	if (n < 0 || (size_t)n > sizeof(header))
		errx(1, "header too long");
	left = size > (size_t)n ? size - (size_t)n : 0;
	left -= left % (sizeof(line) - 1);
	fputs(number % 3 ? " (\\Seen) " : " () ", out);
	put_date(out, number);
	fprintf(out, " {%zu+}\r\n%s", (size_t)n + left, header);
	for (; left > 0; left -= sizeof(line) - 1)
		fwrite(line, 1, sizeof(line) - 1, out);
}

/* Read lines until the tagged one; it must say OK. */
static void expect(FILE *in, const char *tag)
{
	char line[8192];

	do {
		if (!fgets(line, sizeof(line), in))
			errx(1, "connection lost, waiting for %s", tag);
	} while (strncmp(line, tag, strlen(tag)) != 0);
	if (strncmp(line + strlen(tag), "OK", 2) != 0)
		errx(1, "the server says: %s", line);
}

static int dial(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err(1, "port %s", port);
	return fd;
}

int main(int argc, char **argv)
{
	long count, done = 0;
	size_t size;
	FILE *in, *out;
	int fd;

	if (argc != 7)
		errx(2, "usage: fill PORT USER PASSWORD MAILBOX COUNT SIZE");
	count = strtol(argv[5], NULL, 10);
	size = strtoul(argv[6], NULL, 10);
	fd = dial(argv[1]);
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	if (!in || !out)
		err(1, "stream");
	setvbuf(out, NULL, _IOFBF, 1 << 20);
	fprintf(out, "a LOGIN \"%s\" \"%s\"\r\n", argv[2], argv[3]);
	fflush(out);
	expect(in, "a ");
	while (done < count) {
		long end = done + BATCH < count ? done + BATCH : count;

		fprintf(out, "b APPEND \"%s\"", argv[4]);
		for (; done < end; done++)
			put_message(out, done, size);
		fputs("\r\n", out);
		fflush(out);
		expect(in, "b ");
	}
	return 0;
}
