#include "tests/unit/test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/cache/rig.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

static int begin(struct rig *rig, const struct cache_entry *e,
                 struct outcome *o, struct cache_wait **wait)
{
	*o = (struct outcome){ .rig = rig };
	return cache_body_open(rig->cache, e->message.id, rig_done, o, &o->body,
	                       wait);
}

static int64_t listed_inbox(struct rig *rig, size_t count, uint64_t size)
{
	fake_message_add(rig->account, "INBOX", count, size, 0);
	rig_start(rig, 1);
	return rig_listed(rig, "INBOX");
}

static void a_body_is_fetched_once_and_then_here(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 3, 5000);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &e), 0);
	assert_int_equal(rig->sizes_known, 1);
	e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_true(e.message.is_cached && e.message.is_size_exact);
	assert_int_equal(e.message.size, 5000);
	struct outcome o;
	struct cache_wait *wait;
	assert_int_equal(begin(rig, &e, &o, &wait), 1);
	char text[8] = "";
	assert_int_equal(pread(o.body.fd, text, 2, 0), 2);
	assert_string_equal(text, "2\n");
	(void)close(o.body.fd);
	assert_int_equal(fake_wants(rig->account), 1);
}

static void readers_of_one_message_share_a_fetch(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 1, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	struct outcome o[3];
	struct cache_wait *wait[3];
	fake_hold(rig->account, true);
	assert_int_equal(begin(rig, &e, &o[0], &wait[0]), 0);
	assert_true(fake_await(rig->account, FAKE_FETCHED, 1));
	assert_int_equal(begin(rig, &e, &o[1], &wait[1]), 0);
	assert_int_equal(begin(rig, &e, &o[2], &wait[2]), 0);
	assert_true(cache_wait_cancel(rig->cache, wait[2]));
	assert_false(cache_wait_cancel(rig->cache, wait[2]));
	fake_hold(rig->account, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_outcome(rig, &o[i]), 0);
		(void)close(o[i].body.fd);
	}
	assert_int_equal(o[2].runs, 0);
	assert_int_equal(fake_wants(rig->account), 1);
}

static void a_stuck_server_times_out(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 1, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	struct outcome o;
	struct cache_wait *wait;
	fake_hold(rig->account, true);
	assert_int_equal(begin(rig, &e, &o, &wait), 0);
	assert_true(fake_await(rig->account, FAKE_FETCHED, 1));
	clock_advance_ms(29000);
	cache_tick(rig->cache);
	assert_false(o.is_done);
	clock_advance_ms(2000);
	cache_tick(rig->cache);
	assert_int_equal(rig_outcome(rig, &o), -ETIMEDOUT);
	fake_hold(rig->account, false);
}

static void stopping_answers_who_waits(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 2, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	struct outcome o, late;
	struct cache_wait *wait;
	fake_hold(rig->account, true);
	assert_int_equal(begin(rig, &e, &o, &wait), 0);
	assert_true(fake_await(rig->account, FAKE_FETCHED, 1));
	cache_stop(rig->cache);
	assert_int_equal(rig_outcome(rig, &o), -ECANCELED);
	assert_int_equal(begin(rig, &e, &late, &wait), -ECANCELED);
}

static void a_message_gone_on_the_server_is_stale(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 2, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	int pulls = fake_calls(rig->account, FAKE_PULL);
	fake_message_lose(rig->account, "INBOX", 1);
	assert_int_equal(rig_read(rig, &e), -ESTALE);
	assert_true(fake_await(rig->account, FAKE_PULL, pulls + 1));
}

/*
 * A reset whose second chunk fails leaves entries without a key; then bodies
 * are asked for before the pull that goes on with it.
 */
static void a_body_waits_for_the_end_of_a_reset(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 100, 100);
	struct cache_entry kept = rig_entry(rig, inbox, CACHE_NEW, 98);
	struct cache_entry gone = rig_entry(rig, inbox, CACHE_NEW, 99);
	rig_poll(rig);
	fake_chunk(rig->account, 30);
	fake_folder_reset(rig->account, "INBOX");
	/* A chunk is the reset, 30 messages, and the cursor. */
	fake_fail(rig->account, FAKE_NEXT, 40, 1 << 30, -EHOSTUNREACH);
	rig_poll(rig);
	rig_close(rig);
	fake_fail(rig->account, FAKE_NEXT, 1, 0, 0);
	fake_message_remove(rig->account, "INBOX", 100);

	rig_open(rig);
	struct outcome o[2];
	struct cache_wait *wait[2];
	assert_int_equal(begin(rig, &kept, &o[0], &wait[0]), 0);
	assert_int_equal(begin(rig, &gone, &o[1], &wait[1]), 0);
	rig_start(rig, 1);
	assert_int_equal(rig_outcome(rig, &o[0]), 0);
	char text[8] = "";
	assert_int_equal(pread(o[0].body.fd, text, 3, 0), 3);
	assert_string_equal(text, "99\n");
	(void)close(o[0].body.fd);
	assert_int_equal(rig_outcome(rig, &o[1]), -ESTALE);
}

static void a_lost_connection_is_tried_again_unseen(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 2, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	rig_poll(rig);
	fake_fail(rig->account, FAKE_FETCHED, 1, 1, -EHOSTUNREACH);
	assert_int_equal(rig_read(rig, &e), 0);
}

static void a_full_disk_is_said_after_one_eviction(void **state)
{
	struct rig *rig = *state;
	/* From the last to the first: nothing is fetched ahead. */
	int64_t inbox = listed_inbox(rig, 3, 100);
	struct cache_entry first = rig_entry(rig, inbox, CACHE_NEW, 2);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &first), 0);
	rig_poll(rig);
	fake_fail(rig->account, FAKE_FETCHED, 1, 1, -ENOSPC);
	assert_int_equal(rig_read(rig, &e), 0);
	assert_false(rig_entry(rig, inbox, CACHE_NEW, 2).message.is_cached);
	rig_poll(rig);
	e = rig_entry(rig, inbox, CACHE_NEW, 0);
	fake_fail(rig->account, FAKE_FETCHED, 1, 10, -ENOSPC);
	assert_int_equal(rig_read(rig, &e), -ENOSPC);
}

static void a_lost_cache_directory_is_made_again(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 2, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	assert_int_equal(rig_read(rig, &e), 0);
	auto_free char *aside = xasprintf("%s/aside", rig->dir);
	assert_int_equal(rename(rig->cache_dir, aside), 0);
	assert_int_equal(rig_read(rig, &e), 0);
	assert_int_equal(fake_wants(rig->account), 2);
	struct cache_status status;
	cache_status(rig->cache, &status);
	assert_int_equal(status.cached_bytes, 100);
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
	struct rig *rig = *state;
	rig_close(rig);
	rig->config.size_limit = 1000;
	rig_open(rig);
	int64_t inbox = listed_inbox(rig, 20, 300);
	for (int i = 0; i < 3; i++) {
		struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, i * 5);
		assert_int_equal(rig_read(rig, &e), 0);
	}
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	assert_int_equal(rig_read(rig, &e), 0);
	e = rig_entry(rig, inbox, CACHE_NEW, 19);
	assert_int_equal(rig_read(rig, &e), 0);
	cache_stop(rig->cache);
	assert_true(rig_entry(rig, inbox, CACHE_NEW, 0).message.is_cached);
	assert_false(rig_entry(rig, inbox, CACHE_NEW, 5).message.is_cached);
	assert_true(rig_entry(rig, inbox, CACHE_NEW, 19).message.is_cached);
}

/* Reading all in order: few fetches, each message once. */
static void reading_in_order_fetches_ahead(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 500, 100);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 0);
	assert_int_equal(rig_read(rig, &e), 0);
	assert_int_equal(fake_wants(rig->account), 1);
	for (int i = 1; i < 500; i++) {
		e = rig_entry(rig, inbox, CACHE_NEW, i);
		assert_int_equal(rig_read(rig, &e), 0);
		rig_rest(rig);
	}
	assert_int_equal(fake_wants(rig->account), 500);
	assert_true(fake_wants_most(rig->account) > 16);
	assert_true(fake_calls(rig->account, FAKE_FETCH) < 30);
}

static void several_threads_in_order_are_one_scan(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 500, 100);
	for (int i = 0; i < 500; i++) {
		/* pairs swapped: 1 0 3 2 5 4 ... */
		struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, i ^ 1);
		assert_int_equal(rig_read(rig, &e), 0);
		rig_rest(rig);
	}
	assert_int_equal(fake_wants(rig->account), 500);
	assert_true(fake_calls(rig->account, FAKE_FETCH) < 60);
}

static void reading_here_and_there_fetches_nothing_ahead(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 500, 100);
	for (int i = 0; i < 20; i++) {
		struct cache_entry e =
			rig_entry(rig, inbox, CACHE_NEW, i * 211 % 500);
		assert_int_equal(rig_read(rig, &e), 0);
	}
	assert_int_equal(fake_wants(rig->account), 20);
}

static void reading_all_without_order_fetches_ahead(void **state)
{
	struct rig *rig = *state;
	int64_t inbox = listed_inbox(rig, 500, 100);
	for (int i = 0; i < 500; i++) {
		struct cache_entry e =
			rig_entry(rig, inbox, CACHE_NEW, i * 211 % 500);
		assert_int_equal(rig_read(rig, &e), 0);
		rig_rest(rig);
	}
	assert_int_equal(fake_wants(rig->account), 500);
	assert_true(fake_calls(rig->account, FAKE_FETCH) < 60);
}

static void *tick(void *arg)
{
	struct rig *rig = arg;
	struct cache_status status;
	for (int i = 0; i < 2000; i++) {
		cache_tick(rig->cache);
		cache_status(rig->cache, &status);
	}
	return NULL;
}

static void opens_and_evictions_do_not_trip_each_other(void **state)
{
	struct rig *rig = *state;
	rig_close(rig);
	rig->config.size_limit = 5000;
	rig_open(rig);
	fake_message_add(rig->account, "INBOX", 200, 300, 0);
	rig_start(rig, 3);
	int64_t inbox = rig_listed(rig, "INBOX");
	pthread_t thread;
	int failures = 0;
	assert_int_equal(pthread_create(&thread, NULL, tick, rig), 0);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 200; i++) {
			struct cache_entry e =
				rig_entry(rig, inbox, CACHE_NEW, i);
			failures += rig_read(rig, &e) != 0;
		}
	}
	/* Only now: a failed assertion leaves, and the thread would not. */
	(void)pthread_join(thread, NULL);
	assert_int_equal(failures, 0);
	struct cache_status status;
	cache_stop(rig->cache);
	cache_status(rig->cache, &status);
	assert_true(status.cached_bytes <= 5000);
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(a_body_is_fetched_once_and_then_here),
		RIG_TEST(readers_of_one_message_share_a_fetch),
		RIG_TEST(a_stuck_server_times_out),
		RIG_TEST(stopping_answers_who_waits),
		RIG_TEST(a_message_gone_on_the_server_is_stale),
		RIG_TEST(a_body_waits_for_the_end_of_a_reset),
		RIG_TEST(a_lost_connection_is_tried_again_unseen),
		RIG_TEST(a_full_disk_is_said_after_one_eviction),
		RIG_TEST(a_lost_cache_directory_is_made_again),
		RIG_TEST(what_was_not_used_for_longest_goes_first),
		RIG_TEST(reading_in_order_fetches_ahead),
		RIG_TEST(several_threads_in_order_are_one_scan),
		RIG_TEST(reading_all_without_order_fetches_ahead),
		RIG_TEST(reading_here_and_there_fetches_nothing_ahead),
		RIG_TEST(opens_and_evictions_do_not_trip_each_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
