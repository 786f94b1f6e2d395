#include "tests/unit/test.h"

#include <limits.h>

#include "util/clock.h"

static void a_deadline_runs_out_as_the_clock_moves(void **state)
{
	int64_t deadline = deadline_in(60000);
	assert_in_range(deadline_left(deadline), 59000, 60001);
	clock_advance_ms(59000);
	assert_in_range(deadline_left(deadline), 1, 1001);
	clock_advance_ms(1000);
	assert_int_equal(deadline_left(deadline), 0);
}

static void extremes_fit_what_poll_takes(void **state)
{
	assert_int_equal(deadline_left(DEADLINE_NEVER), -1);
	assert_int_equal(deadline_left(DEADLINE_NEVER - 1), INT_MAX);
	assert_int_equal(deadline_left(INT64_MIN / 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_runs_out_as_the_clock_moves),
		cmocka_unit_test(extremes_fit_what_poll_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
