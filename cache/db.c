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
#include "util/sync.h"

/*
 * A page in the log costs a page of cache at most: bounded, whatever the size
 * of the index.  In KiB.
 */
#define READER_CACHE_KIB 4096
#define WRITER_CACHE_KIB 16384

/* Worth the fsyncs of a checkpoint, and worth a pause.  Pages in the log. */
#define CHECKPOINT_MIN  1024
#define CHECKPOINT_BUSY (16 * 1024)
#define PAGE_SIZE       4096 /* SQLite's, unless told otherwise */

/* To sync what makes the log's file longer takes half as long again. */
#define LOG_BYTES_KEPT (2 * CHECKPOINT_MIN * PAGE_SIZE)

/* Numbers said to be given away that are not yet: a page less a delivery. */
#define IDS_AHEAD 128

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
		int rc = sqlite3_prepare_v3(conn->sqlite, db_sql[which], -1,
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
	db->begun_id = db->next_id;
	*conn_out = &db->writer;
	return 0;
}

void db_rollback(struct db_conn *conn)
{
	struct db *db = conn->db;
	/* A full disk or an I/O error may have rolled back already. */
	if (!sqlite3_get_autocommit(conn->sqlite))
		(void)db_run(conn, db_query(conn, SQL_ROLLBACK, ""));
	db->next_id = db->begun_id;
	db->next_folder = db->saved_folder;
	(void)pthread_mutex_unlock(&db->lock);
}

int db_commit(struct db_conn *conn)
{
	struct db *db = conn->db;
	int err = FAULT("db-commit");
	int64_t saved_id = db->saved_id;
	if (db->next_id > saved_id)
		saved_id = db->next_id + IDS_AHEAD;
	if (err == 0 &&
	    (saved_id != db->saved_id || db->next_folder != db->saved_folder))
		err = db_run(conn, db_query(conn, SQL_SEQUENCE_SET, "ii",
		                            saved_id, db->next_folder));
	if (err == 0)
		err = db_run(conn, db_query(conn, SQL_COMMIT, ""));
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	db->saved_id = saved_id;
	db->saved_folder = db->next_folder;
	(void)FAULT("db-committed");
	(void)pthread_mutex_unlock(&db->lock);
	return 0;
}

int64_t db_id_ahead(struct db *db)
{
	(void)pthread_mutex_lock(&db->lock);
	int64_t id = db->next_id++;
	(void)pthread_mutex_unlock(&db->lock);
	return id;
}

int db_sync(struct db *db, const char *name)
{
	int err = FAULT("db-sync");
	if (err == 0)
		err = sync_data(db->wal_fd, name);
	if (err < 0)
		log_error("index: cannot be synced: %s", strerror(-err));
	else
		(void)FAULT("db-synced");
	return err;
}

bool db_has_long_log(struct db *db)
{
	return db->log_pages >= CHECKPOINT_MIN;
}

static int move_pages(struct db *db)
{
	int in_log, moved;
	int err = FAULT("db-checkpoint");
	if (err < 0 || sqlite3_wal_checkpoint_v2(db->checkpointer, NULL,
	                                         SQLITE_CHECKPOINT_PASSIVE,
	                                         &in_log, &moved) != SQLITE_OK)
		return -EIO;
	db->log_pages = in_log - moved;
	return 0;
}

/*
 * SQLite does so only when nothing is left in the log.  Not by a descriptor of
 * ours: to close that would give up SQLite's lock.
 */
static void sync_pages(struct db *db)
{
	sqlite3_file *file = NULL;
	if (sync_is_left_out("checkpoint") ||
	    sqlite3_file_control(db->checkpointer, "main",
	                         SQLITE_FCNTL_FILE_POINTER,
	                         &file) != SQLITE_OK ||
	    file->pMethods == NULL)
		return;
	(void)file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

/*
 * SQLite writes at the log's beginning again only when nothing is left in it.
 * While deliveries follow each other something always is: the log would grow,
 * and a checkpoint be made behind each.  So those who write must wait for the
 * last pages; after two rounds these are few.
 */
static void checkpoint_locked(struct db *db)
{
	for (int i = 0; i < 2; i++) {
		if (move_pages(db) < 0)
			return;
		sync_pages(db);
	}
	(void)pthread_mutex_lock(&db->lock);
	(void)move_pages(db);
	(void)pthread_mutex_unlock(&db->lock);
}

void db_checkpoint(struct db *db, bool is_busy)
{
	int enough = is_busy ? CHECKPOINT_BUSY : CHECKPOINT_MIN;
	(void)pthread_mutex_lock(&db->checkpoint_lock);
	if (db->log_pages >= enough)
		checkpoint_locked(db);
	(void)pthread_mutex_unlock(&db->checkpoint_lock);
}

/*
 * "unix-excl": the account is locked already, so no other process need be told
 * of each lock and of where in the log each page is.  That would be some 60
 * calls of the system for a delivery.
 */
static int connect_to(const char *path, int cache_kib, sqlite3 **sqlite_out)
{
	int rc = sqlite3_open_v2(path, sqlite_out,
	                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
	                                 SQLITE_OPEN_NOMUTEX,
	                         "unix-excl");
	if (rc != SQLITE_OK)
		return error_of(rc);
	(void)sqlite3_busy_timeout(*sqlite_out, 5000);
	(void)sqlite3_extended_result_codes(*sqlite_out, 1);
	const char *synchronous =
		sync_is_left_out("checkpoint") ? "OFF" : "NORMAL";
	auto_free char *pragmas =
		xasprintf("PRAGMA journal_mode = WAL;"
	                  "PRAGMA synchronous = %s;"
	                  "PRAGMA wal_autocheckpoint = 0;"
	                  "PRAGMA journal_size_limit = %d;"
	                  "PRAGMA temp_store = MEMORY;"
	                  "PRAGMA cache_size = -%d",
	                  synchronous, LOG_BYTES_KEPT, cache_kib);
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
	for (int64_t v = version; v < DB_VERSION && rc == SQLITE_OK; v++)
		rc = sqlite3_exec(sqlite, db_migrations[v], NULL, NULL, NULL);
	if (rc == SQLITE_OK && version == 0) {
		char *insert = sqlite3_mprintf(
			"INSERT INTO account(name, epoch, next_id,"
			" next_folder) VALUES(%Q, %lld, 1, 1)",
			account, (long long)epoch);
		rc = insert == NULL
		             ? SQLITE_NOMEM
		             : sqlite3_exec(sqlite, insert, NULL, NULL, NULL);
		sqlite3_free(insert);
	}
	auto_free char *stamp = xasprintf("PRAGMA user_version = %" PRId64,
	                                  (int64_t)DB_VERSION);
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

/* The log's file does not shrink: its size does not tell what is in it. */
static int on_commit(void *db, sqlite3 *sqlite, const char *name, int pages)
{
	((struct db *)db)->log_pages = pages;
	return SQLITE_OK;
}

/*
 * The log lives as long as a connection does; db_sync() needs it.  Its name was
 * synced by SQLite, before its first frame.
 */
static int open_log(struct db *db)
{
	auto_free char *wal = xasprintf("%s-wal", db->path);
	(void)sqlite3_wal_hook(db->writer.sqlite, on_commit, db);
	/* There is none before the first write. */
	int err = sqlite3_exec(db->writer.sqlite,
	                       "BEGIN IMMEDIATE; UPDATE account SET"
	                       " next_id = next_id; COMMIT",
	                       NULL, NULL, NULL);
	if (err != SQLITE_OK)
		return error_of(err);
	db->wal_fd = open(wal, O_RDONLY | O_CLOEXEC);
	return db->wal_fd < 0 ? -errno : 0;
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
	if (version > DB_VERSION) {
		*why_out =
			xasprintf("%s was made by a newer mailmount", db->path);
		return -EINVAL;
	}
	if (version < DB_VERSION) {
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
	if (err == 0)
		err = open_log(db);
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
	db->wal_fd = -1;
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
		const char *what = err == -EBUSY ? "another program has it open"
		                                 : strerror(-err);
		*why_out = why != NULL ? take(why)
		                       : xasprintf("cannot open %s: %s",
		                                   db->path, what);
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
	if (db->wal_fd >= 0)
		(void)close(db->wal_fd);
	(void)pthread_mutex_destroy(&db->lock);
	(void)pthread_mutex_destroy(&db->checkpoint_lock);
	free(db->path);
	free(db);
}
