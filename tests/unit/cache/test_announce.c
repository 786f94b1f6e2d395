#include "tests/unit/test.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "cache/announce.h"
#include "cache/core.h"
#include "tests/unit/cache/rig.h"
#include "util/clock.h"

#define SMALL 1000

/* A listed INBOX with one message, of a cache that announces small ones. */
static int64_t begin(struct rig *rig, uint64_t announce_bytes)
{
	rig_close(rig);
	rig->config.announce_bytes = announce_bytes;
	rig_open(rig);
	fake_message_add(rig->account, "INBOX", 1, 10, 0);
	rig_start(rig, 1);
	return rig_listed(rig, "INBOX");
}

static int told(struct rig *rig, const int *counter)
{
	(void)pthread_mutex_lock(&rig->lock);
	int count = *counter;
	(void)pthread_mutex_unlock(&rig->lock);
	return count;
}

static void await_told(struct rig *rig, const int *counter, int count)
{
	int64_t deadline = deadline_in(20000);
	while (told(rig, counter) < count) {
		assert_true(deadline_left(deadline) > 0);
		(void)poll(NULL, 0, 1);
	}
	assert_int_equal(told(rig, counter), count);
}

static void await_entries(struct rig *rig, int64_t inbox, int64_t count)
{
	int lists = fake_calls(rig->account, FAKE_LIST);
	while (cache_entry_count(rig->cache, inbox, CACHE_NEW) < count) {
		/* No longer than until it looks: an arrival waits by this clock. */
		if (fake_calls(rig->account, FAKE_LIST) == lists) {
			clock_advance_ms(1000);
			cache_tick(rig->cache);
		}
		(void)poll(NULL, 0, 1);
	}
}

static void what_is_small_is_here_when_it_is_announced(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = begin(rig, SMALL);
	fake_hold(rig->account, true);
	fake_message_add(rig->account, "INBOX", 1, SMALL - 1, 0);
	await_entries(rig, inbox, 2);
	assert_int_equal(told(rig, &rig->arrived), 0);
	fake_hold(rig->account, false);
	await_told(rig, &rig->arrived, 1);
	assert_true(rig_entry(rig, inbox, CACHE_NEW, 1).message.is_cached);
	assert_false(rig_entry(rig, inbox, CACHE_NEW, 0).message.is_cached);
}

static void what_is_large_is_announced_at_once(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = begin(rig, SMALL);
	fake_hold(rig->account, true);
	fake_message_add(rig->account, "INBOX", 1, SMALL, 0);
	await_entries(rig, inbox, 2);
	await_told(rig, &rig->arrived, 1);
	assert_false(rig_entry(rig, inbox, CACHE_NEW, 1).message.is_cached);
	fake_hold(rig->account, false);
}

static void what_does_not_come_is_announced_in_the_end(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = begin(rig, SMALL);
	fake_hold(rig->account, true);
	fake_message_add(rig->account, "INBOX", 1, 10, 0);
	await_entries(rig, inbox, 2);
	cache_tick(rig->cache);
	assert_int_equal(told(rig, &rig->arrived), 0);
	clock_advance_ms(ANNOUNCE_MS);
	cache_tick(rig->cache);
	assert_int_equal(told(rig, &rig->arrived), 1);
	fake_hold(rig->account, false);
	struct cache_entry entry = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &entry), 0);
	assert_int_equal(told(rig, &rig->arrived), 1);
}

static void what_changes_meanwhile_is_announced_before(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = begin(rig, SMALL);
	fake_hold(rig->account, true);
	fake_message_add(rig->account, "INBOX", 1, 10, 0);
	await_entries(rig, inbox, 2);
	struct cache_entry old = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(told(rig, &rig->arrived), 0);
	tell_moved(rig->cache, &old, NULL);
	assert_int_equal(told(rig, &rig->arrived), 1);
	assert_int_equal(told(rig, &rig->went), 1);
	fake_hold(rig->account, false);
	assert_int_equal(rig_read(rig, &old), 0);
	assert_int_equal(told(rig, &rig->arrived), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_is_small_is_here_when_it_is_announced, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			what_is_large_is_announced_at_once, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			what_does_not_come_is_announced_in_the_end, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			what_changes_meanwhile_is_announced_before, rig_setup,
			rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
