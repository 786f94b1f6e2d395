#include "cli/files.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

ssize_t files_read(int fd, char *bytes, size_t size)
{
	ssize_t n;
	do {
		n = read(fd, bytes, size);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int files_write(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int files_move(int from_dir, const char *from, int to_dir, const char *to)
{
	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return renameat(from_dir, from, to_dir, to) == 0 ? 0 : -errno;
}
