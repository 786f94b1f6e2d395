/*
 * Small deliveries, of which only the log is synced.  Each rig_open() cuts the
 * power first: of a file whose bytes the log has, nothing is left.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/logged.h"
#include "tests/unit/cache/push_hand.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define LONGER BODY "more\n"

static void restart(struct hand *h)
{
	struct rig *rig = h->rig;
	hand_drop(h);
	rig_close(rig);
	rig_open(rig);
	hand_take(h, rig);
}

static bool is_logged(struct hand *h, const char *base)
{
	struct cache_entry e = hand_entry(h, inbox(h), base);
	return db_logged_has(db_reader(h->rig->cache->db), e.message.id);
}

static void assert_text(struct hand *h, const char *base, const char *text)
{
	struct cache_entry e = hand_entry(h, inbox(h), base);
	char bytes[256];
	int fd = file_open(h->rig->cache->files, e.message.id, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, bytes, sizeof(bytes) - 1);
	(void)close(fd);
	assert_true(n >= 0);
	bytes[n] = '\0';
	assert_string_equal(bytes, text);
}

static void deliver_only(struct hand *h, const char *base, const char *body)
{
	assert_int_equal(hand_deliver(h, inbox(h), base, body), 0);
}

static void settle_all(struct hand *h)
{
	struct logged *l = logged_new(h->rig->cache);
	while (logged_due(l) != LOGGED_NEVER)
		logged_settle(l);
	logged_free(l);
}

static void a_power_cut_takes_nothing(void **state)
{
	struct hand *h = *state;
	deliver_only(h, "a", BODY);
	deliver_only(h, "b", LONGER);
	deliver_only(h, "c", "");
	restart(h);
	assert_text(h, "a", BODY);
	assert_text(h, "b", LONGER);
	assert_text(h, "c", "");
	restart(h);
	hand_pass(h, 3);
	assert_int_equal(fake_count(h->rig->account, "INBOX"), 3);
}

/* What it was given before it was delivered. */
static void mode_owner_and_time_are_as_they_were(void **state)
{
	struct hand *h = *state;
	struct cache *c = h->rig->cache;
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	struct cache_name tmp = { inbox(h), CACHE_TMP, "a", "", 0 };
	struct cache_name new = { inbox(h), CACHE_NEW, "a", "", 0 };
	struct cache_entry e;
	struct cache_message m = { .mtime = { -1234567, 89 } };
	int fd;
	assert_int_equal(cache_file_create(c, &tmp, 0640, getuid(), 7, &e, &fd),
	                 0);
	(void)close(fd);
	m.id = e.message.id;
	cache_file_release(c, m.id);
	assert_int_equal(cache_file_set(c, &m, CACHE_SET_MTIME), 0);
	assert_int_equal(file_stat(c->files, &m), 0);
	struct cache_message was = m;
	assert_int_equal(cache_rename(c, &e, &new, NULL, rig_done, &o, &wait),
	                 0);
	assert_int_equal(rig_outcome(h->rig, &o), 0);
	restart(h);
	assert_int_equal(file_stat(h->rig->cache->files, &m), 0);
	assert_int_equal(m.mode, 0640);
	assert_int_equal(m.uid, was.uid);
	assert_int_equal(m.gid, was.gid);
	assert_int_equal(m.mtime.tv_sec, -1234567);
	assert_int_equal(m.mtime.tv_nsec, 89);
}

static void a_file_that_is_whole_is_left_alone(void **state)
{
	struct hand *h = *state;
	struct cache_message m = { .mode = 0600 };
	char *why = NULL;
	deliver_only(h, "a", BODY);
	m.id = hand_entry(h, inbox(h), "a").message.id;
	assert_int_equal(cache_file_set(h->rig->cache, &m, CACHE_SET_MODE), 0);
	assert_int_equal(logged_restart(h->rig->cache, &why), 0);
	assert_int_equal(file_stat(h->rig->cache->files, &m), 0);
	assert_int_equal(m.mode, 0600);
}

static void a_start_without_room_says_so(void **state)
{
	struct hand *h = *state;
	struct cache *c = h->rig->cache;
	auto_free char *why = NULL;
	deliver_only(h, "a", BODY);
	int64_t id = hand_entry(h, inbox(h), "a").message.id;
	file_remove(c->files, id);
	(void)setenv("MAILMOUNT_FAULT", "file-create:1:28", 1);
	int err = logged_restart(c, &why);
	(void)unsetenv("MAILMOUNT_FAULT");
#ifdef FAULT_POINTS
	assert_int_equal(err, -ENOSPC);
	assert_string_equal(why, "cannot write again what a power cut took of "
	                         "a delivery: No space left on device");
	assert_true(db_logged_has(db_reader(c->db), id));
	assert_int_equal(logged_restart(c, &why), 0);
#else
	assert_int_equal(err, 0);
#endif
	assert_text(h, "a", BODY);
}

static void what_is_settled_is_in_its_file_alone(void **state)
{
	struct hand *h = *state;
	char base[8];
	for (int i = 0; i < 2 * LOGGED_SETTLE_BATCH + 1; i++) {
		(void)snprintf(base, sizeof(base), "%d", i);
		deliver_only(h, base, BODY);
	}
	assert_true(is_logged(h, "0"));
	settle_all(h);
	assert_false(is_logged(h, "0"));
	assert_false(is_logged(h, base));
	restart(h);
	assert_text(h, "0", BODY);
	assert_text(h, base, BODY);
}

static void what_is_written_later_is_not_undone(void **state)
{
	struct hand *h = *state;
	deliver_only(h, "a", BODY);
	assert_int_equal(hand_edit(h, inbox(h), "a", LONGER), 0);
	assert_false(is_logged(h, "a"));
	restart(h);
	assert_text(h, "a", LONGER);
}

/* A replacement is a delivery again. */
static void what_takes_its_place_is_logged(void **state)
{
	struct hand *h = *state;
	deliver_only(h, "a", BODY);
	assert_int_equal(hand_replace(h, inbox(h), "a", LONGER), 0);
	assert_true(is_logged(h, "a"));
	restart(h);
	assert_text(h, "a", LONGER);
}

static void what_is_removed_does_not_come_back(void **state)
{
	struct hand *h = *state;
	deliver_only(h, "a", BODY);
	int64_t id = hand_entry(h, inbox(h), "a").message.id;
	assert_int_equal(hand_unlink(h, inbox(h), "a"), 0);
	restart(h);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	assert_int_equal(file_open(h->rig->cache->files, id, O_RDONLY),
	                 -ENOENT);
	settle_all(h);
	assert_false(db_logged_has(db_reader(h->rig->cache->db), id));
}

/* It is written to between what was read of it and what is committed. */
static void what_changes_meanwhile_is_synced(void **state)
{
	struct hand *h = *state;
	struct cache *c = h->rig->cache;
	struct db_conn *conn;
	deliver_only(h, "a", BODY);
	int64_t id = hand_entry(h, inbox(h), "a").message.id;
	assert_int_equal(cache_file_touch(c, id), 0);
	struct logged *l = logged_new(c);
	assert_true(logged_take(l, id));
	assert_true(file_touch(c->files, id));
	assert_int_equal(db_begin(c->db, &conn), 0);
	assert_int_equal(logged_add(conn, l), 0);
	assert_int_equal(db_commit(conn), 0);
	logged_end(l, true);
	assert_false(is_logged(h, "a"));
	/* And what was written is to be synced. */
	assert_false(file_is_synced(c->files, id));
	logged_free(l);
}

static void there_is_an_end_of_it(void **state)
{
	struct hand *h = *state;
	struct cache *c = h->rig->cache;
	auto_free char *body = xmalloc(LOGGED_BODY_MAX + 1);
	memset(body, 'x', LOGGED_BODY_MAX);
	struct logged *l = logged_new(c);
	deliver_only(h, "a", body);
	int64_t id = hand_entry(h, inbox(h), "a").message.id;
	int taken = 0;
	for (;; taken++) {
		(void)file_touch(c->files, id);
		if (!logged_take(l, id))
			break;
		logged_end(l, true);
	}
	assert_int_equal(taken, LOGGED_TOTAL_MAX / LOGGED_BODY_MAX + 1);
	assert_int_equal(logged_due(l), 0);
	/* Those that there are go; then there is room again. */
	while (logged_due(l) != LOGGED_NEVER)
		logged_settle(l);
	assert_true(logged_take(l, id));
	logged_end(l, false);
	logged_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH_TEST(a_power_cut_takes_nothing),
		PUSH_TEST(mode_owner_and_time_are_as_they_were),
		PUSH_TEST(a_file_that_is_whole_is_left_alone),
		PUSH_TEST(a_start_without_room_says_so),
		PUSH_TEST(what_is_settled_is_in_its_file_alone),
		PUSH_TEST(what_is_written_later_is_not_undone),
		PUSH_TEST(what_takes_its_place_is_logged),
		PUSH_TEST(what_is_removed_does_not_come_back),
		PUSH_TEST(what_changes_meanwhile_is_synced),
		PUSH_TEST(there_is_an_end_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
