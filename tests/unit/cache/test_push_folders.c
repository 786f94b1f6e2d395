/*
 * What the journal holds of folders, told to a server: every outcome.
 */
#include "tests/unit/test.h"

#include "tests/unit/cache/push_hand.h"
#include "util/clock.h"

static int64_t make_folder(struct hand *h, const char *level)
{
	int64_t id = 0;
	struct cache *c = h->rig->cache;
	assert_int_equal(cache_folder_make(c, CACHE_ROOT, level, &id), 0);
	for (int place = 0; place <= CACHE_TMP; place++)
		assert_int_equal(cache_place_make(c, id,
		                                  (enum cache_place)place),
		                 0);
	return id;
}

static void remove_folder(struct hand *h, int64_t id)
{
	struct cache *c = h->rig->cache;
	for (int place = 0; place <= CACHE_TMP; place++)
		assert_int_equal(cache_place_remove(c, id,
		                                    (enum cache_place)place),
		                 0);
	assert_int_equal(cache_folder_remove(c, id), 0);
}

static void a_mailbox_is_made_renamed_and_removed(void **state)
{
	struct hand *h = *state;
	int64_t id = make_folder(h, "new");
	assert_int_equal(hand_deliver(h, id, "a", BODY), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_copies(h->rig->account, "new", BODY), 1);
	assert_int_equal(cache_folder_rename(h->rig->cache, id, CACHE_ROOT,
	                                     "other"),
	                 0);
	hand_pass(h, 5);
	assert_false(fake_folder_is(h->rig->account, "new"));
	assert_int_equal(fake_copies(h->rig->account, "other", BODY), 1);
	assert_int_equal(hand_unlink(h, id, "a"), 0);
	remove_folder(h, id);
	hand_pass(h, 12);
	assert_false(fake_folder_is(h->rig->account, "other"));
	assert_quiet(h, 0, 0);
}

/* One that the server has made, and whose answer is lost. */
static int64_t make_unanswered(struct hand *h, const char *level)
{
	fake_cut(h->rig->account, FAKE_CREATE, 1, 0, 1, FAKE_LOST_DONE);
	int64_t id = make_folder(h, level);
	assert_true(hand_push(h) < 0);
	assert_true(fake_folder_is(h->rig->account, level));
	return id;
}

static void a_mailbox_that_is_perhaps_there_is_removed(void **state)
{
	struct hand *h = *state;
	remove_folder(h, make_unanswered(h, "new"));
	hand_pass(h, 12);
	assert_false(fake_folder_is(h->rig->account, "new"));
	assert_int_equal(hand_folder(h, "new"), 0);
	assert_quiet(h, 0, 0);
}

static void a_mailbox_that_is_perhaps_there_is_renamed(void **state)
{
	for (int is_listed = 0; is_listed < 2; is_listed++) {
		struct hand *h = *state;
		int64_t id = make_unanswered(h, "new");
		const char *name = is_listed ? "other" : "another";
		assert_int_equal(cache_folder_rename(h->rig->cache, id,
		                                     CACHE_ROOT, name),
		                 0);
		assert_int_equal(remote_connect(h->session.remote), 0);
		if (is_listed)
			assert_int_equal(folders_list(h->rig->cache,
			                              h->session.remote),
			                 0);
		hand_pass(h, 8);
		assert_false(fake_folder_is(h->rig->account, "new"));
		assert_true(fake_folder_is(h->rig->account, name));
		assert_int_equal(hand_folder(h, "new"), 0);
		assert_int_equal(hand_folder(h, name), id);
		assert_quiet(h, 0, 0);
	}
}

static void folder_calls_whose_answers_are_lost_are_made_again(void **state)
{
	struct hand *h = *state;
	fake_cut(h->rig->account, FAKE_CREATE, 1, 0, 1, FAKE_LOST_DONE);
	int64_t id = make_folder(h, "new");
	hand_pass(h, 8);
	assert_true(fake_folder_is(h->rig->account, "new"));
	fake_cut(h->rig->account, FAKE_RENAME, 1, 0, 1, FAKE_LOST_DONE);
	assert_int_equal(cache_folder_rename(h->rig->cache, id, CACHE_ROOT,
	                                     "other"),
	                 0);
	hand_pass(h, 8);
	assert_true(fake_folder_is(h->rig->account, "other"));
	assert_int_equal(hand_rows(h), 0);
	fake_cut(h->rig->account, FAKE_DELETE, 1, 0, 1, FAKE_LOST_DONE);
	remove_folder(h, id);
	hand_pass(h, 8);
	assert_false(fake_folder_is(h->rig->account, "other"));
	assert_quiet(h, 0, 0);
}

static void rename_folder(struct hand *h, int64_t id, const char *name)
{
	assert_int_equal(cache_folder_rename(h->rig->cache, id, CACHE_ROOT,
	                                     name),
	                 0);
}

/* Of those that are made here. */
static int folders_there(struct hand *h)
{
	static const char *const names[] = { "first", "second", "third" };
	int count = 0;
	for (unsigned i = 0; i < COUNT_OF(names); i++)
		count += fake_folder_is(h->rig->account, names[i]);
	return count;
}

/* Another name, when the answer about the one before was lost. */
static void a_mailbox_renamed_after_a_lost_answer_is_not_lost(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE };
	static const char *const lasts[] = { "third", "first" };
	struct hand *h = *state;
	for (unsigned i = 0; i < 8; i++) {
		const char *last = lasts[i / 4];
		if (i % 4 < 2)
			fake_cut(h->rig->account, FAKE_CREATE, 1, 0, 1,
			         losses[i % 2]);
		int64_t id = make_folder(h, "first");
		assert_int_equal(hand_deliver(h, id, "a", BODY), 0);
		clock_advance_ms(2000);
		if (i % 4 >= 2) {
			hand_pass(h, 5);
			fake_cut(h->rig->account, FAKE_RENAME, 1, 0, 1,
			         losses[i % 2]);
			rename_folder(h, id, "second");
		}
		assert_true(hand_push(h) < 0);
		rename_folder(h, id, last);
		hand_pass(h, 90);
		assert_int_equal(hand_rows(h), 0);
		assert_int_equal(fake_copies(h->rig->account, last, BODY), 1);
		assert_int_equal(folders_there(h), 1);
		assert_int_equal(hand_entry(h, id, "a").place, CACHE_NEW);
		assert_int_equal(hand_unlink(h, id, "a"), 0);
		remove_folder(h, id);
		hand_pass(h, 12);
		assert_int_equal(folders_there(h), 0);
	}
}

static void a_mailbox_removed_after_a_lost_answer_is_removed(void **state)
{
	struct hand *h = *state;
	int64_t id = make_folder(h, "first");
	hand_pass(h, 5);
	fake_cut(h->rig->account, FAKE_RENAME, 1, 0, 1, FAKE_LOST_DONE);
	rename_folder(h, id, "second");
	assert_true(hand_push(h) < 0);
	remove_folder(h, id);
	hand_pass(h, 12);
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(folders_there(h), 0);
}

static void a_mailbox_that_is_only_not_listed_stays(void **state)
{
	struct hand *h = *state;
	int64_t id = make_folder(h, "first");
	assert_int_equal(hand_deliver(h, id, "a", BODY), 0);
	hand_pass(h, 5);
	fake_unlisted(h->rig->account, true);
	hand_pass(h, 5);
	assert_int_equal(hand_entry(h, id, "a").place, CACHE_NEW);
	fake_unlisted(h->rig->account, false);
	hand_pass(h, 5);
	assert_int_equal(hand_count(h, id), 1);
	assert_int_equal(hand_rows(h), 0);
}

/* Before we say so, or because we did and the answer was lost. */
static void a_mailbox_removed_on_both_sides_is_told_once(void **state)
{
	struct hand *h = *state;
	int64_t id = make_folder(h, "first");
	hand_pass(h, 5);
	remove_folder(h, id);
	fake_folder_remove(h->rig->account, "first");
	assert_int_equal(folders_list(h->rig->cache, h->session.remote), 0);
	hand_pass(h, 5);
	assert_int_equal(hand_rows(h), 0);
}

static void a_mailbox_that_got_mail_meanwhile_is_not_deleted(void **state)
{
	struct hand *h = *state;
	int64_t id = make_folder(h, "new");
	hand_pass(h, 5);
	(void)fake_deliver(h->rig->account, "new", "x\n\ny\n", 5, 0);
	remove_folder(h, id);
	hand_pass(h, 1);
	hand_pass(h, 8);
	assert_int_equal(fake_copies(h->rig->account, "new", "x\n\ny\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(a_mailbox_is_made_renamed_and_removed),
		PUSH_TEST(a_mailbox_that_is_perhaps_there_is_removed),
		PUSH_TEST(a_mailbox_that_is_perhaps_there_is_renamed),
		PUSH_TEST(folder_calls_whose_answers_are_lost_are_made_again),
		PUSH_TEST(a_mailbox_renamed_after_a_lost_answer_is_not_lost),
		PUSH_TEST(a_mailbox_removed_after_a_lost_answer_is_removed),
		PUSH_TEST(a_mailbox_that_is_only_not_listed_stays),
		PUSH_TEST(a_mailbox_removed_on_both_sides_is_told_once),
		PUSH_TEST(a_mailbox_that_got_mail_meanwhile_is_not_deleted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
