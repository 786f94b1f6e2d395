/*
 * What comes when it was sent again already: a second copy goes, the only one
 * stays.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/push.h"
#include "tests/unit/cache/settle_hand.h"
#include "util/clock.h"

static void twins_that_come_very_late_are_removed(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_once(h);
	clock_advance_ms(3600 * 1000);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_once(h);
}

static void twins_go_also_from_who_dates_them_itself(void **state)
{
	struct hand *h = *state;
	fake_date(h->rig->account, 5000000);
	lose(h, FAKE_LOST_LATE);
	hand_pass(h, 70);
	assert_once(h);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_once(h);
}

/* The same text, but not with our date: another client may have put it there. */
static void what_has_another_date_is_no_twin(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_UNDONE);
	hand_pass(h, 70);
	assert_once(h);
	(void)fake_deliver(h->rig->account, "INBOX", BODY, 4000000, 0);
	hand_pass(h, 5);
	assert_quiet(h, 3, 0);
}

/*
 * There is no other copy then, and the user may have it back from elsewhere:
 * nothing that was found is removed.
 */
static void what_was_unlinked_may_come_back(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 70);
	assert_quiet(h, 1, 0);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_quiet(h, 2, 0);
	assert_int_equal(fake_copies(h->rig->account, NULL, OTHER), 1);
}

static void a_watch_ends_after_a_day(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	hand_pass(h, 70);
	clock_advance_ms(25 * 3600 * 1000);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	/* Whose they are is not known any more: they are kept. */
	assert_quiet(h, 4, 0);
}

/* Both were sent twice; the first copies may come yet. */
static void send_twice(struct hand *h)
{
	lose(h, FAKE_LOST_LATE);
	hand_pass(h, 70);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	assert_once(h);
}

/* Another client moves what has BODY. */
static void another_moves(struct hand *h, const char *from, const char *to)
{
	struct fake_view v;
	for (size_t i = 0; fake_view(h->rig->account, from, i, &v); i++)
		if (v.body != NULL && strcmp(v.body, BODY) == 0) {
			fake_message_move(h->rig->account, from, v.number, to);
			return;
		}
	fail_msg("it is not in %s", from);
}

/* It has a key of after the mark then, and stays: it is all there is. */
static void another_moves_back(struct hand *h)
{
	another_moves(h, "Lists/c", "INBOX");
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 1);
	assert_quiet(h, 2, 0);
}

static void what_another_moves_away_and_back_is_no_twin(void **state)
{
	struct hand *h = *state;
	send_twice(h);
	another_moves(h, "INBOX", "Lists/c");
	another_moves_back(h);
}

static void nor_is_it_if_it_was_seen_elsewhere(void **state)
{
	struct hand *h = *state;
	send_twice(h);
	another_moves(h, "INBOX", "Lists/c");
	hand_pass(h, 5);
	assert_quiet(h, 1, 1);
	another_moves_back(h);
}

/* Where messages are known again in other mailboxes, so is what it names. */
static void nor_is_it_if_it_is_known_again_elsewhere(void **state)
{
	struct hand *h = *state;
	fake_has_ids(h->rig->account);
	nor_is_it_if_it_was_seen_elsewhere(state);
	assert_int_equal(fake_copies(h->rig->account, NULL, OTHER), 1);
}

/* Another client undoes a move of the user's; no pull has told yet. */
static void what_another_moves_back_is_no_twin(void **state)
{
	struct hand *h = *state;
	send_twice(h);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR, 0),
	                 0);
	hand_pass(h, 5);
	assert_quiet(h, 1, 1);
	another_moves_back(h);
}

/* A copy of which there is another elsewhere, under a name of its own. */
static void each_name_has_a_copy_of_its_own(void **state)
{
	struct hand *h = *state;
	fake_folder_add(h->rig->account, "Other", 0);
	assert_int_equal(hand_deliver(h, lists(h), "a", BODY), 0);
	hand_pass(h, 3);
	fake_cut(h->rig->account, FAKE_COPY, 1, 0, 1, FAKE_LOST_LATE);
	assert_int_equal(hand_link(h, lists(h), "a", inbox(h), "b"), 0);
	hand_pass(h, 75);
	assert_int_equal(fake_calls(h->rig->account, FAKE_COPY), 2);
	assert_quiet(h, 1, 1);
	another_moves(h, "INBOX", "Other");
	another_moves(h, "Other", "INBOX");
	hand_pass(h, 5);
	assert_quiet(h, 1, 1);
}

/* Or another client copied it there: who knows. */
static void what_comes_where_it_was_moved_from_stays(void **state)
{
	struct hand *h = *state;
	send_twice(h);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR, 0),
	                 0);
	hand_pass(h, 5);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 2);
	assert_int_equal(fake_copies(h->rig->account, NULL, OTHER), 1);
	assert_quiet(h, 2, 1);
}

/* The file is here, and goes elsewhere when it can. */
static void twins_of_what_is_still_to_be_sent_go_as_well(void **state)
{
	struct hand *h = *state;
	lose(h, FAKE_LOST_LATE);
	fake_refuse(h->rig->account, "INBOX", -EBUSY);
	hand_pass(h, 70);
	fake_refuse(h->rig->account, "Lists/c", -EBUSY);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR, 0),
	                 0);
	fake_refuse(h->rig->account, "INBOX", 0);
	assert_int_equal(fake_commit_late(h->rig->account), 2);
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 0);
	fake_refuse(h->rig->account, "Lists/c", 0);
	hand_pass(h, 130);
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 1);
	assert_quiet(h, 1, 1);
}

static void traces_tell_the_message_unless_they_are_old(void **state)
{
	(void)state;
	struct push_trace trace = {
		.folder = 3, .received_at = -5, .message = 77, .mark = "9.12 x"
	};
	struct push_trace out;
	struct journal_row row = { .wire_size = 0 };
	for (int i = 0; i < 2; i++) {
		trace.has_digest = i == 1;
		memset(trace.digest, i == 1 ? 0xa7 : 0, sizeof(trace.digest));
		push_trace_write(&trace, &row);
		assert_true(push_trace_read(&row, &out));
		assert_int_equal(out.folder, 3);
		assert_int_equal(out.received_at, -5);
		assert_int_equal(out.message, 77);
		assert_int_equal(out.has_digest, i == 1);
		if (i == 1)
			assert_memory_equal(out.digest, trace.digest,
			                    DIGEST_SIZE);
		assert_string_equal(out.mark, "9.12 x");
	}
	(void)snprintf(row.mark, sizeof(row.mark), "3 -5 - 9.12 x");
	assert_true(push_trace_read(&row, &out));
	assert_int_equal(out.message, 0);
	assert_string_equal(out.mark, "9.12 x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(twins_that_come_very_late_are_removed),
		PUSH_TEST(twins_go_also_from_who_dates_them_itself),
		PUSH_TEST(what_has_another_date_is_no_twin),
		PUSH_TEST(what_was_unlinked_may_come_back),
		PUSH_TEST(a_watch_ends_after_a_day),
		PUSH_TEST(what_another_moves_away_and_back_is_no_twin),
		PUSH_TEST(nor_is_it_if_it_was_seen_elsewhere),
		PUSH_TEST(nor_is_it_if_it_is_known_again_elsewhere),
		PUSH_TEST(what_another_moves_back_is_no_twin),
		PUSH_TEST(each_name_has_a_copy_of_its_own),
		PUSH_TEST(what_comes_where_it_was_moved_from_stays),
		PUSH_TEST(twins_of_what_is_still_to_be_sent_go_as_well),
		cmocka_unit_test(traces_tell_the_message_unless_they_are_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
