#include "tests/unit/fs/mounted.h"

#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/unit/test.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

#define PROGRAM_MS 60000

int mounted_set_up(void **state)
{
	struct mounted *m = xmalloc(sizeof(*m));
	strcpy(m->path, "/tmp/mailmount test,XXXXXX");
	if (!mkdtemp(m->path))
		return -1;
	m->cache = fake_cache_new();
	m->inbox = fake_folder(m->cache, CACHE_ROOT, "INBOX", 0);
	*state = m;
	return 0;
}

int64_t mounted_message(struct mounted *m, unsigned flags)
{
	/* Its id is not the folder's: 2. */
	(void)fake_message(m->cache, 0, CACHE_NEW, 0, 0, 0);
	return fake_message(m->cache, m->inbox, CACHE_CUR, flags, 3, 3);
}

struct cache_entry mounted_entry(struct mounted *m, int64_t message)
{
	struct cache_entry entry;
	assert_int_equal(cache_entry_of(m->cache, message, &entry), 0);
	return entry;
}

void mounted_end(struct mounted *m)
{
	fs_close(take(m->fs));
}

int mounted_tear_down(void **state)
{
	struct mounted *m = *state;
	cache_stop(m->cache);
	mounted_end(m);
	fake_cache_free(m->cache);
	(void)umount2(m->path, MNT_DETACH);
	(void)rmdir(m->path);
	free(m);
	return 0;
}

void mounted_now(struct mounted *m, enum fs_layout layout, size_t accounts)
{
	char *why = NULL;
	for (size_t i = 0; i < accounts; i++) {
		m->accounts[i].name = i ? "play" : "work";
		m->accounts[i].cache = m->cache;
		m->accounts[i].layout = layout;
	}
	m->config = (struct fs_config){ .mountpoint = m->path,
		                        .accounts = m->accounts,
		                        .account_count = accounts,
		                        .is_single = accounts == 1,
		                        .options = "" };
	if (fs_open(&m->config, &m->fs, &why) < 0)
		fail_msg("fs_open: %s", why);
	assert_int_equal(fs_start(m->fs), 0);
}

pid_t mounted_start(const struct mounted *m, program *run, void *arg)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	/* The kernel's end of the mount among them: we must not hold it. */
	(void)close_range(3, ~0U, 0);
	_exit(chdir(m->path) < 0 ? 2 : run(arg));
}

int mounted_finish(pid_t pid, int64_t ms)
{
	int64_t deadline = deadline_in(ms);
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (deadline_left(deadline) == 0) {
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &status, 0);
			return -1;
		}
		(void)poll(NULL, 0, 1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void mounted_run(const struct mounted *m, program *run, void *arg)
{
	assert_int_equal(mounted_finish(mounted_start(m, run, arg), PROGRAM_MS),
	                 0);
}

static int shell(void *command)
{
	(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return 127;
}

void mounted_shell(const struct mounted *m, const char *command)
{
	auto_free char *text = xstrdup(command);
	int status = mounted_finish(mounted_start(m, shell, text), PROGRAM_MS);
	if (status != 0)
		fail_msg("%d from: %s", status, command);
}

void mounted_await_waiting(const struct mounted *m, size_t count)
{
	int64_t deadline = deadline_in(10000);
	while (fake_waiting(m->cache) != count) {
		assert_true(deadline_left(deadline) > 0);
		(void)poll(NULL, 0, 1);
	}
}

int put_file(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -1;
	size_t len = strlen(text);
	return write(fd, text, len) == (ssize_t)len ? fsync(fd) : -1;
}

bool has_text(const char *path, const char *text)
{
	char bytes[4096];
	auto_fd int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	return n == (ssize_t)strlen(text) &&
	       memcmp(bytes, text, strlen(text)) == 0;
}
