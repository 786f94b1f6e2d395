#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/mountpoint.h"
#include "util/cleanup.h"

static void a_directory_gets_its_full_name(void **state)
{
	auto_free char *path = NULL;
	auto_free char *why = NULL;
	assert_int_equal(chdir("/usr"), 0);
	assert_int_equal(mountpoint_resolve("./../usr/lib/", &path, &why), 0);
	auto_free char *expected = realpath("/usr/lib", NULL);
	assert_string_equal(path, expected);
}

static void what_is_no_directory_is_told(void **state)
{
	static const struct {
		const char *dir;
		int err;
		const char *why;
	} rows[] = {
		{ "/nonexistent", -ENOENT,
		  "/nonexistent: no such directory; make it with mkdir" },
		{ "/dev/null", -ENOTDIR, "/dev/null: Not a directory" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *path = NULL;
		auto_free char *why = NULL;
		assert_int_equal(mountpoint_resolve(rows[i].dir, &path, &why),
		                 rows[i].err);
		assert_string_equal(why, rows[i].why);
		assert_null(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_gets_its_full_name),
		cmocka_unit_test(what_is_no_directory_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
