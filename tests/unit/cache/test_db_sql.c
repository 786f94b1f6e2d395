/*
 * Each query finds what it wants by an index: to walk a table, or to sort what
 * was found, costs the more the larger the mailbox or the longer the journal.
 */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <string.h>

#include "cache/db_conn.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* Those that may: because of few rows, or for they are asked seldom. */
static const enum db_sql excused[] = {
	SQL_SEQUENCE_SET, /* one row, as those below */
	SQL_BUDGET_GET,
	SQL_BUDGET_SET,
	SQL_SPLIT_GET,
	SQL_SPLIT_SET,
	SQL_FOLDER_MOVE_SERVER_NAMES, /* folders, when one is renamed */
	SQL_VOID_FIND,                /* those of one date and size */
	SQL_BODY_OLDEST,              /* the first of an index */
	SQL_BODY_TOTALS,              /* at start */
	SQL_JOURNAL_COUNTS,           /* an index, for status */
	SQL_JOURNAL_OFFERED,          /* the first of an index */
	SQL_JOURNAL_RESTART,          /* at start */
	SQL_LOGGED_TOTALS,            /* when some are settled */
};

static bool is_excused(enum db_sql which)
{
	for (size_t i = 0; i < sizeof(excused) / sizeof(excused[0]); i++)
		if (excused[i] == which)
			return true;
	return false;
}

static bool is_dear(const char *step)
{
	bool is_walk = strncmp(step, "SCAN ", 5) == 0 &&
	               strstr(step, "subquery") == NULL &&
	               strcmp(step, "SCAN p") != 0 && /* four places */
	               strstr(step, "CONSTANT") == NULL;
	return is_walk || strstr(step, "TEMP B-TREE") != NULL;
}

static void check(sqlite3 *sqlite, enum db_sql which, const char *sql)
{
	auto_free char *question = xasprintf("EXPLAIN QUERY PLAN %s", sql);
	sqlite3_stmt *plan;
	if (sqlite3_prepare_v2(sqlite, question, -1, &plan, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
	bool is_any = false;
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(plan, 3);
		is_any |= is_dear(step);
		if (is_dear(step) && !is_excused(which))
			fail_msg("%s\n%s", sql, step);
	}
	if (is_excused(which) && !is_any)
		fail_msg("needs no excuse: %s", sql);
	(void)sqlite3_finalize(plan);
}

static void no_query_walks_a_table(void **state)
{
	sqlite3 *sqlite;
	assert_int_equal(sqlite3_open(":memory:", &sqlite), SQLITE_OK);
	for (size_t v = 0; v < DB_VERSION; v++)
		assert_int_equal(sqlite3_exec(sqlite, db_migrations[v], NULL,
		                              NULL, NULL),
		                 SQLITE_OK);
	for (int i = SQL_SEQUENCE_SET; i < SQL_COUNT; i++)
		check(sqlite, (enum db_sql)i, db_sql[i]);
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_query_walks_a_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
