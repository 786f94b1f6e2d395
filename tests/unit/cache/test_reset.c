/*
 * The server numbers a mailbox anew, and the pull that is to find its messages
 * again breaks off: what the user does meanwhile to those that are not found
 * yet is told once they are.
 */
#include "tests/unit/test.h"

#include <errno.h>

#include "tests/unit/cache/push_hand.h"
#include "util/clock.h"

#define TWIN "From: a\nMessage-ID: <2@x>\n\nhello\n"

static void lose_keys(struct hand *h)
{
	fake_folder_reset(h->rig->account, "INBOX");
	/* The reset is heard, and nothing after it. */
	fake_fail(h->rig->account, FAKE_NEXT, 2, 1 << 30, -EHOSTUNREACH);
	assert_int_equal(hand_round(h), -EHOSTUNREACH);
}

static void find_keys(struct hand *h)
{
	fake_fail(h->rig->account, FAKE_NEXT, 1, 0, 0);
	hand_pass(h, 70);
}

static void prepare(struct hand *h)
{
	deliver(h, "a", BODY);
	lose_keys(h);
}

static void what_is_moved_meanwhile_is_moved(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	find_keys(h);
	assert_quiet(h, 0, 1);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_int_equal(view(h, "Lists/c", 0).flags, MAIL_SEEN);
}

static void what_is_removed_meanwhile_is_removed(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	find_keys(h);
	assert_quiet(h, 0, 0);
}

static void flags_that_are_set_meanwhile_are_set(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	fake_message_flag(h->rig->account, "INBOX", view(h, "INBOX", 0).number,
	                  MAIL_FLAGGED);
	find_keys(h);
	assert_quiet(h, 1, 0);
	assert_int_equal(view(h, "INBOX", 0).flags, MAIL_SEEN | MAIL_FLAGGED);
	assert_int_equal(hand_entry(h, inbox(h), "a").flags,
	                 MAIL_SEEN | MAIL_FLAGGED);
}

/* The server is not told of that, but what is known of it goes along. */
static void what_is_taken_note_of_meanwhile_is_found(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR, 0),
	                 0);
	find_keys(h);
	assert_quiet(h, 1, 0);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 10);
	assert_quiet(h, 0, 0);
}

static void what_is_copied_meanwhile_is_there_twice(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_link(h, inbox(h), "a", lists(h), "b"), 0);
	find_keys(h);
	assert_quiet(h, 1, 1);
}

/* Its body is with the server alone, and so is the copy to be made. */
static void what_is_not_here_is_copied_when_it_is_found(void **state)
{
	struct hand *h = *state;
	(void)fake_message_add(h->rig->account, "INBOX", 1, 10, 0);
	hand_pass(h, 3);
	struct cache_entry e = rig_entry(h->rig, inbox(h), CACHE_NEW, 0);
	assert_false(e.message.is_cached);
	lose_keys(h);
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	struct cache_name name = { lists(h), CACHE_CUR, "copy", "", 0 };
	assert_int_equal(cache_link(h->rig->cache, e.message.id, &name,
	                            rig_done, &o, &wait),
	                 1);
	clock_advance_ms(2000);
	(void)hand_push(h);
	assert_int_equal(hand_rows(h), 1);
	find_keys(h);
	assert_quiet(h, 1, 1);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 0);
}

static void what_is_edited_meanwhile_takes_the_place_of_the_old(void **state)
{
	struct hand *h = *state;
	prepare(h);
	assert_int_equal(hand_edit(h, inbox(h), "a", "From: b\n\nother\n"), 0);
	find_keys(h);
	assert_quiet(h, 1, 0);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY), 0);
}

/* The first chunk names another; then a new session goes on. */
static void a_row_waits_for_a_later_chunk(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	deliver(h, "b", "From: b\n\nother\n");
	assert_int_equal(hand_move(h, inbox(h), "b", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	fake_folder_reset(h->rig->account, "INBOX");
	fake_chunk(h->rig->account, 1);
	/* A chunk is the reset, one message, and the cursor. */
	fake_fail(h->rig->account, FAKE_NEXT, 4, 1 << 30, -EHOSTUNREACH);
	(void)hand_round(h);
	find_keys(h);
	assert_quiet(h, 2, 0);
	assert_int_equal(hand_entry(h, inbox(h), "b").flags, MAIL_SEEN);
	assert_int_equal(view(h, "INBOX", 1).flags, MAIL_SEEN);
}

static void deliver_dated(struct hand *h, const char *base, const char *body)
{
	assert_int_equal(hand_deliver(h, inbox(h), base, body), 0);
	struct cache_message what = hand_entry(h, inbox(h), base).message;
	what.mtime = (struct timespec){ .tv_sec = 1234567890 };
	assert_int_equal(cache_file_set(h->rig->cache, &what, CACHE_SET_MTIME),
	                 0);
	hand_pass(h, 3);
}

/* Two of the same size and date. */
static void deliver_twins(struct hand *h)
{
	deliver_dated(h, "a", BODY);
	deliver_dated(h, "b", TWIN);
	assert_int_equal(view(h, "INBOX", 0).received_at,
	                 view(h, "INBOX", 1).received_at);
}

static void of_twins_the_one_that_was_moved_is_moved(void **state)
{
	struct hand *h = *state;
	const char *const names[] = { "a", "b" };
	for (size_t i = 0; i < 2; i++) {
		deliver_twins(h);
		lose_keys(h);
		assert_int_equal(hand_move(h, inbox(h), names[i], lists(h),
		                           CACHE_NEW, 0),
		                 0);
		find_keys(h);
		assert_quiet(h, 1, 1);
		assert_int_equal(fake_copies(h->rig->account, "Lists/c",
		                             i == 0 ? BODY : TWIN),
		                 1);
		assert_int_equal(hand_unlink(h, lists(h), names[i]), 0);
		assert_int_equal(hand_unlink(h, inbox(h), names[1 - i]), 0);
		hand_pass(h, 10);
		assert_quiet(h, 0, 0);
	}
}

/* Of two that are the same to the last byte any may go. */
static void of_copies_one_is_removed(void **state)
{
	struct hand *h = *state;
	deliver_dated(h, "a", BODY);
	deliver_dated(h, "b", BODY);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_quiet(h, 1, 0);
	(void)hand_entry(h, inbox(h), "b");
}

/* Which one was meant is not guessed: both stay. */
static void of_twins_none_is_removed(void **state)
{
	struct hand *h = *state;
	deliver_twins(h);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 70);
	assert_quiet(h, 2, 0);
	(void)hand_entry(h, inbox(h), "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(what_is_moved_meanwhile_is_moved),
		PUSH_TEST(what_is_removed_meanwhile_is_removed),
		PUSH_TEST(flags_that_are_set_meanwhile_are_set),
		PUSH_TEST(what_is_taken_note_of_meanwhile_is_found),
		PUSH_TEST(what_is_copied_meanwhile_is_there_twice),
		PUSH_TEST(what_is_not_here_is_copied_when_it_is_found),
		PUSH_TEST(what_is_edited_meanwhile_takes_the_place_of_the_old),
		PUSH_TEST(a_row_waits_for_a_later_chunk),
		PUSH_TEST(of_twins_the_one_that_was_moved_is_moved),
		PUSH_TEST(of_copies_one_is_removed),
		PUSH_TEST(of_twins_none_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
