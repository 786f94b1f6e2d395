/*
 * Deliveries that are answered by the server, as programs see them.
 */
#include "tests/unit/test.h"

#include <signal.h>

#include "tests/unit/fs/mounted.h"

static struct stat st;

static void on_signal(int number)
{
}

struct vain {
	bool is_link;
	int error;
};

/* It fails so, and the file is where it was. */
static int deliver_in_vain(void *arg)
{
	const struct vain *vain = arg;
	struct sigaction action = { .sa_handler = on_signal };
	TRUE(sigaction(SIGUSR1, &action, NULL) == 0);
	/* Without fsync(2), which would wait, too. */
	int fd = open("INBOX/tmp/x", O_CREAT | O_EXCL | O_WRONLY, 0600);
	TRUE(fd >= 0 && write(fd, "mail\n", 5) == 5 && close(fd) == 0);
	FAILS(vain->is_link ? link("INBOX/tmp/x", "INBOX/new/x")
	                    : rename("INBOX/tmp/x", "INBOX/new/x"),
	      vain->error);
	FAILS(stat("INBOX/new/x", &st), ENOENT);
	TRUE(stat("INBOX/tmp/x", &st) == 0 && st.st_nlink == 1);
	TRUE(has_text("INBOX/tmp/x", "mail\n"));
	FAILS(rmdir("INBOX/tmp"), ENOTEMPTY);
	TRUE(unlink("INBOX/tmp/x") == 0);
	return 0;
}

static int deliver_both_ways(void *arg)
{
	TRUE(put_file("INBOX/tmp/v", "mail\n") == 0);
	TRUE(link("INBOX/tmp/v", "INBOX/new/v") == 0);
	TRUE(unlink("INBOX/tmp/v") == 0);
	TRUE(put_file("INBOX/tmp/w", "mail\n") == 0);
	TRUE(rename("INBOX/tmp/w", "INBOX/cur/w:2,S") == 0);
	TRUE(has_text("INBOX/new/v", "mail\n"));
	TRUE(has_text("INBOX/cur/w:2,S", "mail\n"));
	return 0;
}

static void a_delivery_can_wait_for_the_server(void **state)
{
	static const int errors[] = { EDQUOT, EACCES,    EFBIG,
		                      EILSEQ, ETIMEDOUT, EHOSTUNREACH };
	struct mounted *m = *state;
	fake_acked(m->cache, true);
	mounted_now(m, FS_NESTED, 1);
	mounted_run(m, deliver_both_ways, NULL);
	fake_hold(m->cache, true);
	for (size_t i = 0; i < 2 * COUNT_OF(errors); i++) {
		struct vain vain = { i % 2 == 0, errors[i / 2] };
		pid_t pid = mounted_start(m, deliver_in_vain, &vain);
		mounted_await_waiting(m, 1);
		mounted_shell(m, "ls -l INBOX/cur >/dev/null"); /* goes on */
		fake_complete(m->cache, -vain.error);
		assert_int_equal(mounted_finish(pid, 5000), 0);
	}
}

static void who_waits_for_the_server_can_be_interrupted(void **state)
{
	struct mounted *m = *state;
	struct vain vain = { true, EINTR };
	fake_acked(m->cache, true);
	fake_hold(m->cache, true);
	mounted_now(m, FS_NESTED, 1);
	for (int is_link = 0; is_link < 2; is_link++) {
		vain.is_link = is_link != 0;
		pid_t pid = mounted_start(m, deliver_in_vain, &vain);
		mounted_await_waiting(m, 1);
		(void)kill(pid, SIGUSR1);
		assert_int_equal(mounted_finish(pid, 5000), 0);
		assert_int_equal(fake_waiting(m->cache), 0);
	}
	/* Nor is a program that was killed kept waiting. */
	pid_t pid = mounted_start(m, deliver_in_vain, &vain);
	mounted_await_waiting(m, 1);
	(void)kill(pid, SIGKILL);
	assert_int_equal(mounted_finish(pid, 1000), 128 + SIGKILL);
	mounted_await_waiting(m, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MOUNT_TEST(a_delivery_can_wait_for_the_server),
		MOUNT_TEST(who_waits_for_the_server_can_be_interrupted),
	};
	return mounted_run_tests(tests);
}
