#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/control.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* A directory with a name longer than a socket's can be. */
struct fixture {
	char top[32];
	char *dir;
	int listener;
	char request[CONTROL_REQUEST_MAX + 1];
};

static int set_up(void **state)
{
	struct fixture *f = xmalloc(sizeof(*f));
	(void)snprintf(f->top, sizeof(f->top), "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	char level[150];
	memset(level, 'd', sizeof(level));
	level[sizeof(level) - 1] = '\0';
	f->dir = xasprintf("%s/%s", f->top, level);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	f->listener = -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->listener >= 0)
		(void)close(f->listener);
	control_unlink(f->dir);
	assert_int_equal(rmdir(f->dir), 0);
	assert_int_equal(rmdir(f->top), 0);
	free(f->dir);
	free(f);
	return 0;
}

/* The daemon: one caller. */
static void *answer_one(void *arg)
{
	struct fixture *f = arg;
	struct pollfd poll_fd = { .fd = f->listener, .events = POLLIN };
	if (poll(&poll_fd, 1, 5000) != 1)
		return NULL;
	auto_fd int fd = control_accept(f->listener, f->request);
	if (fd >= 0)
		control_answer(fd, "{\"a\": 1}\n");
	return NULL;
}

static void a_question_is_answered(void **state)
{
	struct fixture *f = *state;
	f->listener = control_listen(f->dir);
	assert_true(f->listener >= 0);
	auto_free char *path = xasprintf("%s/control", f->dir);
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, answer_one, f), 0);
	auto_strbuf struct strbuf answer = { 0 };
	int err = control_ask(f->dir, "status", &answer);
	(void)pthread_join(thread, NULL);
	assert_int_equal(err, 0);
	assert_string_equal(strbuf_text(&answer), "{\"a\": 1}\n");
	assert_string_equal(f->request, "status");
}

static void a_killed_daemon_leaves_no_hindrance(void **state)
{
	struct fixture *f = *state;
	auto_strbuf struct strbuf answer = { 0 };
	assert_int_equal(control_ask(f->dir, "status", &answer), -ENOENT);
	int dead = control_listen(f->dir);
	assert_true(dead >= 0);
	(void)close(dead);
	assert_int_equal(control_ask(f->dir, "status", &answer), -ECONNREFUSED);
	f->listener = control_listen(f->dir);
	assert_true(f->listener >= 0);
	assert_int_equal(control_accept(f->listener, f->request), -EAGAIN);
}

static void a_missing_directory_is_told(void **state)
{
	auto_strbuf struct strbuf answer = { 0 };
	assert_int_equal(control_listen("/nonexistent"), -ENOENT);
	assert_int_equal(control_ask("/nonexistent", "x", &answer), -ENOENT);
}

/* Ask with no listener's hand at work: what the listener then sees. */
static void *ask_too_much(void *arg)
{
	struct fixture *f = arg;
	char request[CONTROL_REQUEST_MAX + 10];
	memset(request, 'x', sizeof(request));
	request[sizeof(request) - 1] = '\0';
	struct strbuf answer = { 0 };
	(void)control_ask(f->dir, request, &answer);
	strbuf_release(&answer);
	return NULL;
}

static void an_endless_request_is_refused(void **state)
{
	struct fixture *f = *state;
	f->listener = control_listen(f->dir);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, ask_too_much, f), 0);
	struct pollfd poll_fd = { .fd = f->listener, .events = POLLIN };
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_int_equal(control_accept(f->listener, f->request), -EPROTO);
	(void)pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_question_is_answered, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(
			a_killed_daemon_leaves_no_hindrance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_endless_request_is_refused,
		                                set_up, tear_down),
		cmocka_unit_test(a_missing_directory_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
