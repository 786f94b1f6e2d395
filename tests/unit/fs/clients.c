#include "tests/unit/fs/clients.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/inode.h"
#include "util/mem.h"

/* A sanitizer may have its own say in the exit status. */
static int fail_at(int line)
{
	(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, line, strerror(errno));
	return line % 256 ? line % 256 : 1;
}

/* Each client returns 0, or the line where it failed. */
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return fail_at(__LINE__); \
	} while (0)

static char *below(const char *rest)
{
	return xasprintf("%s/%s", getenv("M"), rest);
}

/* Every message, opened for the first time: all ways to learn its size. */
static int client_sizes(void)
{
	char *path = below("INBOX/cur");
	CHECK(chdir(path) == 0);
	free(path);
	DIR *dir = opendir(".");
	CHECK(dir);
	int count = 0;
	for (struct dirent *d; (d = readdir(dir)); count++) {
		if (d->d_name[0] == '.')
			continue;
		struct stat st;
		CHECK(d->d_ino != 0 && d->d_type == DT_REG);
		CHECK(stat(d->d_name, &st) == 0 && st.st_ino == d->d_ino);
		off_t claimed = st.st_size;
		int fd = open(d->d_name, O_RDONLY);
		CHECK(fd >= 0 && fstat(fd, &st) == 0);
		CHECK(st.st_size < claimed);
		CHECK(lseek(fd, 0, SEEK_END) == st.st_size);
		char *text = mmap(NULL, (size_t)st.st_size, PROT_READ,
		                  MAP_SHARED, fd, 0);
		CHECK(text != MAP_FAILED && text[st.st_size - 1] == '\n');
		CHECK(text[0] == 'x');
		char bytes[8];
		CHECK(pread(fd, bytes, 8, st.st_size - 3) == 3);
		(void)munmap(text, (size_t)st.st_size);
		(void)close(fd);
	}
	(void)closedir(dir);
	return count > 2 ? 0 : 1;
}

/* While others come, go and change place, the stable ones are seen once. */
static int client_churn(void)
{
	char *path = below("INBOX/cur");
	for (int round = 0; round < 30; round++) {
		DIR *dir = opendir(path);
		CHECK(dir);
		char seen[1001] = { 0 };
		for (struct dirent *d; (d = readdir(dir));) {
			struct inode node;
			CHECK(inode_parse(d->d_ino, &node));
			if (node.kind == INODE_MESSAGE && node.id <= 1000)
				CHECK(seen[node.id]++ == 0);
		}
		for (int id = 1; id <= 1000; id += 2)
			CHECK(seen[id] == 1);
		(void)closedir(dir);
	}
	free(path);
	return 0;
}

static int client_seekdir(void)
{
	char *path = below("INBOX/cur");
	DIR *dir = opendir(path);
	CHECK(dir);
	long cookies[2000];
	ino_t numbers[2000];
	int count = 0;
	for (struct dirent *d; (d = readdir(dir)); count++) {
		numbers[count] = d->d_ino;
		cookies[count] = telldir(dir);
		CHECK(count == 0 || cookies[count] > cookies[count - 1]);
	}
	CHECK(count == 1002);
	for (int i = 0; i + 1 < count; i += 97) {
		seekdir(dir, cookies[i]);
		struct dirent *d = readdir(dir);
		CHECK(d && d->d_ino == numbers[i + 1]);
	}
	(void)closedir(dir);
	free(path);
	return 0;
}

/* One errno for each way an open can fail, told by the parent. */
static int client_open_errno(void)
{
	char *path = below("INBOX/new/1700000001.0000000000000001.work");
	errno = 0;
	int fd = open(path, O_RDONLY);
	free(path);
	return fd >= 0 ? 0 : errno;
}

static void on_alarm(int signal)
{
}

/* A signal whose handler does not restart ends the open with EINTR. */
static int client_eintr(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	return client_open_errno() == EINTR ? 0 : 1;
}

static const struct {
	const char *name;
	int (*run)(void);
} CLIENTS[] = {
	{ "sizes", client_sizes },     { "churn", client_churn },
	{ "seekdir", client_seekdir }, { "open_errno", client_open_errno },
	{ "eintr", client_eintr },
};

int client_run(const char *name)
{
	for (size_t i = 0; i < sizeof(CLIENTS) / sizeof(CLIENTS[0]); i++)
		if (strcmp(name, CLIENTS[i].name) == 0)
			return CLIENTS[i].run();
	return 1;
}
