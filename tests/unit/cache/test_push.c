/*
 * What the journal holds of messages, told to a server: every kind of row,
 * every outcome.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/cache/push_hand.h"
#include "util/clock.h"

static void a_delivery_has_the_date_of_its_file(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	struct cache_message what = hand_entry(h, inbox(h), "a").message;
	what.mtime = (struct timespec){ .tv_sec = 1234567890 };
	assert_int_equal(cache_file_set(h->rig->cache, &what, CACHE_SET_MTIME),
	                 0);
	hand_pass(h, 3);
	assert_int_equal(view(h, "INBOX", 0).received_at, 1234567890);
	/* Its copy, too, is known again by it. */
	assert_int_equal(hand_entry(h, inbox(h), "a").message.received_at,
	                 1234567890);
	assert_quiet(h, 1, 0);
}

static void a_delivery_is_appended_once(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	hand_pass(h, 3);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY), 1);
	assert_quiet(h, 1, 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_int_equal(hand_entry(h, inbox(h), "a").place, CACHE_NEW);
}

static void deliveries_of_a_burst_share_a_call(void **state)
{
	struct hand *h = *state;
	for (int i = 0; i < 100; i++) {
		char base[16];
		(void)snprintf(base, sizeof(base), "b%d", i);
		assert_int_equal(hand_deliver(h, inbox(h), base, BODY), 0);
	}
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_quiet(h, 100, 0);
}

/* From a server that tells all there is, but not all of the news at once. */
static void deliveries_that_a_later_chunk_names_keep_their_names(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	struct hand *h = *state;
	fake_plain(h->rig->account);
	deliver(h, "first", BODY);
	fake_chunk(h->rig->account, 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(hand_deliver(h, inbox(h), names[i], BODY), 0);
	hand_pass(h, 5);
	for (size_t i = 0; i < 3; i++)
		(void)hand_entry(h, inbox(h), names[i]);
	assert_quiet(h, 4, 0);
}

static void a_delivery_that_is_renumbered_keeps_its_name(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	fake_folder_reset(h->rig->account, "INBOX");
	fake_message_flag(h->rig->account, "INBOX", view(h, "INBOX", 0).number,
	                  MAIL_SEEN);
	hand_pass(h, 3);
	assert_int_equal(hand_entry(h, inbox(h), "a").flags, MAIL_SEEN);
	assert_quiet(h, 1, 0);
}

static void flags_are_set_and_taken_away(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR,
	                           MAIL_SEEN | MAIL_FLAGGED),
	                 0);
	hand_pass(h, 3);
	assert_int_equal(view(h, "INBOX", 0).flags, MAIL_SEEN | MAIL_FLAGGED);
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	hand_pass(h, 3);
	assert_int_equal(view(h, "INBOX", 0).flags, MAIL_SEEN);
	assert_quiet(h, 1, 0);
}

static void keywords_are_set_and_taken_away(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	int64_t id = hand_entry(h, inbox(h), "a").message.id;
	assert_int_equal(cache_keywords_set(h->rig->cache, id, "x y"), 0);
	hand_pass(h, 3);
	assert_string_equal(view(h, "INBOX", 0).keywords, "x y");
	assert_int_equal(cache_keywords_set(h->rig->cache, id, "y z"), 0);
	hand_pass(h, 3);
	assert_string_equal(view(h, "INBOX", 0).keywords, "y z");
	assert_quiet(h, 1, 0);
}

static void a_message_is_moved_with_its_flags(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_MOVE), 1);
	assert_int_equal(view(h, "Lists/c", 0).flags, MAIL_SEEN);
	assert_quiet(h, 0, 1);
}

static void a_link_in_another_folder_is_a_copy(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_link(h, inbox(h), "a", lists(h), "b"), 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_COPY), 1);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 1);
	assert_quiet(h, 1, 1);
}

static void a_link_and_an_unlink_copy_first(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_link(h, inbox(h), "a", lists(h), "b"), 0);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 8);
	assert_quiet(h, 0, 1);
	assert_int_equal(fake_copies(h->rig->account, "Lists/c", BODY), 1);
}

static void an_unlinked_message_is_removed(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_calls(h->rig->account, FAKE_REMOVE), 1);
	assert_quiet(h, 0, 0);
}

static void an_edited_message_is_replaced(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_edit(h, inbox(h), "a", BODY "more\n"), 0);
	hand_pass(h, 8);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY), 0);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY "more\n"),
	                 1);
	assert_quiet(h, 1, 0);
}

static void a_trash_folder_takes_what_is_unlinked(void **state)
{
	struct hand *h = *state;
	fake_folder_add(h->rig->account, "Trash", MAIL_FOLDER_TRASH);
	deliver(h, "a", BODY);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, "Trash", BODY), 1);
	assert_quiet(h, 0, 0);
	int64_t trash = hand_folder(h, "Trash");
	assert_int_equal(hand_count(h, trash), 1);
	struct cache_entry entry = rig_entry(h->rig, trash, CACHE_NEW, 0);
	assert_int_equal(cache_unlink(h->rig->cache, &entry), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_count(h->rig->account, "Trash"), 0);
}

static void a_policy_may_only_mark(void **state)
{
	struct hand *h = *state;
	h->rig->cache->delete = CACHE_DELETE_FLAG;
	deliver(h, "a", BODY);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 5);
	assert_int_equal(view(h, "INBOX", 0).flags, MAIL_DELETED);
	assert_int_equal(hand_rows(h), 0);
}

static const struct journal_row *only_row(struct hand *h,
                                          struct journal_row *row)
{
	assert_int_equal(hand_rows(h), 1);
	assert_int_equal(journal_each(db_reader(h->rig->cache->db), 0, row), 0);
	return row;
}

static void a_refused_delivery_stays_and_says_why(void **state)
{
	static const int errs[] = { -EDQUOT, -EACCES, -EROFS };
	struct hand *h = *state;
	for (size_t i = 0; i < COUNT_OF(errs); i++) {
		struct journal_row row;
		fake_refuse(h->rig->account, "INBOX", errs[i]);
		assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
		hand_pass(h, 3);
		assert_int_equal(only_row(h, &row)->state, JOURNAL_REFUSED);
		assert_int_equal(row.err, errs[i]);
		assert_true(row.why[0] != '\0');
		(void)hand_entry(h, inbox(h), "a");
		hand_pass(h, 5);
		fake_refuse(h->rig->account, "INBOX", 0);
		assert_int_equal(cache_flush(h->rig->cache, true), 0);
		hand_pass(h, 3);
		assert_quiet(h, 1, 0);
		assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
		hand_pass(h, 5);
	}
}

static void a_message_too_large_is_refused(void **state)
{
	struct hand *h = *state;
	struct journal_row row;
	fake_size_limit(h->rig->account, 10);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	hand_pass(h, 3);
	assert_int_equal(only_row(h, &row)->err, -EFBIG);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 3);
	assert_quiet(h, 0, 0);
}

static void a_busy_server_is_asked_again(void **state)
{
	struct hand *h = *state;
	fake_refuse(h->rig->account, "INBOX", -EBUSY);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 2);
	fake_refuse(h->rig->account, "INBOX", 0);
	hand_pass(h, 30);
	assert_quiet(h, 1, 0);
}

static void a_lost_session_before_the_first_byte_costs_nothing(void **state)
{
	struct hand *h = *state;
	fake_fail(h->rig->account, FAKE_APPEND, 1, 1, -EHOSTUNREACH);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	hand_pass(h, 4);
	assert_quiet(h, 1, 0);
}

static void flags_whose_answer_is_lost_are_set_again(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE };
	struct hand *h = *state;
	deliver(h, "a", BODY);
	for (unsigned i = 0; i < COUNT_OF(losses); i++) {
		fake_cut(h->rig->account, FAKE_FLAGS, 1, 0, 1, losses[i]);
		unsigned flags = i == 0 ? MAIL_SEEN : MAIL_DRAFT;
		assert_int_equal(hand_move(h, inbox(h), "a", inbox(h),
		                           CACHE_CUR, flags),
		                 0);
		hand_pass(h, 5);
		assert_int_equal(view(h, "INBOX", 0).flags, flags);
		assert_int_equal(hand_entry(h, inbox(h), "a").flags, flags);
		assert_quiet(h, 1, 0);
	}
}

static void set_flags(struct hand *h, unsigned flags)
{
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR,
	                           flags),
	                 0);
}

/* There and back: the server has the one, or the other, and will say so. */
static void flags_set_back_after_a_lost_answer_are_told(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE };
	struct hand *h = *state;
	deliver(h, "a", BODY);
	for (unsigned i = 0; i < 4; i++) {
		unsigned first = i < 2 ? MAIL_FLAGGED : 0;
		set_flags(h, MAIL_SEEN | first);
		hand_pass(h, 3);
		fake_cut(h->rig->account, FAKE_FLAGS, 1, 0, 1, losses[i % 2]);
		set_flags(h, MAIL_SEEN | (first ^ MAIL_FLAGGED));
		clock_advance_ms(1000);
		assert_true(hand_push(h) < 0);
		set_flags(h, MAIL_SEEN | MAIL_ANSWERED | first);
		hand_pass(h, 5);
		unsigned last = MAIL_SEEN | MAIL_ANSWERED | first;
		assert_int_equal(hand_entry(h, inbox(h), "a").flags, last);
		assert_int_equal(view(h, "INBOX", 0).flags, last);
		assert_quiet(h, 1, 0);
	}
}

static void keywords_set_back_after_a_lost_answer_are_told(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	struct cache_entry a = hand_entry(h, inbox(h), "a");
	assert_int_equal(cache_keywords_set(h->rig->cache, a.message.id,
	                                    "one two"),
	                 0);
	hand_pass(h, 3);
	fake_cut(h->rig->account, FAKE_FLAGS, 1, 0, 1, FAKE_LOST_DONE);
	assert_int_equal(cache_keywords_set(h->rig->cache, a.message.id, "one"),
	                 0);
	clock_advance_ms(1000);
	assert_true(hand_push(h) < 0);
	assert_int_equal(cache_keywords_set(h->rig->cache, a.message.id,
	                                    "one two"),
	                 0);
	hand_pass(h, 5);
	assert_string_equal(view(h, "INBOX", 0).keywords, "one two");
	assert_quiet(h, 1, 0);
}

static void a_removal_whose_answer_is_lost_is_made_again(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE };
	struct hand *h = *state;
	for (unsigned i = 0; i < COUNT_OF(losses); i++) {
		deliver(h, "a", BODY);
		fake_cut(h->rig->account, FAKE_REMOVE, 1, 0, 1, losses[i]);
		assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
		hand_pass(h, 8);
		assert_quiet(h, 0, 0);
	}
}

/* Others' messages came: the pull that told is not at its end. */
static void move_ours(void *arg, const struct cache_entry *old,
                      const struct cache_entry *now)
{
	struct hand *h = arg;
	static const struct cache_listener nobody = { 0 };
	if (old != NULL || now->base[0] != '\0')
		return;
	cache_listen(h->rig->cache, &nobody, NULL);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR, 0),
	                 0);
}

static void a_delivery_may_be_moved_while_it_is_pulled(void **state)
{
	static const struct cache_listener mover = { .entry_moved = move_ours };
	struct hand *h = *state;
	hand_pass(h, 2);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	clock_advance_ms(2000);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(hand_rows(h), 0);
	/* More than one transaction takes, all in one answer. */
	fake_chunk(h->rig->account, 3 * DB_BATCH);
	(void)fake_message_add(h->rig->account, "INBOX", 2 * DB_BATCH, 50, 0);
	cache_listen(h->rig->cache, &mover, h);
	hand_pass(h, 10);
	assert_quiet(h, 2 * DB_BATCH, 1);
	assert_int_equal(fake_copies(h->rig->account, "Lists/c", BODY), 1);
}

/* Who was not there at the last pull is not missed by the next. */
static void a_delivery_gone_before_the_next_pull_goes_here(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	for (int i = 0; i < 3; i++) {
		char base[] = { (char)('b' + i), '\0' };
		assert_int_equal(hand_deliver(h, inbox(h), base, BODY), 0);
	}
	clock_advance_ms(2000);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(hand_rows(h), 0);
	/* One is an entry, and one has something to be told. */
	uint64_t c = view(h, "INBOX", 2).number;
	assert_int_equal(hand_move(h, inbox(h), "b", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	fake_message_remove(h->rig->account, "INBOX",
	                    view(h, "INBOX", 1).number);
	fake_message_remove(h->rig->account, "INBOX", c);
	hand_pass(h, 30);
	assert_quiet(h, 2, 0);
	(void)hand_entry(h, inbox(h), "a");
	(void)hand_entry(h, inbox(h), "d");
}

static void a_message_gone_there_goes_here(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	uint64_t number = view(h, "INBOX", 0).number;
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR, 0),
	                 0);
	fake_message_remove(h->rig->account, "INBOX", number);
	hand_pass(h, 10);
	assert_quiet(h, 0, 0);
}

static void a_renumbered_message_is_still_moved(void **state)
{
	struct hand *h = *state;
	deliver(h, "a", BODY);
	assert_int_equal(hand_move(h, inbox(h), "a", lists(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	fake_folder_reset(h->rig->account, "INBOX");
	hand_pass(h, 10);
	assert_quiet(h, 0, 1);
	assert_int_equal(view(h, "Lists/c", 0).flags, MAIL_SEEN);
}

static void deliver_many(struct hand *h, int count)
{
	for (int i = 0; i < count; i++) {
		char base[16];
		(void)snprintf(base, sizeof(base), "m%d", i);
		assert_int_equal(hand_deliver(h, inbox(h), base, BODY), 0);
	}
	hand_pass(h, 4);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), (size_t)count);
}

static void unlink_some(struct hand *h, int from, int to)
{
	for (int i = from; i < to; i++) {
		char base[16];
		(void)snprintf(base, sizeof(base), "m%d", i);
		assert_int_equal(hand_unlink(h, inbox(h), base), 0);
	}
}

static void many_deletions_are_held_until_confirmed(void **state)
{
	struct hand *h = *state;
	deliver_many(h, 60);
	unlink_some(h, 0, 51);
	hand_pass(h, 100);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 60);
	assert_int_equal(hand_rows(h), 51);
	assert_int_equal(cache_confirm(h->rig->cache), 51);
	hand_pass(h, 5);
	assert_quiet(h, 9, 0);
}

static void held_deletions_can_be_taken_back(void **state)
{
	struct hand *h = *state;
	deliver_many(h, 60);
	unlink_some(h, 0, 60);
	hand_pass(h, 5);
	assert_int_equal(cache_undo(h->rig->cache), 60);
	hand_pass(h, 5);
	assert_quiet(h, 60, 0);
	(void)hand_entry(h, inbox(h), "m7");
}

static void as_many_as_the_brake_lets_pass_are_removed(void **state)
{
	struct hand *h = *state;
	deliver_many(h, 60);
	unlink_some(h, 0, 50);
	hand_pass(h, 5);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 10);
	/* Those and these together are too many for one minute. */
	unlink_some(h, 50, 51);
	hand_pass(h, 5);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 10);
	assert_int_equal(cache_undo(h->rig->cache), 1);
	hand_pass(h, 61);
	unlink_some(h, 50, 60);
	hand_pass(h, 5);
	assert_quiet(h, 0, 0);
}

static void a_burst_made_off_line_is_held(void **state)
{
	struct hand *h = *state;
	deliver_many(h, 60);
	unlink_some(h, 0, 60);
	clock_advance_ms(3600 * 1000);
	hand_pass(h, 5);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 60);
	assert_int_equal(hand_rows(h), 60);
}

static void deletions_far_apart_pass_however_late(void **state)
{
	struct hand *h = *state;
	deliver_many(h, 60);
	for (int i = 0; i < 60; i++) {
		unlink_some(h, i, i + 1);
		clock_advance_ms(5000);
	}
	hand_pass(h, 5);
	assert_quiet(h, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(a_delivery_has_the_date_of_its_file),
		PUSH_TEST(a_delivery_is_appended_once),
		PUSH_TEST(deliveries_of_a_burst_share_a_call),
		PUSH_TEST(deliveries_that_a_later_chunk_names_keep_their_names),
		PUSH_TEST(a_delivery_that_is_renumbered_keeps_its_name),
		PUSH_TEST(flags_are_set_and_taken_away),
		PUSH_TEST(keywords_are_set_and_taken_away),
		PUSH_TEST(a_message_is_moved_with_its_flags),
		PUSH_TEST(a_link_in_another_folder_is_a_copy),
		PUSH_TEST(a_link_and_an_unlink_copy_first),
		PUSH_TEST(an_unlinked_message_is_removed),
		PUSH_TEST(an_edited_message_is_replaced),
		PUSH_TEST(a_trash_folder_takes_what_is_unlinked),
		PUSH_TEST(a_policy_may_only_mark),
		PUSH_TEST(a_refused_delivery_stays_and_says_why),
		PUSH_TEST(a_message_too_large_is_refused),
		PUSH_TEST(a_busy_server_is_asked_again),
		PUSH_TEST(a_lost_session_before_the_first_byte_costs_nothing),
		PUSH_TEST(flags_whose_answer_is_lost_are_set_again),
		PUSH_TEST(flags_set_back_after_a_lost_answer_are_told),
		PUSH_TEST(keywords_set_back_after_a_lost_answer_are_told),
		PUSH_TEST(a_removal_whose_answer_is_lost_is_made_again),
		PUSH_TEST(a_delivery_may_be_moved_while_it_is_pulled),
		PUSH_TEST(a_delivery_gone_before_the_next_pull_goes_here),
		PUSH_TEST(a_message_gone_there_goes_here),
		PUSH_TEST(a_renumbered_message_is_still_moved),
		PUSH_TEST(many_deletions_are_held_until_confirmed),
		PUSH_TEST(held_deletions_can_be_taken_back),
		PUSH_TEST(as_many_as_the_brake_lets_pass_are_removed),
		PUSH_TEST(a_burst_made_off_line_is_held),
		PUSH_TEST(deletions_far_apart_pass_however_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
