#include "tests/unit/cli/rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/control.h"
#include "tests/unit/test.h"
#include "util/cleanup.h"
#include "util/mem.h"

static void answer_one(struct rig *rig)
{
	char request[CONTROL_REQUEST_MAX + 1];
	auto_fd int fd = control_accept(rig->listener, request);
	if (fd < 0)
		return;
	size_t last = rig->step_count - 1;
	const struct rig_step *step =
		&rig->steps[rig->step < last ? rig->step : last];
	if (strcmp(request, step->request) != 0)
		rig->unexpected = step->request;
	rig->step++;
	control_answer(fd, step->answer);
}

static void *serve(void *arg)
{
	struct rig *rig = arg;
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = wake_fd(&rig->end), .events = POLLIN },
			{ .fd = rig->listener, .events = POLLIN },
		};
		if (poll(fds, 2, -1) < 0 || fds[0].revents != 0)
			return NULL;
		answer_one(rig);
	}
}

void rig_start(struct rig *rig, const struct rig_step *steps, size_t count)
{
	*rig = (struct rig){ .dir = "/tmp/test-rig-XXXXXX",
		             .steps = steps,
		             .step_count = count };
	assert_non_null(mkdtemp(rig->dir));
	rig->account = (struct config_account){ .name = "work",
		                                .state_dir = rig->dir };
	rig->accounts[0] = &rig->account;
	rig->listener = control_listen(rig->dir);
	assert_true(rig->listener >= 0);
	assert_int_equal(wake_init(&rig->end), 0);
	assert_int_equal(pthread_create(&rig->thread, NULL, serve, rig), 0);
}

void rig_stop(struct rig *rig)
{
	wake_signal(&rig->end);
	(void)pthread_join(rig->thread, NULL);
	wake_release(&rig->end);
	(void)close(rig->listener);
	control_unlink(rig->dir);
	(void)rmdir(rig->dir);
	assert_null(rig->unexpected);
	assert_true(rig->step >= rig->step_count);
}

void ear_open(struct ear *ear, int fd)
{
	(void)fflush(NULL);
	*ear = (struct ear){ .fd = fd,
		             .saved = dup(fd),
		             .file = memfd_create("ear", MFD_CLOEXEC) };
	assert_true(ear->saved >= 0 && ear->file >= 0);
	assert_true(dup2(ear->file, fd) >= 0);
}

char *ear_close(struct ear *ear)
{
	(void)fflush(NULL);
	assert_true(dup2(ear->saved, ear->fd) >= 0);
	(void)close(ear->saved);
	off_t len = lseek(ear->file, 0, SEEK_END);
	char *text = xmalloc((size_t)len + 1);
	assert_int_equal(pread(ear->file, text, (size_t)len, 0), len);
	(void)close(ear->file);
	return text;
}
