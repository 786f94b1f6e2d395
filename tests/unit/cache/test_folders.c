/*
 * Folders that others rename, where the server tells which is which.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/cache/rig.h"
#include "util/clock.h"

/* What is known of a folder: it is to be the same wherever it goes. */
struct known {
	int64_t folder;
	struct cache_entry entry;
};

static int64_t find(struct rig *rig, const char *path)
{
	struct cache_folder f = { .id = CACHE_ROOT };
	char level[64];
	while (*path != '\0') {
		size_t len = strcspn(path, "/");
		assert_true(len < sizeof(level));
		memcpy(level, path, len);
		level[len] = '\0';
		if (cache_folder_find(rig->cache, f.id, level, &f) < 0)
			return -ENOENT;
		path += len + (path[len] == '/');
	}
	return f.id;
}

/* A folder with this many messages, of which one was read. */
static void add(struct rig *rig, const char *path, size_t count)
{
	fake_folder_add(rig->account, path, 0);
	fake_message_add(rig->account, path, count, 10, 0);
}

static struct known learn(struct rig *rig, const char *path)
{
	struct known k = { .folder = find(rig, path) };
	assert_true(k.folder > 0);
	k.entry = rig_entry(rig, k.folder, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &k.entry), 0);
	return k;
}

static void assert_same(struct rig *rig, const struct known *k,
                        const char *path)
{
	int wants = fake_wants(rig->account);
	assert_int_equal(find(rig, path), k->folder);
	struct cache_entry e = rig_entry(rig, k->folder, CACHE_NEW, 1);
	assert_int_equal(e.id, k->entry.id);
	assert_int_equal(e.identity, k->entry.identity);
	assert_int_equal(rig_read(rig, &e), 0);
	assert_int_equal(fake_wants(rig->account), wants);
}

static void start(struct rig *rig)
{
	fake_has_ids(rig->account);
	rig_start(rig, 1);
	rig_listed(rig, "INBOX");
	rig_poll(rig);
}

static void a_folder_renamed_there_keeps_all(void **state)
{
	struct rig *rig = *state;
	add(rig, "Old", 5);
	add(rig, "Old/below", 5);
	start(rig);
	struct known old = learn(rig, "Old"), below = learn(rig, "Old/below");
	int pulls = fake_calls(rig->account, FAKE_PULL);
	fake_folder_rename(rig->account, "Old", "Lists/new");
	rig_poll(rig);
	assert_same(rig, &old, "Lists/new");
	assert_same(rig, &below, "Lists/new/below");
	assert_int_equal(find(rig, "Old"), -ENOENT);
	/* Nothing changed in it. */
	assert_int_equal(fake_calls(rig->account, FAKE_PULL), pulls);
	/* And what comes there is seen. */
	fake_message_add(rig->account, "Lists/new", 1, 10, 0);
	rig_poll(rig);
	assert_int_equal(cache_entry_count(rig->cache, old.folder, CACHE_NEW),
	                 6);
}

static void without_ids_it_is_another(void **state)
{
	struct rig *rig = *state;
	add(rig, "Old", 5);
	rig_start(rig, 1);
	rig_listed(rig, "INBOX");
	rig_poll(rig);
	struct known old = learn(rig, "Old");
	fake_folder_rename(rig->account, "Old", "New");
	rig_poll(rig);
	assert_true(find(rig, "New") > old.folder);
	assert_int_equal(find(rig, "Old"), -ENOENT);
}

static void names_may_change_hands(void **state)
{
	struct rig *rig = *state;
	add(rig, "a", 5);
	add(rig, "b", 5);
	add(rig, "c", 5);
	start(rig);
	struct known a = learn(rig, "a"), b = learn(rig, "b"),
		     c = learn(rig, "c");
	/* One after the other, and one made anew in the first's place. */
	fake_folder_rename(rig->account, "c", "d");
	fake_folder_rename(rig->account, "b", "c");
	fake_folder_rename(rig->account, "a", "b");
	add(rig, "a", 2);
	rig_poll(rig);
	assert_same(rig, &a, "b");
	assert_same(rig, &b, "c");
	assert_same(rig, &c, "d");
	int64_t other = find(rig, "a");
	assert_true(other > c.folder);
	assert_int_equal(cache_entry_count(rig->cache, other, CACHE_NEW), 2);
	/* One takes the name of one that is gone. */
	fake_folder_remove(rig->account, "d");
	fake_folder_rename(rig->account, "c", "d");
	rig_poll(rig);
	assert_same(rig, &b, "d");
	assert_int_equal(find(rig, "c"), -ENOENT);
}

static void two_that_change_places_are_both_there(void **state)
{
	struct rig *rig = *state;
	add(rig, "a", 5);
	add(rig, "b", 3);
	start(rig);
	fake_folder_rename(rig->account, "a", "x");
	fake_folder_rename(rig->account, "b", "a");
	fake_folder_rename(rig->account, "x", "b");
	rig_poll(rig);
	rig_poll(rig);
	assert_int_equal(cache_entry_count(rig->cache, find(rig, "a"),
	                                   CACHE_NEW),
	                 3);
	assert_int_equal(cache_entry_count(rig->cache, find(rig, "b"),
	                                   CACHE_NEW),
	                 5);
}

static void a_folder_may_go_below_its_own_name(void **state)
{
	struct rig *rig = *state;
	add(rig, "a", 5);
	start(rig);
	fake_folder_rename(rig->account, "a", "a/old");
	rig_poll(rig);
	int64_t folder = find(rig, "a/old");
	assert_true(folder > 0);
	assert_int_equal(cache_entry_count(rig->cache, folder, CACHE_NEW), 5);
}

/* A server that was restored gives other ids; the mail is what it was. */
static void one_made_anew_under_its_name_is_matched(void **state)
{
	struct rig *rig = *state;
	add(rig, "a", 5);
	add(rig, "b", 5);
	start(rig);
	struct known a = learn(rig, "a");
	fake_folder_ids(rig->account);
	fake_folder_reset(rig->account, "a");
	rig_poll(rig);
	assert_same(rig, &a, "a");
}

static void a_rename_of_ours_that_waits_stays_ours(void **state)
{
	struct rig *rig = *state;
	add(rig, "a", 5);
	start(rig);
	struct known a = learn(rig, "a");
	fake_fail(rig->account, FAKE_RENAME, 1, 1000, -EBUSY);
	assert_int_equal(cache_folder_rename(rig->cache, a.folder, CACHE_ROOT,
	                                     "mine"),
	                 0);
	fake_folder_rename(rig->account, "a", "theirs");
	rig_poll(rig);
	assert_same(rig, &a, "mine");
	fake_heal(rig->account);
	/* It was refused so often that only the user has it tried again. */
	assert_int_equal(cache_flush(rig->cache, true), 0);
	for (int i = 0; i < 20 && !fake_folder_is(rig->account, "mine"); i++)
		rig_poll(rig);
	assert_true(fake_folder_is(rig->account, "mine"));
	assert_false(fake_folder_is(rig->account, "theirs"));
	assert_same(rig, &a, "mine");
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_folder_renamed_there_keeps_all),
		RIG_TEST(without_ids_it_is_another),
		RIG_TEST(names_may_change_hands),
		RIG_TEST(two_that_change_places_are_both_there),
		RIG_TEST(a_folder_may_go_below_its_own_name),
		RIG_TEST(one_made_anew_under_its_name_is_matched),
		RIG_TEST(a_rename_of_ours_that_waits_stays_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
