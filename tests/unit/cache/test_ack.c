/*
 * Deliveries that are answered by the server (ack = server).
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/cache/hand.h"
#include "util/clock.h"

#define BODY "From: a\nMessage-ID: <1@x>\n\nhello\n"

/* A delivery under way. */
struct call {
	struct hand *h;
	struct cache_entry entry; /* in tmp */
	struct outcome o;
	struct cache_wait *wait;
};

static int setup(void **state)
{
	int err = hand_setup(state);
	struct hand *h = *state;
	h->rig->cache->ack = CACHE_ACK_SERVER;
	jobs_connected(h->rig->cache->jobs, 0, 0);
	return err;
}

static int64_t inbox(struct hand *h)
{
	return hand_folder(h, "INBOX");
}

static size_t on_server(struct hand *h)
{
	return fake_count(h->rig->account, "INBOX");
}

/* A file in tmp. */
static void make(struct hand *h, const char *base, const char *body, size_t len,
                 struct call *call)
{
	struct cache_name tmp = { inbox(h), CACHE_TMP, base, "", 0 };
	int fd;
	*call = (struct call){ .h = h, .o = { .rig = h->rig } };
	assert_int_equal(cache_file_create(h->rig->cache, &tmp, 0600, getuid(),
	                                   getgid(), &call->entry, &fd),
	                 0);
	assert_int_equal(pwrite(fd, body, len, 0), len);
	(void)close(fd);
	cache_file_release(h->rig->cache, call->entry.message.id);
}

static int begin(struct call *call, bool is_link)
{
	struct cache *c = call->h->rig->cache;
	struct cache_name to = { inbox(call->h), CACHE_NEW, "new", "", 0 };
	if (is_link)
		return cache_link(c, call->entry.message.id, &to, rig_done,
		                  &call->o, &call->wait);
	return cache_rename(c, &call->entry, &to, NULL, rig_done, &call->o,
	                    &call->wait);
}

static bool is_over(struct call *call)
{
	struct rig *rig = call->h->rig;
	(void)pthread_mutex_lock(&rig->lock);
	bool is_done = call->o.is_done;
	(void)pthread_mutex_unlock(&rig->lock);
	return is_done;
}

/* Begin, and wait until the keeper has made it. */
static void offer(struct call *call, bool is_link)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	assert_int_equal(begin(call, is_link), 0);
	assert_non_null(call->wait);
	for (int i = 0; hand_rows(call->h) == 0 && i < 20000; i++)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(hand_rows(call->h), 1);
	assert_false(is_over(call));
}

static void offer_mail(struct hand *h, bool is_link, struct call *call)
{
	make(h, "old", BODY, strlen(BODY), call);
	offer(call, is_link);
}

static int result(struct call *call)
{
	return rig_outcome(call->h->rig, &call->o);
}

static bool has(struct hand *h, enum cache_place place, const char *base)
{
	struct cache_entry entry;
	return cache_name_find(h->rig->cache, inbox(h), place, base, 0,
	                       &entry) == 0;
}

/* It is as before the call; and the file goes. */
static void assert_untouched(struct call *call)
{
	struct hand *h = call->h;
	struct cache_entry entry;
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(hand_count(h, inbox(h)), 0);
	assert_false(has(h, CACHE_NEW, "new"));
	assert_int_equal(cache_name_find(h->rig->cache, inbox(h), CACHE_TMP,
	                                 "old", 0, &entry),
	                 0);
	assert_int_equal(entry.id, call->entry.id);
	assert_int_equal(entry.message.links, 1);
	assert_int_equal(rig_read(h->rig, &entry), 0);
	assert_int_equal(cache_unlink(h->rig->cache, &entry), 0);
}

static void assert_delivered(struct call *call)
{
	struct hand *h = call->h;
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(on_server(h), 1);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY), 1);
	assert_int_equal(hand_count(h, inbox(h)), 1);
	assert_true(has(h, CACHE_NEW, "new"));
}

/* Away with what was delivered, here and there. */
static void clear(struct hand *h)
{
	struct cache_entry entry;
	assert_int_equal(hand_unlink(h, inbox(h), "new"), 0);
	if (cache_name_find(h->rig->cache, inbox(h), CACHE_TMP, "old", 0,
	                    &entry) == 0)
		assert_int_equal(cache_unlink(h->rig->cache, &entry), 0);
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 0);
	assert_int_equal(hand_rows(h), 0);
}

static void success_means_that_the_server_has_it(void **state)
{
	struct hand *h = *state;
	for (int is_untold = 0; is_untold < 2; is_untold++) {
		for (int is_link = 0; is_link < 2; is_link++) {
			struct call call;
			offer_mail(h, is_link != 0, &call);
			/* It does not wait for the dust: no time passes. */
			assert_int_equal(hand_push(h), 0);
			assert_int_equal(result(&call), 0);
			assert_int_equal(on_server(h), 1);
			assert_int_equal(has(h, CACHE_TMP, "old"), is_link);
			hand_pass(h, 2);
			assert_delivered(&call);
			clear(h);
		}
		fake_untold(h->rig->account);
	}
}

static void what_is_refused_was_not_delivered(void **state)
{
	static const int errs[] = { -EDQUOT, -EACCES, -EROFS, -EOPNOTSUPP };
	struct hand *h = *state;
	struct call call;
	for (size_t i = 0; i < 2 * COUNT_OF(errs); i++) {
		int err = errs[i / 2];
		fake_refuse(h->rig->account, "INBOX", err);
		offer_mail(h, i % 2 != 0, &call);
		assert_int_equal(hand_push(h), 0);
		assert_int_equal(result(&call), err);
		assert_untouched(&call);
	}
	fake_refuse(h->rig->account, "INBOX", 0);
	make(h, "old", "a\0b\n", 4, &call);
	offer(&call, false);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(result(&call), -EILSEQ);
	assert_untouched(&call);
	fake_size_limit(h->rig->account, 10);
	offer_mail(h, true, &call);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(result(&call), -EFBIG);
	assert_untouched(&call);
	/* Nor is it later. */
	hand_pass(h, 5);
	assert_int_equal(on_server(h), 0);
}

static void without_a_connection_nothing_is_made(void **state)
{
	struct hand *h = *state;
	struct call call;
	offer_mail(h, false, &call);
	jobs_connected(h->rig->cache->jobs, 0, -EHOSTUNREACH);
	assert_int_equal(result(&call), -EHOSTUNREACH);
	assert_untouched(&call);
	make(h, "old", BODY, strlen(BODY), &call);
	assert_int_equal(begin(&call, true), -EHOSTUNREACH);
	assert_untouched(&call);
}

/* Until the wait is over, or one second before. */
static void let_time_pass(struct hand *h, int less_ms)
{
	clock_advance_ms(h->rig->config.timeout_ms - less_ms);
	cache_tick(h->rig->cache);
}

static void what_was_not_sent_in_time_was_not_delivered(void **state)
{
	struct hand *h = *state;
	for (int is_link = 0; is_link < 2; is_link++) {
		struct call call;
		offer_mail(h, is_link != 0, &call);
		let_time_pass(h, 1000);
		assert_false(is_over(&call));
		let_time_pass(h, h->rig->config.timeout_ms - 1000);
		assert_int_equal(result(&call), -ETIMEDOUT);
		assert_untouched(&call);
	}
	hand_pass(h, 5);
	assert_int_equal(fake_calls(h->rig->account, FAKE_APPEND), 0);
}

static void what_did_not_reach_the_server_is_sent_again(void **state)
{
	struct hand *h = *state;
	struct call call;
	fake_fail(h->rig->account, FAKE_APPEND, 1, 1, -EHOSTUNREACH);
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	assert_false(is_over(&call));
	remote_disconnect(h->session.remote);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(result(&call), 0);
	assert_delivered(&call);
	clear(h);

	fake_fail(h->rig->account, FAKE_APPEND, 1, 1, -EHOSTUNREACH);
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	remote_disconnect(h->session.remote);
	jobs_connected(h->rig->cache->jobs, 0, -EHOSTUNREACH);
	assert_int_equal(result(&call), -EHOSTUNREACH);
	assert_untouched(&call);
}

/* Whatever became of it, the caller must not deliver it once more. */
static void what_may_be_there_is_the_journals(void **state)
{
	static const enum fake_loss losses[] = { FAKE_LOST_UNDONE,
		                                 FAKE_LOST_DONE,
		                                 FAKE_LOST_LATE };
	struct hand *h = *state;
	for (size_t i = 0; i < 2 * COUNT_OF(losses); i++) {
		struct call call;
		fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, losses[i / 2]);
		offer_mail(h, i % 2 != 0, &call);
		assert_int_equal(hand_push(h), -EHOSTUNREACH);
		remote_disconnect(h->session.remote);
		assert_false(is_over(&call));
		let_time_pass(h, 0);
		assert_int_equal(result(&call), 0);
		assert_int_equal(hand_rows(h), 1);
		assert_true(has(h, CACHE_NEW, "new"));
		(void)fake_commit_late(h->rig->account);
		hand_pass(h, 80);
		assert_delivered(&call);
		clear(h);
	}
}

static void what_is_found_in_time_is_answered(void **state)
{
	struct hand *h = *state;
	struct call call;
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_DONE);
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	remote_disconnect(h->session.remote);
	hand_pass(h, 3);
	assert_int_equal(result(&call), 0);
	assert_delivered(&call);
}

/* Refused when it was sent a second time: the call was answered before. */
static void what_is_refused_later_stays_and_is_told(void **state)
{
	struct hand *h = *state;
	struct journal_row row;
	struct call call;
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_UNDONE);
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	let_time_pass(h, 0);
	assert_int_equal(result(&call), 0);
	fake_refuse(h->rig->account, "INBOX", -EDQUOT);
	hand_pass(h, 80);
	assert_int_equal(hand_rows(h), 1);
	assert_int_equal(journal_next(db_reader(h->rig->cache->db),
	                              JOURNAL_REFUSED, 0, &row),
	                 0);
	assert_true(has(h, CACHE_NEW, "new"));
	fake_refuse(h->rig->account, "INBOX", 0);
	assert_int_equal(cache_flush(h->rig->cache, true), 0);
	hand_pass(h, 3);
	assert_delivered(&call);
}

static void an_interrupt_tells_what_is_true(void **state)
{
	struct hand *h = *state;
	struct call call;
	offer_mail(h, false, &call);
	assert_false(cache_wait_cancel(h->rig->cache, call.wait));
	assert_int_equal(result(&call), -EINTR);
	assert_untouched(&call);

	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_DONE);
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	assert_false(cache_wait_cancel(h->rig->cache, call.wait));
	assert_int_equal(result(&call), 0);
	remote_disconnect(h->session.remote);
	hand_pass(h, 3);
	assert_delivered(&call);
	assert_false(cache_wait_cancel(h->rig->cache, call.wait));
}

/* Open it anew; the session's remote serves on. */
static void reopen(struct hand *h)
{
	rig_close(h->rig);
	rig_open(h->rig);
	h->session.cache = h->rig->cache;
	jobs_serve(h->rig->cache->jobs, &h->session.remote, 1);
}

static void the_end_takes_back_what_was_not_sent(void **state)
{
	struct hand *h = *state;
	struct call call;
	offer_mail(h, false, &call);
	reopen(h);
	assert_int_equal(result(&call), -ECANCELED);
	assert_untouched(&call);
}

/* As a death leaves it: offered, and nobody waits. */
static void leave_offered(struct hand *h, bool is_link, struct call *call)
{
	struct journal_row row;
	struct db_conn *conn;
	h->rig->cache->ack = CACHE_ACK_JOURNAL;
	make(h, "old", BODY, strlen(BODY), call);
	assert_int_equal(begin(call, is_link), 0);
	assert_int_equal(result(call), 0);
	assert_int_equal(db_begin(h->rig->cache->db, &conn), 0);
	assert_int_equal(journal_each(conn, 0, &row), 0);
	assert_int_equal(journal_offer(conn, row.id,
	                               is_link ? NULL : &call->entry),
	                 0);
	assert_int_equal(db_commit(conn), 0);
}

static void a_start_takes_back_what_nobody_was_told_of(void **state)
{
	struct hand *h = *state;
	for (int is_link = 0; is_link < 2; is_link++) {
		struct call call;
		leave_offered(h, is_link != 0, &call);
		reopen(h);
		assert_untouched(&call);
	}
}

static void a_start_keeps_what_may_be_there(void **state)
{
	struct hand *h = *state;
	struct call call;
	leave_offered(h, false, &call);
	fake_cut(h->rig->account, FAKE_APPEND, 1, 0, 1, FAKE_LOST_DONE);
	/* It dies before it is told. */
	struct journal_row row;
	struct db_conn *conn;
	assert_int_equal(hand_push(h), -EHOSTUNREACH);
	assert_int_equal(db_begin(h->rig->cache->db, &conn), 0);
	assert_int_equal(journal_next(conn, JOURNAL_SENT, 0, &row), 0);
	assert_false(row.is_offered);
	assert_int_equal(journal_offer(conn, row.id, &call.entry), 0);
	assert_int_equal(journal_update(conn, &row), 0);
	assert_int_equal(db_commit(conn), 0);
	remote_disconnect(h->session.remote);
	reopen(h);
	hand_pass(h, 3);
	assert_delivered(&call);
}

/* A name that is another's by now cannot be given back. */
static void what_cannot_be_taken_back_is_delivered(void **state)
{
	struct hand *h = *state;
	struct call call, other;
	offer_mail(h, false, &call);
	make(h, "old", "other\n", 6, &other);
	let_time_pass(h, 0);
	assert_int_equal(result(&call), 0);
	hand_pass(h, 3);
	assert_delivered(&call);
}

static void only_a_new_message_waits(void **state)
{
	struct hand *h = *state;
	struct call call;
	offer_mail(h, false, &call);
	assert_int_equal(hand_push(h), 0);
	assert_int_equal(result(&call), 0);
	jobs_connected(h->rig->cache->jobs, 0, -EHOSTUNREACH);
	/* Flags, an edit, a local file, a mailbox that is not there yet. */
	assert_int_equal(hand_move(h, inbox(h), "new", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	assert_int_equal(hand_replace(h, inbox(h), "new", BODY "more\n"), 0);
	assert_int_equal(hand_deliver(h, inbox(h), ".hidden", "x\n"), 0);
	int64_t folder;
	assert_int_equal(cache_folder_make(h->rig->cache, CACHE_ROOT, "Fresh",
	                                   &folder),
	                 0);
	for (int place = 0; place <= CACHE_TMP; place++)
		assert_int_equal(cache_place_make(h->rig->cache, folder,
		                                  (enum cache_place)place),
		                 0);
	assert_int_equal(hand_deliver(h, folder, "a", BODY), 0);
	hand_pass(h, 8);
	assert_int_equal(hand_rows(h), 0);
	assert_int_equal(fake_count(h->rig->account, "Fresh"), 1);
	assert_int_equal(fake_copies(h->rig->account, "INBOX", BODY "more\n"),
	                 1);
	assert_int_equal(on_server(h), 1);
}

/* The threads of a running cache do the same. */
static void a_running_cache_answers(void **state)
{
	struct rig *rig = *state;
	struct hand h = { .rig = rig };
	rig->config.ack = CACHE_ACK_SERVER;
	rig_close(rig);
	rig_open(rig);
	rig_start(rig, 1);
	(void)rig_listed(rig, "INBOX");
	assert_int_equal(hand_deliver(&h, inbox(&h), "a", BODY), 0);
	assert_int_equal(fake_copies(rig->account, "INBOX", BODY), 1);
	fake_refuse(rig->account, "INBOX", -EDQUOT);
	assert_int_equal(hand_deliver(&h, inbox(&h), "b", BODY), -EDQUOT);
	assert_false(has(&h, CACHE_NEW, "b"));
	assert_true(has(&h, CACHE_TMP, "b"));
}

#define ACK_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup, hand_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACK_TEST(success_means_that_the_server_has_it),
		ACK_TEST(what_is_refused_was_not_delivered),
		ACK_TEST(without_a_connection_nothing_is_made),
		ACK_TEST(what_was_not_sent_in_time_was_not_delivered),
		ACK_TEST(what_did_not_reach_the_server_is_sent_again),
		ACK_TEST(what_may_be_there_is_the_journals),
		ACK_TEST(what_is_found_in_time_is_answered),
		ACK_TEST(what_is_refused_later_stays_and_is_told),
		ACK_TEST(an_interrupt_tells_what_is_true),
		ACK_TEST(the_end_takes_back_what_was_not_sent),
		ACK_TEST(a_start_takes_back_what_nobody_was_told_of),
		ACK_TEST(a_start_keeps_what_may_be_there),
		ACK_TEST(what_cannot_be_taken_back_is_delivered),
		ACK_TEST(only_a_new_message_waits),
		cmocka_unit_test_setup_teardown(a_running_cache_answers,
		                                rig_setup, rig_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
