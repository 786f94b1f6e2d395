/*
 * A real mount over a cache in memory.  What touches the mount runs in other
 * processes: a process that waits for itself cannot be killed.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/fs.h"
#include "fs/ops.h"
#include "tests/fake/cache.h"
#include "tests/unit/fs/clients.h"
#include "util/clock.h"
#include "util/mem.h"

struct fixture {
	char path[64];
	struct cache *cache;
	struct fs *fs;
	struct fs_account accounts[2];
	struct fs_config config;
	int64_t inbox;
};

static struct fixture *fixture_of(void **state)
{
	return *state;
}

static void configure(struct fixture *f, enum fs_layout layout, size_t count)
{
	for (size_t i = 0; i < count; i++)
		f->accounts[i] = (struct fs_account){ i ? "play" : "work",
			                              f->cache, layout };
	f->config = (struct fs_config){ .mountpoint = f->path,
		                        .accounts = f->accounts,
		                        .account_count = count,
		                        .is_single = count == 1,
		                        .options = "" };
}

static void mount_now(struct fixture *f, enum fs_layout layout, size_t count)
{
	char *why = NULL;
	configure(f, layout, count);
	int err = fs_open(&f->config, &f->fs, &why);
	if (err < 0)
		fail_msg("fs_open: %s", why);
	assert_int_equal(fs_start(f->fs), 0);
}

static int set_up(void **state)
{
	struct fixture *f = xmalloc(sizeof(*f));
	strcpy(f->path, "/tmp/mailmount test,XXXXXX");
	if (!mkdtemp(f->path))
		return -1;
	(void)setenv("M", f->path, 1);
	f->cache = fake_cache_new();
	f->inbox = fake_folder(f->cache, CACHE_ROOT, "INBOX", 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = fixture_of(state);
	cache_stop(f->cache);
	fs_close(f->fs);
	fake_cache_free(f->cache);
	(void)umount2(f->path, MNT_DETACH);
	(void)rmdir(f->path);
	free(f);
	return 0;
}

/* Run a client: a shell command in which $M is the mount. */
static pid_t client(const char *command)
{
	char sh[] = "/bin/sh", c[] = "-c";
	char *text = xstrdup(command);
	char *argv[] = { sh, c, text, NULL };
	pid_t pid;
	assert_int_equal(posix_spawn(&pid, sh, NULL, NULL, argv, environ), 0);
	free(text);
	return pid;
}

/* The same, for one that is this program again: see clients.h. */
static pid_t own_client(const char *name)
{
	char *command = xasprintf("exec \"$SELF\" --client %s", name);
	pid_t pid = client(command);
	free(command);
	return pid;
}

/* Its exit status, or -1 if it takes longer than ms: then it is killed. */
static int finish(pid_t pid, int64_t ms)
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

static void expect(const char *command)
{
	int status = finish(client(command), 20000);
	if (status != 0)
		fail_msg("%d from: %s", status, command);
}

static void expect_client(const char *name)
{
	int status = finish(own_client(name), 60000);
	if (status != 0)
		fail_msg("line %d of client %s", status, name);
}

/* Until so many requests wait. */
static void await_waiting(struct cache *c, size_t count)
{
	int64_t deadline = deadline_in(10000);
	while (fake_waiting(c) != count) {
		assert_true(deadline_left(deadline) > 0);
		(void)poll(NULL, 0, 1);
	}
}

static void nested_folders_are_directories(void **state)
{
	struct fixture *f = fixture_of(state);
	int64_t lists = fake_folder(f->cache, CACHE_ROOT, "Lists",
	                            MAIL_FOLDER_NOSELECT);
	fake_folder(f->cache, lists, "crypto", 0);
	fake_message(f->cache, f->inbox, CACHE_CUR, MAIL_SEEN, 10, 2);
	mount_now(f, FS_NESTED, 1);
	expect("test \"$(ls -x \"$M\")\" = 'INBOX  Lists'");
	expect("test \"$(ls \"$M/Lists\")\" = crypto");
	expect("test \"$(echo $(ls \"$M/Lists/crypto\"))\" = 'cur new tmp'");
	expect("test \"$(ls \"$M/INBOX/cur\")\" = "
	       "1700000001.0000000000000001.work:2,S");
	expect("test \"$(stat -c '%a %h %s %b %Y' \"$M\"/INBOX/cur/*)\" = "
	       "'600 1 13 0 1700000001'");
	expect("test $(find \"$M\" -type d | wc -l) = 10");
	expect("test $(stat -f -c %l \"$M\") = 255");
}

static void maildirpp_folders_stand_side_by_side(void **state)
{
	struct fixture *f = fixture_of(state);
	int64_t lists = fake_folder(f->cache, CACHE_ROOT, "Lists",
	                            MAIL_FOLDER_NOSELECT);
	fake_folder(f->cache, lists, "a.b", 0);
	fake_folder(f->cache, f->inbox, "below", 0);
	fake_message(f->cache, f->inbox, CACHE_NEW, 0, 10, 2);
	mount_now(f, FS_MAILDIRPP, 1);
	expect("test \"$(echo $(LC_ALL=C ls -A \"$M\"))\" = "
	       "'.INBOX.below .Lists.a%2Eb cur new tmp'");
	expect("test \"$(echo $(ls -A \"$M/.Lists.a%2Eb\"))\" = 'cur new tmp'");
	expect("grep -q x \"$M/new/1700000001.0000000000000001.work\"");
	expect("! ls -d \"$M/.INBOX\" \"$M/.Lists\" \"$M/.Lists.a.b\" "
	       "\"$M/.INBOX.below/.INBOX\" 2>/dev/null | grep .");
	expect("test $(find \"$M\" -type d | wc -l) = 12");
}

static void several_accounts_are_directories(void **state)
{
	struct fixture *f = fixture_of(state);
	mount_now(f, FS_NESTED, 2);
	expect("test \"$(ls -x \"$M\")\" = 'work  play'  || "
	       "test \"$(ls -x \"$M\")\" = 'play  work'");
	expect("test -d \"$M/play/INBOX/cur\" && test ! -e \"$M/INBOX\"");
	expect("test $(stat -c %i \"$M/work/INBOX\") != "
	       "$(stat -c %i \"$M/play/INBOX\")");
}

static void odd_names_are_reachable_and_confined(void **state)
{
	struct fixture *f = fixture_of(state);
	static const char *const LEVELS[] = { "..",  ".",        "cur", "%",
		                              "%2F", "a b\\c*?", "-rf", "%0A" };
	char level[1024];
	for (size_t i = 0; i < COUNT_OF(LEVELS); i++)
		fake_folder(f->cache, CACHE_ROOT, LEVELS[i], 0);
	memset(level, 'l', 600);
	level[600] = '\0';
	fake_folder(f->cache, CACHE_ROOT, level, 0);
	mount_now(f, FS_NESTED, 1);
	expect("test $(ls -A \"$M\" | wc -l) = 10");
	expect("cd \"$M\" && for d in *; do "
	       "ls \"./$d/cur\" >/dev/null && test -d \"./$d/new\" || exit 1; "
	       "done");
	expect("test -d \"$M/%2E%2E/cur\" && test -d \"$M/%63ur/cur\"");
	expect("test $(find \"$M\" | wc -l) = 41");
}

static void sizes_are_exact_once_open(void **state)
{
	struct fixture *f = fixture_of(state);
	for (size_t i = 0; i < 20; i++)
		fake_message(f->cache, f->inbox, CACHE_CUR, 0, 50 + i * 900, 7);
	mount_now(f, FS_NESTED, 1);
	expect_client("sizes");
	for (size_t i = 0; i < 3; i++)
		fake_message(f->cache, f->inbox, CACHE_NEW, 0, 99, 50);
	expect("cd \"$M/INBOX/new\" && ls -l >/dev/null && set -- * && "
	       "test $(wc -c <$1) = 100 && test $(tail -c 10 $2 | wc -c) = 10 "
	       "&& test $(tail -c +1 $3 | wc -c) = 100");
}

static void sizes_are_exact_in_a_storm_of_stats(void **state)
{
	struct fixture *f = fixture_of(state);
	for (size_t i = 0; i < 1500; i++)
		fake_message(f->cache, f->inbox, CACHE_CUR, 0, 50 + i, 7);
	mount_now(f, FS_NESTED, 1);
	pid_t storms[3];
	for (size_t i = 0; i < COUNT_OF(storms); i++)
		storms[i] = client("cd \"$M/INBOX/cur\" && "
		                   "while ls -l; do :; done >/dev/null");
	expect_client("sizes");
	for (size_t i = 0; i < COUNT_OF(storms); i++) {
		(void)kill(storms[i], SIGKILL);
		(void)finish(storms[i], 5000);
	}
}

static void a_large_directory_is_listed_whole(void **state)
{
	struct fixture *f = fixture_of(state);
	for (int i = 0; i < 100000; i++)
		fake_message(f->cache, f->inbox, CACHE_CUR, 0, 50, 7);
	mount_now(f, FS_NESTED, 1);
	int64_t begin = clock_now_ms();
	expect("test $(ls -U \"$M/INBOX/cur\" | wc -l) = 100000");
	print_message("ls -U of 100000: %d ms\n",
	              (int)(clock_now_ms() - begin));
	expect("test $(stat -c %s \"$M\"/INBOX/cur/*0000000000000007*) = 58");
}

static void scans_are_stable_while_entries_change(void **state)
{
	struct fixture *f = fixture_of(state);
	for (int i = 0; i < 1000; i++)
		fake_message(f->cache, f->inbox, CACHE_CUR, 0, 10, 2);
	mount_now(f, FS_NESTED, 1);
	expect_client("seekdir");
	pid_t pid = own_client("churn");
	int status = 0;
	for (int64_t i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		int64_t id = i % 500 * 2 + 2;
		fake_entry_set(f->cache, id, CACHE_NEW, 0);
		fake_entry_set(f->cache, id, CACHE_CUR, i % 64);
		int64_t extra =
			fake_message(f->cache, f->inbox, CACHE_CUR, 0, 10, 2);
		fake_entry_remove(f->cache, extra);
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Until a command is true. */
static void expect_soon(const char *command)
{
	int64_t deadline = deadline_in(10000);
	while (finish(client(command), 5000) != 0)
		if (deadline_left(deadline) == 0)
			fail_msg("never: %s", command);
}

static void the_kernel_is_told_what_changed(void **state)
{
	struct fixture *f = fixture_of(state);
	int64_t id = fake_message(f->cache, f->inbox, CACHE_CUR, 0, 10, 2);
	mount_now(f, FS_NESTED, 1);
	expect("ls -l \"$M/INBOX/cur\" | grep -q 'work:2,$'");
	fake_entry_set(f->cache, id, CACHE_CUR, MAIL_SEEN);
	expect_soon("cd \"$M/INBOX/cur\" && test -e *:2,S && "
	            "test ! -e 1700000001.0000000000000001.work:2,");
	/* More than are told one by one. */
	for (int i = 0; i < 20001; i++)
		fake_entry_set(f->cache, id, CACHE_CUR,
		               i % 2 ? MAIL_SEEN : MAIL_FLAGGED);
	expect_soon("cd \"$M/INBOX/cur\" && test -e *:2,F && "
	            "test ! -e 1700000001.0000000000000001.work:2,S");
	int64_t gone = fake_folder(f->cache, CACHE_ROOT, "gone", 0);
	expect_soon("ls -l \"$M\" | grep -q gone && test -d \"$M/gone/cur\"");
	fake_folder_remove(f->cache, gone);
	expect_soon("test ! -e \"$M/gone\"");
}

static void a_first_listing_is_waited_for(void **state)
{
	struct fixture *f = fixture_of(state);
	fake_listed(f->cache, f->inbox, false);
	fake_listed(f->cache, CACHE_ROOT, false);
	mount_now(f, FS_NESTED, 1);
	pid_t root = client("ls \"$M\" | grep -q later");
	pid_t name = client("test -d \"$M/later/cur\"");
	await_waiting(f->cache, 2);
	fake_folder(f->cache, CACHE_ROOT, "later", 0);
	fake_complete(f->cache, 0);
	assert_int_equal(finish(root, 5000), 0);
	assert_int_equal(finish(name, 5000), 0);
	pid_t list = client("ls \"$M/INBOX/new\" | grep -q work");
	pid_t find = client(
		"test -e \"$M/INBOX/new/1700000001.0000000000000001.work\"");
	await_waiting(f->cache, 2);
	fake_message(f->cache, f->inbox, CACHE_NEW, 0, 10, 2);
	fake_complete(f->cache, 0);
	assert_int_equal(finish(list, 5000), 0);
	assert_int_equal(finish(find, 5000), 0);
}

static void a_listing_that_just_ended_is_looked_at_again(void **state)
{
	struct fixture *f = fixture_of(state);
	mount_now(f, FS_NESTED, 1);
	fake_folder_late(f->cache, "late");
	expect("test -d \"$M/late/cur\"");
}

static void a_failed_open_says_why(void **state)
{
	static const int ROWS[][2] = {
		{ EHOSTUNREACH, EHOSTUNREACH },
		{ ETIMEDOUT, ETIMEDOUT },
		{ EKEYREJECTED, EACCES },
		{ ENOKEY, EACCES },
		{ EPROTO, EIO },
		{ ECANCELED, EIO },
		{ EIO, EIO },
		{ ENOSPC, ENOSPC },
		{ EDQUOT, EDQUOT },
	};
	struct fixture *f = fixture_of(state);
	fake_message(f->cache, f->inbox, CACHE_NEW, 0, 10, 2);
	fake_hold(f->cache, true);
	mount_now(f, FS_NESTED, 1);
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		pid_t pid = own_client("open_errno");
		await_waiting(f->cache, 1);
		fake_complete(f->cache, -ROWS[i][0]);
		assert_int_equal(finish(pid, 5000), ROWS[i][1]);
	}
	assert_int_equal(ops_errno(-ESTALE), ESTALE);
}

static void a_waiting_reader_can_be_killed_or_interrupted(void **state)
{
	struct fixture *f = fixture_of(state);
	fake_message(f->cache, f->inbox, CACHE_NEW, 0, 10, 2);
	fake_hold(f->cache, true);
	mount_now(f, FS_NESTED, 1);
	pid_t pid = client("exec cat \"$M\"/INBOX/new/*");
	await_waiting(f->cache, 1);
	expect("ls -l \"$M/INBOX/new\" >/dev/null"); /* others go on */
	(void)kill(pid, SIGKILL);
	assert_int_equal(finish(pid, 1000), 128 + SIGKILL);
	await_waiting(f->cache, 0);

	pid = own_client("eintr");
	await_waiting(f->cache, 1);
	(void)kill(pid, SIGUSR1);
	assert_int_equal(finish(pid, 1000), 0);
	await_waiting(f->cache, 0);
}

static void stopping_answers_who_waits(void **state)
{
	struct fixture *f = fixture_of(state);
	fake_message(f->cache, f->inbox, CACHE_NEW, 0, 10, 2);
	fake_hold(f->cache, true);
	mount_now(f, FS_NESTED, 1);
	pid_t pids[5];
	for (size_t i = 0; i < COUNT_OF(pids); i++)
		pids[i] = own_client("open_errno");
	await_waiting(f->cache, COUNT_OF(pids));
	int64_t begin = clock_now_ms();
	cache_stop(f->cache);
	fs_close(f->fs);
	f->fs = NULL;
	assert_true(clock_now_ms() - begin < 2000);
	for (size_t i = 0; i < COUNT_OF(pids); i++)
		assert_int_equal(finish(pids[i], 1000), EIO);
	expect("test -z \"$(ls -A \"$M\")\"");
}

static void an_unmount_from_outside_is_noticed(void **state)
{
	struct fixture *f = fixture_of(state);
	mount_now(f, FS_NESTED, 1);
	char *why = NULL;
	assert_int_equal(fs_unmount(f->path, &why), 0);
	struct pollfd end = { .fd = fs_end_fd(f->fs), .events = POLLIN };
	assert_int_equal(poll(&end, 1, 5000), 1);
	assert_int_equal(fs_unmount(f->path, &why), -EINVAL);
	assert_non_null(strstr(why, f->path));
	free(why);
}

static void a_wrong_place_is_refused(void **state)
{
	struct fixture *f = fixture_of(state);
	static const struct {
		const char *mountpoint;
		int err;
	} ROWS[] = {
		{ "/proc/self/exe", -ENOTDIR },
		{ "/nonexistent/-x", -ENOENT },
	};
	for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
		char *why = NULL;
		configure(f, FS_NESTED, 1);
		f->config.mountpoint = ROWS[i].mountpoint;
		assert_int_equal(fs_open(&f->config, &f->fs, &why),
		                 ROWS[i].err);
		assert_non_null(why);
		free(why);
	}
}

/* By client "second", as a daemon that asks itself is not answered. */
static void a_live_mount_is_refused(void **state)
{
	mount_now(fixture_of(state), FS_NESTED, 1);
	assert_int_equal(finish(own_client("second"), 5000), EBUSY);
}

/* The daemon that client "daemon" plays is killed; its mount stays, dead. */
static void a_dead_mount_is_replaced(void **state)
{
	struct fixture *f = fixture_of(state);
	pid_t pid = own_client("daemon");
	expect_soon("test -d \"$M/INBOX/cur\"");
	(void)kill(pid, SIGKILL);
	assert_int_equal(finish(pid, 5000), 128 + SIGKILL);
	mount_now(f, FS_NESTED, 1);
	expect("test -d \"$M/INBOX/cur\"");
	expect("test $(grep -c \"${M##*,}\" /proc/self/mountinfo) = 1");
}

static int client_main(const char *name)
{
	struct fixture f = { .cache = fake_cache_new() };
	strcpy(f.path, getenv("M"));
	fake_folder(f.cache, CACHE_ROOT, "INBOX", 0);
	if (strcmp(name, "daemon") == 0) {
		mount_now(&f, FS_NESTED, 1);
		for (;;)
			(void)pause();
	}
	if (strcmp(name, "second") == 0) {
		char *why = NULL;
		configure(&f, FS_NESTED, 1);
		int err = fs_open(&f.config, &f.fs, &why);
		free(why);
		fake_cache_free(f.cache);
		return -err;
	}
	fake_cache_free(f.cache);
	return client_run(name);
}

/* By its name: under valgrind /proc/PID/exe is valgrind. */
static void remember_self(void)
{
	char self[PATH_MAX] = "";
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	(void)setenv("SELF", self, 1);
}

#define MOUNT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	if (argc == 3)
		return client_main(argv[2]);
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return 77;
	remember_self();
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(nested_folders_are_directories),
		MOUNT_TEST(maildirpp_folders_stand_side_by_side),
		MOUNT_TEST(several_accounts_are_directories),
		MOUNT_TEST(odd_names_are_reachable_and_confined),
		MOUNT_TEST(sizes_are_exact_once_open),
		MOUNT_TEST(sizes_are_exact_in_a_storm_of_stats),
		MOUNT_TEST(a_large_directory_is_listed_whole),
		MOUNT_TEST(scans_are_stable_while_entries_change),
		MOUNT_TEST(the_kernel_is_told_what_changed),
		MOUNT_TEST(a_first_listing_is_waited_for),
		MOUNT_TEST(a_listing_that_just_ended_is_looked_at_again),
		MOUNT_TEST(a_failed_open_says_why),
		MOUNT_TEST(a_waiting_reader_can_be_killed_or_interrupted),
		MOUNT_TEST(stopping_answers_who_waits),
		MOUNT_TEST(an_unmount_from_outside_is_noticed),
		MOUNT_TEST(a_live_mount_is_refused),
		MOUNT_TEST(a_wrong_place_is_refused),
		MOUNT_TEST(a_dead_mount_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
