#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/mem.h"

static void change_index(struct rig *rig, const char *sql)
{
	auto_free char *path = xasprintf("%s/index.db", rig->state_dir);
	sqlite3 *sqlite;
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL),
	                 SQLITE_OK);
	(void)sqlite3_close(sqlite);
}

/* The error of opening another cache, which says what in its reason. */
static int refused(struct rig *rig, const char *reason)
{
	struct cache *other = NULL;
	auto_free char *why = NULL;
	int err = cache_open(&rig->config, &other, &why);
	assert_null(other);
	assert_non_null(why);
	if (strstr(why, reason) == NULL)
		fail_msg("%s", why);
	return err;
}

static void a_second_process_is_told_who_has_it(void **state)
{
	struct rig *rig = *state;
	auto_free char *reason =
		xasprintf("account work is already mounted by process %d",
	                  (int)getpid());
	assert_int_equal(refused(rig, reason), -EBUSY);
}

static void directories_open_to_others_are_refused(void **state)
{
	struct rig *rig = *state;
	struct stat st;
	assert_int_equal(stat(rig->state_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	rig_close(rig);
	assert_int_equal(chmod(rig->cache_dir, 0755), 0);
	assert_int_equal(refused(rig, "open to others"), -EPERM);
}

static void another_accounts_index_is_refused(void **state)
{
	struct rig *rig = *state;
	rig_close(rig);
	rig->config.account = "home";
	assert_int_equal(refused(rig, "belongs to account work"), -EINVAL);
}

static void a_newer_index_is_refused(void **state)
{
	struct rig *rig = *state;
	rig_close(rig);
	change_index(rig, "PRAGMA user_version = 99");
	assert_int_equal(refused(rig, "newer"), -EINVAL);
}

static void a_damaged_index_is_moved_aside_and_rebuilt(void **state)
{
	struct rig *rig = *state;
	struct cache_folder root;
	auto_free char *path = xasprintf("%s/index.db", rig->state_dir);
	auto_free char *aside = xasprintf("%s.corrupt-1", path);
	rig_close(rig);
	auto_fd int fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "this is no database at all", 26), 26);
	rig_open(rig);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(cache_folder_get(rig->cache, CACHE_ROOT, &root), 0);
	assert_false(root.is_listed);
}

static void ids_are_not_used_again(void **state)
{
	struct rig *rig = *state;
	uint64_t first = fake_message_add(rig->account, "INBOX", 1, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_entry old = rig_entry(rig, inbox, CACHE_NEW, 0);
	rig_poll(rig);
	fake_message_remove(rig->account, "INBOX", first);
	rig_poll(rig);
	rig_close(rig);
	rig_open(rig);
	fake_message_add(rig->account, "INBOX", 1, 10, 0);
	rig_start(rig, 1);
	rig_poll(rig);
	assert_true(rig_entry(rig, inbox, CACHE_NEW, 0).id > old.id);
}

static void bodies_of_another_index_are_removed(void **state)
{
	struct rig *rig = *state;
	auto_free char *path = xasprintf("%s/0123456789abcdef", rig->cache_dir);
	auto_free char *file = xasprintf("%s/1", path);
	auto_free char *foreign = xasprintf("%s/keep", rig->cache_dir);
	rig_close(rig);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(mkdir(foreign, 0700), 0);
	auto_fd int fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	rig_open(rig);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(foreign, F_OK), 0);
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

static int fresh_teardown(void **state)
{
	struct rig *rig = *state;
	change_index(rig, "PRAGMA user_version = 1");
	return rig_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_second_process_is_told_who_has_it),
		RIG_TEST(directories_open_to_others_are_refused),
		RIG_TEST(another_accounts_index_is_refused),
		cmocka_unit_test_setup_teardown(a_newer_index_is_refused,
		                                rig_setup, fresh_teardown),
		RIG_TEST(a_damaged_index_is_moved_aside_and_rebuilt),
		RIG_TEST(ids_are_not_used_again),
		RIG_TEST(bodies_of_another_index_are_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
