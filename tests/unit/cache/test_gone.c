/*
 * Messages that other clients move, where the server tells which is which.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/gone.h"
#include "tests/unit/cache/rig.h"
#include "util/clock.h"
#include "util/mem.h"

static struct cache_entry make(int64_t id, const char *base)
{
	struct cache_entry e = { .identity = (uint64_t)id * 7,
		                 .message = { .id = id, .received_at = id } };
	(void)snprintf(e.base, sizeof(e.base), "%s", base);
	return e;
}

static void what_went_is_given_back_once(void **state)
{
	struct gone_list *l = xmalloc(sizeof(*l));
	struct cache_entry e = make(3, "named");
	struct gone g;
	int64_t expired;
	gone_add(l, 1000, &e, &expired);
	assert_int_equal(expired, 0);
	assert_true(gone_has(l, 21, 3));
	assert_false(gone_take(l, 21, 4, &g));
	assert_false(gone_take(l, 20, 3, &g));
	assert_true(gone_take(l, 21, 3, &g));
	assert_int_equal(g.message.id, 3);
	assert_string_equal(g.base, "named");
	gone_release(&g);
	assert_false(gone_take(l, 21, 3, &g));
	assert_false(gone_has(l, 21, 3));
	assert_int_equal(gone_expire(l, INT64_MAX), 0);
	free(l);
}

static void the_oldest_make_room(void **state)
{
	struct gone_list *l = xmalloc(sizeof(*l));
	int64_t expired;
	for (int64_t i = 1; i <= GONE_MAX + 10; i++) {
		struct cache_entry e = make(i, i % 2 != 0 ? "" : "x");
		gone_add(l, i, &e, &expired);
		assert_int_equal(expired, i > GONE_MAX ? i - GONE_MAX : 0);
	}
	assert_int_equal(gone_expire(l, 11), 0);
	assert_int_equal(gone_expire(l, 12), 11);
	assert_int_equal(gone_expire(l, 12), 0);
	while (gone_expire(l, INT64_MAX) != 0)
		;
	assert_int_equal(l->count, 0);
	free(l);
}

static int64_t folder_of(struct rig *rig, const char *parent, const char *name)
{
	struct cache_folder above = { .id = CACHE_ROOT }, f;
	if (parent[0] != '\0')
		assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT,
		                                   parent, &above),
		                 0);
	assert_int_equal(cache_folder_find(rig->cache, above.id, name, &f), 0);
	return f.id;
}

/* INBOX with nine messages, the second of which was read. */
static struct cache_entry start(struct rig *rig, bool has_ids)
{
	if (has_ids)
		fake_has_ids(rig->account);
	fake_message_add(rig->account, "INBOX", 9, 100, 0);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	rig_poll(rig);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_NEW, 1);
	assert_int_equal(rig_read(rig, &e), 0);
	return rig_entry(rig, inbox, CACHE_NEW, 1);
}

static void assert_moved(struct rig *rig, const struct cache_entry *old,
                         int64_t folder)
{
	struct cache_entry now = rig_entry(rig, folder, CACHE_NEW, 0);
	int wants = fake_wants(rig->account);
	assert_int_equal(now.message.id, old->message.id);
	assert_int_equal(now.id, old->id);
	assert_int_equal(now.identity, old->identity);
	assert_int_equal(now.message.size, old->message.size);
	assert_true(now.message.is_cached);
	assert_int_equal(rig_read(rig, &now), 0);
	assert_int_equal(fake_wants(rig->account), wants);
}

static void a_message_moved_elsewhere_is_the_same(void **state)
{
	struct rig *rig = *state;
	struct cache_entry old = start(rig, true);
	struct cache_status before, after;
	cache_status(rig->cache, &before);
	fake_message_move(rig->account, "INBOX", 2, "Lists/c");
	rig_poll(rig);
	assert_moved(rig, &old, folder_of(rig, "Lists", "c"));
	assert_int_equal(cache_entry_count(rig->cache, old.folder, CACHE_NEW),
	                 8);
	cache_status(rig->cache, &after);
	assert_int_equal(after.cached_bytes, before.cached_bytes);
	/* It is one of its folder from now on. */
	fake_message_flag(rig->account, "Lists/c", 1, MAIL_SEEN);
	rig_poll(rig);
	assert_int_equal(rig_entry(rig, folder_of(rig, "Lists", "c"), CACHE_CUR,
	                           0)
	                         .message.id,
	                 old.message.id);
}

static void it_may_go_to_a_folder_that_is_new(void **state)
{
	struct rig *rig = *state;
	struct cache_entry old = start(rig, true);
	fake_folder_add(rig->account, "Archive", 0);
	fake_message_move(rig->account, "INBOX", 2, "Archive");
	for (uint64_t i = 3; i <= 9; i++)
		fake_message_move(rig->account, "INBOX", i, "Archive");
	fake_message_add(rig->account, "Archive", 50, 10, 0);
	rig_poll(rig);
	assert_moved(rig, &old, folder_of(rig, "", "Archive"));
}

static void a_name_that_a_program_gave_goes_along(void **state)
{
	struct rig *rig = *state;
	struct outcome outcome = { .rig = rig };
	struct cache_wait *wait;
	struct cache_entry old = start(rig, true);
	struct cache_name name = { old.folder, CACHE_NEW, "given", ",U=2", 0 };
	int n = cache_rename(rig->cache, &old, &name, NULL, rig_done, &outcome,
	                     &wait);
	assert_int_equal(n == 0   ? rig_outcome(rig, &outcome)
	                 : n == 1 ? 0
	                          : n,
	                 0);
	fake_message_move(rig->account, "INBOX", 2, "Lists/c");
	rig_poll(rig);
	struct cache_entry now =
		rig_entry(rig, folder_of(rig, "Lists", "c"), CACHE_NEW, 0);
	assert_int_equal(now.message.id, old.message.id);
	assert_string_equal(now.base, "given");
	assert_string_equal(now.info, ",U=2");
}

static void without_ids_it_is_another(void **state)
{
	struct rig *rig = *state;
	struct cache_entry old = start(rig, false);
	fake_message_move(rig->account, "INBOX", 2, "Lists/c");
	rig_poll(rig);
	struct cache_entry now =
		rig_entry(rig, folder_of(rig, "Lists", "c"), CACHE_NEW, 0);
	assert_true(now.message.id > old.message.id);
	assert_false(now.message.is_cached);
}

static bool has_body(struct rig *rig, int64_t message)
{
	char command[256];
	(void)snprintf(command, sizeof(command),
	               "find %s -path '*/%02x/%jd' | grep -q .", rig->cache_dir,
	               (unsigned)(message & 0xff), (intmax_t)message);
	return system(command) == 0;
}

static void what_does_not_come_is_forgotten(void **state)
{
	struct rig *rig = *state;
	struct cache_entry old = start(rig, true);
	fake_message_remove(rig->account, "INBOX", 2);
	rig_poll(rig);
	assert_int_equal(cache_entry_count(rig->cache, old.folder, CACHE_NEW),
	                 8);
	assert_true(has_body(rig, old.message.id));
	clock_advance_ms(GONE_MS + 1000);
	rig_poll(rig);
	assert_false(has_body(rig, old.message.id));
	/* The end forgets what there is. */
	struct cache_entry last = rig_entry(rig, old.folder, CACHE_NEW, 7);
	assert_int_equal(rig_read(rig, &last), 0);
	fake_message_remove(rig->account, "INBOX", 9);
	rig_poll(rig);
	assert_true(has_body(rig, last.message.id));
	rig_close(rig);
	assert_false(has_body(rig, last.message.id));
	rig_open(rig);
}

#define RIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_went_is_given_back_once),
		cmocka_unit_test(the_oldest_make_room),
		RIG_TEST(a_message_moved_elsewhere_is_the_same),
		RIG_TEST(it_may_go_to_a_folder_that_is_new),
		RIG_TEST(a_name_that_a_program_gave_goes_along),
		RIG_TEST(without_ids_it_is_another),
		RIG_TEST(what_does_not_come_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
