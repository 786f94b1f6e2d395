/*
 * What the tests of INBOX by recipients have in common.
 */
#ifndef TESTS_UNIT_CACHE_SPLIT_HAND_H
#define TESTS_UNIT_CACHE_SPLIT_HAND_H

#include "cache/split.h"
#include "tests/unit/cache/hand.h"
#include "tests/unit/test.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define TO(address) "Delivered-To: " address "\n"

/* Begin anew with another configuration. */
static inline void configure(struct hand *h, const char *split,
                             const char *const *domains, size_t count)
{
	struct rig *rig = h->rig;
	hand_drop(h);
	rig->config.split = split;
	rig->config.domains = domains;
	rig->config.domain_count = count;
	rig_open(rig);
	hand_take(h, rig);
	assert_int_equal(hand_round(h), 0);
}

static inline int split_setup(void **state)
{
	int err = hand_setup(state);
	if (err == 0)
		configure(*state, "delivered-to", NULL, 0);
	return err;
}

/* All that is to be looked at now. */
static inline int split(struct hand *h)
{
	bool more = true;
	int err = 0;
	while (err == 0 && more)
		err = split_some(&h->session, &more);
	return err;
}

static inline void look(struct hand *h)
{
	assert_int_equal(hand_round(h), 0);
	assert_int_equal(split(h), 0);
}

/* A mailbox below Recipients; 0: there is none. */
static inline int64_t mailbox(struct hand *h, const char *address)
{
	struct cache_folder folder;
	int64_t root = hand_folder(h, SPLIT_ROOT);
	if (root == 0 ||
	    cache_folder_find(h->rig->cache, root, address, &folder) < 0)
		return 0;
	assert_true(folder.is_local);
	assert_int_equal(folder.places, DB_PLACES_ALL);
	return folder.id;
}

static inline int64_t inbox(struct hand *h)
{
	return hand_folder(h, "INBOX");
}

static inline uint64_t deliver(struct hand *h, const char *to)
{
	static int64_t at = 1700000000;
	auto_free char *text =
		xasprintf("%sSubject: %ld\n\nbody\n", to, (long)at);
	return fake_deliver(h->rig->account, "INBOX", text, at++, 0);
}

/* The only name of a folder. */
static inline struct cache_entry only(struct hand *h, int64_t folder)
{
	assert_int_equal(hand_count(h, folder), 1);
	bool is_new = cache_entry_count(h->rig->cache, folder, CACHE_NEW) == 1;
	return rig_entry(h->rig, folder, is_new ? CACHE_NEW : CACHE_CUR, 0);
}

static inline int flag(struct hand *h, const struct cache_entry *entry,
                       unsigned flags)
{
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	struct cache_name to = { entry->folder, CACHE_CUR, NULL, "", flags };
	int n = cache_rename(h->rig->cache, entry, &to, NULL, rig_done, &o,
	                     &wait);
	return n == 0 ? rig_outcome(h->rig, &o) : n == 1 ? 0 : n;
}

static inline int unlink_only(struct hand *h, int64_t folder)
{
	struct cache_entry entry = only(h, folder);
	return cache_unlink(h->rig->cache, &entry);
}

static inline unsigned server_flags(struct hand *h, size_t n)
{
	struct fake_view view = { 0 };
	assert_true(fake_view(h->rig->account, "INBOX", n, &view));
	return view.flags;
}

static inline size_t on_server(struct hand *h)
{
	return fake_count(h->rig->account, "INBOX");
}

static inline int64_t pending(struct hand *h)
{
	struct cache_status status;
	cache_status(h->rig->cache, &status);
	return status.pending + status.held + status.refused;
}

/* One message, for a@x.org and b@x.org. */
static inline void deliver_one(struct hand *h)
{
	(void)deliver(h, TO("a@x.org") TO("b@x.org"));
	look(h);
	assert_int_equal(hand_count(h, inbox(h)), 1);
}

#define SPLIT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, split_setup, hand_teardown)

#endif
