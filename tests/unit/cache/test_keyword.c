/*
 * Keywords by number, and the file that tells the numbers.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/cache/hand.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define BODY "From: a\nMessage-ID: <1@x>\n\nhello\n"

static int64_t inbox(struct hand *h)
{
	return hand_folder(h, "INBOX");
}

static const char *on_server(struct hand *h, const char *folder)
{
	struct fake_view v;
	assert_true(fake_view(h->rig->account, folder, 0, &v));
	return v.keywords;
}

/* One message in INBOX, given a name and with the server. */
static struct cache_entry deliver(struct hand *h, const char *base)
{
	assert_int_equal(hand_deliver(h, inbox(h), base, BODY), 0);
	hand_pass(h, 3);
	assert_int_equal(hand_rows(h), 0);
	return hand_entry(h, inbox(h), base);
}

static void rename_to(struct hand *h, const char *base, int64_t to,
                      const char *info, unsigned was, unsigned flags)
{
	struct cache_entry from = hand_entry(h, inbox(h), base);
	struct cache_name name = {
		to, CACHE_CUR, base, info, flags, was, false
	};
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	int n = cache_rename(h->rig->cache, &from, &name, NULL, rig_done, &o,
	                     &wait);
	assert_true(n >= 0);
	if (n == 0)
		assert_int_equal(rig_outcome(h->rig, &o), 0);
}

static bool find_file(struct hand *h, int64_t folder, struct cache_entry *out)
{
	return cache_name_find(h->rig->cache, folder, CACHE_TOP,
	                       CACHE_KEYWORDS_FILE, 0, out) == 0;
}

static void assert_file(struct hand *h, int64_t folder, const char *text)
{
	struct cache_entry entry;
	struct cache_body body;
	struct cache_wait *wait;
	char bytes[2048] = "";
	assert_true(find_file(h, folder, &entry));
	assert_int_equal(cache_body_open(h->rig->cache, entry.message.id, NULL,
	                                 NULL, &body, &wait),
	                 1);
	assert_true(pread(body.fd, bytes, sizeof(bytes) - 1, 0) >= 0);
	(void)close(body.fd);
	assert_string_equal(bytes, text);
}

/* As a program writes it: beside, and renamed over it; or in place. */
static void write_file(struct hand *h, int64_t folder, const char *text,
                       bool is_in_place)
{
	struct cache *c = h->rig->cache;
	struct cache_name lock = { .folder = folder,
		                   .place = CACHE_TOP,
		                   .base = CACHE_KEYWORDS_FILE ".lock",
		                   .info = "" };
	struct cache_name name = lock;
	struct cache_entry entry, over;
	struct cache_wait *wait;
	bool has_over = find_file(h, folder, &over);
	int fd;
	name.base = CACHE_KEYWORDS_FILE;
	if (is_in_place && has_over) {
		entry = over;
		assert_int_equal(cache_file_edit(c, over.message.id, true, NULL,
		                                 &fd),
		                 0);
	} else {
		assert_int_equal(cache_file_create(c,
		                                   is_in_place ? &name : &lock,
		                                   0600, getuid(), getgid(),
		                                   &entry, &fd),
		                 0);
	}
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	(void)close(fd);
	cache_file_release(c, entry.message.id);
	if (!is_in_place)
		assert_int_equal(cache_rename(c, &entry, &name,
		                              has_over ? &over : NULL, rig_done,
		                              NULL, &wait),
		                 1);
}

static void keywords_get_numbers_as_they_come(void **state)
{
	struct hand *h = *state;
	struct fake_account *a = h->rig->account;
	uint64_t first = fake_message_add(a, "INBOX", 2, 10, 0);
	fake_message_keywords(a, "INBOX", first, "work");
	fake_message_keywords(a, "INBOX", first + 1, "later work");
	hand_pass(h, 1);
	/* Without other flags nobody has taken note of them. */
	struct cache_entry e = rig_entry(h->rig, inbox(h), CACHE_NEW, 0);
	assert_int_equal(e.flags, CACHE_KEYWORD(0));
	e = rig_entry(h->rig, inbox(h), CACHE_NEW, 1);
	assert_int_equal(e.flags, CACHE_KEYWORD(0) | CACHE_KEYWORD(1));
	assert_file(h, inbox(h), "0 work\n1 later\n");
	fake_message_keywords(a, "INBOX", first, "");
	fake_message_flag(a, "INBOX", first + 1, MAIL_SEEN);
	hand_pass(h, 1);
	assert_int_equal(rig_entry(h->rig, inbox(h), CACHE_NEW, 0).flags, 0);
	e = rig_entry(h->rig, inbox(h), CACHE_CUR, 0);
	assert_int_equal(e.flags,
	                 MAIL_SEEN | CACHE_KEYWORD(0) | CACHE_KEYWORD(1));
	/* A number is never another's. */
	fake_message_keywords(a, "INBOX", first, "new");
	hand_pass(h, 1);
	assert_file(h, inbox(h), "0 work\n1 later\n2 new\n");
	assert_int_equal(hand_rows(h), 0);
}

static void a_rename_sets_and_takes_away(void **state)
{
	struct hand *h = *state;
	struct cache_entry e = deliver(h, "a");
	assert_int_equal(cache_keywords_set(h->rig->cache, e.message.id,
	                                    "work later"),
	                 0);
	hand_pass(h, 3);
	assert_file(h, inbox(h), "0 work\n1 later\n");
	assert_int_equal(hand_entry(h, inbox(h), "a").flags,
	                 CACHE_KEYWORD(0) | CACHE_KEYWORD(1));
	rename_to(h, "a", inbox(h), ":2,Sb",
	          CACHE_KEYWORD(0) | CACHE_KEYWORD(1),
	          MAIL_SEEN | CACHE_KEYWORD(1));
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "INBOX"), "later");
	rename_to(h, "a", inbox(h), ":2,Sa", CACHE_KEYWORD(1),
	          MAIL_SEEN | CACHE_KEYWORD(0));
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "INBOX"), "work");
	/* Who did not see a keyword does not remove it; the name is theirs. */
	rename_to(h, "a", inbox(h), ":2,F", 0, MAIL_FLAGGED);
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "INBOX"), "work");
	e = hand_entry(h, inbox(h), "a");
	assert_int_equal(e.flags, MAIL_FLAGGED | CACHE_KEYWORD(0));
	assert_int_equal(e.shown, e.flags);
	assert_string_equal(e.info, ":2,F");
	assert_int_equal(hand_rows(h), 0);
}

static void a_delivery_brings_its_keywords(void **state)
{
	struct hand *h = *state;
	write_file(h, inbox(h), "3 work\n", false);
	struct cache_name tmp = { inbox(h), CACHE_TMP, "d", "", 0, 0, false };
	struct cache_name to = {
		inbox(h), CACHE_CUR, "d", ":2,Sd", MAIL_SEEN | CACHE_KEYWORD(3),
		0,        false
	};
	struct outcome o = { .rig = h->rig };
	struct cache_entry entry;
	struct cache_wait *wait;
	int fd;
	assert_int_equal(cache_file_create(h->rig->cache, &tmp, 0600, getuid(),
	                                   getgid(), &entry, &fd),
	                 0);
	assert_int_equal(pwrite(fd, BODY, strlen(BODY), 0), strlen(BODY));
	(void)close(fd);
	cache_file_release(h->rig->cache, entry.message.id);
	assert_int_equal(cache_rename(h->rig->cache, &entry, &to, NULL,
	                              rig_done, &o, &wait),
	                 0);
	assert_int_equal(rig_outcome(h->rig, &o), 0);
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "INBOX"), "work");
	assert_int_equal(fake_calls(h->rig->account, FAKE_FLAGS), 0);
}

static void a_number_may_get_its_meaning_later(void **state)
{
	struct hand *h = *state;
	(void)deliver(h, "a");
	for (int i = 0; i < 2; i++) {
		unsigned number = CACHE_KEYWORD(4 + i);
		const char *info = i == 0 ? ":2,Se" : ":2,Sef";
		unsigned was = i == 0 ? 0 : CACHE_KEYWORD(4);
		rename_to(h, "a", inbox(h), info, was,
		          MAIL_SEEN | was | number);
		hand_pass(h, 3);
		struct cache_entry e = hand_entry(h, inbox(h), "a");
		assert_string_equal(on_server(h, "INBOX"),
		                    i == 0 ? "" : "soon");
		assert_false(e.flags & number);
		/* By rename, and in place. */
		write_file(h, inbox(h), i == 0 ? "4 soon\n" : "4 soon\n5 too\n",
		           i == 1);
		e = hand_entry(h, inbox(h), "a");
		assert_true(e.flags & number);
		assert_int_equal(e.shown, e.flags);
		assert_string_equal(e.info, info);
		hand_pass(h, 3);
		assert_string_equal(on_server(h, "INBOX"),
		                    i == 0 ? "soon" : "soon too");
	}
	assert_int_equal(hand_rows(h), 0);
}

static void others_may_give_numbers(void **state)
{
	struct hand *h = *state;
	struct fake_account *a = h->rig->account;
	uint64_t first = fake_message_add(a, "INBOX", 2, 10, 0);
	fake_message_keywords(a, "INBOX", first, "work");
	hand_pass(h, 1);
	write_file(h, inbox(h), "0 work\n7 mine\n", false);
	fake_message_keywords(a, "INBOX", first + 1, "mine other");
	hand_pass(h, 1);
	assert_int_equal(rig_entry(h->rig, inbox(h), CACHE_NEW, 1).flags,
	                 CACHE_KEYWORD(7) | CACHE_KEYWORD(8));
	assert_file(h, inbox(h), "0 work\n7 mine\n8 other\n");
}

/* As in Maildir++. */
static void the_file_of_inbox_may_be_at_the_root(void **state)
{
	struct hand *h = *state;
	struct cache_entry entry;
	h->rig->cache->is_inbox_root = true;
	uint64_t first = fake_message_add(h->rig->account, "INBOX", 1, 10, 0);
	fake_message_keywords(h->rig->account, "INBOX", first, "work");
	hand_pass(h, 1);
	assert_file(h, CACHE_ROOT, "0 work\n");
	assert_false(find_file(h, inbox(h), &entry));
	write_file(h, CACHE_ROOT, "0 work\n4 mine\n", false);
	fake_message_keywords(h->rig->account, "INBOX", first, "mine");
	hand_pass(h, 1);
	assert_int_equal(rig_entry(h->rig, inbox(h), CACHE_NEW, 0).flags,
	                 CACHE_KEYWORD(4));
	uint64_t other = fake_message_add(h->rig->account, "Lists/c", 1, 9, 0);
	fake_message_keywords(h->rig->account, "Lists/c", other, "work");
	hand_pass(h, 1);
	assert_file(h, CACHE_ROOT, "0 work\n4 mine\n");
}

static void what_is_wrong_in_the_file_is_put_right(void **state)
{
	static const char *const TEXTS[] = {
		"",
		"0 later\n",
		"1 work\n0 later\n",
		"0 work\n1 later\n1 more\n",
		"0 work\n1 later\n26 x\n-1 y\nz\n2\n3 \n4 a b\n",
		"0 work\n1 later\n0 work\n",
	};
	struct hand *h = *state;
	uint64_t first = fake_message_add(h->rig->account, "INBOX", 1, 10, 0);
	fake_message_keywords(h->rig->account, "INBOX", first, "work later");
	hand_pass(h, 1);
	for (size_t i = 0; i < 2 * COUNT_OF(TEXTS); i++) {
		write_file(h, inbox(h), TEXTS[i / 2], i % 2 == 0);
		if (strstr(TEXTS[i / 2], "26 x") == NULL)
			assert_file(h, inbox(h), "0 work\n1 later\n");
	}
	/* What was taken away comes with the next keyword. */
	struct cache_entry entry;
	assert_true(find_file(h, inbox(h), &entry));
	assert_int_equal(cache_unlink(h->rig->cache, &entry), 0);
	fake_message_keywords(h->rig->account, "INBOX", first, "more");
	hand_pass(h, 1);
	assert_file(h, inbox(h), "0 work\n1 later\n2 more\n");
}

static void there_are_only_so_many_numbers(void **state)
{
	struct hand *h = *state;
	char words[JOURNAL_KEYWORDS_MAX + 1] = "";
	for (int i = 0; i < 30; i++) {
		size_t len = strlen(words);
		(void)snprintf(words + len, sizeof(words) - len, "%sk%d",
		               i > 0 ? " " : "", i);
	}
	uint64_t first = fake_message_add(h->rig->account, "INBOX", 1, 10, 0);
	fake_message_keywords(h->rig->account, "INBOX", first, words);
	hand_pass(h, 1);
	struct cache_entry e = rig_entry(h->rig, inbox(h), CACHE_NEW, 0);
	assert_int_equal(e.flags, ~MAIL_FLAGS);
	struct cache_facts facts;
	assert_int_equal(cache_facts_get(h->rig->cache, e.message.id, &facts),
	                 0);
	assert_string_equal(facts.keywords, words);
	assert_int_equal(facts.flags, 0);
}

static void keywords_go_along_to_another_folder(void **state)
{
	struct hand *h = *state;
	struct cache_folder lists;
	assert_int_equal(cache_folder_find(h->rig->cache,
	                                   hand_folder(h, "Lists"), "c",
	                                   &lists),
	                 0);
	write_file(h, lists.id, "0 other\n1 second\n", false);
	struct cache_entry e = deliver(h, "a");
	assert_int_equal(cache_keywords_set(h->rig->cache, e.message.id,
	                                    "work"),
	                 0);
	hand_pass(h, 3);
	/* As `mv`: the same letters, which mean something else there. */
	rename_to(h, "a", lists.id, ":2,Sa", CACHE_KEYWORD(0),
	          MAIL_SEEN | CACHE_KEYWORD(0));
	e = hand_entry(h, lists.id, "a");
	assert_int_equal(e.flags, MAIL_SEEN | CACHE_KEYWORD(2));
	assert_int_equal(e.shown, e.flags);
	assert_string_equal(e.info, ":2,Sa");
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "Lists/c"), "work");
	assert_file(h, lists.id, "0 other\n1 second\n2 work\n");
	/* And to a further name. */
	assert_int_equal(hand_link(h, lists.id, "a", inbox(h), "b"), 0);
	hand_pass(h, 3);
	assert_string_equal(on_server(h, "INBOX"), "work");
	assert_int_equal(hand_entry(h, inbox(h), "b").flags, CACHE_KEYWORD(0));
	assert_int_equal(hand_rows(h), 0);
}

static void changes_of_both_sides_are_merged(void **state)
{
	struct hand *h = *state;
	struct fake_view v;
	(void)deliver(h, "a");
	assert_true(fake_view(h->rig->account, "INBOX", 0, &v));
	assert_int_equal(hand_move(h, inbox(h), "a", inbox(h), CACHE_CUR,
	                           MAIL_SEEN),
	                 0);
	fake_message_keywords(h->rig->account, "INBOX", v.number, "work");
	fake_fail(h->rig->account, FAKE_FLAGS, 1, 1, -EBUSY);
	hand_pass(h, 6);
	assert_int_equal(hand_entry(h, inbox(h), "a").flags,
	                 MAIL_SEEN | CACHE_KEYWORD(0));
	assert_true(fake_view(h->rig->account, "INBOX", 0, &v));
	assert_string_equal(v.keywords, "work");
	assert_int_equal(v.flags, MAIL_SEEN);
	assert_int_equal(hand_rows(h), 0);
}

/* It is ours, and alone keeps nothing. */
static void the_file_alone_keeps_no_mailbox(void **state)
{
	struct hand *h = *state;
	struct cache *c = h->rig->cache;
	struct fake_account *a = h->rig->account;
	static const char *const NAMES[] = { "Here", "There" };
	for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
		fake_folder_add(a, NAMES[i], 0);
		uint64_t n = fake_message_add(a, NAMES[i], 1, 10, 0);
		fake_message_keywords(a, NAMES[i], n, "work");
	}
	hand_pass(h, 2);
	int64_t here = hand_folder(h, "Here");
	assert_file(h, here, "0 work\n");
	fake_folder_remove(a, "There");
	struct cache_entry e = rig_entry(h->rig, here, CACHE_NEW, 0);
	assert_int_equal(cache_unlink(c, &e), 0);
	hand_pass(h, 5);
	assert_int_equal(hand_folder(h, "There"), 0);
	for (int place = 0; place <= CACHE_TMP; place++)
		assert_int_equal(cache_place_remove(c, here,
		                                    (enum cache_place)place),
		                 0);
	assert_int_equal(cache_folder_remove(c, here), 0);
	hand_pass(h, 3);
	assert_false(fake_folder_is(a, "Here"));
	assert_int_equal(hand_rows(h), 0);
}

static void reopen(struct hand *h, const char *sql)
{
	char path[128];
	sqlite3 *sqlite;
	(void)snprintf(path, sizeof(path), "%s/index.db", h->rig->state_dir);
	rig_close(h->rig);
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	assert_int_equal(sqlite3_exec(sqlite, sql, NULL, NULL, NULL),
	                 SQLITE_OK);
	(void)sqlite3_close(sqlite);
	rig_open(h->rig);
	h->session.cache = h->rig->cache;
	jobs_serve(h->rig->cache->jobs, &h->session.remote, 1);
}

static void an_index_without_numbers_gets_them(void **state)
{
	struct hand *h = *state;
	uint64_t first = fake_message_add(h->rig->account, "INBOX", 3, 10, 0);
	fake_message_keywords(h->rig->account, "INBOX", first, "work");
	fake_message_keywords(h->rig->account, "INBOX", first + 1, "work");
	fake_message_flag(h->rig->account, "INBOX", first + 1, MAIL_SEEN);
	hand_pass(h, 1);
	struct cache_entry old = rig_entry(h->rig, inbox(h), CACHE_CUR, 0);
	reopen(h, "DROP TABLE keyword; DROP INDEX folder_object;"
	          "ALTER TABLE folder DROP COLUMN object;"
	          "ALTER TABLE entry DROP COLUMN unmapped;"
	          "UPDATE entry SET flags = flags & 63;"
	          "DROP INDEX journal_order; DROP INDEX journal_folder;"
	          "DROP INDEX journal_void; DROP INDEX journal_offered;"
	          /* What came after. */
	          "ALTER TABLE account DROP COLUMN split;"
	          "ALTER TABLE account DROP COLUMN split_low;"
	          "ALTER TABLE account DROP COLUMN split_high;"
	          "ALTER TABLE account DROP COLUMN spent_day;"
	          "ALTER TABLE account DROP COLUMN spent_bytes;"
	          "ALTER TABLE entry DROP COLUMN is_split;"
	          "ALTER TABLE removed DROP COLUMN is_split;"
	          "DROP TABLE landed; DROP TABLE logged;"
	          "ALTER TABLE void ADD COLUMN dir INTEGER NOT NULL DEFAULT 0;"
	          "ALTER TABLE journal DROP COLUMN void_at;"
	          "ALTER TABLE journal DROP COLUMN void_size;"
	          "ALTER TABLE journal DROP COLUMN unsure;"
	          "ALTER TABLE journal DROP COLUMN unsure_keywords;"
	          "PRAGMA user_version = 3");
	hand_pass(h, 2);
	struct cache_entry e = rig_entry(h->rig, inbox(h), CACHE_CUR, 0);
	assert_int_equal(e.id, old.id);
	assert_int_equal(e.flags, MAIL_SEEN | CACHE_KEYWORD(0));
	assert_int_equal(rig_entry(h->rig, inbox(h), CACHE_NEW, 0).flags,
	                 CACHE_KEYWORD(0));
	assert_int_equal(rig_entry(h->rig, inbox(h), CACHE_NEW, 1).flags, 0);
	/* They outlive us. */
	reopen(h, "SELECT 1");
	fake_message_keywords(h->rig->account, "INBOX", first + 2, "more work");
	hand_pass(h, 2);
	assert_file(h, inbox(h), "0 work\n1 more\n");
}

#define KEYWORD_TEST(name) \
	cmocka_unit_test_setup_teardown(name, hand_setup, hand_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEYWORD_TEST(keywords_get_numbers_as_they_come),
		KEYWORD_TEST(a_rename_sets_and_takes_away),
		KEYWORD_TEST(a_delivery_brings_its_keywords),
		KEYWORD_TEST(a_number_may_get_its_meaning_later),
		KEYWORD_TEST(others_may_give_numbers),
		KEYWORD_TEST(the_file_of_inbox_may_be_at_the_root),
		KEYWORD_TEST(what_is_wrong_in_the_file_is_put_right),
		KEYWORD_TEST(there_are_only_so_many_numbers),
		KEYWORD_TEST(keywords_go_along_to_another_folder),
		KEYWORD_TEST(changes_of_both_sides_are_merged),
		KEYWORD_TEST(the_file_alone_keeps_no_mailbox),
		KEYWORD_TEST(an_index_without_numbers_gets_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
