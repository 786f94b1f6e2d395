/*
 * INBOX by recipients: names that follow the message's own, whatever becomes
 * of either.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <unistd.h>

#include "tests/unit/cache/split_hand.h"

static int move(struct hand *h, const struct cache_entry *entry, int64_t folder)
{
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	struct cache_name to = { folder, CACHE_CUR, "moved", "", entry->flags };
	int n = cache_rename(h->rig->cache, entry, &to, NULL, rig_done, &o,
	                     &wait);
	return n == 0 ? rig_outcome(h->rig, &o) : n == 1 ? 0 : n;
}

static void flags_set_under_one_name_are_those_of_all(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	int64_t a = mailbox(h, "a@x.org"), b = mailbox(h, "b@x.org");
	struct cache_entry entry = only(h, a);
	int told = h->rig->moved;
	assert_int_equal(flag(h, &entry, MAIL_SEEN), 0);
	assert_int_equal(only(h, inbox(h)).flags, MAIL_SEEN);
	assert_int_equal(only(h, inbox(h)).place, CACHE_CUR);
	assert_int_equal(only(h, b).flags, MAIL_SEEN);
	/* Those that no program renamed. */
	assert_int_equal(h->rig->moved, told + 2);
	hand_pass(h, 3);
	assert_int_equal(server_flags(h, 0), MAIL_SEEN);
	entry = only(h, inbox(h));
	assert_int_equal(flag(h, &entry, MAIL_SEEN | MAIL_FLAGGED), 0);
	assert_int_equal(only(h, a).flags, MAIL_SEEN | MAIL_FLAGGED);
	hand_pass(h, 3);
	assert_int_equal(server_flags(h, 0), MAIL_SEEN | MAIL_FLAGGED);
	assert_int_equal(hand_rows(h), 0);
}

static void flags_of_the_server_come_to_all(void **state)
{
	struct hand *h = *state;
	uint64_t number = deliver(h, TO("a@x.org"));
	look(h);
	int64_t a = mailbox(h, "a@x.org");
	fake_message_flag(h->rig->account, "INBOX", number, MAIL_ANSWERED);
	look(h);
	assert_int_equal(only(h, a).flags, MAIL_ANSWERED);
	assert_int_equal(only(h, a).place, CACHE_CUR);
	/* Merged with what waits to be sent. */
	struct cache_entry entry = only(h, a);
	assert_int_equal(flag(h, &entry, MAIL_ANSWERED | MAIL_SEEN), 0);
	fake_message_flag(h->rig->account, "INBOX", number,
	                  MAIL_ANSWERED | MAIL_FLAGGED);
	assert_int_equal(hand_round(h), 0);
	hand_pass(h, 3);
	unsigned all = MAIL_ANSWERED | MAIL_SEEN | MAIL_FLAGGED;
	assert_int_equal(only(h, a).flags, all);
	assert_int_equal(only(h, inbox(h)).flags, all);
	assert_int_equal(server_flags(h, 0), all);
}

static void what_goes_from_the_server_goes_from_all(void **state)
{
	struct hand *h = *state;
	uint64_t number = deliver(h, TO("a@x.org") TO("b@x.org"));
	look(h);
	int went = h->rig->went;
	fake_message_remove(h->rig->account, "INBOX", number);
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 0);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 0);
	assert_int_equal(h->rig->went, went + 3);
}

static void a_server_that_tells_all_takes_all_away(void **state)
{
	struct hand *h = *state;
	fake_plain(h->rig->account);
	uint64_t first = 0;
	for (int i = 0; i < 300; i++) {
		uint64_t number = deliver(h, TO("a@x.org") TO("b@x.org"));
		first = first == 0 ? number : first;
	}
	look(h);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 300);
	for (uint64_t i = 0; i < 299; i++)
		fake_message_remove(h->rig->account, "INBOX", first + i);
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 1);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 1);
}

static void the_last_name_takes_the_message_along(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	int64_t a = mailbox(h, "a@x.org"), b = mailbox(h, "b@x.org");
	assert_int_equal(unlink_only(h, inbox(h)), 0);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(pending(h), 0);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	/* It can still be read, and is no news. */
	struct cache_entry entry = only(h, a);
	struct cache_facts facts;
	assert_int_equal(cache_facts_get(h->rig->cache, entry.message.id,
	                                 &facts),
	                 0);
	assert_string_equal(facts.state, "synced");
	assert_int_equal(unlink_only(h, a), 0);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(only(h, b).message.links, 1);
	assert_int_equal(unlink_only(h, b), 0);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 0);
	assert_int_equal(hand_rows(h), 0);
}

/* What is known of a message without a name in INBOX. */
static void a_stand_in_hears_and_is_heard(void **state)
{
	struct hand *h = *state;
	uint64_t number = deliver(h, TO("a@x.org") TO("b@x.org"));
	look(h);
	int64_t a = mailbox(h, "a@x.org"), b = mailbox(h, "b@x.org");
	assert_int_equal(unlink_only(h, inbox(h)), 0);
	hand_pass(h, 3);
	for (int i = 0; i < 2; i++) {
		struct cache_entry entry = only(h, i == 0 ? a : b);
		unsigned flags = i == 0 ? MAIL_SEEN : MAIL_DRAFT;
		assert_int_equal(flag(h, &entry, flags), 0);
		hand_pass(h, 3);
		assert_int_equal(server_flags(h, 0), flags);
		assert_int_equal(only(h, i == 0 ? b : a).flags, flags);
		assert_int_equal(pending(h), 0);
	}
	/* So are keywords, also when another stands for it. */
	struct fake_view view;
	assert_int_equal(cache_keywords_set(h->rig->cache,
	                                    only(h, a).message.id, "k"),
	                 0);
	hand_pass(h, 3);
	assert_true(fake_view(h->rig->account, "INBOX", 0, &view));
	assert_string_equal(view.keywords, "k");
	assert_int_equal(pending(h), 0);
	fake_message_flag(h->rig->account, "INBOX", number, MAIL_FLAGGED);
	look(h);
	assert_int_equal(only(h, a).flags & MAIL_FLAGS, MAIL_FLAGGED);
	assert_int_equal(only(h, b).flags & MAIL_FLAGS, MAIL_FLAGGED);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	/* Other numbers, the same message. */
	fake_folder_reset(h->rig->account, "INBOX");
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	assert_int_equal(only(h, a).message.links, 2);
	fake_message_remove(h->rig->account, "INBOX", number);
	look(h);
	assert_int_equal(hand_count(h, a) + hand_count(h, b), 0);
	assert_int_equal(hand_rows(h), 0);
}

static void numbers_that_are_void_leave_names_alone(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	struct cache_entry before = only(h, mailbox(h, "a@x.org"));
	fake_folder_reset(h->rig->account, "INBOX");
	look(h);
	struct cache_entry after = only(h, mailbox(h, "a@x.org"));
	assert_int_equal(after.id, before.id);
	assert_int_equal(only(h, inbox(h)).message.links, 3);
}

static void a_message_moves_and_its_names_stay(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	int64_t lists = hand_folder(h, "Lists");
	struct cache_folder c;
	assert_int_equal(cache_folder_find(h->rig->cache, lists, "c", &c), 0);
	struct cache_entry entry = only(h, inbox(h));
	assert_int_equal(move(h, &entry, c.id), 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_MOVE), 1);
	assert_int_equal(hand_rows(h), 0);
	entry = only(h, mailbox(h, "a@x.org"));
	assert_int_equal(flag(h, &entry, MAIL_SEEN), 0);
	hand_pass(h, 3);
	struct fake_view view;
	assert_true(fake_view(h->rig->account, "Lists/c", 0, &view));
	assert_int_equal(view.flags, MAIL_SEEN);
}

static void a_name_that_moves_to_the_server_is_a_copy(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	struct cache_folder c;
	assert_int_equal(cache_folder_find(h->rig->cache,
	                                   hand_folder(h, "Lists"), "c", &c),
	                 0);
	struct cache_entry entry = only(h, mailbox(h, "a@x.org"));
	assert_int_equal(move(h, &entry, c.id), 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_COPY), 1);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(fake_count(h->rig->account, "Lists/c"), 1);
	assert_int_equal(hand_rows(h), 0);
	/* The last that INBOX's copy has is a move. */
	assert_int_equal(unlink_only(h, inbox(h)), 0);
	hand_pass(h, 3);
	entry = only(h, mailbox(h, "b@x.org"));
	assert_int_equal(unlink_only(h, c.id), 0);
	hand_pass(h, 5);
	assert_int_equal(fake_count(h->rig->account, "Lists/c"), 0);
	entry = only(h, mailbox(h, "b@x.org"));
	assert_int_equal(move(h, &entry, c.id), 0);
	hand_pass(h, 3);
	assert_int_equal(fake_calls(h->rig->account, FAKE_MOVE), 1);
	assert_int_equal(on_server(h), 0);
	assert_int_equal(fake_count(h->rig->account, "Lists/c"), 1);
}

/* Of two names in INBOX, the other is the message's own now. */
static void an_edit_under_another_name_is_sent(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "a", TO("a@x.org") "\n"), 0);
	assert_int_equal(split(h), 0);
	hand_pass(h, 3);
	assert_int_equal(hand_link(h, inbox(h), "a", inbox(h), "b"), 0);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	struct cache_entry entry = only(h, mailbox(h, "a@x.org"));
	assert_int_equal(flag(h, &entry, MAIL_SEEN), 0);
	assert_int_equal(only(h, inbox(h)).flags, MAIL_SEEN);
	assert_int_equal(hand_edit(h, inbox(h), "b", "x: y\n\n"), 0);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", "x: y\n\n"), 1);
	assert_int_equal(server_flags(h, 0), MAIL_SEEN);
	assert_int_equal(only(h, mailbox(h, "a@x.org")).message.links, 2);
	assert_int_equal(hand_rows(h), 0);
}

static void a_name_in_tmp_is_none(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	struct cache_entry entry = only(h, mailbox(h, "a@x.org"));
	struct cache_name to = { entry.folder, CACHE_TMP, "x", "", 0 };
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	assert_int_equal(cache_rename(h->rig->cache, &entry, &to, NULL,
	                              rig_done, &o, &wait),
	                 -EXDEV);
}

static void undo_brings_back_where_the_server_has_it(void **state)
{
	enum { COUNT = 60 };
	struct hand *h = *state;
	for (int i = 0; i < COUNT; i++)
		(void)deliver(h, TO("a@x.org"));
	look(h);
	int64_t a = mailbox(h, "a@x.org");
	for (int64_t folder = inbox(h);; folder = a) {
		while (hand_count(h, folder) > 0) {
			struct cache_entry e =
				rig_entry(h->rig, folder, CACHE_NEW, 0);
			assert_int_equal(cache_unlink(h->rig->cache, &e), 0);
		}
		hand_pass(h, 4);
		assert_int_equal(on_server(h), COUNT);
		if (folder == a)
			break;
	}
	assert_int_equal(cache_undo(h->rig->cache), COUNT);
	assert_int_equal(hand_count(h, inbox(h)), COUNT);
	hand_pass(h, 3);
	assert_int_equal(on_server(h), COUNT);
	assert_int_equal(hand_rows(h), 0);
}

static void an_edit_of_what_inbox_has_not_is_ours_alone(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "a", TO("a@x.org") "\n"), 0);
	assert_int_equal(split(h), 0);
	hand_pass(h, 3);
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	hand_pass(h, 3);
	assert_int_equal(on_server(h), 1);
	struct cache_entry entry = only(h, mailbox(h, "a@x.org"));
	int fd;
	assert_int_equal(cache_file_edit(h->rig->cache, entry.message.id, true,
	                                 NULL, &fd),
	                 0);
	assert_int_equal(pwrite(fd, "x\n\n", 3, 0), 3);
	(void)close(fd);
	cache_file_release(h->rig->cache, entry.message.id);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 0);
	entry = only(h, mailbox(h, "a@x.org"));
	assert_false(entry.is_split);
	assert_int_equal(entry.message.size, 3);
	assert_int_equal(hand_rows(h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLIT_TEST(flags_set_under_one_name_are_those_of_all),
		SPLIT_TEST(flags_of_the_server_come_to_all),
		SPLIT_TEST(what_goes_from_the_server_goes_from_all),
		SPLIT_TEST(a_server_that_tells_all_takes_all_away),
		SPLIT_TEST(the_last_name_takes_the_message_along),
		SPLIT_TEST(a_stand_in_hears_and_is_heard),
		SPLIT_TEST(numbers_that_are_void_leave_names_alone),
		SPLIT_TEST(a_message_moves_and_its_names_stay),
		SPLIT_TEST(a_name_that_moves_to_the_server_is_a_copy),
		SPLIT_TEST(an_edit_under_another_name_is_sent),
		SPLIT_TEST(a_name_in_tmp_is_none),
		SPLIT_TEST(undo_brings_back_where_the_server_has_it),
		SPLIT_TEST(an_edit_of_what_inbox_has_not_is_ours_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
