/*
 * A state directory's path may be longer than a socket's name can be (108
 * bytes), so the directory is opened and named /proc/self/fd/N.
 */
#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The main loop waits so long for a caller, who is this machine's: to say a
 * line, and to take what may be megabytes.
 */
#define CALLER_MS 200
#define TAKING_MS 1000

/* The daemon answers between two ticks. */
#define ANSWER_MS  5000
#define ANSWER_MAX ((size_t)8 * 1024 * 1024)
#define READ_SIZE  ((size_t)64 * 1024)

static int dir_open(const char *dir)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static struct sockaddr_un address_in(int dir_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	(void)snprintf(address.sun_path, sizeof(address.sun_path),
	               "/proc/self/fd/%d/control", dir_fd);
	return address;
}

int control_listen(const char *dir)
{
	auto_fd int dir_fd = dir_open(dir);
	if (dir_fd < 0)
		return dir_fd;
	if (unlinkat(dir_fd, "control", 0) < 0 && errno != ENOENT)
		return -errno;
	auto_fd int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* On Linux the mode of the socket is that of its file. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	struct sockaddr_un address = address_in(dir_fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (listen(fd, 8) < 0)
		return -errno;
	return take_fd(&fd);
}

void control_unlink(const char *dir)
{
	auto_fd int dir_fd = dir_open(dir);
	if (dir_fd >= 0)
		(void)unlinkat(dir_fd, "control", 0);
}

static int wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int n;
	do {
		n = poll(&poll_fd, 1, deadline_left(deadline));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Up to the line end, which is cut off. */
static int read_request(int fd, char *request)
{
	int64_t deadline = deadline_in(CALLER_MS);
	size_t len = 0;
	while (len < CONTROL_REQUEST_MAX) {
		int err = wait_for(fd, POLLIN, deadline);
		if (err < 0)
			return err;
		ssize_t n = read(fd, request + len, CONTROL_REQUEST_MAX - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPROTO;
		len += (size_t)n;
		request[len] = '\0';
		char *end = strchr(request, '\n');
		if (end != NULL) {
			*end = '\0';
			return 0;
		}
	}
	return -EPROTO;
}

int control_accept(int listener, char request_out[CONTROL_REQUEST_MAX + 1])
{
	auto_fd int fd =
		accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != geteuid() && peer.uid != 0)
		return -EACCES;
	int err = read_request(fd, request_out);
	if (err < 0)
		return err;
	return take_fd(&fd);
}

static int write_all(int fd, const char *text, int64_t deadline)
{
	size_t len = strlen(text);
	while (len > 0) {
		int err = wait_for(fd, POLLOUT, deadline);
		if (err < 0)
			return err;
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

void control_answer(int fd, const char *text)
{
	(void)write_all(fd, text, deadline_in(TAKING_MS));
}

static int connect_and_ask(const char *dir, const char *request,
                           int64_t deadline)
{
	auto_fd int dir_fd = dir_open(dir);
	if (dir_fd < 0)
		return dir_fd;
	auto_fd int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	struct sockaddr_un address = address_in(dir_fd);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	int err = write_all(fd, request, deadline);
	if (err == 0)
		err = write_all(fd, "\n", deadline);
	return err < 0 ? err : take_fd(&fd);
}

int control_open(const char *dir, const char *request)
{
	return connect_and_ask(dir, request, deadline_in(ANSWER_MS));
}

int control_ask(const char *dir, const char *request, struct strbuf *answer)
{
	int64_t deadline = deadline_in(ANSWER_MS);
	auto_fd int fd = connect_and_ask(dir, request, deadline);
	int err = fd < 0 ? fd : 0;
	while (err == 0 && answer->len < ANSWER_MAX) {
		err = wait_for(fd, POLLIN, deadline);
		if (err < 0)
			break;
		strbuf_reserve(answer, READ_SIZE);
		answer->bytes[answer->len] = '\0';
		ssize_t n = read(fd, answer->bytes + answer->len, READ_SIZE);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		answer->len += (size_t)n;
		answer->bytes[answer->len] = '\0';
	}
	return err < 0 ? err : -EPROTO;
}
