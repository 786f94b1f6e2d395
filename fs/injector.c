/*
 * The child is forked from a process with threads, so all it does is system
 * calls.  It closes every descriptor but its end of the socket: among them is
 * the kernel's end of the mount, which must end with the daemon.  It ends when
 * the other end of the socket does.
 */
#include "fs/injector.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/*
 * An operation waits as long as a lookup in the same directory does, which is
 * the longest timeout an account may have.
 */
#define RUN_MS (605 * 1000)

/* Whatever kills the child may kill the next one, too. */
#define AGAIN_MS (10 * 1000)

/* In the child: a directory below the mount; never through another mount. */
static int open_below(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* Of the device the daemon is asked nothing. */
static int open_root(const struct injector *i)
{
	auto_fd int fd = open(i->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statx st;
	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) <
	    0)
		return -1;
	errno = EXDEV;
	dev_t device = makedev(st.stx_dev_major, st.stx_dev_minor);
	return device == i->device ? take_fd(&fd) : -1;
}

static int play(const struct injector *i, const struct injector_order *o)
{
	auto_fd int root = open_root(i);
	auto_fd int dir = root < 0 ? -1 : open_below(root, o->dir);
	int n = -1;
	if (dir < 0)
		return -errno;
	switch (o->what) {
	case INJECTOR_RENAME: {
		auto_fd int to_dir = open_below(root, o->to_dir);
		if (to_dir >= 0)
			n = renameat2(dir, o->name, to_dir, o->to_name,
			              RENAME_NOREPLACE);
		break;
	}
	case INJECTOR_UNLINK:
		n = unlinkat(dir, o->name, 0);
		break;
	case INJECTOR_MKDIR:
		n = mkdirat(dir, o->name, 0700);
		break;
	case INJECTOR_RMDIR:
		n = unlinkat(dir, o->name, AT_REMOVEDIR);
		break;
	}
	return n < 0 ? -errno : 0;
}

static _Noreturn void child_main(const struct injector *i, int fd)
{
	struct injector_order order;
	if (dup2(fd, STDIN_FILENO) < 0 ||
	    close_range(STDIN_FILENO + 1, ~0U, 0) < 0 || chdir("/") < 0)
		_exit(1);
	(void)prctl(PR_SET_NAME, "mailmount-watch", 0, 0, 0);
	while (recv(STDIN_FILENO, &order, sizeof(order), 0) == sizeof(order)) {
		int err = play(i, &order);
		if (send(STDIN_FILENO, &err, sizeof(err), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static int start_locked(struct injector *i)
{
	int ends[2];
	if (i->is_killed || clock_now_ms() < i->not_before)
		return -ESHUTDOWN;
	i->not_before = clock_now_ms() + AGAIN_MS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		log_warn("no process for those who watch the mount: %s",
		         strerror(errno));
		return -ESHUTDOWN;
	}
	pid_t pid = fork();
	if (pid == 0)
		child_main(i, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		log_warn("no process for those who watch the mount: %s",
		         strerror(errno));
		(void)close(ends[0]);
		return -ESHUTDOWN;
	}
	i->fd = ends[0];
	atomic_store(&i->pid, pid);
	return 0;
}

static int start(struct injector *i)
{
	if (i->fd >= 0)
		return 0;
	(void)pthread_mutex_lock(&i->lock);
	int err = start_locked(i);
	(void)pthread_mutex_unlock(&i->lock);
	return err;
}

/*
 * It died, or is to.  Until its end is known, its requests are known as such;
 * and its number is not free for another while injector_kill() may use it.
 */
static void reap(struct injector *i)
{
	siginfo_t info;
	pid_t pid = injector_pid(i);
	(void)close(take_fd(&i->fd));
	(void)kill(pid, SIGKILL);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 &&
	       errno == EINTR)
		;
	(void)pthread_mutex_lock(&i->lock);
	atomic_store(&i->pid, 0);
	(void)waitpid(pid, NULL, 0);
	bool is_killed = i->is_killed;
	(void)pthread_mutex_unlock(&i->lock);
	if (!is_killed)
		log_warn("the process that wakes those who watch the mount "
		         "died; there will be another");
}

int injector_run(struct injector *i, const struct injector_order *order)
{
	int err = start(i);
	if (err < 0)
		return err;
	struct pollfd poll_fd = { .fd = i->fd, .events = POLLIN };
	int64_t deadline = deadline_in(RUN_MS);
	if (send(i->fd, order, sizeof(*order), MSG_NOSIGNAL) ==
	    sizeof(*order)) {
		int n;
		do {
			n = poll(&poll_fd, 1, deadline_left(deadline));
		} while (n < 0 && errno == EINTR);
		if (n > 0 && recv(i->fd, &err, sizeof(err), 0) == sizeof(err))
			return err;
	}
	reap(i);
	return -ESHUTDOWN;
}

void injector_init(struct injector *i, const char *mountpoint, dev_t device)
{
	*i = (struct injector){ .mountpoint = mountpoint,
		                .device = device,
		                .fd = -1 };
	(void)pthread_mutex_init(&i->lock, NULL);
}

void injector_kill(struct injector *i)
{
	(void)pthread_mutex_lock(&i->lock);
	i->is_killed = true;
	pid_t pid = injector_pid(i);
	if (pid > 0)
		(void)kill(pid, SIGKILL);
	(void)pthread_mutex_unlock(&i->lock);
}

void injector_release(struct injector *i)
{
	if (i->fd >= 0)
		reap(i);
	(void)pthread_mutex_destroy(&i->lock);
}
