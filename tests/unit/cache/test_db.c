/* The index on its disk; in builds with fault points, which tell of it. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/db.h"
#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* A message's row is some hundred bytes, its commit some pages of 4 KiB. */
#define PLENTY 2000

static void commit(struct db *db, int count)
{
	struct db_conn *conn;
	for (int i = 0; i < count; i++) {
		assert_int_equal(db_begin(db, &conn), 0);
		assert_int_equal(db_message_keep(conn, db_id_new(conn), 0), 0);
		assert_int_equal(db_commit(conn), 0);
		db_checkpoint(db, false);
	}
}

/* How often a point was passed since the log was begun. */
static int passages(const char *path, const char *point)
{
	char line[64];
	int count = 0;
	FILE *log = fopen(path, "r");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log) != NULL)
		count += strncmp(line, point, strlen(point)) == 0;
	(void)fclose(log);
	return count;
}

static void a_checkpoint_is_made_when_the_log_has_grown(void **state)
{
	char dir[] = "/tmp/cache-test-XXXXXX";
	struct db *db;
	char *why;
	assert_non_null(mkdtemp(dir));
	auto_free char *log = xasprintf("%s/points", dir);
	(void)setenv("MAILMOUNT_FAULT_LOG", log, 1);
	assert_int_equal(db_open(dir, "work", &db, &why), 0);
	commit(db, PLENTY);
	int count = passages(log, "db-checkpoint\n");
	assert_true(count > 0);
	/* The file of the log is as large as ever, and nearly empty. */
	assert_true(count < PLENTY / 100);
	(void)unsetenv("MAILMOUNT_FAULT_LOG");
	db_close(db);
	rig_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_is_made_when_the_log_has_grown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
