/*
 * A proxy that makes a connection long, not narrow: every byte arrives DELAY
 * after it was sent, at full rate.
 *
 *   delay_proxy LISTEN_PORT TARGET_PORT DELAY_MS     (a round trip is twice it)
 *
 * One process a connection, one thread, two directions.  Each direction is a
 * ring of chunks with the time at which they are due; while the ring has room
 * the source is read, so nothing here limits the rate.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_SIZE 65536
#define CHUNKS     1024 /* 64 MB under way: 1.6 GB/s at 40 ms */

struct chunk {
	int64_t due_us;
	size_t len, written;
	char bytes[CHUNK_SIZE];
};

struct direction {
	int from, to;
	bool has_ended; /* no more from there */
	unsigned first, count;
	struct chunk *chunks; /* CHUNKS of them */
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void take_in(struct direction *d, int64_t delay_us)
{
	struct chunk *c = &d->chunks[(d->first + d->count) % CHUNKS];
	ssize_t n = read(d->from, c->bytes, CHUNK_SIZE);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		d->has_ended = true;
		return;
	}
	c->due_us = now_us() + delay_us;
	c->len = (size_t)n;
	c->written = 0;
	d->count++;
}

/* Write what is due.  Returns false when the other side is gone. */
static bool give_out(struct direction *d)
{
	while (d->count > 0) {
		struct chunk *c = &d->chunks[d->first];
		ssize_t n;

		if (c->due_us > now_us())
			return true;
		n = write(d->to, c->bytes + c->written, c->len - c->written);
		if (n < 0)
			return errno == EAGAIN;
		c->written += (size_t)n;
		if (c->written < c->len)
			return true;
		d->first = (d->first + 1) % CHUNKS;
		d->count--;
	}
	return true;
}

/* When the next chunk is due, as a timeout for ppoll; -1: none waits. */
static int64_t wait_us(const struct direction *d)
{
	int64_t left;

	if (d->count == 0)
		return -1;
	left = d->chunks[d->first].due_us - now_us();
	return left > 0 ? left : 0;
}

static void wait_both(struct direction d[2])
{
	struct pollfd fds[2] = { { .fd = d[0].from }, { .fd = d[1].from } };
	int64_t shortest = -1;
	struct timespec ts;

	for (int i = 0; i < 2; i++) {
		int64_t us = wait_us(&d[i]);

		if (us >= 0 && (shortest < 0 || us < shortest))
			shortest = us;
		if (d[i].has_ended || d[i].count == CHUNKS)
			fds[i].fd = -1;
		fds[i].events = POLLIN;
		/* Due, but the receiver is full: wait for room. */
		if (us == 0 && fds[1 - i].fd == d[i].to)
			fds[1 - i].events |= POLLOUT;
	}
	/* The receiver may be out of poll's sight; look again soon. */
	if (shortest == 0)
		shortest = 200;
	ts.tv_sec = shortest / 1000000;
	ts.tv_nsec = shortest % 1000000 * 1000;
	(void)ppoll(fds, 2, shortest < 0 ? NULL : &ts, NULL);
}

static void relay(int client, int server, int64_t delay_us)
{
	struct direction d[2] = { { .from = client, .to = server },
		                  { .from = server, .to = client } };

	for (int i = 0; i < 2; i++) {
		d[i].chunks = calloc(CHUNKS, sizeof(*d[i].chunks));
		if (!d[i].chunks)
			err(1, "chunks");
		(void)fcntl(d[i].from, F_SETFL, O_NONBLOCK);
	}
	for (;;) {
		wait_both(d);
		for (int i = 0; i < 2; i++) {
			if (!d[i].has_ended && d[i].count < CHUNKS)
				take_in(&d[i], delay_us);
			if (!give_out(&d[i]))
				return;
			if (d[i].has_ended && d[i].count == 0)
				return;
		}
	}
}

static struct sockaddr_in loopback(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

static int listen_at(const char *port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 64) < 0)
		err(1, "port %s", port);
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in target;
	int64_t delay_us;
	int listener;

	if (argc != 4)
		errx(2, "usage: delay_proxy LISTEN_PORT TARGET_PORT DELAY_MS");
	target = loopback(argv[2]);
	delay_us = strtol(argv[3], NULL, 10) * 1000;
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	listener = listen_at(argv[1]);
	for (;;) {
		int client = accept(listener, NULL, NULL), server;

		if (client < 0)
			continue;
		if (fork() != 0) {
			close(client);
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(server, (struct sockaddr *)&target,
		            sizeof(target)) < 0)
			err(1, "target");
		relay(client, server, delay_us);
		_exit(0);
	}
}
