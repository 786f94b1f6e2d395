/* The index on its disk; in builds with fault points, which tell of it. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/db.h"
#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* A message's row is some hundred bytes, its commit some pages of 4 KiB. */
#define PLENTY 2000

static void commit_one(struct db *db)
{
	struct db_conn *conn;
	assert_int_equal(db_begin(db, &conn), 0);
	assert_int_equal(db_message_keep(conn, db_id_new(conn), 0), 0);
	assert_int_equal(db_commit(conn), 0);
}

static void commit(struct db *db, int count)
{
	for (int i = 0; i < count; i++) {
		commit_one(db);
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

struct other {
	struct db *db;
	atomic_bool is_over;
};

static void *write_on(void *arg)
{
	struct other *other = arg;
	while (!other->is_over)
		commit_one(other->db);
	return NULL;
}

/* One that goes on writing is never without a page that is not moved. */
static void the_log_begins_anew_while_others_write(void **state)
{
	char dir[] = "/tmp/cache-test-XXXXXX";
	struct other other = { .is_over = false };
	char *why;
	struct stat st;
	pthread_t thread;
	assert_non_null(mkdtemp(dir));
	auto_free char *log = xasprintf("%s/index.db-wal", dir);
	assert_int_equal(db_open(dir, "work", &other.db, &why), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &other), 0);
	commit(other.db, 5 * PLENTY);
	other.is_over = true;
	(void)pthread_join(thread, NULL);
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_size < 16 << 20);
	db_close(other.db);
	rig_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_is_made_when_the_log_has_grown),
		cmocka_unit_test(the_log_begins_anew_while_others_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
