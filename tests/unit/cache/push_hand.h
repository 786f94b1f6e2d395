/*
 * What the tests of telling the journal have in common.
 */
#ifndef TESTS_UNIT_CACHE_PUSH_HAND_H
#define TESTS_UNIT_CACHE_PUSH_HAND_H

#include "tests/unit/cache/hand.h"
#include "tests/unit/test.h"

#define BODY "From: a\nMessage-ID: <1@x>\n\nhello\n"

static inline int64_t inbox(struct hand *h)
{
	return hand_folder(h, "INBOX");
}

static inline int64_t lists(struct hand *h)
{
	struct cache_folder folder;
	assert_int_equal(cache_folder_find(h->rig->cache,
	                                   hand_folder(h, "Lists"), "c",
	                                   &folder),
	                 0);
	return folder.id;
}

static inline struct fake_view view(struct hand *h, const char *folder,
                                    size_t n)
{
	struct fake_view v = { 0 };
	assert_true(fake_view(h->rig->account, folder, n, &v));
	return v;
}

/* Delivered, and with the server. */
static inline void deliver(struct hand *h, const char *base, const char *body)
{
	assert_int_equal(hand_deliver(h, inbox(h), base, body), 0);
	hand_pass(h, 3);
	assert_int_equal(hand_rows(h), 0);
}

/* Nothing is left to do, and both sides are the same. */
static inline void assert_quiet(struct hand *h, size_t in_inbox,
                                size_t in_lists)
{
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(hand_count(h, inbox(h)), in_inbox);
	assert_int_equal(hand_count(h, lists(h)), in_lists);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), in_inbox);
	assert_int_equal(fake_count(h->rig->account, "Lists/c"), in_lists);
}

#define PUSH_TEST(name) \
	cmocka_unit_test_setup_teardown(name, hand_setup, hand_teardown)

#endif
