/*
 * What is synced, and how often, and what is made ahead; in builds with fault
 * points, which tell.
 */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/db.h"
#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* The points about syncs passed since the last time, in order. */
static void assert_points(const char *path, const char *expected)
{
	char line[64], all[512] = "";
	FILE *log = fopen(path, "r");
	while (log != NULL && fgets(line, sizeof(line), log) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strstr(line, "-sync") == NULL)
			continue;
		(void)strncat(all, line, sizeof(all) - strlen(all) - 2);
		(void)strncat(all, " ", 2);
	}
	if (log != NULL)
		(void)fclose(log);
	(void)unlink(path);
	assert_string_equal(all, expected);
}

static struct cache_entry write_draft(struct rig *rig,
                                      const struct cache_name *name)
{
	struct cache_entry entry;
	int fd;
	assert_int_equal(cache_file_create(rig->cache, name, 0600, getuid(),
	                                   getgid(), &entry, &fd),
	                 0);
	assert_int_equal(write(fd, "x: y\n", 5), 5);
	(void)close(fd);
	return entry;
}

static void sync_file(struct rig *rig, const struct cache_entry *entry)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	assert_int_equal(cache_file_sync(rig->cache, entry->message.id,
	                                 rig_done, &o, &wait),
	                 0);
	assert_int_equal(rig_outcome(rig, &o), 0);
	cache_file_release(rig->cache, entry->message.id);
}

static void a_delivery_syncs_each_thing_once(void **state)
{
	struct rig *rig = *state;
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	auto_free char *log = xasprintf("%s/points", rig->cache_dir);
	(void)setenv("MAILMOUNT_FAULT_LOG", log, 1);

	struct cache_name tmp = { inbox, CACHE_TMP, "1", "", 0 };
	struct cache_name new = { inbox, CACHE_NEW, "1", "", 0 };
	struct cache_entry entry = write_draft(rig, &tmp);
	sync_file(rig, &entry);
	assert_points(log, "file-sync file-synced ");
	int n = cache_rename(rig->cache, &entry, &new, NULL, rig_done, &o,
	                     &wait);
	assert_int_equal(n, 0);
	assert_int_equal(rig_outcome(rig, &o), 0);
	assert_points(log, "db-sync db-synced ");

	/* Beside the mail, a name lasts. */
	struct cache_name top = { inbox, CACHE_TOP, "index", "", 0 };
	entry = write_draft(rig, &top);
	sync_file(rig, &entry);
	assert_points(log, "file-sync file-synced db-sync db-synced ");
	(void)unsetenv("MAILMOUNT_FAULT_LOG");
}

/* Two that are synced: what is made ahead after the first is there then. */
static void write_two(struct rig *rig, int64_t folder)
{
	for (int i = 0; i < 2; i++) {
		char name[] = { (char)('a' + i), '\0' };
		struct cache_name tmp = { folder, CACHE_TMP, name, "", 0 };
		struct cache_entry entry = write_draft(rig, &tmp);
		sync_file(rig, &entry);
	}
}

static int count_files(const struct rig *rig)
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

static void files_are_made_ahead_and_are_new(void **state)
{
	struct rig *rig = *state;
	struct cache_message message;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	write_two(rig, inbox);
	time_t before = time(NULL);
	struct cache_name tmp = { inbox, CACHE_TMP, "c", "", 0 };
	struct cache_entry entry = write_draft(rig, &tmp);
	assert_in_range(entry.id % DB_ID_BLOCK, 0, 1);
	assert_int_equal(cache_message_get(rig->cache, entry.id, &message), 0);
	assert_int_equal(message.size, 5);
	assert_true(message.mtime.tv_sec >= before - 1);
	assert_true(count_files(rig) > DB_ID_BLOCK);
	/* Those that were not used go at the next start. */
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(count_files(rig), 3);
}

static void no_half_block_is_left(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	(void)setenv("MAILMOUNT_FAULT", "file-spares:1:28", 1); /* once */
	write_two(rig, inbox);
	(void)unsetenv("MAILMOUNT_FAULT");
	assert_true(count_files(rig) <= 2 + DB_ID_BLOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delivery_syncs_each_thing_once,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(files_are_made_ahead_and_are_new,
		                                rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(no_half_block_is_left,
		                                rig_setup, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
