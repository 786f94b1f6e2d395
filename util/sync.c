#include "util/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

bool sync_is_left_out(const char *name)
{
#ifdef FAULT_POINTS
	const char *left_out = getenv("MAILMOUNT_NO_SYNC");
	return left_out != NULL && strcmp(left_out, name) == 0;
#else
	(void)name;
	return false;
#endif
}

int sync_file(int fd, const char *name)
{
	return sync_is_left_out(name) || fsync(fd) == 0 ? 0 : -errno;
}

int sync_data(int fd, const char *name)
{
	return sync_is_left_out(name) || fdatasync(fd) == 0 ? 0 : -errno;
}

int sync_dir(const char *path, const char *name)
{
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : sync_file(fd, name);
}
