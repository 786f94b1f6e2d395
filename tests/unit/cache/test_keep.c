/*
 * Mail that is taken off the server: kept first, removed then, never asked of
 * the brake, and whatever is lost on the way, one message.
 */
#include "tests/unit/test.h"

#include <poll.h>

#include "tests/unit/cache/rig.h"
#include "util/clock.h"

#define COUNT 120 /* more than the brake lets pass */

static void open_taking(struct rig *rig, int64_t after_s)
{
	rig_close(rig);
	rig->config.is_taken = true;
	rig->config.take_after_s = after_s;
	rig_open(rig);
}

static bool is_left(struct rig *rig, size_t count)
{
	struct cache_status status;
	cache_status(rig->cache, &status);
	return fake_count(rig->account, "INBOX") == count &&
	       status.pending == 0 && status.held == 0;
}

static void await_left(struct rig *rig, size_t count)
{
	int64_t end = deadline_in(20000);
	while (!is_left(rig, count)) {
		assert_true(clock_now_ms() < end);
		cache_tick(rig->cache);
		(void)poll(NULL, 0, 5);
	}
}

/* All are here, none twice, and every one is a file of ours. */
static void assert_kept(struct rig *rig, int64_t inbox, int count)
{
	assert_int_equal(cache_entry_count(rig->cache, inbox, CACHE_NEW),
	                 count);
	for (int i = 0; i < count; i++) {
		struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, i);
		assert_true(e.message.is_kept);
		assert_int_equal(e.message.size, 300);
		assert_int_equal(rig_read(rig, &e), 0);
	}
}

static void mail_is_kept_and_then_removed(void **state)
{
	struct rig *rig = *state;
	open_taking(rig, 0);
	fake_message_add(rig->account, "INBOX", COUNT, 300, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	await_left(rig, 0);
	assert_kept(rig, inbox, COUNT);
	rig_poll(rig);
	assert_kept(rig, inbox, COUNT);
	/* Without its server and its cache. */
	rig_close(rig);
	rig_remove(rig->cache_dir);
	rig_open(rig);
	assert_kept(rig, inbox, COUNT);
}

static void what_is_young_stays(void **state)
{
	struct rig *rig = *state;
	int64_t now = clock_wall_ns() / 1000000000;
	open_taking(rig, 3600);
	(void)fake_deliver(rig->account, "INBOX", "Subject: old\n\n",
	                   now - 3601, 0);
	(void)fake_deliver(rig->account, "INBOX", "Subject: new\n\n", now, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	await_left(rig, 1);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	assert_true(e.message.is_kept);
	e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &e), 0);
	rig_poll(rig);
	assert_int_equal(fake_count(rig->account, "INBOX"), 1);
	e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_false(e.message.is_kept);
}

static void what_is_large_stays_until_it_is_read(void **state)
{
	struct rig *rig = *state;
	rig->config.ahead_max = 1000;
	open_taking(rig, 0);
	fake_message_add(rig->account, "INBOX", 2, 300, 0);
	fake_message_add(rig->account, "INBOX", 1, 3000, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	await_left(rig, 1);
	rig_poll(rig);
	assert_int_equal(fake_wants(rig->account), 2);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 2);
	assert_int_equal(rig_read(rig, &e), 0);
	await_left(rig, 0);
	e = rig_entry(rig, inbox, CACHE_NEW, 2);
	assert_true(e.message.is_kept);
}

static void a_lost_answer_leaves_one_message(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE,
		                                 FAKE_LOST_MIXED };
	struct rig *rig = *state;
	open_taking(rig, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	for (int i = 0; i < 3; i++) {
		fake_message_add(rig->account, "INBOX", 5, 300, 0);
		fake_cut(rig->account, FAKE_REMOVE, 1, 1, 4, losses[i]);
		rig_poll(rig);
		await_left(rig, 0);
		fake_heal(rig->account);
		rig_poll(rig);
		assert_kept(rig, inbox, 5 * (i + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define KEEP_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
		KEEP_TEST(mail_is_kept_and_then_removed),
		KEEP_TEST(what_is_young_stays),
		KEEP_TEST(what_is_large_stays_until_it_is_read),
		KEEP_TEST(a_lost_answer_leaves_one_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
