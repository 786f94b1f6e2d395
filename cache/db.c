#include "cache/db_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

/*
 * A page in the log costs a page of cache at most: bounded, whatever the size
 * of the index.  In KiB.
 */
#define READER_CACHE_KIB 4096
#define WRITER_CACHE_KIB 16384

/* Worth the fsyncs of a checkpoint, and worth a pause.  Bytes. */
#define CHECKPOINT_MIN  (4 << 20)
#define CHECKPOINT_BUSY (64 << 20)

#define FOLDER_COLUMNS \
	"SELECT f.id, f.parent, f.level, f.attributes, f.is_listed," \
	" f.new_count + f.cur_count, f.changed_ns, f.new_changed_ns," \
	" f.cur_changed_ns," \
	" (SELECT count(*) FROM folder c WHERE c.parent = f.id)" \
	" FROM folder f "

#define ENTRY_COLUMNS \
	"SELECT m.id, m.received_at, m.claimed_size, m.size, m.body_bytes," \
	" e.dir, e.id, e.identity, e.flags, e.keywords" \
	" FROM entry e JOIN message m ON m.id = e.message "

/* The entry that names a message has its number, in its folder. */
#define ENTRY_OF_MESSAGE \
	"e.dir IN (m.folder * 4, m.folder * 4 + 1) AND e.id = m.id"

/* Parameters of rows that one INSERT adds; DB_ROWS of them. */
#define TEN_ROWS(row) \
	row "," row "," row "," row "," row "," row "," row "," row "," row \
	    "," row
#define ROWS(row) TEN_ROWS(row) "," TEN_ROWS(row)

/* A time that rises, and is the wall's unless that was set back. */
#define RISE(column, now) column " = max(" column " + 1, " now ")"

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SEQUENCE_SET] = "UPDATE account SET next_id = ?, next_folder = ?",

	[SQL_FOLDER_GET] = FOLDER_COLUMNS "WHERE f.id = ?",
	[SQL_FOLDER_FIND] = FOLDER_COLUMNS "WHERE f.parent = ? AND f.level = ?",
	[SQL_FOLDER_NEXT] = FOLDER_COLUMNS
	"WHERE f.parent = ? AND f.id > ? ORDER BY f.id LIMIT 1",
	[SQL_FOLDER_EACH] =
		FOLDER_COLUMNS "WHERE f.id > max(?, 0) ORDER BY f.id LIMIT 1",
	[SQL_FOLDER_ADD] =
		"INSERT INTO folder(id, parent, level, attributes, changed_ns,"
		" new_changed_ns, cur_changed_ns)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?5)",
	[SQL_FOLDER_SET_ATTRIBUTES] =
		"UPDATE folder SET attributes = ? WHERE id = ?",
	[SQL_FOLDER_REMOVE] = "DELETE FROM folder WHERE id = ?",
	[SQL_FOLDER_TOUCH] =
		"UPDATE folder SET " RISE("changed_ns", "?2") " WHERE id = ?1",
	[SQL_FOLDER_SET_LISTED] =
		"UPDATE folder SET is_listed = ? WHERE id = ?",
	[SQL_FOLDER_APPLY] =
		"UPDATE folder SET new_count = new_count + ?3,"
		" cur_count = cur_count + ?4,"
		" new_changed_ns = CASE ?5 WHEN 0 THEN new_changed_ns"
		" ELSE max(new_changed_ns + 1, ?2) END,"
		" cur_changed_ns = CASE ?6 WHEN 0 THEN cur_changed_ns"
		" ELSE max(cur_changed_ns + 1, ?2) END"
		" WHERE id = ?1",
	[SQL_PROGRESS_GET] = "SELECT cursor, state FROM folder WHERE id = ?",
	[SQL_PROGRESS_SET] =
		"UPDATE folder SET cursor = ?, state = ? WHERE id = ?",
	[SQL_TOTALS] = "SELECT count(*), coalesce(sum(is_listed), 0),"
		       " coalesce(sum(new_count + cur_count), 0)"
		       " FROM folder WHERE id > 0 AND attributes & 1 = 0",

	[SQL_MESSAGE_GET] =
		"SELECT m.id, m.received_at, m.claimed_size, m.size,"
		" m.body_bytes FROM message m WHERE m.id = ?",
	[SQL_MESSAGE_ADD] =
		"INSERT INTO message(id, folder, received_at, claimed_size)"
		" VALUES(?, ?, ?, ?)",
	[SQL_MESSAGE_ADD_ROWS] =
		"INSERT INTO message(id, folder, received_at, claimed_size)"
		" VALUES" ROWS("(?, ?, ?, ?)"),
	[SQL_MESSAGE_REMOVE] = "DELETE FROM message WHERE id = ?",
	[SQL_ENTRY_FIND] =
		ENTRY_COLUMNS "WHERE e.folder = ? AND e.identity = ?",
	[SQL_ENTRY_BY_KEY] = ENTRY_COLUMNS "WHERE e.folder = ? AND e.key = ?",
	[SQL_ENTRY_BY_MESSAGE] =
		ENTRY_COLUMNS "WHERE m.id = ? AND " ENTRY_OF_MESSAGE,
	[SQL_ENTRY_COUNT] = "SELECT new_count, cur_count FROM folder"
			    " WHERE id = ?",
	[SQL_ENTRY_SCAN] =
		ENTRY_COLUMNS "WHERE e.dir = ? AND e.id > ? ORDER BY e.id",
	[SQL_ENTRY_SCAN_NAMES] =
		"SELECT message, received_at, NULL, NULL, NULL, dir, id,"
		" identity, flags FROM entry WHERE dir = ? AND id > ?"
		" ORDER BY id",
	[SQL_ENTRY_ADD] =
		"INSERT INTO entry(dir, id, folder, message, key, flags,"
		" keywords, identity, received_at)"
		" VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[SQL_ENTRY_ADD_ROWS] =
		"INSERT INTO entry(dir, id, folder, message, key, flags,"
		" keywords, identity, received_at)"
		" VALUES" ROWS("(?, ?, ?, ?, ?, ?, ?, ?, ?)"),
	[SQL_ENTRY_UPDATE] =
		"UPDATE entry SET dir = ?3, flags = ?4, keywords = ?5, key = ?6"
		" WHERE dir = ?1 AND id = ?2",
	[SQL_ENTRY_REMOVE] = "DELETE FROM entry WHERE dir = ? AND id = ?",
	[SQL_ENTRY_RANGE] =
		"SELECT min(a), max(b) FROM ("
		"SELECT min(id) AS a, max(id) AS b FROM entry WHERE dir = ?1"
		" UNION ALL"
		" SELECT min(id), max(id) FROM entry WHERE dir = ?2)",

	[SQL_VOID_PICK] = "SELECT e.dir, e.id, m.received_at, m.claimed_size"
			  " FROM entry e JOIN message m ON m.id = e.message"
			  " WHERE e.folder = ? AND e.key IS NOT NULL LIMIT 1",
	[SQL_VOID_ADD] =
		"INSERT INTO void(folder, received_at, claimed_size, entry, dir)"
		" VALUES(?, ?, ?, ?, ?)",
	[SQL_VOID_KEY] = "UPDATE entry SET key = NULL WHERE dir = ? AND id = ?",
	[SQL_VOID_FIND] = ENTRY_COLUMNS
	"JOIN void v ON e.dir = v.dir AND e.id = v.entry"
	" WHERE v.folder = ? AND v.received_at = ? AND v.claimed_size = ?"
	" ORDER BY e.identity <> ?, v.entry LIMIT 1",
	[SQL_VOID_NEXT] =
		ENTRY_COLUMNS "JOIN void v ON e.dir = v.dir AND e.id = v.entry"
			      " WHERE v.folder = ? LIMIT 1",
	[SQL_VOID_REMOVE] = "DELETE FROM void WHERE folder = ? AND entry = ?",

	[SQL_SOURCE_GET] =
		"SELECT e.folder, coalesce(e.key, ''), m.claimed_size, m.size,"
		" m.body_bytes FROM entry e JOIN message m ON m.id = e.message"
		" WHERE m.id = ? AND " ENTRY_OF_MESSAGE,
	[SQL_BODY_SET] =
		"UPDATE message SET size = ?2, body_bytes = ?2, used_at = ?3"
		" WHERE id = ?1",
	[SQL_BODY_CLEAR] =
		"UPDATE message SET body_bytes = NULL, used_at = NULL"
		" WHERE id = ?",
	[SQL_BODY_TOUCH] = "UPDATE message SET used_at = ?2"
			   " WHERE id = ?1 AND body_bytes IS NOT NULL",
	[SQL_BODY_OLDEST] =
		"SELECT id, body_bytes FROM message"
		" WHERE body_bytes IS NOT NULL ORDER BY used_at LIMIT 1",
	[SQL_BODY_TOTALS] =
		"SELECT coalesce(sum(body_bytes), 0), coalesce(max(used_at), 0)"
		" FROM message WHERE body_bytes IS NOT NULL",
};

static const char schema_1[] =
	"CREATE TABLE account(name TEXT NOT NULL, epoch INTEGER NOT NULL,"
	" next_id INTEGER NOT NULL, next_folder INTEGER NOT NULL);"
	"CREATE TABLE folder(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
	" level TEXT NOT NULL, attributes INTEGER NOT NULL,"
	" is_listed INTEGER NOT NULL DEFAULT 0,"
	" cursor TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT '',"
	" new_count INTEGER NOT NULL DEFAULT 0,"
	" cur_count INTEGER NOT NULL DEFAULT 0,"
	" changed_ns INTEGER NOT NULL, new_changed_ns INTEGER NOT NULL,"
	" cur_changed_ns INTEGER NOT NULL, UNIQUE(parent, level));"
	"CREATE INDEX folder_parent ON folder(parent);"
	"CREATE TABLE message(id INTEGER PRIMARY KEY,"
	" folder INTEGER NOT NULL, received_at INTEGER NOT NULL, claimed_size INTEGER NOT NULL,"
	" size INTEGER, body_bytes INTEGER, used_at INTEGER);"
	"CREATE INDEX message_used ON message(used_at, body_bytes)"
	" WHERE body_bytes IS NOT NULL;"
	"CREATE TABLE entry(dir INTEGER NOT NULL, id INTEGER NOT NULL,"
	" folder INTEGER NOT NULL, message INTEGER NOT NULL, key TEXT,"
	" flags INTEGER NOT NULL, keywords TEXT NOT NULL,"
	" identity INTEGER NOT NULL, received_at INTEGER NOT NULL,"
	" PRIMARY KEY(dir, id)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX entry_key ON entry(folder, key)"
	" WHERE key IS NOT NULL;"
	"CREATE UNIQUE INDEX entry_identity ON entry(folder, identity);"
	"CREATE TABLE void(folder INTEGER NOT NULL,"
	" received_at INTEGER NOT NULL, claimed_size INTEGER NOT NULL,"
	" entry INTEGER NOT NULL, dir INTEGER NOT NULL,"
	" PRIMARY KEY(folder, entry)) WITHOUT ROWID;"
	"CREATE INDEX void_facts ON void(folder, received_at, claimed_size);"
	"INSERT INTO folder(id, parent, level, attributes, changed_ns,"
	" new_changed_ns, cur_changed_ns) VALUES(0, -1, '', 1, 1, 1, 1);";

/* What brings the schema from the version of its index to the next. */
static const char *const migrations[] = { schema_1 };
#define SCHEMA_VERSION ((int64_t)(sizeof(migrations) / sizeof(migrations[0])))

static int error_of(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

static char *suspect_path(const char *path)
{
	return xasprintf("%s.suspect", path);
}

int db_error(sqlite3 *sqlite, int rc)
{
	int err = error_of(rc);
	log_error("index: %s (%d)", sqlite3_errmsg(sqlite),
	          sqlite3_extended_errcode(sqlite));
	if (err != -EUCLEAN)
		return err;
	/* It cannot be replaced under those who use it: at the next start. */
	const char *path = sqlite3_db_filename(sqlite, "main");
	auto_free char *suspect = suspect_path(path != NULL ? path : "");
	auto_fd int fd = open(suspect, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		log_error("index: damaged; it is rebuilt at the next start");
	return err;
}

sqlite3_stmt *db_query(struct db_conn *conn, enum db_sql which,
                       const char *types, ...)
{
	sqlite3_stmt **statement = &conn->statements[which];
	if (*statement == NULL) {
		int rc = sqlite3_prepare_v3(conn->sqlite, sql[which], -1,
		                            SQLITE_PREPARE_PERSISTENT,
		                            statement, NULL);
		if (rc != SQLITE_OK) {
			(void)db_error(conn->sqlite, rc);
			return NULL;
		}
	}
	va_list args;
	va_start(args, types);
	for (int i = 1; *types != '\0'; types++, i++) {
		if (*types == 'i')
			(void)sqlite3_bind_int64(*statement, i,
			                         va_arg(args, int64_t));
		else
			(void)sqlite3_bind_text(*statement, i,
			                        va_arg(args, const char *), -1,
			                        SQLITE_STATIC);
	}
	va_end(args);
	return *statement;
}

int db_step(struct db_conn *conn, sqlite3_stmt *statement)
{
	if (statement == NULL)
		return -EIO;
	int rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		return 1;
	(void)sqlite3_reset(statement);
	if (rc == SQLITE_DONE)
		return 0;
	/* The one that callers expect; they tell others if it matters. */
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return -EEXIST;
	return db_error(conn->sqlite, rc);
}

int db_run(struct db_conn *conn, sqlite3_stmt *statement)
{
	int n = db_step(conn, statement);
	if (n > 0) {
		(void)sqlite3_reset(statement);
		n = 0;
	}
	return n;
}

void db_column_text(sqlite3_stmt *statement, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(statement, column);
	(void)snprintf(out, size, "%s", text != NULL ? (const char *)text : "");
}

struct db_conn *db_reader(struct db *db)
{
	return &db->reader;
}

uint64_t db_epoch(const struct db *db)
{
	return db->epoch;
}

int db_begin(struct db *db, struct db_conn **conn_out)
{
	(void)pthread_mutex_lock(&db->lock);
	int err = db_run(&db->writer, db_query(&db->writer, SQL_BEGIN, ""));
	if (err < 0) {
		(void)pthread_mutex_unlock(&db->lock);
		return err;
	}
	*conn_out = &db->writer;
	return 0;
}

void db_rollback(struct db_conn *conn)
{
	struct db *db = conn->db;
	/* A full disk or an I/O error may have rolled back already. */
	if (!sqlite3_get_autocommit(conn->sqlite))
		(void)db_run(conn, db_query(conn, SQL_ROLLBACK, ""));
	db->next_id = db->saved_id;
	db->next_folder = db->saved_folder;
	(void)pthread_mutex_unlock(&db->lock);
}

int db_commit(struct db_conn *conn)
{
	struct db *db = conn->db;
	int err = FAULT("db-commit");
	if (err == 0 && (db->next_id != db->saved_id ||
	                 db->next_folder != db->saved_folder))
		err = db_run(conn, db_query(conn, SQL_SEQUENCE_SET, "ii",
		                            db->next_id, db->next_folder));
	if (err == 0)
		err = db_run(conn, db_query(conn, SQL_COMMIT, ""));
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	db->saved_id = db->next_id;
	db->saved_folder = db->next_folder;
	(void)FAULT("db-committed");
	(void)pthread_mutex_unlock(&db->lock);
	return 0;
}

void db_checkpoint(struct db *db, bool is_busy)
{
	off_t enough = is_busy ? CHECKPOINT_BUSY : CHECKPOINT_MIN;
	(void)pthread_mutex_lock(&db->checkpoint_lock);
	auto_free char *wal = xasprintf("%s-wal", db->path);
	auto_fd int fd = open(wal, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && lseek(fd, 0, SEEK_END) >= enough &&
	    FAULT("db-checkpoint") == 0)
		(void)sqlite3_wal_checkpoint_v2(db->checkpointer, NULL,
		                                SQLITE_CHECKPOINT_PASSIVE, NULL,
		                                NULL);
	(void)pthread_mutex_unlock(&db->checkpoint_lock);
}

static int connect_to(const char *path, int cache_kib, sqlite3 **sqlite_out)
{
	int rc = sqlite3_open_v2(path, sqlite_out,
	                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	                                 SQLITE_OPEN_NOMUTEX,
	                         NULL);
	if (rc != SQLITE_OK)
		return error_of(rc);
	(void)sqlite3_busy_timeout(*sqlite_out, 5000);
	(void)sqlite3_extended_result_codes(*sqlite_out, 1);
	auto_free char *pragmas = xasprintf("PRAGMA journal_mode = WAL;"
	                                    "PRAGMA synchronous = NORMAL;"
	                                    "PRAGMA wal_autocheckpoint = 0;"
	                                    "PRAGMA journal_size_limit = %d;"
	                                    "PRAGMA temp_store = MEMORY;"
	                                    "PRAGMA cache_size = -%d",
	                                    CHECKPOINT_MIN, cache_kib);
	return error_of(sqlite3_exec(*sqlite_out, pragmas, NULL, NULL, NULL));
}

/* One number from one row. */
static int ask(sqlite3 *sqlite, const char *question, int64_t *number_out)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(sqlite, question, -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return error_of(rc);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*number_out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	if (rc == SQLITE_ROW)
		return 0;
	/* Every question here has one answer, unless the file is not ours. */
	return rc == SQLITE_DONE ? -EUCLEAN : error_of(rc);
}

static int migrate(struct db *db, int64_t version, const char *account)
{
	sqlite3 *sqlite = db->writer.sqlite;
	uint64_t epoch;
	if (getrandom(&epoch, sizeof(epoch), 0) != (ssize_t)sizeof(epoch))
		return -EIO;
	int rc = sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (int64_t v = version; v < SCHEMA_VERSION && rc == SQLITE_OK; v++)
		rc = sqlite3_exec(sqlite, migrations[v], NULL, NULL, NULL);
	if (rc == SQLITE_OK && version == 0) {
		char *insert = sqlite3_mprintf(
			"INSERT INTO account VALUES(%Q, %lld, 1, 1)", account,
			(long long)epoch);
		rc = insert == NULL
		             ? SQLITE_NOMEM
		             : sqlite3_exec(sqlite, insert, NULL, NULL, NULL);
		sqlite3_free(insert);
	}
	auto_free char *stamp =
		xasprintf("PRAGMA user_version = %" PRId64, SCHEMA_VERSION);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sqlite, stamp, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(sqlite, "COMMIT", NULL, NULL, NULL);
	else
		(void)sqlite3_exec(sqlite, "ROLLBACK", NULL, NULL, NULL);
	return error_of(rc);
}

/* Is it of this account? */
static int check_account(struct db *db, const char *account, char **why_out)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(db->writer.sqlite,
	                            "SELECT name FROM account", -1, &statement,
	                            NULL);
	if (rc != SQLITE_OK)
		return error_of(rc);
	int err = sqlite3_step(statement) == SQLITE_ROW ? 0 : -EUCLEAN;
	const char *name =
		err == 0 ? (const char *)sqlite3_column_text(statement, 0)
			 : NULL;
	if (err == 0 && (name == NULL || strcmp(name, account) != 0)) {
		*why_out =
			xasprintf("%s belongs to account %s, not %s", db->path,
		                  name != NULL ? name : "?", account);
		err = -EINVAL;
	}
	(void)sqlite3_finalize(statement);
	return err;
}

static void disconnect(struct db *db)
{
	struct db_conn *conns[] = { &db->reader, &db->writer };
	for (size_t i = 0; i < 2; i++) {
		for (int s = 0; s < SQL_COUNT; s++) {
			(void)sqlite3_finalize(conns[i]->statements[s]);
			conns[i]->statements[s] = NULL;
		}
	}
	(void)sqlite3_close(take(db->reader.sqlite));
	(void)sqlite3_close(take(db->checkpointer));
	(void)sqlite3_close(take(db->writer.sqlite));
}

static int connect_all(struct db *db, const char *account, char **why_out)
{
	int err = connect_to(db->path, WRITER_CACHE_KIB, &db->writer.sqlite);
	if (err < 0)
		return err;
	sqlite3 *sqlite = db->writer.sqlite;
	int64_t version = 0;
	err = ask(sqlite, "PRAGMA user_version", &version);
	if (err < 0)
		return err;
	if (version > SCHEMA_VERSION) {
		*why_out =
			xasprintf("%s was made by a newer mailmount", db->path);
		return -EINVAL;
	}
	if (version < SCHEMA_VERSION) {
		err = migrate(db, version, account);
		if (err < 0)
			return err;
	}
	err = check_account(db, account, why_out);
	int64_t epoch = 0;
	if (err == 0)
		err = ask(sqlite, "SELECT epoch FROM account", &epoch);
	if (err == 0)
		err = ask(sqlite, "SELECT next_id FROM account", &db->next_id);
	if (err == 0)
		err = ask(sqlite, "SELECT next_folder FROM account",
		          &db->next_folder);
	if (err == 0)
		err = connect_to(db->path, READER_CACHE_KIB,
		                 &db->reader.sqlite);
	if (err == 0)
		err = connect_to(db->path, 64, &db->checkpointer);
	db->epoch = (uint64_t)epoch;
	db->saved_id = db->next_id;
	db->saved_folder = db->next_folder;
	return err;
}

/* Out of the way, but kept for whoever wants to look. */
static int move_aside(const char *path)
{
	for (int n = 1; n < 1000; n++) {
		auto_free char *aside = xasprintf("%s.corrupt-%d", path, n);
		if (access(aside, F_OK) == 0)
			continue;
		if (rename(path, aside) < 0 && errno != ENOENT)
			return -errno;
		auto_free char *wal = xasprintf("%s-wal", path);
		auto_free char *shm = xasprintf("%s-shm", path);
		auto_free char *suspect = suspect_path(path);
		(void)unlink(wal);
		(void)unlink(shm);
		(void)unlink(suspect);
		log_warn("index: damaged; moved to %s and begun anew", aside);
		return 0;
	}
	return -EEXIST;
}

/* SQLite would take a lock for each allocation, to count them. */
static void set_up_sqlite(void)
{
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int db_open(const char *state_dir, const char *account, struct db **db_out,
            char **why_out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, set_up_sqlite);
	struct db *db = xmalloc(sizeof(*db));
	db->path = xasprintf("%s/index.db", state_dir);
	db->reader.db = db;
	db->writer.db = db;
	(void)pthread_mutex_init(&db->lock, NULL);
	(void)pthread_mutex_init(&db->checkpoint_lock, NULL);

	auto_free char *why = NULL;
	auto_free char *suspect = suspect_path(db->path);
	int err = access(suspect, F_OK) == 0 ? -EUCLEAN
	                                     : connect_all(db, account, &why);
	if (err == -EUCLEAN) {
		disconnect(db);
		err = move_aside(db->path);
		if (err == 0)
			err = connect_all(db, account, &why);
	}
	if (err < 0) {
		*why_out = why != NULL ? take(why)
		                       : xasprintf("cannot open %s: %s",
		                                   db->path, strerror(-err));
		db_close(db);
		return err;
	}
	*db_out = db;
	return 0;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	disconnect(db);
	(void)pthread_mutex_destroy(&db->lock);
	(void)pthread_mutex_destroy(&db->checkpoint_lock);
	free(db->path);
	free(db);
}
