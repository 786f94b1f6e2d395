#include "tests/unit/test.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/cache/rig.h"
#include "util/clock.h"

static void the_list_makes_the_tree(void **state)
{
	struct rig *rig = *state;
	struct cache_folder lists, c;
	rig_start(rig, 1);
	assert_int_equal(rig_list(rig), 0);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "Lists",
	                                   &lists),
	                 0);
	assert_int_equal(lists.attributes, MAIL_FOLDER_NOSELECT);
	assert_int_equal(lists.children, 1);
	assert_int_equal(cache_folder_find(rig->cache, lists.id, "c", &c), 0);
	assert_int_equal(cache_folder_next(rig->cache, CACHE_ROOT, lists.id,
	                                   &c),
	                 -ENOENT);
}

static void a_folder_not_listed_any_more_goes_with_its_entries(void **state)
{
	struct rig *rig = *state;
	struct cache_folder folder;
	fake_folder_add(rig->account, "Old/deep", 0);
	fake_message_add(rig->account, "Old/deep", 10, 5, 0);
	rig_start(rig, 1);
	rig_listed(rig, "INBOX");
	rig_poll(rig);
	fake_folder_remove(rig->account, "Old/deep");
	rig_poll(rig);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "Old",
	                                   &folder),
	                 -ENOENT);
	assert_string_equal(rig->gone, "Old");
}

/* Have the server looked at until it was asked for count folders more. */
static void look_for(struct rig *rig, int count)
{
	int goal = fake_calls(rig->account, FAKE_LIST_NEXT) + count;
	while (fake_calls(rig->account, FAKE_LIST_NEXT) < goal) {
		clock_advance_ms(1000);
		cache_tick(rig->cache);
	}
}

static void a_list_that_fails_removes_nothing(void **state)
{
	struct rig *rig = *state;
	struct cache_folder folder;
	rig_start(rig, 1);
	rig_listed(rig, "INBOX");
	/* A list that is under way must not end well without the folder. */
	fake_fail(rig->account, FAKE_LIST_NEXT, 1, 1 << 30, -EPROTO);
	look_for(rig, 1);
	fake_folder_remove(rig->account, "Lists/c");
	fake_fail(rig->account, FAKE_LIST_NEXT, 2, 1 << 30, -EPROTO);
	look_for(rig, 4);
	cache_stop(rig->cache);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "Lists",
	                                   &folder),
	                 0);
}

static void patterns_choose_folders(void **state)
{
	struct rig *rig = *state;
	static const char *const patterns[] = { "*", "!Lists/*" };
	struct cache_folder folder;
	rig_close(rig);
	rig->config.folders = patterns;
	rig->config.folder_count = 2;
	rig_open(rig);
	rig_start(rig, 1);
	assert_int_equal(rig_list(rig), 0);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "INBOX",
	                                   &folder),
	                 0);
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "Lists",
	                                   &folder),
	                 -ENOENT);
}

static void unflagged_messages_are_new_and_others_cur(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 2500, 100, 0);
	fake_message_add(rig->account, "INBOX", 3, 100, MAIL_SEEN);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW), 2500);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_CUR), 3);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 2);
	assert_int_equal(e.message.received_at, 1000003);
	assert_int_equal(e.message.size, 101);
	assert_false(e.message.is_size_exact);
	struct cache_entry found;
	assert_int_equal(cache_entry_find(rig->cache, inbox, e.identity,
	                                  &found),
	                 0);
	assert_int_equal(found.id, e.id);
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(rig->entries_changed >= 1, 1);
}

static void a_first_listing_in_chunks_survives_its_interruption(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 100, 10, 0);
	fake_chunk(rig->account, 30);
	fake_fail(rig->account, FAKE_NEXT, 75, 1, -EHOSTUNREACH);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW), 100);
}

static void flags_move_out_of_new_and_never_back(void **state)
{
	struct rig *rig = *state;
	uint64_t first = fake_message_add(rig->account, "INBOX", 3, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_folder before, after;
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 1);
	rig_poll(rig);
	(void)cache_folder_get(rig->cache, inbox, &before);
	rig_poll(rig);
	(void)cache_folder_get(rig->cache, inbox, &after);
	assert_int_equal(before.entries_changed_ns[CACHE_NEW],
	                 after.entries_changed_ns[CACHE_NEW]);
	fake_message_flag(rig->account, "INBOX", first + 1, MAIL_SEEN);
	rig_poll(rig);
	struct cache_entry moved = rig_entry(rig, inbox, CACHE_CUR, 0);
	assert_int_equal(moved.id, e.id);
	assert_int_equal(moved.flags, MAIL_SEEN);
	assert_int_equal(rig->moved, 1);
	(void)cache_folder_get(rig->cache, inbox, &after);
	assert_true(after.entries_changed_ns[CACHE_NEW] >
	            before.entries_changed_ns[CACHE_NEW]);
	fake_message_flag(rig->account, "INBOX", first + 1, 0);
	rig_poll(rig);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_CUR), 1);
}

static void what_is_gone_there_is_gone_here(void **state)
{
	struct rig *rig = *state;
	uint64_t first = fake_message_add(rig->account, "INBOX", 3, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	assert_int_equal(rig_read(rig, &e), 0);
	fake_message_remove(rig->account, "INBOX", first);
	rig_poll(rig);
	struct cache_message message;
	assert_int_equal(cache_message_get(rig->cache, e.message.id, &message),
	                 -ENOENT);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW), 2);
}

static void a_reset_keeps_entries_and_bodies(void **state)
{
	struct rig *rig = *state;
	uint64_t first = fake_message_add(rig->account, "INBOX", 600, 10, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 5);
	assert_int_equal(rig_read(rig, &e), 0);
	rig_poll(rig);
	fake_message_remove(rig->account, "INBOX", first + 1);
	fake_folder_reset(rig->account, "INBOX");
	rig_poll(rig);
	struct cache_entry again;
	assert_int_equal(cache_entry_find(rig->cache, inbox, e.identity,
	                                  &again),
	                 0);
	assert_int_equal(again.id, e.id);
	assert_true(again.message.is_cached);
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW), 599);
}

static void a_folder_whose_state_is_the_same_is_not_pulled(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	rig_listed(rig, "INBOX");
	rig_poll(rig);
	int pulls = fake_calls(rig->account, FAKE_PULL);
	rig_poll(rig);
	assert_int_equal(fake_calls(rig->account, FAKE_PULL), pulls);
}

/* Each op fails once with each errno: what is true at the end is the same. */
static void every_failure_heals(void **state)
{
	struct rig *rig = *state;
	static const int errors[] = { -ESTALE,    -EIO,          -ENOENT,
		                      -EACCES,    -EPROTO,       -EHOSTUNREACH,
		                      -ETIMEDOUT, -EKEYREJECTED, -ENOSPC };
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	int64_t count = 0;
	for (int op = 0; op < FAKE_OPS; op++) {
		for (size_t e = 0; e < COUNT_OF(errors); e++) {
			fake_message_add(rig->account, "INBOX", 2, 10, 0);
			count += 2;
			fake_fail(rig->account, (enum fake_op)op, 2, 1,
			          errors[e]);
			rig_poll(rig);
			rig_poll(rig);
			struct cache_entry entry =
				rig_entry(rig, inbox, CACHE_NEW,
			                  (int)count - 1);
			(void)rig_read(rig, &entry);
			fake_fail(rig->account, (enum fake_op)op, 1, 0, 0);
			rig_poll(rig);
			assert_int_equal(rig_read(rig, &entry), 0);
			assert_int_equal(cache_entry_count(rig->cache, inbox,
			                                   CACHE_NEW),
			                 count);
		}
	}
}

static void off_line_readers_are_told_at_once(void **state)
{
	struct rig *rig = *state;
	struct cache_status status;
	fake_fail(rig->account, FAKE_CONNECT, 1, 1000, -EHOSTUNREACH);
	rig_start(rig, 1);
	assert_int_equal(rig_list(rig), -EHOSTUNREACH);
	cache_status(rig->cache, &status);
	assert_false(status.is_online);
	assert_string_equal(status.failure, strerror(EHOSTUNREACH));
}

static void three_refusals_are_enough(void **state)
{
	struct rig *rig = *state;
	fake_fail(rig->account, FAKE_CONNECT, 1, 1000, -EKEYREJECTED);
	rig_start(rig, 1);
	for (int i = 1; i <= 3; i++) {
		while (fake_calls(rig->account, FAKE_CONNECT) < i) {
			clock_advance_ms(1000);
			cache_tick(rig->cache);
		}
	}
	for (int i = 0; i < 100; i++) {
		clock_advance_ms(100000);
		cache_tick(rig->cache);
	}
	assert_int_equal(rig_list(rig), -EKEYREJECTED);
	assert_int_equal(fake_calls(rig->account, FAKE_CONNECT), 3);
	/* Who waits is told first. */
	struct cache_status status = { 0 };
	while (strstr(status.failure, "mailmount retry") == NULL) {
		(void)sched_yield();
		cache_status(rig->cache, &status);
	}
	/* What only asks for changes to be sent is no such order. */
	assert_int_equal(cache_flush(rig->cache, false), 0);
	cache_network_changed(rig->cache);
	assert_int_equal(rig_list(rig), -EKEYREJECTED);
	assert_int_equal(fake_calls(rig->account, FAKE_CONNECT), 3);
	fake_heal(rig->account);
	assert_int_equal(cache_flush(rig->cache, true), 0);
	assert_true(fake_await(rig->account, FAKE_LIST, 1));
	assert_int_equal(fake_calls(rig->account, FAKE_CONNECT), 4);
	assert_int_equal(rig_list(rig), 0);
}

/* Three in all, whoever connects; and what they say is one account's. */
static void refusals_of_all_sessions_count(void **state)
{
	struct rig *rig = *state;
	(void)fake_message_add(rig->account, "INBOX", 9, 10, 0);
	rig_start(rig, 3);
	int64_t inbox = rig_listed(rig, "INBOX");
	int connects = fake_calls(rig->account, FAKE_CONNECT);
	fake_fail(rig->account, FAKE_CONNECT, 1, 1000, -EKEYREJECTED);
	fake_fail(rig->account, FAKE_CHECK, 1, 1, -ETIMEDOUT);
	cache_network_changed(rig->cache);
	for (int i = 0; i < 50; i++) {
		struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, i % 9);
		(void)rig_read(rig, &e);
		clock_advance_ms(60000);
		cache_tick(rig->cache);
	}
	assert_in_range(fake_calls(rig->account, FAKE_CONNECT) - connects, 1,
	                3);
}

/* Minutes to go, of a clock that stands still; and then the server is back. */
static void begin_a_back_off(struct rig *rig)
{
	fake_fail(rig->account, FAKE_CONNECT, 1, 1000, -EHOSTUNREACH);
	rig_start(rig, 1);
	while (fake_calls(rig->account, FAKE_CONNECT) < 12) {
		clock_advance_ms(15 * 60 * 1000);
		cache_tick(rig->cache);
	}
	fake_heal(rig->account);
}

static void another_network_ends_a_back_off(void **state)
{
	struct rig *rig = *state;
	begin_a_back_off(rig);
	cache_network_changed(rig->cache);
	assert_true(fake_await(rig->account, FAKE_LIST, 1));
}

static void who_waits_for_the_queue_ends_a_back_off(void **state)
{
	struct rig *rig = *state;
	begin_a_back_off(rig);
	assert_int_equal(cache_flush(rig->cache, false), 0);
	assert_true(fake_await(rig->account, FAKE_LIST, 1));
}

static void another_network_has_connections_checked(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	int checks = fake_calls(rig->account, FAKE_CHECK);
	int lists = fake_calls(rig->account, FAKE_LIST);
	cache_network_changed(rig->cache);
	assert_true(fake_await(rig->account, FAKE_CHECK, checks + 1));
	/* What was missed? */
	assert_true(fake_await(rig->account, FAKE_LIST, lists + 1));
	assert_int_equal(fake_calls(rig->account, FAKE_CONNECT), 1);
	/* One that does not answer is made anew. */
	fake_fail(rig->account, FAKE_CHECK, 1, 1, -ETIMEDOUT);
	cache_network_changed(rig->cache);
	assert_true(fake_await(rig->account, FAKE_LIST, lists + 2));
	assert_int_equal(fake_calls(rig->account, FAKE_CONNECT), 2);
}

static void after_a_suspension_connections_are_checked(void **state)
{
	struct rig *rig = *state;
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	int checks = fake_calls(rig->account, FAKE_CHECK);
	cache_tick(rig->cache);
	clock_advance_ms(4000);
	cache_tick(rig->cache);
	clock_advance_ms(10000); /* the clock that counts it goes on alone */
	cache_tick(rig->cache);
	assert_true(fake_await(rig->account, FAKE_CHECK, checks + 1));
	assert_int_equal(fake_calls(rig->account, FAKE_CHECK), checks + 1);
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(the_list_makes_the_tree),
		RIG_TEST(a_folder_not_listed_any_more_goes_with_its_entries),
		RIG_TEST(a_list_that_fails_removes_nothing),
		RIG_TEST(patterns_choose_folders),
		RIG_TEST(unflagged_messages_are_new_and_others_cur),
		RIG_TEST(a_first_listing_in_chunks_survives_its_interruption),
		RIG_TEST(flags_move_out_of_new_and_never_back),
		RIG_TEST(what_is_gone_there_is_gone_here),
		RIG_TEST(a_reset_keeps_entries_and_bodies),
		RIG_TEST(a_folder_whose_state_is_the_same_is_not_pulled),
		RIG_TEST(every_failure_heals),
		RIG_TEST(off_line_readers_are_told_at_once),
		RIG_TEST(three_refusals_are_enough),
		RIG_TEST(refusals_of_all_sessions_count),
		RIG_TEST(another_network_ends_a_back_off),
		RIG_TEST(who_waits_for_the_queue_ends_a_back_off),
		RIG_TEST(another_network_has_connections_checked),
		RIG_TEST(after_a_suspension_connections_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
