#include "tests/unit/test.h"

#include "fs/seen.h"

static void folders_are_seen_one_by_one(void **state)
{
	static const int64_t folders[] = { 0, 7, 8, 1000, 100000 };
	struct seen seen = { 0 };
	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		assert_false(seen_has(&seen, folders[i]));
		seen_add(&seen, folders[i]);
		for (size_t k = 0; k < COUNT_OF(folders); k++)
			assert_int_equal(seen_has(&seen, folders[k]), k <= i);
	}
	assert_false(seen_has(&seen, 9));
	seen_release(&seen);
	assert_false(seen_has(&seen, 7));
}

static void what_has_no_room_counts_as_seen(void **state)
{
	struct seen seen = { 0 };
	seen_add(&seen, INT64_MAX);
	assert_true(seen_has(&seen, INT64_MAX));
	assert_int_equal(seen.size, 0);
	seen_release(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folders_are_seen_one_by_one),
		cmocka_unit_test(what_has_no_room_counts_as_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
