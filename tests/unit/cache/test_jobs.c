#include "tests/unit/test.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cache/jobs.h"
#include "tests/fake/remote.h"
#include "util/clock.h"
#include "util/mem.h"

#define SESSIONS 3
#define FOLDER   7

struct queue {
	struct fake_account *account;
	struct remote *remotes[SESSIONS];
	struct jobs *jobs;
};

static int setup(void **state)
{
	struct queue *q = xmalloc(sizeof(*q));
	q->account = fake_account_new();
	for (int i = 0; i < SESSIONS; i++)
		q->remotes[i] = fake_remote_new(q->account);
	q->jobs = jobs_new(1000, 0, 0);
	jobs_serve(q->jobs, q->remotes, SESSIONS);
	jobs_list_at(q->jobs, INT64_MAX);
	*state = q;
	return 0;
}

static int teardown(void **state)
{
	struct queue *q = *state;
	jobs_stop(q->jobs);
	jobs_free(q->jobs);
	for (int i = 0; i < SESSIONS; i++)
		remote_free(q->remotes[i]);
	fake_account_free(q->account);
	free(q);
	return 0;
}

static void done(void *arg, int err, const struct cache_body *body)
{
}

static enum work next(struct queue *q, size_t session)
{
	int64_t until;
	return jobs_next(q->jobs, session, &until);
}

static void read_body(struct queue *q, int64_t message)
{
	struct cache_wait *wait;
	assert_int_equal(jobs_await_body(q->jobs, message, FOLDER, done, NULL,
	                                 &wait),
	                 0);
}

/* Was it woken since this was asked last? */
static bool is_woken(struct queue *q, size_t session)
{
	struct pollfd fd = { .fd = wake_fd(&q->remotes[session]->wake),
		             .events = POLLIN };
	bool is_woken = poll(&fd, 1, 0) == 1;
	wake_clear(&q->remotes[session]->wake);
	return is_woken;
}

static void the_first_session_fetches_until_another_has_connected(void **state)
{
	struct queue *q = *state;
	jobs_connected(q->jobs, 0, 0);
	read_body(q, 1);
	assert_int_equal(next(q, 0), WORK_BODIES);
	assert_int_equal(next(q, 1), WORK_BODIES);
	jobs_connected(q->jobs, 1, 0);
	assert_int_equal(next(q, 0), WORK_NONE);
	assert_int_equal(next(q, 1), WORK_BODIES);
	jobs_connected(q->jobs, 1, -EHOSTUNREACH);
	assert_int_equal(next(q, 0), WORK_BODIES);
}

static void only_who_sleeps_and_has_work_is_woken(void **state)
{
	struct queue *q = *state;
	for (size_t i = 0; i < SESSIONS; i++)
		jobs_connected(q->jobs, i, 0);
	assert_int_equal(next(q, 0), WORK_NONE);
	assert_int_equal(next(q, 1), WORK_NONE);
	jobs_prefetch(q->jobs, 1, FOLDER, 100);
	assert_false(is_woken(q, 0));
	assert_true(is_woken(q, 1));
	assert_false(is_woken(q, 2));
	/* It is awake now, and sees what else comes. */
	jobs_prefetch(q->jobs, 2, FOLDER, 100);
	assert_false(is_woken(q, 1));
	assert_int_equal(next(q, 1), WORK_BODIES);
	read_body(q, 3);
	assert_false(is_woken(q, 1));
	/* A look at what else there is does not put to sleep. */
	struct job jobs[JOBS_BATCH];
	while (jobs_take(q->jobs, 1, 0, jobs) > 0) {
	}
	assert_int_equal(jobs_peek(q->jobs, 1), WORK_NONE);
	read_body(q, 4);
	assert_false(is_woken(q, 1));
	/* Session 1 does no pulls. */
	while (jobs_take(q->jobs, 1, 0, jobs) > 0) {
	}
	assert_int_equal(next(q, 0), WORK_NONE);
	assert_int_equal(next(q, 1), WORK_NONE);
	jobs_pull_add(q->jobs, FOLDER, false, "", -1);
	assert_true(is_woken(q, 0));
	assert_false(is_woken(q, 1));
}

static void a_reader_wakes_who_sleeps_after_a_failure(void **state)
{
	struct queue *q = *state;
	jobs_connected(q->jobs, 0, 0);
	jobs_connected(q->jobs, 1, -EHOSTUNREACH);
	(void)jobs_backoff_until(q->jobs, 1, INT64_MAX);
	(void)is_woken(q, 1);
	read_body(q, 1);
	assert_true(is_woken(q, 1));
}

#define JOBS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void a_burst_is_gathered_unless_somebody_asks(void **state)
{
	struct queue *q = *state;
	int64_t now = clock_now_ms(), until;
	jobs_gather(q->jobs, now + 3000);
	jobs_push_soon(q->jobs, now);
	assert_int_equal(jobs_next(q->jobs, 0, &until), WORK_NONE);
	assert_int_equal(until, now + 3000);
	jobs_push_by(q->jobs, now);
	assert_int_equal(next(q, 0), WORK_PUSH);
	jobs_push_begin(q->jobs);
	assert_int_equal(next(q, 0), WORK_NONE);
	/* And later than that, when it is due. */
	jobs_push_soon(q->jobs, now + 5000);
	assert_int_equal(jobs_next(q->jobs, 0, &until), WORK_NONE);
	assert_int_equal(until, now + 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOBS_TEST(
			the_first_session_fetches_until_another_has_connected),
		JOBS_TEST(only_who_sleeps_and_has_work_is_woken),
		JOBS_TEST(a_reader_wakes_who_sleeps_after_a_failure),
		JOBS_TEST(a_burst_is_gathered_unless_somebody_asks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
