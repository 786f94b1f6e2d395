#include "tests/unit/cache/rig.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/core.h"
#include "cache/jobs_queue.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/strbuf.h"

#define INTERVAL_MS 60000
#define WAIT_S      20
/* Of the other clock, while there is work. */
#define STEP_MS 1000

static char *file_path(const struct rig *rig, int64_t id)
{
	return xasprintf("%s/files/%02x/%" PRId64, rig->state_dir,
	                 (unsigned)(id / FILE_BLOCK) & 0xff, id);
}

static void tell(struct rig *rig, int *counter)
{
	(void)pthread_mutex_lock(&rig->lock);
	++*counter;
	(void)pthread_cond_broadcast(&rig->changed);
	(void)pthread_mutex_unlock(&rig->lock);
}

static void on_entries(void *arg, int64_t folder)
{
	struct rig *rig = arg;
	tell(rig, &rig->entries_changed);
}

static void on_moved(void *arg, const struct cache_entry *old,
                     const struct cache_entry *now)
{
	struct rig *rig = arg;
	tell(rig, old == NULL   ? &rig->arrived
	          : now == NULL ? &rig->went
	                        : &rig->moved);
}

static void on_folders(void *arg, int64_t parent, const char *gone)
{
	assert_true(parent >= 0);
	struct rig *rig = arg;
	if (gone != NULL) {
		(void)pthread_mutex_lock(&rig->lock);
		(void)snprintf(rig->gone, sizeof(rig->gone), "%s", gone);
		(void)pthread_mutex_unlock(&rig->lock);
	}
	tell(rig, &rig->folders_changed);
}

static void on_size(void *arg, int64_t message)
{
	struct rig *rig = arg;
	tell(rig, &rig->sizes_known);
}

/*
 * What a power cut may leave of the files that were not synced, for the log has
 * their bytes: an empty one, or none.
 */
static void cut_power(struct rig *rig)
{
	auto_free char *index = xasprintf("%s/index.db", rig->state_dir);
	sqlite3 *sqlite = NULL;
	sqlite3_stmt *s = NULL;
	bool is_there = sqlite3_open_v2(index, &sqlite, SQLITE_OPEN_READONLY,
	                                NULL) == SQLITE_OK &&
	                sqlite3_prepare_v2(sqlite, "SELECT message FROM logged",
	                                   -1, &s, NULL) == SQLITE_OK;
	while (is_there && sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);
		auto_free char *path = file_path(rig, id);
		(void)(id % 2 == 0 ? truncate(path, 0) : unlink(path));
	}
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(sqlite);
}

void rig_open(struct rig *rig)
{
	cut_power(rig);
	static const struct cache_listener listener = {
		on_entries, on_moved, on_folders, NULL, on_size,
	};
	char *why = NULL;
	int err = cache_open(&rig->config, &rig->cache, &why);
	if (err < 0)
		fail_msg("%s", why);
	cache_listen(rig->cache, &listener, rig);
}

void rig_start(struct rig *rig, size_t sessions)
{
	struct remote *remotes[8];
	for (size_t i = 0; i < sessions; i++)
		remotes[i] = fake_remote_new(rig->account);
	assert_int_equal(cache_start(rig->cache, remotes, sessions), 0);
}

void rig_close(struct rig *rig)
{
	if (rig->cache == NULL)
		return;
	cache_stop(rig->cache);
	cache_close(rig->cache);
	rig->cache = NULL;
}

void rig_init(struct rig *rig, const char *dir, struct fake_account *account)
{
	memset(rig, 0, sizeof(*rig));
	(void)snprintf(rig->dir, sizeof(rig->dir), "%s", dir);
	(void)snprintf(rig->state_dir, sizeof(rig->state_dir), "%s/state",
	               rig->dir);
	(void)snprintf(rig->cache_dir, sizeof(rig->cache_dir), "%s/cache",
	               rig->dir);
	rig->config = (struct cache_config){
		.account = "work",
		.state_dir = rig->state_dir,
		.cache_dir = rig->cache_dir,
		.size_limit = 100 << 20,
		.timeout_ms = 30000,
		.interval_ms = INTERVAL_MS,
	};
	pthread_condattr_t attr;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&rig->lock, NULL);
	(void)pthread_cond_init(&rig->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	rig->account = account;
}

int rig_setup(void **state)
{
	struct rig *rig = xmalloc(sizeof(*rig));
	char dir[] = "/tmp/cache-test-XXXXXX";
	assert_non_null(mkdtemp(dir));
	rig_init(rig, dir, fake_account_new());
	fake_folder_add(rig->account, "INBOX", 0);
	fake_folder_add(rig->account, "Lists/c", 0);
	rig_open(rig);
	*state = rig;
	return 0;
}

static int remove_node(const char *path, const struct stat *st, int type,
                       struct FTW *ftw)
{
	return remove(path);
}

void rig_remove(const char *dir)
{
	(void)nftw(dir, remove_node, 16, FTW_DEPTH | FTW_PHYS);
}

int rig_teardown(void **state)
{
	struct rig *rig = *state;
	rig_close(rig);
	int64_t violations = rig_violations(rig);
	fake_account_free(rig->account);
	rig_remove(rig->dir);
	(void)pthread_mutex_destroy(&rig->lock);
	(void)pthread_cond_destroy(&rig->changed);
	free(rig);
	assert_int_equal(violations, 0);
	return 0;
}

void rig_done(void *arg, int err, const struct cache_body *body)
{
	struct outcome *o = arg;
	(void)pthread_mutex_lock(&o->rig->lock);
	o->is_done = true;
	o->runs++;
	o->err = err;
	o->body = body != NULL ? *body : (struct cache_body){ .fd = -1 };
	(void)pthread_cond_broadcast(&o->rig->changed);
	(void)pthread_mutex_unlock(&o->rig->lock);
}

int rig_outcome(struct rig *rig, struct outcome *o)
{
	struct timespec end;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WAIT_S;
	(void)pthread_mutex_lock(&rig->lock);
	int err = 0;
	while (!o->is_done && err == 0)
		err = pthread_cond_timedwait(&rig->changed, &rig->lock, &end);
	(void)pthread_mutex_unlock(&rig->lock);
	if (err != 0)
		fail_msg("no completion ran");
	assert_int_equal(o->runs, 1);
	return o->err;
}

static int await(struct rig *rig, int64_t folder)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	int n = cache_listing_await(rig->cache, folder, rig_done, &o, &wait);
	if (n == 0)
		return rig_outcome(rig, &o);
	return n == 1 ? 0 : n;
}

int rig_list(struct rig *rig)
{
	return await(rig, CACHE_ROOT);
}

/* The clock of util/clock.h is the test's own. */
static int64_t wall_s(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

int64_t rig_listed(struct rig *rig, const char *level)
{
	struct cache_folder folder;
	assert_int_equal(rig_list(rig), 0);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, level,
	                                   &folder),
	                 0);
	assert_int_equal(await(rig, folder.id), 0);
	return folder.id;
}

/* How long nobody has anything to do; 0: somebody works. */
static int64_t idle_ms(struct rig *rig)
{
	struct jobs *jobs = rig->cache->jobs;
	(void)pthread_mutex_lock(&jobs->lock);
	int64_t until = INT64_MAX;
	for (size_t i = 0; i < jobs->count; i++) {
		const struct served *s = &jobs->served[i];
		int64_t wakes_at = s->is_asleep ? s->sleeps_until : 0;
		until = wakes_at < until ? wakes_at : until;
	}
	(void)pthread_mutex_unlock(&jobs->lock);
	int64_t ms = until == INT64_MAX ? STEP_MS : until - clock_now_ms();
	return ms > 0 ? ms : 0;
}

void rig_rest(struct rig *rig)
{
	struct timespec pause = { .tv_nsec = 100000 };
	int64_t end = wall_s() + WAIT_S;
	while (idle_ms(rig) == 0) {
		if (wall_s() > end)
			fail_msg("there is no end of work");
		(void)nanosleep(&pause, NULL);
	}
}

void rig_poll(struct rig *rig)
{
	/* A look begins only when what the one before found is done. */
	int lists = fake_calls(rig->account, FAKE_LIST);
	/* Else a pull of some milliseconds takes hours of the other clock. */
	struct timespec pause = { .tv_nsec = 500000 };
	int64_t end = wall_s() + WAIT_S;
	while (fake_calls(rig->account, FAKE_LIST) < lists + 3) {
		if (wall_s() > end)
			fail_msg("the server is not looked at");
		int64_t idle = idle_ms(rig);
		clock_advance_ms(idle > 0 ? idle : STEP_MS);
		cache_tick(rig->cache);
		(void)nanosleep(&pause, NULL);
	}
}

struct cache_entry rig_entry(struct rig *rig, int64_t folder,
                             enum cache_place place, int n)
{
	struct cache_entry entry = { 0 };
	assert_int_equal(cache_scan_begin(rig->cache, folder, place, 0, false),
	                 0);
	for (int i = 0; i <= n; i++)
		assert_int_equal(cache_scan_next(rig->cache, &entry), 1);
	cache_scan_end(rig->cache);
	return entry;
}

int rig_read(struct rig *rig, const struct cache_entry *entry)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	int n = cache_body_open(rig->cache, entry->message.id, rig_done, &o,
	                        &o.body, &wait);
	if (n < 0)
		return n;
	if (n == 0)
		n = rig_outcome(rig, &o);
	if (n < 0)
		return n;
	struct stat st;
	assert_int_equal(fstat(o.body.fd, &st), 0);
	assert_int_equal(st.st_size, o.body.size);
	(void)close(o.body.fd);
	return 0;
}

/*
 * No key: voided, local, or told by the journal or another name; where mail is
 * taken off the server, what is kept is ours alone.
 */
#define NO_KEY \
	"SELECT count(*) FROM entry e WHERE key IS NULL AND dir % 4 < 2" \
	" AND coalesce(base, '') NOT LIKE '.%'" \
	" AND folder NOT IN (SELECT id FROM folder WHERE is_local)" \
	" AND id NOT IN (SELECT entry FROM void)" \
	" AND id NOT IN (SELECT entry FROM journal)" \
	" AND NOT EXISTS (SELECT 1 FROM entry o" \
	" WHERE o.message = e.message AND o.id <> e.id" \
	" AND o.folder = e.folder AND (o.key IS NOT NULL" \
	" OR o.id IN (SELECT entry FROM journal)))"
#define NOT_KEPT " AND message NOT IN (SELECT id FROM message WHERE kept <> 0)"

/* Kept messages whose file is not there. */
static int64_t count_lost(struct rig *rig, sqlite3 *sqlite)
{
	sqlite3_stmt *s;
	int64_t lost = 0;
	if (sqlite3_prepare_v2(sqlite, "SELECT id FROM message WHERE kept", -1,
	                       &s, NULL) != SQLITE_OK)
		return -1;
	while (sqlite3_step(s) == SQLITE_ROW) {
		auto_free char *path =
			file_path(rig, sqlite3_column_int64(s, 0));
		bool is_lost = access(path, F_OK) < 0;
		if (is_lost)
			print_error("%s is lost\n", path);
		lost += is_lost;
	}
	(void)sqlite3_finalize(s);
	return lost;
}

/* Kept messages whose file has not the bytes that the log has. */
static int64_t count_torn(struct rig *rig, sqlite3 *sqlite)
{
	sqlite3_stmt *s;
	int64_t torn = 0;
	if (sqlite3_prepare_v2(sqlite,
	                       "SELECT message, bytes FROM logged"
	                       " JOIN message ON id = message WHERE kept",
	                       -1, &s, NULL) != SQLITE_OK)
		return -1;
	while (sqlite3_step(s) == SQLITE_ROW) {
		auto_free char *path =
			file_path(rig, sqlite3_column_int64(s, 0));
		size_t size = (size_t)sqlite3_column_bytes(s, 1);
		auto_free char *found = xmalloc(size + 2);
		FILE *in = fopen(path, "r");
		size_t n =
			in == NULL ? size + 1 : fread(found, 1, size + 1, in);
		if (in != NULL)
			(void)fclose(in);
		bool is_torn =
			n != size ||
			(size > 0 &&
		         memcmp(found, sqlite3_column_blob(s, 1), size) != 0);
		if (is_torn)
			print_error("%s is not what the log has\n", path);
		torn += is_torn;
	}
	(void)sqlite3_finalize(s);
	return torn;
}

int64_t rig_violations(struct rig *rig)
{
	const char *const queries[] = {
		"SELECT count(*) FROM entry WHERE message NOT IN"
		" (SELECT id FROM message)",
		"SELECT count(*) FROM message WHERE id NOT IN"
		" (SELECT message FROM entry) AND id NOT IN"
		" (SELECT message FROM journal)",
		"SELECT count(*) FROM entry WHERE folder NOT IN"
		" (SELECT id FROM folder) OR dir / 4 <> folder",
		"SELECT count(*) FROM folder f WHERE new_count <>"
		" (SELECT count(*) FROM entry WHERE dir = f.id * 4) OR"
		" cur_count <>"
		" (SELECT count(*) FROM entry WHERE dir = f.id * 4 + 1)",
		"SELECT count(*) FROM folder WHERE parent NOT IN (-1, -2)"
		" AND"
		" parent NOT IN (SELECT id FROM folder)",
		"SELECT count(*) FROM entry WHERE dir % 4 = 0 AND flags & 63 <> 0",
		"SELECT count(*) FROM message WHERE body_bytes IS NOT NULL AND"
		" (size IS NOT body_bytes OR used_at IS NULL)",
		"SELECT count(*) FROM void v LEFT JOIN entry e ON"
		" e.folder = v.folder AND e.id = v.entry"
		" WHERE e.id IS NULL OR e.key IS NOT NULL",
		rig->config.is_taken ? NO_KEY NOT_KEPT : NO_KEY,
		"SELECT count(*) FROM account WHERE"
		" next_id <= (SELECT coalesce(max(id), 0) FROM"
		" (SELECT id FROM message UNION ALL SELECT id FROM entry"
		" UNION ALL SELECT id FROM journal)) OR"
		" next_folder <= (SELECT max(id) FROM folder)",
		"SELECT count(*) FROM message m WHERE links <>"
		" (SELECT count(*) FROM entry WHERE message = m.id)",
		/* The journal; state 6 is JOURNAL_WATCH: no wish. */
		"SELECT count(*) FROM journal WHERE kind = 0 AND state <> 6"
		" AND message NOT IN (SELECT id FROM message)",
		"SELECT count(*) FROM journal WHERE state <> 6"
		" AND folder NOT IN (SELECT id FROM folder)",
		"SELECT count(*) FROM journal WHERE kind = 0 AND state <> 6"
		" AND target <> -1 AND entry NOT IN (SELECT id FROM entry)",
		"SELECT count(*) FROM journal j JOIN entry e ON j.entry = e.id"
		" WHERE j.kind = 0 AND j.state <> 6 AND j.target <> -1"
		" AND e.key IS NOT NULL",
		"SELECT count(*) FROM (SELECT 1 FROM journal WHERE kind = 0"
		" AND state <> 6 AND target <> -1"
		" GROUP BY entry HAVING count(*) > 1)",
		/* 7 is JOURNAL_PARKED. */
		"SELECT count(*) FROM entry e WHERE is_split AND (key IS NOT"
		" NULL OR dir % 4 > 1 OR id = message"
		" OR folder NOT IN (SELECT id FROM folder WHERE is_local)"
		" OR NOT EXISTS (SELECT 1 FROM entry o"
		" WHERE o.message = e.message AND NOT o.is_split"
		" UNION ALL SELECT 1 FROM journal j JOIN entry o"
		" ON o.id = j.entry WHERE j.message = e.message AND o.is_split"
		" AND j.target <> -1"
		" UNION ALL SELECT 1 FROM message m WHERE m.id = e.message"
		" AND kept <> 0))",
		"SELECT count(*) FROM journal j LEFT JOIN entry e ON"
		" e.id = j.entry WHERE state = 7 AND (NOT e.is_split"
		" OR e.folder <> j.target OR e.flags & 63 <> j.flags"
		" OR e.keywords <> j.keywords"
		" OR (j.key IS NULL) <> j.is_void)",
		"SELECT count(*) FROM removed"
		" WHERE id NOT IN (SELECT id FROM journal)",
	};
	char path[128];
	(void)snprintf(path, sizeof(path), "%s/index.db", rig->state_dir);
	sqlite3 *sqlite;
	int64_t violations = 0;
	if (sqlite3_open(path, &sqlite) != SQLITE_OK)
		return -1;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		sqlite3_stmt *s;
		if (sqlite3_prepare_v2(sqlite, queries[i], -1, &s, NULL) !=
		    SQLITE_OK)
			return -1;
		(void)sqlite3_step(s);
		int64_t count = sqlite3_column_int64(s, 0);
		if (count != 0)
			print_error("%s: %ld\n", queries[i], (long)count);
		violations += count;
		(void)sqlite3_finalize(s);
	}
	violations += count_lost(rig, sqlite);
	violations += count_torn(rig, sqlite);
	(void)sqlite3_close(sqlite);
	return violations;
}

static void dump_table(sqlite3 *sqlite, const char *name, struct strbuf *out)
{
	sqlite3_stmt *s;
	auto_free char *query =
		xasprintf("SELECT * FROM %s ORDER BY 1, 2", name);
	assert_int_equal(sqlite3_prepare_v2(sqlite, query, -1, &s, NULL),
	                 SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		strbuf_printf(out, "%s", name);
		for (int i = 0; i < sqlite3_column_count(s); i++) {
			const char *text =
				(const char *)sqlite3_column_text(s, i);
			strbuf_printf(out, " %s", text == NULL ? "-" : text);
		}
		strbuf_printf(out, "\n");
	}
	(void)sqlite3_finalize(s);
}

char *rig_dump(struct rig *rig)
{
	static const char *const tables[] = { "account", "folder",  "message",
		                              "entry",   "journal", "keyword",
		                              "removed", "void" };
	struct strbuf out = { 0 };
	sqlite3 *sqlite;
	auto_free char *path = xasprintf("%s/index.db", rig->state_dir);
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		dump_table(sqlite, tables[i], &out);
	(void)sqlite3_close(sqlite);
	return strbuf_take(&out);
}

int rig_count_files(const struct rig *rig)
{
	auto_free char *command =
		xasprintf("find %s/files -type f | wc -l", rig->state_dir);
	FILE *out = popen(command, "r");
	int count = -1;
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%d", &count), 1);
	(void)pclose(out);
	return count;
}
