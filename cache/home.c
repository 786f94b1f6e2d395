#include "cache/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/mem.h"
#include "util/sync.h"

/* Left free for the journal; of a small file system, a part of it. */
#define RESERVE_BYTES (UINT64_C(16) << 20)
#define RESERVE_PART  8

static int make_level(const char *path, bool lasts)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (!lasts)
		return 0;
	auto_free char *parent = xasprintf("%s/..", path);
	return sync_dir(parent, "home");
}

static int make_levels(const char *path, bool lasts)
{
	auto_free char *level = xstrdup(path);
	int err = 0;
	for (char *p = level + 1; *p != '\0' && err == 0; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		err = make_level(level, lasts);
		*p = '/';
	}
	return err < 0 ? err : make_level(level, lasts);
}

int home_room(int fd, uint64_t bytes)
{
	struct statvfs fs;
	if (fstatvfs(fd, &fs) < 0)
		return -errno;
	uint64_t reserve = fs.f_frsize * fs.f_blocks / RESERVE_PART;
	if (reserve > RESERVE_BYTES)
		reserve = RESERVE_BYTES;
	uint64_t room = fs.f_frsize * fs.f_bavail;
	return room < reserve || room - reserve < bytes ? -ENOSPC : 0;
}

int home_make(const char *path, bool lasts, char **why_out)
{
	int err = make_levels(path, lasts);
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
