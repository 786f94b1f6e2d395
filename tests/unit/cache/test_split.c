/*
 * INBOX by recipients: who gets a name of what, and when.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cache/split_hand.h"

static void each_recipient_gets_a_name_of_the_same_message(void **state)
{
	struct hand *h = *state;
	(void)deliver(h, TO("a@x.org") TO("b@X.ORG") TO("a@x.org"));
	(void)deliver(h, "To: nobody@x.org\n");
	(void)deliver(h, TO("a@x.org"));
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 3);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 2);
	struct cache_entry b = only(h, mailbox(h, "b@x.org"));
	struct cache_entry own = rig_entry(h->rig, inbox(h), CACHE_NEW, 0);
	assert_int_equal(b.message.id, own.message.id);
	assert_int_equal(b.message.links, 3);
	assert_true(b.identity == own.identity);
	assert_int_equal(b.place, CACHE_NEW);
	struct cache_entry none = rig_entry(h->rig, inbox(h), CACHE_NEW, 1);
	assert_int_equal(none.message.links, 1);
	/* Heads are asked for, and no body. */
	assert_int_equal(fake_calls(h->rig->account, FAKE_HEADS), 1);
	assert_int_equal(fake_calls(h->rig->account, FAKE_FETCH), 0);
	/* Nothing of it is the server's business. */
	hand_pass(h, 3);
	assert_int_equal(pending(h), 0);
	assert_int_equal(fake_calls(h->rig->account, FAKE_COPY), 0);
	assert_int_equal(fake_calls(h->rig->account, FAKE_CREATE), 0);
	assert_false(fake_folder_is(h->rig->account, SPLIT_ROOT));
}

static void what_was_looked_at_is_not_looked_at_again(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	assert_int_equal(unlink_only(h, mailbox(h, "a@x.org")), 0);
	int asked = fake_calls(h->rig->account, FAKE_HEADS);
	(void)deliver(h, "Subject: x\n");
	look(h);
	look(h);
	assert_int_equal(fake_calls(h->rig->account, FAKE_HEADS), asked + 1);
	configure(h, "delivered-to", NULL, 0);
	look(h);
	assert_int_equal(fake_calls(h->rig->account, FAKE_HEADS), asked + 1);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 0);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 1);
}

static void only_domains_that_are_ours_count(void **state)
{
	static const char *const domains[] = { "x.org", "Y.net" };
	struct hand *h = *state;
	(void)deliver(h, TO("a@x.org") TO("a@evil.com") TO("bob"));
	(void)deliver(h, TO("a@y.NET") "Delivered-To: b@sub.x.org\n");
	configure(h, "delivered-to", domains, 2);
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 2);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 1);
	assert_int_equal(hand_count(h, mailbox(h, "a@y.net")), 1);
	struct cache_folder root;
	assert_int_equal(cache_folder_get(h->rig->cache,
	                                  hand_folder(h, SPLIT_ROOT), &root),
	                 0);
	assert_int_equal(root.children, 2);
}

static void another_rule_looks_at_all_again_and_takes_nothing(void **state)
{
	struct hand *h = *state;
	(void)deliver(h, TO("a@x.org") "X-Original-To: b@x.org\n");
	look(h);
	assert_int_equal(mailbox(h, "b@x.org"), 0);
	configure(h, "x-original-to", NULL, 0);
	look(h);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 1);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 1);
	assert_int_equal(only(h, inbox(h)).message.links, 3);
	configure(h, "delivered-to", NULL, 0);
	look(h);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 1);
}

static void what_was_there_comes_newest_first_and_goes_on(void **state)
{
	enum { COUNT = 300 };
	struct hand *h = *state;
	bool more;
	configure(h, NULL, NULL, 0);
	for (int i = 0; i < COUNT; i++)
		(void)deliver(h, TO("a@x.org"));
	assert_int_equal(hand_round(h), 0);
	configure(h, "delivered-to", NULL, 0);
	int arrived = h->rig->arrived;
	assert_int_equal(split_some(&h->session, &more), 0);
	assert_true(more);
	int64_t a = mailbox(h, "a@x.org");
	size_t done = hand_count(h, a);
	assert_true(done > 0 && done < COUNT);
	struct cache_entry last =
		rig_entry(h->rig, inbox(h), CACHE_NEW, COUNT - 1);
	assert_int_equal(rig_entry(h->rig, a, CACHE_NEW, 0).message.id,
	                 last.message.id);
	/* What comes now comes first; a restart loses nothing. */
	(void)deliver(h, TO("b@x.org"));
	configure(h, "delivered-to", NULL, 0);
	assert_int_equal(split_some(&h->session, &more), 0);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 1);
	assert_int_equal(hand_count(h, a), done);
	look(h);
	assert_int_equal(hand_count(h, a), COUNT);
	/* Only what came was told of as such: in INBOX and in b's. */
	assert_int_equal(h->rig->arrived, arrived + 2);
}

static void a_session_that_ends_costs_its_work_alone(void **state)
{
	struct hand *h = *state;
	for (int i = 0; i < 5; i++)
		(void)deliver(h, TO("a@x.org"));
	assert_int_equal(hand_round(h), 0);
	fake_fail(h->rig->account, FAKE_FETCHED, 3, 1, -EHOSTUNREACH);
	assert_int_equal(split(h), -EHOSTUNREACH);
	assert_int_equal(mailbox(h, "a@x.org"), 0);
	look(h);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 5);
}

static void what_the_server_cannot_give_is_in_inbox(void **state)
{
	struct hand *h = *state;
	uint64_t lost = deliver(h, TO("a@x.org"));
	(void)deliver(h, TO("a@x.org"));
	fake_message_lose(h->rig->account, "INBOX", lost);
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 2);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 1);
}

static void what_is_delivered_here_is_split_too(void **state)
{
	struct hand *h = *state;
	assert_int_equal(hand_deliver(h, inbox(h), "mine", TO("a@x.org") "\n"),
	                 0);
	assert_int_equal(split(h), 0);
	struct cache_entry entry = only(h, mailbox(h, "a@x.org"));
	hand_pass(h, 3);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(flag(h, &entry, MAIL_SEEN), 0);
	hand_pass(h, 3);
	assert_int_equal(server_flags(h, 0), MAIL_SEEN);
	/* A delivery that is taken back before it was sent stays here. */
	assert_int_equal(hand_deliver(h, inbox(h), "b", TO("b@x.org") "\n"), 0);
	assert_int_equal(split(h), 0);
	assert_int_equal(hand_unlink(h, inbox(h), "b"), 0);
	hand_pass(h, 3);
	assert_int_equal(on_server(h), 1);
	entry = only(h, mailbox(h, "b@x.org"));
	assert_true(entry.message.is_kept);
	assert_int_equal(rig_read(h->rig, &entry), 0);
}

static void a_mailbox_of_the_server_is_never_used(void **state)
{
	struct hand *h = *state;
	fake_folder_add(h->rig->account, "Recipients/a@x.org", 0);
	(void)deliver(h, TO("a@x.org") TO("b@x.org"));
	look(h);
	hand_pass(h, 3);
	assert_int_equal(fake_count(h->rig->account, "Recipients/a@x.org"), 0);
	assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), 1);
	assert_int_equal(only(h, inbox(h)).message.links, 2);
	/* And ours is none of the server's when it makes one of that name. */
	fake_folder_add(h->rig->account, "Recipients/b@x.org", 0);
	(void)fake_deliver(h->rig->account, "Recipients/b@x.org",
	                   "Subject: theirs\n\n", 1, 0);
	look(h);
	struct cache_entry entry = only(h, mailbox(h, "b@x.org"));
	assert_int_equal(entry.message.links, 2);
}

static void a_removed_mailbox_is_made_for_the_next(void **state)
{
	struct hand *h = *state;
	deliver_one(h);
	int64_t a = mailbox(h, "a@x.org");
	assert_int_equal(unlink_only(h, a), 0);
	for (int place = 0; place < 3; place++)
		assert_int_equal(cache_place_remove(h->rig->cache, a,
		                                    (enum cache_place)place),
		                 0);
	assert_int_equal(cache_folder_remove(h->rig->cache, a), 0);
	look(h);
	assert_int_equal(mailbox(h, "a@x.org"), 0);
	(void)deliver(h, TO("a@x.org"));
	look(h);
	assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), 1);
}

#ifdef FAULT_POINTS
/* Nothing of it is told to the server, which lives on in the parent. */
static _Noreturn void live(struct hand *h, int k)
{
	char fault[32];
	(void)snprintf(fault, sizeof(fault), "*:%d:kill", k);
	(void)setenv("MAILMOUNT_FAULT", fault, 1);
	(void)alarm(60);
	look(h);
	int64_t a = mailbox(h, "a@x.org");
	struct cache_entry entry = rig_entry(h->rig, a, CACHE_NEW, 0);
	assert_int_equal(flag(h, &entry, MAIL_SEEN), 0);
	entry = rig_entry(h->rig, inbox(h), CACHE_CUR, 0);
	assert_int_equal(cache_unlink(h->rig->cache, &entry), 0);
	_exit(0);
}

static bool die_at(struct hand *h, int k)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		live(h, k);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSIGNALED(status);
}

static void whoever_dies_leaves_all_names_or_makes_them(void **state)
{
	enum { COUNT = 3 };
	struct hand *h = *state;
	struct rig *rig = h->rig;
	bool is_killed = true;
	int k;
	for (k = 1; is_killed; k++) {
		for (int i = 0; i < COUNT; i++)
			(void)deliver(h, TO("a@x.org") TO("b@x.org"));
		hand_drop(h);
		rig_remove(rig->state_dir);
		rig_open(rig);
		hand_take(h, rig);
		is_killed = die_at(h, k);
		hand_drop(h);
		assert_int_equal(rig_violations(rig), 0);
		rig_open(rig);
		hand_take(h, rig);
		look(h);
		hand_pass(h, 5);
		size_t count = on_server(h);
		assert_int_equal(count, (size_t)k * COUNT);
		assert_int_equal(hand_count(h, mailbox(h, "a@x.org")), count);
		assert_int_equal(hand_count(h, mailbox(h, "b@x.org")), count);
		assert_in_range(hand_count(h, inbox(h)), count - 1, count);
		assert_int_equal(pending(h), 0);
	}
	assert_true(k > 8);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPLIT_TEST(each_recipient_gets_a_name_of_the_same_message),
		SPLIT_TEST(what_was_looked_at_is_not_looked_at_again),
		SPLIT_TEST(only_domains_that_are_ours_count),
		SPLIT_TEST(another_rule_looks_at_all_again_and_takes_nothing),
		SPLIT_TEST(what_was_there_comes_newest_first_and_goes_on),
		SPLIT_TEST(a_session_that_ends_costs_its_work_alone),
		SPLIT_TEST(what_the_server_cannot_give_is_in_inbox),
		SPLIT_TEST(what_is_delivered_here_is_split_too),
		SPLIT_TEST(a_mailbox_of_the_server_is_never_used),
		SPLIT_TEST(a_removed_mailbox_is_made_for_the_next),
#ifdef FAULT_POINTS
		SPLIT_TEST(whoever_dies_leaves_all_names_or_makes_them),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
