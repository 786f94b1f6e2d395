/*
 * What may come in a day without being asked for.
 */
#include "tests/unit/test.h"

#include <poll.h>

#include "tests/unit/cache/rig.h"
#include "util/clock.h"

#define SIZE  300 /* on the wire one more */
#define DAY_S (24 * 60 * 60)

static void open_limited(struct rig *rig, uint64_t limit)
{
	rig_close(rig);
	rig->config.daily_limit = limit;
	rig_open(rig);
}

static struct cache_status status(struct rig *rig)
{
	struct cache_status now;
	cache_status(rig->cache, &now);
	return now;
}

/* To the first second of the next day. */
static void next_day(void)
{
	int64_t now = clock_wall_ns() / 1000000000;
	clock_advance_ms((DAY_S - now % DAY_S) * 1000 + 1000);
}

static void read_first(struct rig *rig, int64_t folder, int count)
{
	for (int i = 0; i < count; i++) {
		struct cache_entry e = rig_entry(rig, folder, CACHE_NEW, i);
		assert_int_equal(rig_read(rig, &e), 0);
	}
}

static void readers_go_on_and_nothing_is_fetched_ahead(void **state)
{
	struct rig *rig = *state;
	next_day();
	open_limited(rig, 20 * (SIZE + 1));
	fake_message_add(rig->account, "INBOX", 100, SIZE, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	read_first(rig, inbox, 15);
	rig_poll(rig);
	assert_in_range(fake_wants(rig->account), 16, 20);
	read_first(rig, inbox, 30);
	assert_int_equal(fake_wants(rig->account), 30);
	assert_true(status(rig).is_limit_reached);
	assert_int_equal(status(rig).fetched_today, 30 * (SIZE + 1));
	/* A restart forgets nothing of it. */
	rig_close(rig);
	rig_open(rig);
	assert_int_equal(status(rig).fetched_today, 30 * (SIZE + 1));
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	read_first(rig, inbox, 34);
	rig_poll(rig);
	assert_int_equal(fake_wants(rig->account), 34);
	/* Another day. */
	next_day();
	assert_false(status(rig).is_limit_reached);
	assert_int_equal(status(rig).fetched_today, 0);
	read_first(rig, inbox, 44);
	rig_poll(rig);
	/* What readers ask for may come on top. */
	assert_in_range(fake_wants(rig->account), 45, 34 + 20 + 10);
}

static void await_left(struct rig *rig, size_t count)
{
	int64_t end = deadline_in(20000);
	while (fake_count(rig->account, "INBOX") != count ||
	       status(rig).pending > 0) {
		assert_true(clock_now_ms() < end);
		cache_tick(rig->cache);
		(void)poll(NULL, 0, 5);
	}
}

static void mail_is_taken_day_by_day(void **state)
{
	struct rig *rig = *state;
	next_day();
	rig->config.is_taken = true;
	open_limited(rig, 4 * (SIZE + 1) + SIZE);
	fake_message_add(rig->account, "INBOX", 10, SIZE, 0);
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	for (int left = 6; left > 0; left -= 4) {
		await_left(rig, (size_t)left);
		rig_poll(rig);
		assert_int_equal(fake_count(rig->account, "INBOX"), left);
		assert_true(status(rig).is_limit_reached);
		next_day();
		rig_poll(rig);
	}
	await_left(rig, 0);
}

static void what_arrives_is_told_without_its_body(void **state)
{
	struct rig *rig = *state;
	next_day();
	rig->config.announce_bytes = 10 * SIZE;
	open_limited(rig, 1);
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	fake_message_add(rig->account, "INBOX", 1, SIZE, 0);
	rig_poll(rig);
	fake_message_add(rig->account, "INBOX", 1, SIZE, 0);
	int told = rig->arrived;
	rig_poll(rig);
	assert_in_range(rig->arrived, told + 1, 2);
	assert_int_equal(fake_wants(rig->account), 0);
}

static void without_a_limit_nothing_is_counted(void **state)
{
	struct rig *rig = *state;
	fake_message_add(rig->account, "INBOX", 10, SIZE, 0);
	rig_start(rig, 1);
	read_first(rig, rig_listed(rig, "INBOX"), 10);
	assert_int_equal(status(rig).fetched_today, 0);
	assert_false(status(rig).is_limit_reached);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define BUDGET_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
		BUDGET_TEST(readers_go_on_and_nothing_is_fetched_ahead),
		BUDGET_TEST(mail_is_taken_day_by_day),
		BUDGET_TEST(what_arrives_is_told_without_its_body),
		BUDGET_TEST(without_a_limit_nothing_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
