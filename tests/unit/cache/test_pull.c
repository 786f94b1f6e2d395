#include "tests/unit/test.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

#include "tests/unit/cache/rig.h"
#include "util/clock.h"

/* More than one transaction looks at, or removes. */
#define MANY 2500
#define GONE 1500

static int bodies;

static int count_body(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	bodies += type == FTW_F;
	return 0;
}

/* Files in the cache directory. */
static int body_files(struct rig *rig)
{
	bodies = 0;
	(void)nftw(rig->cache_dir, count_body, 16, FTW_PHYS);
	return bodies;
}

static void remove_range(struct rig *rig, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		fake_message_remove(rig->account, "INBOX", first + i);
}

static int64_t all(struct rig *rig, int64_t folder)
{
	return cache_entry_count(rig->cache, folder, CACHE_NEW) +
	       cache_entry_count(rig->cache, folder, CACHE_CUR);
}

/* INBOX of a server that cannot tell what went, listed: new ones, then cur. */
static int64_t listed_plain(struct rig *rig, uint64_t *first_out)
{
	fake_plain(rig->account);
	*first_out = fake_message_add(rig->account, "INBOX", MANY, 10, 0);
	fake_message_add(rig->account, "INBOX", 10, 10, MAIL_SEEN);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	rig_poll(rig);
	rig->moved = 0;
	return inbox;
}

static void what_a_complete_pull_does_not_name_is_gone(void **state)
{
	struct rig *rig = *state;
	uint64_t first;
	int64_t inbox = listed_plain(rig, &first);
	struct cache_entry gone = rig_entry(rig, inbox, CACHE_NEW, GONE - 1);
	struct cache_entry kept = rig_entry(rig, inbox, CACHE_NEW, GONE);
	struct cache_entry also_gone = rig_entry(rig, inbox, CACHE_CUR, 9);
	assert_int_equal(rig_read(rig, &gone), 0);
	rig_poll(rig);
	assert_int_equal(body_files(rig), 1);

	remove_range(rig, first, GONE);
	remove_range(rig, first + MANY + 9, 1);
	fake_message_add(rig->account, "INBOX", 5, 10, 0);
	fake_message_flag(rig->account, "INBOX", first + MANY, MAIL_FLAGGED);
	int told = rig->entries_changed;
	rig_poll(rig);
	cache_stop(rig->cache);

	struct cache_message message;
	struct cache_status status;
	assert_int_equal(cache_message_get(rig->cache, gone.message.id,
	                                   &message),
	                 -ENOENT);
	assert_int_equal(cache_message_get(rig->cache, also_gone.message.id,
	                                   &message),
	                 -ENOENT);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW),
	                 MANY - GONE + 5);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_CUR), 9);
	assert_int_equal(rig_entry(rig, inbox, CACHE_NEW, 0).id, kept.id);
	assert_int_equal(rig_entry(rig, inbox, CACHE_CUR, 0).flags,
	                 MAIL_FLAGGED);
	cache_status(rig->cache, &status);
	assert_int_equal(status.cached_bytes, 0);
	assert_int_equal(body_files(rig), 0);
	assert_int_equal(rig->went, GONE + 1);
	assert_int_equal(rig->arrived, 5);
	assert_int_equal(rig->moved, 1);
	assert_true(rig->entries_changed > told);
}

static void a_complete_pull_that_fails_removes_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t first;
	int64_t inbox = listed_plain(rig, &first);
	remove_range(rig, first, GONE);
	fake_fail(rig->account, FAKE_NEXT, 50, 1 << 30, -EHOSTUNREACH);
	int pulls = fake_calls(rig->account, FAKE_PULL);
	rig_poll(rig);
	assert_true(fake_calls(rig->account, FAKE_PULL) > pulls);
	assert_int_equal(all(rig, inbox), MANY + 10);
	assert_int_equal(rig->moved, 0);
	fake_fail(rig->account, FAKE_NEXT, 1, 0, 0);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), MANY + 10 - GONE);
}

static void a_complete_pull_that_is_cancelled_removes_nothing(void **state)
{
	struct rig *rig = *state;
	uint64_t first;
	int64_t inbox = listed_plain(rig, &first);
	remove_range(rig, first, GONE);
	fake_fail(rig->account, FAKE_NEXT, 50, 1 << 30, -ECANCELED);
	int pulls = fake_calls(rig->account, FAKE_PULL);
	rig_poll(rig);
	assert_true(fake_calls(rig->account, FAKE_PULL) > pulls);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(all(rig, inbox), MANY + 10);
	assert_int_equal(rig->moved, 0);
	fake_fail(rig->account, FAKE_NEXT, 1, 0, 0);
	rig_start(rig, 1);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), MANY + 10 - GONE);
}

/* What the first of its chunks is complete for, the next is not. */
static void new_ones_in_chunks_stay_though_not_named_again(void **state)
{
	struct rig *rig = *state;
	uint64_t first;
	int64_t inbox = listed_plain(rig, &first);
	remove_range(rig, first, GONE);
	fake_message_add(rig->account, "INBOX", 50, 10, 0);
	fake_chunk(rig->account, 20);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), MANY + 10 - GONE + 50);
}

/*
 * A reset in chunks, cut off in its second, and a restart: who was not named
 * yet waits, with the body; only the end tells who is gone.
 */
static void a_reset_survives_its_interruption(void **state)
{
	struct rig *rig = *state;
	uint64_t first = fake_message_add(rig->account, "INBOX", 100, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 80);
	assert_int_equal(rig_read(rig, &e), 0);
	rig_poll(rig);
	fake_message_remove(rig->account, "INBOX", first + 90);
	fake_folder_reset(rig->account, "INBOX");
	fake_chunk(rig->account, 30);
	/* A chunk is the reset, 30 messages, and the cursor. */
	fake_fail(rig->account, FAKE_NEXT, 40, 1 << 30, -EHOSTUNREACH);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), 100);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(all(rig, inbox), 100);
	fake_fail(rig->account, FAKE_NEXT, 1, 0, 0);
	rig_start(rig, 1);
	rig_poll(rig);
	struct cache_entry again;
	assert_int_equal(cache_entry_find(rig->cache, inbox, e.identity,
	                                  &again),
	                 0);
	assert_int_equal(again.id, e.id);
	assert_true(again.message.is_cached);
	assert_int_equal(all(rig, inbox), 99);
}

/* Nothing names a message that came and went between two pulls that ended. */
static void what_a_pull_that_broke_off_brought_may_go(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 3, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	rig_poll(rig);
	uint64_t number = fake_message_add(rig->account, "INBOX", 2, 10, 0);
	fake_fail(rig->account, FAKE_NEXT, 3, 1 << 30, -EHOSTUNREACH);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), 5);
	fake_message_remove(rig->account, "INBOX", number);
	fake_fail(rig->account, FAKE_NEXT, 1, 0, 0);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), 4);
}

static void who_resets_on_and_on_is_left_alone(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 30, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	for (int i = 0; i < 3; i++) {
		fake_message_add(rig->account, "INBOX", 1, 10, 0);
		fake_folder_reset(rig->account, "INBOX");
		rig_poll(rig);
		/* The third is not followed. */
		assert_int_equal(all(rig, inbox), i < 2 ? 31 + i : 32);
	}
	clock_advance_ms(3601 * 1000);
	rig_poll(rig);
	assert_int_equal(all(rig, inbox), 33);
}

static void the_resets_of_a_few_are_all_followed(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 1, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	for (int i = 0; i < 5; i++) {
		fake_message_add(rig->account, "INBOX", 1, 10, 0);
		fake_folder_reset(rig->account, "INBOX");
		rig_poll(rig);
		assert_int_equal(all(rig, inbox), 2 + i);
	}
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(what_a_complete_pull_does_not_name_is_gone),
		RIG_TEST(a_complete_pull_that_fails_removes_nothing),
		RIG_TEST(a_complete_pull_that_is_cancelled_removes_nothing),
		RIG_TEST(new_ones_in_chunks_stay_though_not_named_again),
		RIG_TEST(what_a_pull_that_broke_off_brought_may_go),
		RIG_TEST(who_resets_on_and_on_is_left_alone),
		RIG_TEST(the_resets_of_a_few_are_all_followed),
		RIG_TEST(a_reset_survives_its_interruption),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
