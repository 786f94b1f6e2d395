/*
 * Dying at any fault point.  A child runs the cache through a life on the fake
 * account and is killed at its kth point; then the account is brought to where
 * the life would have brought it, the cache is opened again, and must come to
 * hold what the account has; and opened once more, must find nothing to do.
 * k counts up until a child comes through.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cache/rig.h"

/* More than there ever are in a folder. */
#define MESSAGES 32
#define SIZE     100
/* In the life: so that bodies are evicted. */
#define LIMIT_LIFE (4 * SIZE)
#define LIMIT      (100 << 20)
/* Bodies that may be left uncounted: docs/cache-format.md. */
#define UNCOUNTED_MAX 64
/* More points than a life has, or it does not end. */
#define POINTS_MAX 2000
#define CHILD_S    60

struct life {
	bool is_plain; /* the server cannot tell what went */
	bool is_first; /* the first listing, nothing changes; else it is done */
	size_t inbox;  /* messages at its end */
	size_t archived; /* in Archive */
};

static int files;

static int count_file(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
	files += type == FTW_F;
	return 0;
}

static int body_files(const struct rig *rig)
{
	files = 0;
	(void)nftw(rig->cache_dir, count_file, 16, FTW_PHYS);
	return files;
}

/* What happens on the server, in steps; each brings news to the cache. */
static void begin(struct rig *rig)
{
	fake_message_add(rig->account, "INBOX", 12, SIZE, 0);
}

static void go_on(struct rig *rig)
{
	fake_message_add(rig->account, "INBOX", 6, SIZE, MAIL_SEEN);
	fake_message_remove(rig->account, "INBOX", 3);
	fake_message_remove(rig->account, "INBOX", 11);
	fake_message_flag(rig->account, "INBOX", 5, MAIL_FLAGGED);
}

static void end(struct rig *rig)
{
	fake_folder_reset(rig->account, "INBOX");
	fake_message_remove(rig->account, "INBOX", 7);
	fake_message_add(rig->account, "INBOX", 2, SIZE, 0);
	fake_folder_remove(rig->account, "Lists/c");
	fake_folder_add(rig->account, "Archive", 0);
	fake_message_add(rig->account, "Archive", 3, SIZE, MAIL_SEEN);
}

/* The flags that a message of INBOX has at the end; -1: it is not there. */
static int flags_at_end(const struct life *life, uint64_t number)
{
	if (life->is_first)
		return number <= 12 ? 0 : -1;
	if (number == 3 || number == 7 || number == 11 || number > 20)
		return -1;
	if (number == 5)
		return MAIL_FLAGGED;
	return number > 12 && number <= 18 ? MAIL_SEEN : 0;
}

static size_t entries(struct rig *rig, int64_t folder,
                      struct cache_entry out[MESSAGES])
{
	size_t count = 0;
	for (int place = CACHE_NEW; place <= CACHE_CUR; place++) {
		assert_int_equal(cache_scan_begin(rig->cache, folder,
		                                  (enum cache_place)place, 0,
		                                  false),
		                 0);
		while (count < MESSAGES &&
		       cache_scan_next(rig->cache, &out[count]) == 1)
			count++;
		cache_scan_end(rig->cache);
	}
	return count;
}

static void read_all(struct rig *rig, int64_t folder)
{
	struct cache_entry all[MESSAGES];
	size_t count = entries(rig, folder, all);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(rig_read(rig, &all[i]), 0);
}

static _Noreturn void live(struct rig *rig, const struct life *life, int k)
{
	char fault[32];
	(void)snprintf(fault, sizeof(fault), "*:%d:kill", k);
	(void)setenv("MAILMOUNT_FAULT", fault, 1);
	(void)alarm(CHILD_S);
	rig_open(rig);
	rig_start(rig, 1);
	int64_t inbox = rig_listed(rig, "INBOX");
	read_all(rig, inbox);
	if (life->is_first) {
		rig_close(rig);
		_exit(0);
	}
	go_on(rig);
	rig_poll(rig);
	end(rig);
	rig_poll(rig);
	struct cache_entry e = rig_entry(rig, inbox, CACHE_CUR, 1);
	assert_int_equal(rig_read(rig, &e), 0);
	rig_close(rig);
	_exit(0);
}

/* True if the child was killed, false if it came through. */
static bool die_at(struct rig *rig, const struct life *life, int k)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		live(rig, life, k);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	else
		assert_int_equal(WTERMSIG(status), SIGKILL);
	return WIFSIGNALED(status);
}

/* The number that the fake account wrote into a body. */
static uint64_t body_number(struct rig *rig, const struct cache_entry *e)
{
	struct outcome o = { .rig = rig };
	struct cache_wait *wait;
	int n = cache_body_open(rig->cache, e->message.id, rig_done, &o,
	                        &o.body, &wait);
	if (n == 0)
		n = rig_outcome(rig, &o);
	assert_true(n >= 0);
	char text[SIZE + 1] = "";
	assert_int_equal(pread(o.body.fd, text, sizeof(text), 0), SIZE);
	(void)close(o.body.fd);
	return strtoull(text, NULL, 10);
}

static void check_folders(struct rig *rig, const struct life *life)
{
	struct cache_folder folder;
	struct cache_entry archived[MESSAGES];
	assert_int_equal(cache_folder_find(rig->cache, CACHE_ROOT, "Lists",
	                                   &folder),
	                 -ENOENT);
	int64_t archive = rig_listed(rig, "Archive");
	assert_int_equal(entries(rig, archive, archived), life->archived);
	read_all(rig, archive);
}

/* The cache holds what the account has; *all_out is INBOX. */
static void check(struct rig *rig, const struct life *life,
                  struct cache_entry all_out[MESSAGES])
{
	int64_t inbox = rig_listed(rig, "INBOX");
	/* A list, the pulls it asks for, and a list that asks for none. */
	rig_poll(rig);
	if (!life->is_first)
		check_folders(rig, life);
	bool is_seen[MESSAGES] = { false };
	size_t count = entries(rig, inbox, all_out);
	assert_int_equal(count, life->inbox);
	for (size_t i = 0; i < count; i++) {
		uint64_t number = body_number(rig, &all_out[i]);
		assert_true(number > 0 && number < MESSAGES);
		assert_false(is_seen[number]);
		is_seen[number] = true;
		assert_int_equal(all_out[i].flags, flags_at_end(life, number));
		/* Without flags, a message may have been taken note of. */
		assert_true(all_out[i].place == CACHE_CUR ||
		            all_out[i].flags == 0);
	}
	(void)entries(rig, inbox, all_out);
}

static bool is_same(const struct cache_entry *a, const struct cache_entry *b)
{
	return a->id == b->id && a->place == b->place &&
	       a->identity == b->identity && a->flags == b->flags &&
	       a->message.id == b->message.id &&
	       a->message.received_at == b->message.received_at &&
	       a->message.size == b->message.size && a->message.is_cached &&
	       b->message.is_cached;
}

static void recover(struct rig *rig, const struct life *life)
{
	struct cache_entry all[MESSAGES], again[MESSAGES];
	size_t count = life->inbox + life->archived;
	struct cache_status status;
	rig_open(rig);
	rig_start(rig, 1);
	check(rig, life, all);
	cache_status(rig->cache, &status);
	assert_int_equal(status.messages, count);
	assert_int_equal(status.cached_bytes, count * SIZE);
	rig_close(rig);
	assert_int_equal(rig_violations(rig), 0);
	assert_in_range(body_files(rig), count, count + UNCOUNTED_MAX);

	int wants = fake_wants(rig->account);
	int told = rig->entries_changed;
	rig_open(rig);
	rig_start(rig, 1);
	check(rig, life, again);
	for (size_t i = 0; i < life->inbox; i++)
		assert_true(is_same(&all[i], &again[i]));
	assert_int_equal(fake_wants(rig->account), wants);
	assert_int_equal(rig->entries_changed, told);
	rig_close(rig);
}

/* A life in a rig of its own; true if it ended at the kth point. */
static bool one_life(const struct life *life, int k)
{
	struct rig whole, *rig = &whole;
	/* The disk only costs time: SIGKILL loses nothing that was written. */
	char dir[64];
	(void)snprintf(dir, sizeof(dir), "%s/crash-test-XXXXXX",
	               access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(dir));
	rig_init(rig, dir, fake_account_new());
	fake_folder_add(rig->account, "INBOX", 0);
	fake_folder_add(rig->account, "Lists/c", 0);
	if (life->is_plain)
		fake_plain(rig->account);
	else
		fake_chunk(rig->account, 5);
	begin(rig);
	rig->config.size_limit = LIMIT_LIFE;
	if (!life->is_first) {
		rig_open(rig);
		rig_start(rig, 1);
		(void)rig_listed(rig, "INBOX");
		rig_poll(rig);
		rig_close(rig);
	}
	bool is_killed = die_at(rig, life, k);
	if (!life->is_first) {
		go_on(rig);
		end(rig);
	}
	rig->config.size_limit = LIMIT;
	recover(rig, life);
	fake_account_free(rig->account);
	rig_remove(rig->dir);
	return is_killed;
}

/* How many different points the log of a life names. */
static size_t points_passed(const char *path)
{
	static const char *const points[] = {
		"body-temp\n",    "body-rename\n", "body-renamed\n",
		"body-evicted\n", "db-commit\n",   "db-committed\n",
		"pull-cursor\n",
	};
	bool is_passed[COUNT_OF(points)] = { false };
	FILE *log = fopen(path, "r");
	assert_non_null(log);
	char line[64];
	while (fgets(line, sizeof(line), log) != NULL)
		for (size_t i = 0; i < COUNT_OF(points); i++)
			is_passed[i] |= strcmp(line, points[i]) == 0;
	(void)fclose(log);
	size_t missing = 0;
	for (size_t i = 0; i < COUNT_OF(points); i++) {
		if (!is_passed[i])
			print_error("not passed: %s", points[i]);
		missing += !is_passed[i];
	}
	return COUNT_OF(points) - missing;
}

static const struct life first_life = { .is_first = true, .inbox = 12 };
static const struct life later_life = { .inbox = 17, .archived = 3 };
static const struct life plain_life = { .is_plain = true,
	                                .inbox = 17,
	                                .archived = 3 };

static void live_until_one_comes_through(const struct life *life)
{
	int k = 1;
	while (k < POINTS_MAX && one_life(life, k))
		k++;
	print_message("died at %d points\n", k - 1);
	assert_true(k > 50 && k < POINTS_MAX);
}

static void a_death_in_the_first_listing_is_recovered_from(void **state)
{
	live_until_one_comes_through(&first_life);
}

static void a_death_at_news_is_recovered_from(void **state)
{
	live_until_one_comes_through(&later_life);
}

static void a_death_in_a_sweep_is_recovered_from(void **state)
{
	live_until_one_comes_through(&plain_life);
}

static void a_life_passes_every_point(void **state)
{
	char path[] = "/tmp/crash-test-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)setenv("MAILMOUNT_FAULT_LOG", path, 1);
	bool is_killed = one_life(&later_life, 1 << 30);
	(void)unsetenv("MAILMOUNT_FAULT_LOG");
	size_t count = points_passed(path);
	(void)unlink(path);
	assert_false(is_killed);
	assert_int_equal(count, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_passes_every_point),
		cmocka_unit_test(
			a_death_in_the_first_listing_is_recovered_from),
		cmocka_unit_test(a_death_at_news_is_recovered_from),
		cmocka_unit_test(a_death_in_a_sweep_is_recovered_from),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
