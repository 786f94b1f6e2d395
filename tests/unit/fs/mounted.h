/*
 * A mount over a cache in memory, and programs that use it.  Each runs in a
 * process of its own: one that waits for itself cannot be killed.
 */
#ifndef TESTS_UNIT_FS_MOUNTED_H
#define TESTS_UNIT_FS_MOUNTED_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "fs/fs.h"
#include "tests/fake/cache.h"
#include "tests/unit/test.h"

struct mounted {
	char path[64];
	struct cache *cache;
	struct fs *fs;
	struct fs_account accounts[2];
	struct fs_config config;
	int64_t inbox; /* a mailbox, INBOX */
};

/* cmocka's; *state is a struct mounted, not mounted yet. */
int mounted_set_up(void **state);
int mounted_tear_down(void **state);

#define MOUNT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, mounted_set_up, mounted_tear_down)

/* For main(): its status.  Where nothing can be mounted they are skipped. */
#define mounted_run_tests(tests) \
	(access("/dev/fuse", R_OK | W_OK) < 0 \
	         ? 77 \
	         : cmocka_run_group_tests(tests, NULL, NULL))

void mounted_now(struct mounted *m, enum fs_layout layout, size_t accounts);
/*
 * Before that: a message in cur of the inbox that is not here, "xxx\n", said to
 * have 3 bytes more; FIRST is its name, up to ":2,".
 */
int64_t mounted_message(struct mounted *m, unsigned flags);
#define FIRST "1700000002.0000000000000002.work"
/* What the cache has of a message. */
struct cache_entry mounted_entry(struct mounted *m, int64_t message);

/* Take the mount away; mounted_now() may follow. */
void mounted_end(struct mounted *m);

/*
 * A program: 0, or it said on standard error what is not so.  It begins in the
 * mount, and may use no cmocka.
 */
typedef int program(void *arg);

#define TRUE(condition) \
	do { \
		if (!(condition)) { \
			(void)fprintf(stderr, "%s:%d: not %s (%s)\n", \
			              __FILE__, __LINE__, #condition, \
			              strerror(errno)); \
			return 1; \
		} \
	} while (0)

/* That it fails, with this errno. */
#define FAILS(call, error) \
	do { \
		errno = 0; \
		long result_ = (long)(call); \
		if (result_ >= 0 || errno != (error)) { \
			(void)fprintf(stderr, "%s:%d: %s: %ld, %s\n", \
			              __FILE__, __LINE__, #call, result_, \
			              strerror(errno)); \
			return 1; \
		} \
	} while (0)

pid_t mounted_start(const struct mounted *m, program *run, void *arg);
/* Its exit status, or -1 if it takes longer than ms: then it is killed. */
int mounted_finish(pid_t pid, int64_t ms);

/* Both, and the test fails unless the program returns 0. */
void mounted_run(const struct mounted *m, program *run, void *arg);
/* The same with a shell command; it succeeds. */
void mounted_shell(const struct mounted *m, const char *command);

/* Until so many requests wait. */
void mounted_await_waiting(const struct mounted *m, size_t count);

/* For programs: make a file with this text; fsync it.  0, or -1 and errno. */
int put_file(const char *path, const char *text);
/* Whether a file holds just this text. */
bool has_text(const char *path, const char *text);

#endif
