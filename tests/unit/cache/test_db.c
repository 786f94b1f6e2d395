/* The index on its disk; in builds with fault points, which tell of it. */
#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/db_conn.h"
#include "cache/journal.h"
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

/* The last version whose journal had numbers of its own. */
#define WITH_SEQUENCE 11

static void make_old(const char *path, const char *more)
{
	sqlite3 *sqlite;
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	auto_free char *stamp =
		xasprintf("PRAGMA user_version = %d", WITH_SEQUENCE);
	for (int v = 0; v < WITH_SEQUENCE; v++)
		assert_int_equal(sqlite3_exec(sqlite, db_migrations[v], NULL,
		                              NULL, NULL),
		                 SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, stamp, NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, more, NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

static void what_an_older_version_had_to_send_is_sent(void **state)
{
	char dir[] = "/tmp/cache-test-XXXXXX";
	struct db *db;
	struct db_conn *conn;
	struct journal_row row;
	char *why;
	assert_non_null(mkdtemp(dir));
	auto_free char *path = xasprintf("%s/index.db", dir);
	/* Numbers of rows that went before are not given again, either. */
	make_old(path, "INSERT INTO account(name, epoch, next_id, next_folder)"
	               " VALUES('work', 7, 3, 1);"
	               "INSERT INTO journal(id, kind, state, message, entry,"
	               " folder, target, flags, keywords, not_before,"
	               " created_at, after, why, unsure_keywords)"
	               " VALUES(41, 0, 2, 1, 1, 0, 0, 5, 'a b', 8, 9, 40,"
	               " 'full', 'c'), (90, 0, 1, 2, 2, 0, 0, 0, '', 0, 0, 0,"
	               " '', '');"
	               "DELETE FROM journal WHERE id = 90");
	assert_int_equal(db_open(dir, "work", &db, &why), 0);
	assert_int_equal(journal_get(db_reader(db), 41, &row), 0);
	assert_int_equal(row.state, 2);
	assert_int_equal(row.flags, 5);
	assert_int_equal(row.after, 40);
	assert_string_equal(row.keywords, "a b");
	assert_string_equal(row.why, "full");
	assert_string_equal(row.unsure_keywords, "c");
	assert_int_equal(journal_get(db_reader(db), 90, &row), -ENOENT);
	assert_int_equal(db_begin(db, &conn), 0);
	assert_true(db_id_new(conn) > 90);
	db_rollback(conn);
	db_close(db);
	rig_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_checkpoint_is_made_when_the_log_has_grown),
		cmocka_unit_test(the_log_begins_anew_while_others_write),
		cmocka_unit_test(what_an_older_version_had_to_send_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
