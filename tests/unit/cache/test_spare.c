/* Files made ahead: each is given away once, and there are few. */
#include "tests/unit/test.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include "cache/spare.h"
#include "tests/unit/cache/push_hand.h"
#include "util/clock.h"

#define MANY     100
#define WAIT_MAX 10000 /* milliseconds */

/* Whether a thread that was asked a moment ago has one. */
static int64_t take_soon(struct spares *s)
{
	int64_t deadline = deadline_in(WAIT_MAX), id = 0;
	while (id == 0 && deadline_left(deadline) > 0) {
		(void)poll(NULL, 0, 1); /* the other thread's turn */
		id = spares_take(s);
	}
	return id;
}

static void assert_new(struct hand *h, int64_t id, int64_t ids[MANY],
                       size_t count)
{
	struct cache_message m = { .id = id };
	assert_int_equal(file_stat(h->rig->cache->files, &m), 0);
	assert_int_equal(m.size, 0);
	for (size_t i = 0; i < count; i++)
		assert_true(ids[i] != id);
	ids[count] = id;
}

static void none_is_made_for_nobody(void **state)
{
	struct hand *h = *state;
	struct spares *s = h->rig->cache->spares;
	spares_want(s);
	assert_int_equal(spares_take(s), 0);
}

static void each_is_given_away_once(void **state)
{
	struct hand *h = *state;
	struct spares *s = h->rig->cache->spares;
	int64_t ids[MANY];
	(void)spares_take(s);
	for (size_t i = 0; i < MANY; i++) {
		spares_want(s);
		assert_new(h, take_soon(s), ids, i);
	}
}

/* How many are made while it is asked as fast as can be. */
static int count_made(struct hand *h)
{
	struct cache *c = h->rig->cache;
	struct spares *s;
	int before = rig_count_files(h->rig);
	int64_t end = deadline_in(60);
	assert_int_equal(spares_new(c->files, c->db, &s), 0);
	(void)spares_take(s);
	while (deadline_left(end) > 0) {
		spares_want(s);
		(void)sched_yield();
	}
	spares_free(s); /* what it was at is done */
	return rig_count_files(h->rig) - before;
}

static void there_are_never_more_than_a_few(void **state)
{
	int made = 0;
	for (int i = 0; i < 10; i++) {
		int count = count_made(*state);
		assert_true(count <= SPARES_MAX);
		made += count;
	}
	assert_true(made > 0); /* how fast it is depends on the machine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(none_is_made_for_nobody),
		PUSH_TEST(each_is_given_away_once),
		PUSH_TEST(there_are_never_more_than_a_few),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
