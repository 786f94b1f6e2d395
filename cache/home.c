#include "cache/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/mem.h"

static int make_levels(const char *path)
{
	auto_free char *level = xstrdup(path);
	for (char *p = level + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(level, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(level, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

int home_make(const char *path, char **why_out)
{
	int err = make_levels(path);
	auto_fd int fd = -1;
	struct stat st = { 0 };
	if (err == 0) {
		fd = open(path,
		          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			err = -errno;
	}
	if (err != 0) {
		*why_out = xasprintf("cannot use %s: %s", path, strerror(-err));
		return err;
	}
	if (st.st_uid != geteuid()) {
		*why_out = xasprintf("%s belongs to another user", path);
		return -EPERM;
	}
	if ((st.st_mode & 077) != 0) {
		*why_out =
			xasprintf("%s is open to others: chmod 700 it", path);
		return -EPERM;
	}
	return 0;
}

int home_lock(const char *state_dir, const char *account, int *fd_out,
              char **why_out)
{
	auto_free char *path = xasprintf("%s/lock", state_dir);
	auto_fd int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		int err = -errno;
		*why_out = xasprintf("cannot use %s: %s", path, strerror(-err));
		return err;
	}
	char pid[32] = "";
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		*why_out =
			xasprintf("account %s is already mounted by process %s",
		                  account, pid[0] != '\0' ? pid : "?");
		return -EBUSY;
	}
	/* Only said to people; a lock without its number is still a lock. */
	int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(fd, 0) == 0) {
		ssize_t n = pwrite(fd, pid, (size_t)len, 0);
		(void)n;
	}
	*fd_out = take_fd(&fd);
	return 0;
}
