/*
 * Inside db*.c only: a connection and its prepared statements.
 */
#ifndef CACHE_DB_CONN_H
#define CACHE_DB_CONN_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "cache/db.h"

enum db_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SEQUENCE_SET,
	SQL_BUDGET_GET,
	SQL_BUDGET_SET,
	SQL_SPLIT_GET,
	SQL_SPLIT_SET,
	SQL_FOLDER_GET,
	SQL_FOLDER_FIND,
	SQL_FOLDER_NEXT,
	SQL_FOLDER_EACH,
	SQL_FOLDER_BY_SERVER,
	SQL_FOLDER_SERVER_NAME,
	SQL_FOLDER_BY_OBJECT,
	SQL_FOLDER_OBJECT,
	SQL_FOLDER_SET_OBJECT,
	SQL_FOLDER_ADD,
	SQL_FOLDER_SET_SERVER_NAME,
	SQL_FOLDER_MOVE_SERVER_NAMES,
	SQL_FOLDER_MOVE,
	SQL_FOLDER_SET_PLACES,
	SQL_FOLDER_SET_LOCAL,
	SQL_FOLDER_SET_ATTRIBUTES,
	SQL_FOLDER_REMOVE,
	SQL_FOLDER_TOUCH,
	SQL_FOLDER_SET_LISTED,
	SQL_FOLDER_APPLY,
	SQL_PROGRESS_GET,
	SQL_PROGRESS_SET,
	SQL_TOTALS,
	SQL_MESSAGE_GET,
	SQL_MESSAGE_ADD,
	SQL_MESSAGE_ADD_ROWS,
	SQL_MESSAGE_KEEP,
	SQL_MESSAGE_SET_KEPT,
	SQL_MESSAGE_SET,
	SQL_MESSAGE_SET_FOLDER,
	SQL_MESSAGE_LINKS,
	SQL_MESSAGE_DATE,
	SQL_MESSAGE_REDATE,
	SQL_MESSAGE_SET_CLAIMED,
	SQL_MESSAGE_KEPT_NEXT,
	SQL_MESSAGE_REMOVE,
	SQL_ENTRY_FIND,
	SQL_ENTRY_BY_KEY,
	SQL_ENTRY_BY_MESSAGE,
	SQL_ENTRY_LINK,
	SQL_ENTRY_BY_ID,
	SQL_ENTRY_BY_BASE,
	SQL_ENTRY_DUE,
	SQL_ENTRY_ANY,
	SQL_ENTRY_KEY,
	SQL_ENTRY_SET_KEY,
	SQL_ENTRY_SET_FLAGS,
	SQL_ENTRY_NAME,
	SQL_ENTRY_ADD_NAMED,
	SQL_ENTRY_ADD_SPLIT,
	SQL_ENTRY_UNSPLIT,
	SQL_ENTRY_ABOVE,
	SQL_ENTRY_BELOW,
	SQL_ENTRY_COUNT,
	SQL_ENTRY_SCAN,
	SQL_ENTRY_SCAN_NAMES,
	SQL_ENTRY_ADD,
	SQL_ENTRY_ADD_ROWS,
	SQL_ENTRY_UPDATE,
	SQL_ENTRY_REMOVE,
	SQL_ENTRY_RANGE,
	SQL_VOID_PICK,
	SQL_VOID_ADD,
	SQL_VOID_KEY,
	SQL_VOID_FIND,
	SQL_VOID_NEXT,
	SQL_VOID_HAS,
	SQL_VOID_REMOVE,
	SQL_SOURCE_GET,
	SQL_BODY_SET,
	SQL_BODY_CLEAR,
	SQL_BODY_TOUCH,
	SQL_BODY_OLDEST,
	SQL_BODY_TOTALS,
	SQL_JOURNAL_NEXT,
	SQL_JOURNAL_EACH,
	SQL_JOURNAL_OF_FOLDER,
	SQL_JOURNAL_GET,
	SQL_JOURNAL_BY_KEY,
	SQL_JOURNAL_BY_MESSAGE,
	SQL_JOURNAL_VOID_NEXT,
	SQL_JOURNAL_VOID,
	SQL_JOURNAL_VOID_ENTRY,
	SQL_JOURNAL_HAS_VOID,
	SQL_JOURNAL_FOLDER_ROW,
	SQL_JOURNAL_FOLDER_NEXT,
	SQL_JOURNAL_SOURCE,
	SQL_JOURNAL_LAST,
	SQL_JOURNAL_DUE,
	SQL_JOURNAL_SETTLE,
	SQL_JOURNAL_ADD,
	SQL_JOURNAL_SET,
	SQL_JOURNAL_SET_SIDE,
	SQL_JOURNAL_SET_WISH,
	SQL_JOURNAL_DROP,
	SQL_JOURNAL_REMOVED_ADD,
	SQL_JOURNAL_REMOVED_BACK,
	SQL_JOURNAL_REMOVED_DROP,
	SQL_JOURNAL_REMOVED_SET,
	SQL_JOURNAL_REMOVED_GET,
	SQL_JOURNAL_OFFER,
	SQL_JOURNAL_ACCEPT,
	SQL_JOURNAL_OFFERED,
	SQL_JOURNAL_COUNTS,
	SQL_JOURNAL_RESTART,
	SQL_KEYWORD_GET,
	SQL_KEYWORD_FIND,
	SQL_KEYWORD_COUNT,
	SQL_KEYWORD_OTHER,
	SQL_KEYWORD_ADD,
	SQL_KEYWORD_REMOVE_ALL,
	SQL_KEYWORDS_GET,
	SQL_KEYWORDS_SET,
	SQL_KEYWORD_UNMAPPED,
	SQL_KEYWORD_ADOPT,
	SQL_LANDED_ADD,
	SQL_LANDED_HAS,
	SQL_LANDED_NEXT,
	SQL_LANDED_REMOVE,
	SQL_LANDED_CLEAR,
	SQL_LOGGED_ADD,
	SQL_LOGGED_HAS,
	SQL_LOGGED_NEXT,
	SQL_LOGGED_REMOVE,
	SQL_LOGGED_TOTALS,
	SQL_COUNT
};

/* The schema's version. */
#define DB_VERSION 12

extern const char *const db_sql[SQL_COUNT];
/* What brings the schema from the version of its index to the next. */
extern const char *const db_migrations[DB_VERSION];

struct db_conn {
	struct db *db; /* borrowed: it holds this */
	sqlite3 *sqlite;
	sqlite3_stmt *statements[SQL_COUNT]; /* NULL until first used */
	enum db_sql scan;                    /* which one scans now */
};

struct db {
	char *path;
	int wal_fd; /* the log's, for db_sync() */
	uint64_t epoch;
	struct db_conn reader;
	pthread_mutex_t lock; /* held from db_begin() to the end */
	struct db_conn writer;
	int64_t next_id;     /* of all but folders; guarded by lock */
	int64_t begun_id;    /* as it was at db_begin(); the same */
	int64_t next_folder; /* guarded by lock */
	/* What the database says of them: of ids, perhaps more. */
	int64_t saved_id, saved_folder;
	atomic_int log_pages; /* in the log, and not in the database yet */
	/*
	 * Moves pages, all but the last while others write; guarded by
	 * checkpoint_lock.
	 */
	pthread_mutex_t checkpoint_lock;
	sqlite3 *checkpointer;
};

/*
 * The statement with its parameters set: a letter of types for each, i for
 * int64_t, t for const char * (borrowed until the statement is reset; NULL is
 * null).  NULL: it could not be made, and that was logged.
 */
sqlite3_stmt *db_query(struct db_conn *conn, enum db_sql which,
                       const char *types, ...);

/* Run to the end and reset; the errno for what SQLite says. */
int db_run(struct db_conn *conn, sqlite3_stmt *statement);

/* Step: 1 for a row; else reset, and 0 or -errno. */
int db_step(struct db_conn *conn, sqlite3_stmt *statement);

/* Log what SQLite says, and give its errno. */
int db_error(sqlite3 *sqlite, int rc);

/* The number of a place's directory. */
static inline int64_t db_dir(int64_t folder, enum cache_place place)
{
	return folder * 4 + (int64_t)place;
}

#define NS_PER_S INT64_C(1000000000)

/* Times as columns have them: nanoseconds since 1970, also before. */
static inline int64_t db_ns(struct timespec t)
{
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline struct timespec db_time(int64_t ns)
{
	struct timespec t = { ns / NS_PER_S, ns % NS_PER_S };
	if (t.tv_nsec < 0) {
		t.tv_nsec += NS_PER_S;
		t.tv_sec--;
	}
	return t;
}

/* The entry in a row of ENTRY_COLUMNS. */
void db_fill_entry(sqlite3_stmt *s, struct cache_entry *out);
/* The first seven columns of it: all that a name is made of but the date. */
void db_fill_name(sqlite3_stmt *s, struct cache_entry *out);
/* Run for one such row: 0, -ENOENT or the error. */
int db_one_entry(struct db_conn *conn, sqlite3_stmt *s,
                 struct cache_entry *out);

/* Text that does not fit is cut; none is "". */
void db_column_text(sqlite3_stmt *statement, int column, char *out,
                    size_t size);

#endif
