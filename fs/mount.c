#include "fs/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/mem.h"

/* Each dead daemon may have left one mount, upon that of its predecessor. */
#define STACK_MAX 16

char *mount_path(const char *mountpoint)
{
	char *path = realpath(mountpoint, NULL);
	if (path || errno != ENOTCONN)
		return path;
	/* Only the last name is beyond reach: it is the dead mount's root. */
	auto_free char *above = xstrdup(mountpoint);
	size_t len = strlen(above);
	while (len > 1 && above[len - 1] == '/')
		above[--len] = '\0';
	char *slash = strrchr(above, '/');
	const char *name = slash ? slash + 1 : above;
	auto_free char *copy = xstrdup(name);
	if (slash)
		slash[slash == above] = '\0';
	auto_free char *parent = realpath(slash ? above : ".", NULL);
	if (!parent)
		return NULL;
	bool is_root = strcmp(parent, "/") == 0;
	return xasprintf("%s/%s", is_root ? "" : parent, copy);
}

/* Undo the \ooo of blanks and the like. */
static void unescape(char *s)
{
	char *end = s;
	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' &&
		    s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*end++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 |
			                (s[3] - '0'));
			s += 3;
		} else {
			*end++ = *s;
		}
	}
	*end = '\0';
}

/*
 * "ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG…] - TYPE SOURCE …":
 * whether a line is of path, and then whether its type is ours.
 */
static bool parse_line(char *line, const char *path, bool *is_ours_out)
{
	char *type = strstr(line, " - ");
	if (!type)
		return false;
	*type = '\0';
	type += 3;
	char *point = line;
	for (int i = 0; i < 4 && point; i++)
		point = strchr(point + 1, ' ');
	if (!point)
		return false;
	point++;
	point[strcspn(point, " ")] = '\0';
	unescape(point);
	if (strcmp(point, path) != 0)
		return false;
	type[strcspn(type, " ")] = '\0';
	*is_ours_out = strcmp(type, "fuse." MOUNT_SUBTYPE) == 0;
	return true;
}

bool mount_is_listed(int fd, const char *path)
{
	FILE *file = fdopen(fd, "r");
	if (!file)
		return false;
	auto_free char *line = NULL;
	size_t size = 0;
	bool is_ours = false;
	/* In the order of mounting: the last is on top. */
	while (getline(&line, &size, file) > 0)
		(void)parse_line(line, path, &is_ours);
	(void)fclose(file);
	return is_ours;
}

int mount_table_open(void)
{
	return open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

bool mount_is_ours(const char *path)
{
	int fd = mount_table_open();
	return fd >= 0 && mount_is_listed(fd, path);
}

dev_t mount_device(const char *path)
{
	struct statx st;
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return 0;
	return makedev(st.stx_dev_major, st.stx_dev_minor);
}

static bool read_table(int fd, dev_t device)
{
	auto_fd int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0)
		return true;
	FILE *file = fdopen(copy, "r");
	if (!file)
		return true;
	(void)take_fd(&copy);
	auto_free char *line = NULL;
	size_t size = 0;
	bool is_there = false;
	unsigned major, minor;
	while (!is_there && getline(&line, &size, file) > 0)
		is_there = sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
		           makedev(major, minor) == device;
	/* What was not read to its end tells nothing. */
	is_there |= ferror(file) != 0;
	(void)fclose(file);
	return is_there;
}

bool mount_table_has(int fd, dev_t device)
{
	if (read_table(fd, device))
		return true;
	/* Before Linux 5.8 one is left out when another goes meanwhile. */
	return read_table(fd, device);
}

int mount_detach(const char *path)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	char fusermount[] = "fusermount3", u[] = "-u", q[] = "-q", z[] = "-z",
	     end[] = "--";
	auto_free char *copy = xstrdup(path);
	char *argv[] = { fusermount, u, q, z, end, copy, NULL };
	pid_t pid;
	int status;
	int err = posix_spawnp(&pid, fusermount, NULL, NULL, argv, environ);
	if (err != 0)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

int mount_prepare(const char *path, char **why_out)
{
	struct statfs fs;
	/* stat(2) would be answered from memory; statfs(2) asks the daemon. */
	for (int i = 0; statfs(path, &fs) < 0 && errno == ENOTCONN; i++) {
		int err = -EBUSY;
		if (i < STACK_MAX && mount_is_ours(path))
			err = mount_detach(path);
		if (err < 0) {
			*why_out = xasprintf("%s: a dead mount is here that "
			                     "cannot be removed: %s",
			                     path, strerror(-err));
			return err;
		}
	}
	if (mount_is_ours(path)) {
		*why_out = xasprintf("%s: already mounted", path);
		return -EBUSY;
	}
	auto_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int err = -errno;
		*why_out = xasprintf("%s: %s", path, strerror(-err));
		return err;
	}
	return 0;
}
