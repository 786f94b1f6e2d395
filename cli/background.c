#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/cleanup.h"

/* In the parent: pass on the child's verdict. */
static _Noreturn void await_verdict(int fd)
{
	unsigned char code;
	ssize_t n;
	do {
		n = read(fd, &code, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(code);
	(void)dprintf(STDERR_FILENO, "mailmount: died while starting; run it "
	                             "with -f to see more\n");
	_exit(EX_SOFTWARE);
}

static void redirect(int from, int to)
{
	auto_fd int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = from; fd >= 0 && i <= to; i++)
		(void)dup2(fd, i);
}

int background_start(int *fd_out)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	auto_fd int read_end = ends[0];
	auto_fd int write_end = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		(void)close(take_fd(&write_end));
		await_verdict(read_end);
	}
	(void)setsid();
	if (chdir("/") < 0)
		return -errno;
	redirect(STDIN_FILENO, STDIN_FILENO);
	*fd_out = take_fd(&write_end);
	return 0;
}

void background_tell(int *fd, int code)
{
	if (*fd < 0)
		return;
	unsigned char byte = (unsigned char)code;
	(void)!write(*fd, &byte, 1);
	(void)close(take_fd(fd));
	redirect(STDOUT_FILENO, STDERR_FILENO);
}

bool background_is_watched(int fd)
{
	if (fd < 0)
		return false;
	struct pollfd poll_fd = { .fd = fd };
	return poll(&poll_fd, 1, 0) == 0;
}
