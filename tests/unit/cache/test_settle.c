/*
 * Answers that are lost: whatever the server did, and whenever, each message
 * is there once in the end.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/cache/settle_hand.h"
#include "util/clock.h"

static void appends_that_were_done_are_found(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_DONE);
	hand_pass(h, 5);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_once(h);
}

/* Another client was faster than the answer: its flags are no wish of ours. */
static void what_was_done_may_be_flagged_before_it_is_found(void **state)
{
	struct hand *h = *state;
	struct fake_view v;
	lose(h, FAKE_LOST_DONE);
	for (size_t i = 0; fake_view(h->rig->account, "INBOX", i, &v); i++) {
		fake_message_flag(h->rig->account, "INBOX", v.number,
		                  v.flags | MAIL_DRAFT);
		fake_message_keywords(h->rig->account, "INBOX", v.number,
		                      "theirs");
	}
	hand_pass(h, 5);
	assert_once(h);
	for (size_t i = 0; fake_view(h->rig->account, "INBOX", i, &v); i++) {
		assert_int_equal(v.flags & MAIL_DRAFT, MAIL_DRAFT);
		assert_string_equal(v.keywords, "theirs");
	}
	assert_int_equal(hand_entry(h, inbox(h), "a").flags & MAIL_DRAFT,
	                 MAIL_DRAFT);
}

static void appends_that_were_not_done_are_sent_after_a_minute(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_UNDONE);
	hand_pass(h, 55);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	hand_pass(h, 10);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_once(h);
}

static void appends_that_come_late_are_waited_for(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	hand_pass(h, 20);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 20);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_once(h);
}

/* Mailutils dates messages by what stands in them. */
static void who_dates_messages_itself_doubles_none(void **state)
{
	struct hand *h = *state;
	fake_date(h->rig->account, 5000000);
	lose(h, FAKE_LOST_DONE);
	hand_pass(h, 5);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_once(h);
}

static void a_late_append_serves_a_refused_row(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	fake_size_limit(h->rig->account, 1);
	hand_pass(h, 70);
	assert_int_equal(hand_rows(h), 2);
	fake_size_limit(h->rig->account, 0);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_once(h);
}

static void identical_messages_are_all_there_once(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE, FAKE_LOST_LATE,
		                                 FAKE_LOST_MIXED };
	struct hand *h = *state;
	for (size_t i = 0; i < COUNT_OF(losses); i++) {
		fake_cut(h->rig->account, FAKE_APPEND, 1, 1, 4, losses[i]);
		for (int j = 0; j < 5; j++) {
			char base[16];
			(void)snprintf(base, sizeof(base), "%zu.%d", i, j);
			assert_int_equal(hand_deliver(h, inbox(h), base, BODY),
			                 0);
		}
		hand_pass(h, 75);
		(void)fake_commit_late(h->rig->account);
		hand_pass(h, 5);
		assert_quiet(h, 5 * (i + 1), 0);
		clock_advance_ms(25 * 3600 * 1000);
	}
}

static void anothers_identical_message_is_left_alone(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	(void)fake_deliver(h->rig->account, "INBOX", BODY, 77, 0);
	hand_pass(h, 70);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	(void)fake_deliver(h->rig->account, "INBOX", BODY, 78, 0);
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 3);
	assert_quiet(h, 4, 0);
}

/* Another client puts the same text there while the answer to ours is lost. */
static void what_has_another_date_is_not_ours(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_UNDONE);
	(void)fake_deliver(h->rig->account, "INBOX", BODY, 4000000, 0);
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_quiet(h, 3, 0);
}

static void a_known_identical_message_is_not_ours(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	assert_int_equal(hand_deliver(h, inbox(h), "new", BODY), 0);
	fake_cut(h->rig->account, FAKE_APPEND, 1, 1, 2, FAKE_LOST_UNDONE);
	/* Void marks: all is looked at. */
	clock_advance_ms(1500);
	(void)hand_push(h);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_quiet(h, 2, 0);
}

/* One that is to be moved away has no name in the mailbox any more. */
static void what_is_to_leave_is_not_ours_after_a_reset(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	hand_pass(h, 3);
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_UNDONE);
	assert_int_equal(hand_deliver(h, inbox(h), "new", BODY), 0);
	clock_advance_ms(1500);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	assert_int_equal(hand_move(h, inbox(h), "old", lists(h), CACHE_CUR, 0),
	                 0);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_quiet(h, 1, 1);
}

static void what_was_done_is_found_after_a_reset(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	hand_pass(h, 3);
	lose(h, FAKE_LOST_DONE);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_quiet(h, 3, 0);
}

/* One of the same text and of another date is not taken for it. */
static void what_was_done_is_found_after_a_reset_by_its_date(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	struct cache_message what = hand_entry(h, inbox(h), "old").message;
	what.mtime.tv_sec = 1000000;
	assert_int_equal(cache_file_set(h->rig->cache, &what, CACHE_SET_MTIME),
	                 0);
	hand_pass(h, 3);
	lose(h, FAKE_LOST_DONE);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_quiet(h, 3, 0);
}

/* Both at once: Mailutils does so when two sessions meet. */
static void what_has_another_date_is_found_after_a_reset(void **state)
{
	struct hand *h = *state;
	fake_date(h->rig->account, 5000000);
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	hand_pass(h, 3);
	fake_date(h->rig->account, 6000000);
	lose(h, FAKE_LOST_DONE);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 3);
}

static void who_dates_messages_itself_may_number_them_anew(void **state)
{
	struct hand *h = *state;
	fake_date(h->rig->account, 5000000);
	fake_untold(h->rig->account);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	assert_int_equal(hand_deliver(h, inbox(h), "b", OTHER), 0);
	hand_pass(h, 70);
	assert_quiet(h, 2, 0);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_once(h);
}

static void what_was_not_done_is_sent_after_a_reset(void **state)
{
	struct hand *h = *state;
	fake_date(h->rig->account, 5000000);
	assert_int_equal(hand_deliver(h, inbox(h), "old", BODY), 0);
	hand_pass(h, 3);
	lose(h, FAKE_LOST_UNDONE);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 3);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, OTHER), 1);
}

static void keys_that_are_not_told_are_found(void **state)
{
	struct hand *h = *state;
	fake_untold(h->rig->account);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	assert_int_equal(hand_deliver(h, inbox(h), "b", BODY), 0);
	hand_pass(h, 3);
	assert_quiet(h, 2, 0);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	assert_int_equal(hand_link(h, inbox(h), "b", lists(h), "c"), 0);
	hand_pass(h, 5);
	assert_quiet(h, 1, 2);
	(void)hand_entry(h, lists(h), "a");
	(void)hand_entry(h, lists(h), "c");
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
}

static void a_landed_message_that_went_is_gone(void **state)
{
	struct hand *h = *state;
	struct fake_view v;
	fake_untold(h->rig->account);
	fake_fail(h->rig->account, FAKE_SINCE, 1, 1, -EHOSTUNREACH);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	clock_advance_ms(1500);
	(void)hand_push(h);
	assert_true(fake_view(h->rig->account, "INBOX", 0, &v));
	fake_message_remove(h->rig->account, "INBOX", v.number);
	hand_pass(h, 70);
	assert_quiet(h, 0, 0);
}

static void settle_move(struct hand *h, enum fake_loss loss, bool is_here)
{
	if (!is_here) {
		(void)fake_message_add(h->rig->account, "INBOX", 2, 100, 0);
	} else {
		assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
		assert_int_equal(hand_deliver(h, inbox(h), "b", OTHER), 0);
	}
	hand_pass(h, 3);
	assert_quiet(h, 2, 0);
	fake_cut(h->rig->account, FAKE_MOVE, 1, 0, 2, loss);
	for (int i = 0; i < 2; i++) {
		struct cache_entry e =
			rig_entry(h->rig, inbox(h), CACHE_NEW, 0);
		struct cache_name to = { lists(h), CACHE_CUR, &"ab"[i], ":2,S",
			                 MAIL_SEEN };
		struct outcome o = { .rig = h->rig };
		struct cache_wait *wait;
		int n = cache_rename(h->rig->cache, &e, &to, NULL, rig_done, &o,
		                     &wait);
		assert_int_equal(n == 0 ? rig_outcome(h->rig, &o) : n - 1, 0);
	}
	hand_pass(h, 2);
}

static void moves_whose_answers_are_lost_end_well(void **state)
{
	static const enum fake_loss losses[] = {
		FAKE_LOST_UNDONE,
		FAKE_LOST_DONE,
		FAKE_LOST_HALF,
	};
	for (size_t i = 0; i < 2 * COUNT_OF(losses); i++) {
		assert_int_equal(hand_setup(state), 0);
		struct hand *h = *state;
		settle_move(h, losses[i / 2], i % 2);
		hand_pass(h, 75);
		assert_quiet(h, 0, 2);
		(void)hand_entry(h, lists(h), "ab");
		(void)hand_entry(h, lists(h), "b");
		assert_int_equal(hand_teardown(state), 0);
	}
	assert_int_equal(hand_setup(state), 0);
}

/* A message of INBOX of which only the server has the body. */
static struct cache_entry add_foreign(struct hand *h)
{
	fake_message_add(h->rig->account, "INBOX", 1, 100, MAIL_SEEN);
	hand_pass(h, 3);
	return rig_entry(h->rig, inbox(h), CACHE_CUR, 0);
}

/* It is first asked for where it is not; and then known to be elsewhere. */
static void assert_found(struct hand *h, int64_t message)
{
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	assert_int_equal(cache_body_open(h->rig->cache, message, rig_done, &o,
	                                 &o.body, &wait),
	                 0);
	assert_int_equal(remote_connect(h->session.remote), 0);
	assert_int_equal(fetch_bodies(&h->session), 0);
	assert_false(o.is_done);
	hand_pass(h, 5);
	assert_int_equal(fetch_bodies(&h->session), 0);
	assert_int_equal(rig_outcome(h->rig, &o), 0);
	assert_int_equal(o.body.size, 100);
	(void)close(o.body.fd);
}

static void a_body_is_found_where_a_move_has_perhaps_brought_it(void **state)
{
	struct hand *h = *state;
	struct cache_wait *wait;
	struct cache_entry e = add_foreign(h);
	struct cache_name to = { lists(h), CACHE_CUR, NULL, NULL, MAIL_SEEN };
	assert_int_equal(cache_rename(h->rig->cache, &e, &to, NULL, NULL, NULL,
	                              &wait),
	                 1);
	fake_cut(h->rig->account, FAKE_MOVE, 1, 0, 1, FAKE_LOST_DONE);
	clock_advance_ms(1500);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	assert_found(h, e.message.id);
	assert_quiet(h, 0, 1);
}

static void a_body_is_found_after_a_reset(void **state)
{
	struct hand *h = *state;
	struct cache_entry e = add_foreign(h);
	fake_folder_reset(h->rig->account, "INBOX");
	assert_found(h, e.message.id);
	assert_quiet(h, 1, 0);
}

static void a_late_move_is_waited_for(void **state)
{
	struct hand *h = *state;
	settle_move(h, FAKE_LOST_LATE, true);
	hand_pass(h, 10);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 40);
	assert_int_equal(fake_calls(h->rig->account, FAKE_MOVE), 1);
	assert_quiet(h, 0, 2);
	(void)hand_entry(h, lists(h), "ab");
}

/*
 * Where there is no MOVE the source is marked \Deleted.  That is no wish of
 * another client, and must not go along when it is moved again.
 */
static void the_mark_of_a_move_is_not_the_users(void **state)
{
	struct hand *h = *state;
	struct fake_view v;
	settle_move(h, FAKE_LOST_UNDONE, true);
	for (size_t i = 0; fake_view(h->rig->account, "INBOX", i, &v); i++)
		fake_message_flag(h->rig->account, "INBOX", v.number,
		                  v.flags | MAIL_DELETED);
	hand_pass(h, 70);
	assert_quiet(h, 0, 2);
	for (size_t i = 0; fake_view(h->rig->account, "Lists/c", i, &v); i++)
		assert_int_equal(v.flags & MAIL_DELETED, 0);
	assert_int_equal(hand_entry(h, lists(h), "ab").flags & MAIL_DELETED, 0);
}

static void a_very_late_move_loses_nothing(void **state)
{
	struct hand *h = *state;
	settle_move(h, FAKE_LOST_LATE, true);
	hand_pass(h, 70);
	assert_quiet(h, 0, 2);
	(void)fake_commit_late(h->rig->account);
	hand_pass(h, 5);
	assert_quiet(h, 0, 2);
}

static void copies_whose_answers_are_lost_end_well(void **state)
{
	static const enum fake_loss losses[] = {
		FAKE_LOST_UNDONE,
		FAKE_LOST_DONE,
		FAKE_LOST_LATE,
	};
	for (size_t i = 0; i < COUNT_OF(losses); i++) {
		assert_int_equal(hand_setup(state), 0);
		struct hand *h = *state;
		assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
		hand_pass(h, 3);
		fake_cut(h->rig->account, FAKE_COPY, 1, 0, 1, losses[i]);
		assert_int_equal(hand_link(h, inbox(h), "a", lists(h), "b"), 0);
		hand_pass(h, 75);
		(void)fake_commit_late(h->rig->account);
		hand_pass(h, 5);
		assert_quiet(h, 1, 1);
		assert_int_equal(hand_teardown(state), 0);
	}
	assert_int_equal(hand_setup(state), 0);
}

static void what_was_sent_and_then_edited_ends_as_it_is_now(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_DONE);
	assert_int_equal(hand_edit(h, inbox(h), "a", BODY "new\n"), 0);
	hand_pass(h, 75);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 0);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY "new\n"), 1);
	assert_quiet(h, 2, 0);
}

static void a_folder_that_goes_in_between_is_made_again(void **state)
{
	struct hand *h = *state;
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_DONE);
	assert_int_equal(hand_deliver(h, lists(h), "a", BODY), 0);
	clock_advance_ms(1500);
	(void)hand_push(h);
	fake_folder_remove(h->rig->account, "Lists/c");
	hand_pass(h, 90);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 1);
	assert_int_equal(hand_rows(h), 0);
}

int main(void)
{
/* Those that set up for themselves, again and again. */
#define SETTLE_TESTS(name) \
	cmocka_unit_test_setup_teardown(name, NULL, hand_teardown)
	const struct CMUnitTest tests[] = {
		PUSH_TEST(appends_that_were_done_are_found),
		PUSH_TEST(what_was_done_may_be_flagged_before_it_is_found),
		PUSH_TEST(appends_that_were_not_done_are_sent_after_a_minute),
		PUSH_TEST(appends_that_come_late_are_waited_for),
		PUSH_TEST(who_dates_messages_itself_doubles_none),
		PUSH_TEST(a_late_append_serves_a_refused_row),
		PUSH_TEST(identical_messages_are_all_there_once),
		PUSH_TEST(anothers_identical_message_is_left_alone),
		PUSH_TEST(what_has_another_date_is_not_ours),
		PUSH_TEST(a_known_identical_message_is_not_ours),
		PUSH_TEST(what_is_to_leave_is_not_ours_after_a_reset),
		PUSH_TEST(what_was_done_is_found_after_a_reset),
		PUSH_TEST(what_was_done_is_found_after_a_reset_by_its_date),
		PUSH_TEST(what_has_another_date_is_found_after_a_reset),
		PUSH_TEST(who_dates_messages_itself_may_number_them_anew),
		PUSH_TEST(what_was_not_done_is_sent_after_a_reset),
		PUSH_TEST(keys_that_are_not_told_are_found),
		PUSH_TEST(a_landed_message_that_went_is_gone),
		SETTLE_TESTS(moves_whose_answers_are_lost_end_well),
		PUSH_TEST(a_body_is_found_where_a_move_has_perhaps_brought_it),
		PUSH_TEST(a_body_is_found_after_a_reset),
		PUSH_TEST(a_late_move_is_waited_for),
		PUSH_TEST(the_mark_of_a_move_is_not_the_users),
		PUSH_TEST(a_very_late_move_loses_nothing),
		SETTLE_TESTS(copies_whose_answers_are_lost_end_well),
		PUSH_TEST(what_was_sent_and_then_edited_ends_as_it_is_now),
		PUSH_TEST(a_folder_that_goes_in_between_is_made_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
