/*
 * What the tests of answers that are lost have in common.
 */
#ifndef TESTS_UNIT_CACHE_SETTLE_HAND_H
#define TESTS_UNIT_CACHE_SETTLE_HAND_H

#include <errno.h>

#include "tests/unit/cache/push_hand.h"
#include "util/clock.h"

#define OTHER "From: b\n\nsomething else, and longer than that\n"

/* Two messages whose answers are lost. */
static inline void lose(struct hand *h, enum fake_loss loss)
{
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 2, loss);
	assert_int_equal(hand_deliver(h, inbox(h), "a", BODY), 0);
	assert_int_equal(hand_deliver(h, inbox(h), "b", OTHER), 0);
	clock_advance_ms(1500);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
}

static inline void assert_once(struct hand *h)
{
	assert_int_equal(fake_copies(h->rig->account, NULL, BODY), 1);
	assert_int_equal(fake_copies(h->rig->account, NULL, OTHER), 1);
	assert_quiet(h, 2, 0);
	(void)hand_entry(h, inbox(h), "a");
	(void)hand_entry(h, inbox(h), "b");
}

#endif
