/*
 * Messages that are copied elsewhere and then removed, as mail programs move.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>

#include "tests/unit/cache/hand.h"

/* What the headers of copies have more. */
#define OWN "X-Own: 1\n"

static int64_t inbox(struct hand *h)
{
	return hand_folder(h, "INBOX");
}

static int64_t other(struct hand *h)
{
	return hand_folder(h, "Other");
}

static int setup(void **state)
{
	int err = hand_setup(state);
	struct hand *h = *state;
	fake_folder_add(h->rig->account, "Trash", MAIL_FOLDER_TRASH);
	fake_folder_add(h->rig->account, "Other", 0);
	hand_pass(h, 3);
	return err;
}

/* So many messages, the first being number from, each with its Message-ID. */
static void deliver(struct hand *h, int64_t folder, const char *more, int from,
                    int count)
{
	char base[16], body[64];
	for (int i = from; i < from + count; i++) {
		(void)snprintf(base, sizeof(base), "m%d", i);
		(void)snprintf(body, sizeof(body),
		               "%sMessage-ID: <%d@x>\n\nhello\n", more, i);
		assert_int_equal(hand_deliver(h, folder, base, body), 0);
	}
	hand_pass(h, 3);
	assert_int_equal(hand_rows(h), 0);
}

static void unlink_some(struct hand *h, int64_t folder, int from, int count)
{
	char base[16];
	for (int i = from; i < from + count; i++) {
		(void)snprintf(base, sizeof(base), "m%d", i);
		assert_int_equal(hand_unlink(h, folder, base), 0);
	}
}

/* Of so many in INBOX, the first are copied to Other, and the first go. */
static void move_some(struct hand *h, int count, int copied, int unlinked)
{
	deliver(h, inbox(h), "", 0, count);
	deliver(h, other(h), OWN, 0, copied);
	unlink_some(h, inbox(h), 0, unlinked);
	hand_pass(h, 5);
}

static void assert_quiet(struct hand *h, size_t in_inbox, size_t in_other,
                         size_t in_trash)
{
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), in_inbox);
	assert_int_equal(fake_count(h->rig->account, "Other"), in_other);
	assert_int_equal(fake_count(h->rig->account, "Trash"), in_trash);
}

static void what_was_copied_elsewhere_does_not_go_to_trash(void **state)
{
	struct hand *h = *state;
	deliver(h, inbox(h), "", 0, 2);
	/* Both at once, as it is when a program saves its mailbox. */
	assert_int_equal(hand_deliver(h, other(h), "c",
	                              OWN "Message-ID: <1@x>\n\nhello\n"),
	                 0);
	unlink_some(h, inbox(h), 0, 2);
	hand_pass(h, 5);
	assert_quiet(h, 0, 1, 1);
	assert_int_equal(fake_copies(h->rig->account, "Trash",
	                             "Message-ID: <0@x>\n\nhello\n"),
	                 1);
}

static void of_two_copies_one_goes_to_trash(void **state)
{
	struct hand *h = *state;
	deliver(h, inbox(h), "", 0, 1);
	deliver(h, other(h), "", 0, 1);
	unlink_some(h, inbox(h), 0, 1);
	unlink_some(h, other(h), 0, 1);
	hand_pass(h, 5);
	assert_quiet(h, 0, 0, 1);
}

static void what_is_moved_is_not_held(void **state)
{
	struct hand *h = *state;
	move_some(h, 60, 60, 60);
	assert_quiet(h, 0, 60, 0);
}

static void what_is_removed_beside_is_held(void **state)
{
	struct hand *h = *state;
	move_some(h, 100, 40, 100);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 60);
	assert_int_equal(cache_undo(h->rig->cache), 60);
	hand_pass(h, 5);
	assert_quiet(h, 60, 40, 0);
}

static void what_is_moved_does_not_count_as_removed(void **state)
{
	struct hand *h = *state;
	move_some(h, 80, 40, 40);
	unlink_some(h, inbox(h), 40, 40);
	hand_pass(h, 5);
	assert_quiet(h, 0, 40, 40);
}

static void what_was_linked_elsewhere_does_not_go_to_trash(void **state)
{
	struct hand *h = *state;
	deliver(h, inbox(h), "", 0, 1);
	assert_int_equal(hand_link(h, inbox(h), "m0", other(h), "n"), 0);
	hand_pass(h, 3);
	unlink_some(h, inbox(h), 0, 1);
	hand_pass(h, 5);
	assert_quiet(h, 0, 1, 0);
}

static void a_copy_that_was_moved_away_is_none(void **state)
{
	struct hand *h = *state;
	int64_t trash = hand_folder(h, "Trash");
	deliver(h, inbox(h), "", 0, 1);
	deliver(h, other(h), OWN, 0, 1);
	assert_int_equal(hand_move(h, other(h), "m0", trash, CACHE_CUR, 0), 0);
	hand_pass(h, 3);
	unlink_some(h, trash, 0, 1);
	hand_pass(h, 5);
	assert_quiet(h, 1, 0, 0);
	unlink_some(h, inbox(h), 0, 1);
	hand_pass(h, 5);
	assert_quiet(h, 0, 0, 1);
}

/* The one that is put off does not go along with the other, on and on. */
static void a_busy_server_is_left_alone(void **state)
{
	struct hand *h = *state;
	deliver(h, inbox(h), "", 0, 2);
	deliver(h, other(h), OWN, 0, 1);
	fake_refuse(h->rig->account, "INBOX", -EBUSY);
	unlink_some(h, inbox(h), 0, 2);
	hand_pass(h, 5);
	assert_in_range(fake_calls(h->rig->account, FAKE_REMOVE) +
	                        fake_calls(h->rig->account, FAKE_MOVE),
	                1, 8);
	fake_refuse(h->rig->account, "INBOX", 0);
	hand_pass(h, 70);
	assert_quiet(h, 0, 1, 1);
}

static void without_a_trash_neither(void **state)
{
	struct hand *h = *state;
	fake_folder_remove(h->rig->account, "Trash");
	move_some(h, 60, 60, 60);
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 0);
	assert_int_equal(fake_count(h->rig->account, "Other"), 60);
}

int main(void)
{
#define MOVED_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, hand_teardown)
	const struct CMUnitTest tests[] = {
		MOVED_TEST(what_was_copied_elsewhere_does_not_go_to_trash),
		MOVED_TEST(of_two_copies_one_goes_to_trash),
		MOVED_TEST(what_is_moved_is_not_held),
		MOVED_TEST(what_is_removed_beside_is_held),
		MOVED_TEST(what_is_moved_does_not_count_as_removed),
		MOVED_TEST(what_was_linked_elsewhere_does_not_go_to_trash),
		MOVED_TEST(a_copy_that_was_moved_away_is_none),
		MOVED_TEST(a_busy_server_is_left_alone),
		MOVED_TEST(without_a_trash_neither),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
