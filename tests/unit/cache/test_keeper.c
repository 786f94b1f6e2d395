/*
 * What is synced, and how often; in builds with fault points, which tell.
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/logged.h"
#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* The points with that in their names passed since the last time, in order. */
static void assert_points(const char *path, const char *part,
                          const char *expected)
{
	char line[64], all[512] = "";
	FILE *log = fopen(path, "r");
	while (log != NULL && fgets(line, sizeof(line), log) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, part) == NULL)
			continue;
		(void)strncat(all, line, sizeof(all) - strlen(all) - 2);
		(void)strncat(all, " ", 2);
	}
	if (log != NULL)
		(void)fclose(log);
	(void)unlink(path);
	assert_string_equal(all, expected);
}

static struct cache_entry write_file(struct rig *rig,
                                     const struct cache_name *name, size_t size)
{
	struct cache_entry entry;
	int fd;
	assert_int_equal(cache_file_create(rig->cache, name, 0600, getuid(),
	                                   getgid(), &entry, &fd),
	                 0);
	auto_free char *bytes = xmalloc(size);
	memset(bytes, 'x', size);
	assert_int_equal(write(fd, bytes, size), size);
	(void)close(fd);
	cache_file_release(rig->cache, entry.message.id);
	return entry;
}

static void end(struct rig *rig, struct outcome *o, int n)
{
	if (n == 0)
		n = rig_outcome(rig, o) < 0 ? -1 : 1;
	assert_int_equal(n, 1);
}

static void sync_file(struct rig *rig, const struct cache_entry *entry)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	end(rig, &o,
	    cache_file_sync(rig->cache, entry->message.id, rig_done, &o,
	                    &wait));
}

static void name_it(struct rig *rig, const struct cache_entry *entry,
                    const struct cache_name *name)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	end(rig, &o,
	    cache_rename(rig->cache, entry, name, NULL, rig_done, &o, &wait));
}

static void each_thing_is_synced_once(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	auto_free char *log = xasprintf("%s/points", rig->cache_dir);
	(void)setenv("MAILMOUNT_FAULT_LOG", log, 1);

	/* Data and name of a small one, by the log. */
	struct cache_name tmp = { inbox, CACHE_TMP, "1", "", 0 };
	struct cache_name new = { inbox, CACHE_NEW, "1", "", 0 };
	struct cache_entry entry = write_file(rig, &tmp, 5000);
	sync_file(rig, &entry);
	assert_points(log, "-sync", "");
	name_it(rig, &entry, &new);
	assert_points(log, "-sync", "db-sync db-synced ");

	/* Of a large one, one after the other. */
	tmp.base = new.base = "2";
	entry = write_file(rig, &tmp, LOGGED_BODY_MAX + 1);
	sync_file(rig, &entry);
	assert_points(log, "-sync", "");
	name_it(rig, &entry, &new);
	assert_points(log, "-sync", "file-sync file-synced db-sync db-synced ");

	/* Beside the mail, a name lasts. */
	struct cache_name top = { inbox, CACHE_TOP, "index", "", 0 };
	entry = write_file(rig, &top, 5);
	sync_file(rig, &entry);
	assert_points(log, "-sync", "file-sync file-synced db-sync db-synced ");
	(void)unsetenv("MAILMOUNT_FAULT_LOG");
}

/* What is made ahead another thread makes, in its own time. */
static void have_one_made(struct rig *rig, const struct cache_entry *entry)
{
	sync_file(rig, entry);
	(void)poll(NULL, 0, 10);
}

static bool has_passed(const char *path, const char *point)
{
	char line[64];
	bool has = false;
	FILE *log = fopen(path, "r");
	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		has |= strcmp(line, point) == 0;
	if (log != NULL)
		(void)fclose(log);
	(void)unlink(path);
	return has;
}

static void a_file_is_made_ahead_and_is_new(void **state)
{
	struct rig *rig = *state;
	struct cache_message message;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	auto_free char *log = xasprintf("%s/points", rig->cache_dir);
	struct cache_name tmp = { inbox, CACHE_TMP, "1", "", 0 };
	struct cache_name new = { inbox, CACHE_NEW, "1", "", 0 };
	(void)setenv("MAILMOUNT_FAULT_LOG", log, 1);
	struct cache_entry first = write_file(rig, &tmp, 5), entry;
	assert_points(log, "file-", "file-create ");
	name_it(rig, &first, &new);
	time_t before;
	int files = 1;
	do {
		have_one_made(rig, &first);
		auto_free char *base = xasprintf("%d", ++files);
		tmp.base = base;
		(void)unlink(log);
		before = time(NULL);
		entry = write_file(rig, &tmp, 5);
	} while (!has_passed(log, "file-take\n") && files < 1000);
	assert_true(files < 1000);
	(void)unsetenv("MAILMOUNT_FAULT_LOG");
	assert_int_equal(cache_message_get(rig->cache, entry.id, &message), 0);
	assert_int_equal(message.size, 5);
	assert_int_equal(message.mode, 0600);
	assert_true(message.mtime.tv_sec >= before - 1);
	for (int i = 0; i < 1000 && rig_count_files(rig) <= files; i++)
		have_one_made(rig, &first);
	/* Those that are not used go at the next start. */
	rig_close(rig);
	assert_true(rig_count_files(rig) > files);
	rig_open(rig);
	assert_int_equal(rig_count_files(rig), files);
}

static void what_cannot_be_synced_stays_in_the_log(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_name tmp = { inbox, CACHE_TMP, "1", "", 0 };
	struct cache_name new = { inbox, CACHE_NEW, "1", "", 0 };
	struct cache_entry entry = write_file(rig, &tmp, 5000);
	name_it(rig, &entry, &new);
	struct db_conn *reader = db_reader(rig->cache->db);
	struct logged *l = logged_new(rig->cache);
	struct file_store *files = rig->cache->files;
	int fd = file_open(files, entry.message.id, O_RDWR);
	char byte = 'y';
	assert_int_equal(pwrite(fd, &byte, 1, 4999), 1);
	(void)setenv("MAILMOUNT_FAULT", "file-sync:1:5", 1); /* EIO, once */
	logged_settle(l);
	(void)unsetenv("MAILMOUNT_FAULT");
	assert_true(db_logged_has(reader, entry.message.id));
	/* It was written again. */
	assert_int_equal(pread(fd, &byte, 1, 4999), 1);
	assert_int_equal(byte, 'x');
	(void)close(fd);
	/* Its turn is over; then it comes again. */
	logged_settle(l);
	assert_true(db_logged_has(reader, entry.message.id));
	logged_settle(l);
	assert_false(db_logged_has(reader, entry.message.id));
	logged_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_thing_is_synced_once,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(a_file_is_made_ahead_and_is_new,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_synced_stays_in_the_log, rig_setup,
			rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
