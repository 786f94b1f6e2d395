/*
 * Every death of a writer: each play is run until it dies at its first fault
 * point, its second, and so on to the last; each time it is begun again, and
 * dies again while it recovers, at one point after the other.  Then it is left
 * in peace, and what was acknowledged must be there exactly once, what was
 * not, once or not at all, and what is of others as it was; and a second
 * recovery must change nothing.
 *
 *	CRASH_ALL=1		die at every point of each recovery: an hour
 *	CRASH_EVERY=10		only every tenth first death
 *	CRASH_PLAY=move		that play only
 *	CRASH_AT=17:3		that run only: first and second death
 *	CRASH_LOG=1		tell each call
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cache/play.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* Deaths in recovery: at the first, for the next run at the second, and so on. */
#define SECONDS 30
/* Where keys are not told, the first death is at every third point. */
#define UNTOLD_EVERY 3
#define RUNS_MIN     2000
#define FAILURES_MAX 10
#define MEMORY       ((size_t)4 << 20)

/* clang-format off */
#define DELIVER(f, n)    { PLAY_DELIVER, f, n }
#define FLAG(f, n, bits) { PLAY_FLAG, f, n, .number = (bits) }
#define MOVE(f, n, t)    { PLAY_MOVE, f, n, t }
#define COPY(f, n, t)    { PLAY_COPY, f, n, t }
#define REPLACE(f, n)    { PLAY_REPLACE, f, n }
#define UNLINK(f, n)     { PLAY_UNLINK, f, n }
#define PLACE(f, which)  { PLAY_PLACE, f, .number = CACHE_##which }
#define MKDIR(f)         { PLAY_MKDIR, f }, \
                         PLACE(f, CUR), PLACE(f, NEW), PLACE(f, TMP)
#define RENAME(f, t)     { PLAY_RENAME, f, .to = t }
#define PASS             { PLAY_PASS }
#define RESET(f)         { PLAY_RESET, f }
#define REFUSE(f, err)   { PLAY_REFUSE, f, .number = err }
#define CUT(what, how)   { PLAY_CUT, .op = FAKE_##what, \
                           .loss = FAKE_LOST_##how }

static const struct play plays[] = {
	{ "deliver", false, {
		DELIVER("INBOX", "1"), PASS,
		CUT(APPEND, DONE), DELIVER("INBOX", "2"), DELIVER("a", "3"),
		PASS, CUT(APPEND, UNDONE), DELIVER("INBOX", "4"), PASS, PASS,
	} },
	{ "deliver to the server", false, {
		DELIVER("INBOX", "1"), FLAG("INBOX", "1", MAIL_SEEN),
		CUT(APPEND, DONE), DELIVER("INBOX", "2"), DELIVER("a", "3"),
		CUT(APPEND, UNDONE), DELIVER("INBOX", "4"), PASS, PASS,
	}, CACHE_ACK_SERVER },
	{ "flag", false, {
		DELIVER("INBOX", "1"), DELIVER("INBOX", "2"), PASS,
		FLAG("INBOX", "1", MAIL_SEEN), PASS,
		FLAG("INBOX", "1", MAIL_SEEN | MAIL_FLAGGED),
		FLAG("INBOX", "2", MAIL_ANSWERED),
		CUT(FLAGS, DONE), PASS, PASS,
		FLAG("INBOX", "1", 0), FLAG("INBOX", "2", 0), PASS,
	} },
	{ "new to cur", false, {
		DELIVER("INBOX", "1"), PASS, FLAG("INBOX", "1", 0), PASS,
		DELIVER("INBOX", "2"), FLAG("INBOX", "2", 0), PASS,
		DELIVER("a", "3"), FLAG("a", "3", MAIL_SEEN), PASS,
	} },
	{ "move", false, {
		DELIVER("INBOX", "1"), DELIVER("INBOX", "2"), PASS,
		MOVE("INBOX", "1", "a"), PASS,
		CUT(MOVE, HALF), MOVE("INBOX", "2", "a"), PASS, PASS,
		MOVE("a", "1", "b"), MOVE("b", "1", "INBOX"), PASS,
		DELIVER("b", "3"), MOVE("b", "3", "a"), PASS,
		CUT(MOVE, DONE), MOVE("a", "3", "b"), PASS, PASS,
	} },
	{ "copy", false, {
		DELIVER("INBOX", "1"), PASS, COPY("INBOX", "1", "a"), PASS,
		CUT(COPY, DONE), COPY("INBOX", "1", "b"), PASS, PASS,
		DELIVER("a", "2"), COPY("a", "2", "b"), PASS,
		FLAG("b", "2c", MAIL_SEEN), PASS,
	} },
	{ "delete", false, {
		DELIVER("INBOX", "1"), DELIVER("INBOX", "2"),
		DELIVER("a", "3"), PASS, UNLINK("INBOX", "1"), PASS,
		CUT(REMOVE, DONE), UNLINK("INBOX", "2"), PASS, PASS,
		UNLINK("a", "3"), PASS, DELIVER("a", "4"), UNLINK("a", "4"),
		PASS,
	} },
	{ "delete to Trash", true, {
		DELIVER("INBOX", "1"), DELIVER("INBOX", "2"), PASS, PASS,
		UNLINK("INBOX", "1"), PASS,
		CUT(MOVE, DONE), UNLINK("INBOX", "2"), PASS, PASS,
	} },
	{ "replace", false, {
		DELIVER("INBOX", "1"), PASS, REPLACE("INBOX", "1"), PASS,
		REPLACE("INBOX", "1"), REPLACE("INBOX", "1"), PASS,
		CUT(APPEND, DONE), REPLACE("INBOX", "1"), PASS, PASS,
		DELIVER("a", "2"), REPLACE("a", "2"), PASS,
	} },
	{ "mkdir", false, {
		MKDIR("x"), PASS, DELIVER("x", "1"), PASS,
		MKDIR("y"), DELIVER("y", "2"), CUT(CREATE, DONE), PASS, PASS,
		MOVE("x", "1", "y"), PASS,
	} },
	{ "rename mailbox", false, {
		MKDIR("x"), DELIVER("x", "1"), PASS, RENAME("x", "y"), PASS,
		DELIVER("y", "2"), FLAG("y", "1", MAIL_SEEN),
		RENAME("y", "x"), CUT(RENAME, DONE), PASS, PASS,
		RENAME("x", "y"), RENAME("y", "x"), PASS,
	} },
	{ "rename mailbox unanswered", false, {
		MKDIR("x"), DELIVER("x", "1"), CUT(CREATE, DONE), PASS,
		RENAME("x", "y"), PASS, PASS,
		RENAME("y", "x"), CUT(RENAME, DONE), PASS,
		RENAME("x", "z"), PASS, PASS,
		RENAME("z", "y"), CUT(RENAME, DONE), PASS,
		RENAME("y", "z"), PASS, PASS,
	} },
	{ "offline batch", false, {
		DELIVER("INBOX", "1"), DELIVER("a", "2"), PASS,
		DELIVER("INBOX", "3"), DELIVER("INBOX", "4"),
		FLAG("INBOX", "1", MAIL_SEEN), MOVE("a", "2", "b"),
		COPY("INBOX", "1", "b"), UNLINK("INBOX", "4"),
		REPLACE("INBOX", "3"), MKDIR("x"), MOVE("INBOX", "1", "x"),
		FLAG("x", "1", MAIL_FLAGGED), RENAME("x", "y"),
		DELIVER("y", "5"), PASS, PASS,
	} },
	{ "quota refusal", false, {
		REFUSE("INBOX", -EDQUOT), DELIVER("INBOX", "1"), PASS,
		DELIVER("a", "2"), PASS, MOVE("a", "2", "INBOX"), PASS,
		FLAG("INBOX", "1", MAIL_SEEN), PASS, REFUSE("INBOX", 0),
		DELIVER("INBOX", "3"), PASS,
	} },
	{ "UIDVALIDITY change", false, {
		DELIVER("INBOX", "1"), DELIVER("INBOX", "2"), PASS,
		RESET("INBOX"), FLAG("INBOX", "1", MAIL_SEEN), PASS, PASS,
		MOVE("INBOX", "2", "a"), RESET("INBOX"), RESET("a"), PASS,
		PASS, DELIVER("INBOX", "3"), CUT(APPEND, DONE), PASS,
		RESET("INBOX"), PASS, PASS,
	} },
};
/* clang-format on */

/* What outlives a death. */
struct world {
	const struct play *play;
	int at; /* the step under way */
	int64_t now_ms;
	struct fake_account *account;
	char dir[64];
	char why[2 * PLAY_WHY + 8];
};

struct tally {
	long runs, second_deaths;
	int failures;
};

__attribute__((format(printf, 2, 3), noreturn)) static void
fail_run(struct world *w, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(w->why, sizeof(w->why), format, args);
	va_end(args);
	_exit(1);
}

static void open_hand(struct world *w, struct rig *rig, struct hand *h)
{
	int64_t now = clock_now_ms();
	if (w->now_ms > now)
		clock_advance_ms(w->now_ms - now);
	rig_init(rig, w->dir, w->account);
	rig->config.ack = w->play->ack;
	rig_open(rig);
	hand_take(h, rig);
}

static void play_all(struct world *w)
{
	struct rig rig;
	struct hand h;
	open_hand(w, &rig, &h);
	(void)hand_round(&h);
	for (; w->play->steps[w->at].deed != PLAY_END; w->at++) {
		int err = play_do(&h, w->play, w->at);
		w->now_ms = clock_now_ms();
		if (err < 0)
			fail_run(w, "%s", strerror(-err));
	}
	hand_drop(&h);
}

static void quiesce(struct world *w, struct hand *h)
{
	fake_heal(w->account);
	for (size_t i = 0; i < 3; i++)
		fake_refuse(w->account,
		            (const char *const[]){ "INBOX", "a", "b" }[i], 0);
	(void)cache_flush(h->rig->cache, true);
	for (int i = 0; i < 60 && (i < 4 || hand_rows(h) > 0); i++) {
		clock_advance_ms(5000);
		(void)hand_round(h);
		w->now_ms = clock_now_ms();
	}
}

/* What there is must be what this step, or the one before, left. */
static void check(struct world *w, struct hand *h)
{
	struct play_model before, after;
	char earlier[PLAY_WHY], later[PLAY_WHY];
	bool is_done = w->at == play_length(w->play);
	play_make(w->play, w->at, &before);
	play_make(w->play, w->at + !is_done, &after);
	if (hand_rows(h) > 0)
		fail_run(w, "%zu rows are left", hand_rows(h));
	if (play_check(h, &before, earlier) || play_check(h, &after, later))
		return;
	fail_run(w, "%s; or %s", later, earlier);
}

static int writes(const struct world *w)
{
	int count = 0;
	for (int op = FAKE_FLAGS; op < FAKE_OPS; op++)
		if (op != FAKE_MARK && op != FAKE_SINCE)
			count += fake_calls(w->account, (enum fake_op)op);
	return count;
}

static void recover(struct world *w)
{
	struct rig rig;
	struct hand h;
	open_hand(w, &rig, &h);
	quiesce(w, &h);
	check(w, &h);
	hand_drop(&h);
	if (rig_violations(&rig) != 0)
		fail_run(w, "the index is not sound");
}

/* Nothing is left to be done. */
static void recover_again(struct world *w)
{
	struct rig rig;
	rig_init(&rig, w->dir, w->account);
	auto_free char *before = rig_dump(&rig);
	int count = writes(w);
	recover(w);
	auto_free char *after = rig_dump(&rig);
	if (writes(w) != count)
		fail_run(w, "%d more writes", writes(w) - count);
	if (strcmp(before, after) == 0)
		return;
	if (getenv("CRASH_LOG") != NULL)
		print_error("before:\n%s\nafter:\n%s\n", before, after);
	fail_run(w, "the index changed");
}

/*
 * In a process of its own, to die at its nth fault point; 0: at none.  Did it?
 */
static bool act(struct world *w, void (*fn)(struct world *), int nth,
                bool *is_well_out)
{
	char fault[32];
	int status = 0;
	(void)snprintf(fault, sizeof(fault), "*:%d", nth);
	pid_t pid = fork();
	if (pid == 0) {
		if (nth > 0)
			(void)setenv("MAILMOUNT_FAULT", fault, 1);
		log_open(getenv("CRASH_LOG") != NULL ? LOG_LEVEL_DEBUG
		                                     : LOG_LEVEL_ERROR,
		         false);
		fake_account_revive(w->account);
		fn(w);
		_exit(0);
	}
	bool is_over = waitpid(pid, &status, 0) == pid;
	bool is_killed = is_over && nth > 0 && WIFSIGNALED(status) &&
	                 WTERMSIG(status) == SIGKILL;
	*is_well_out = is_killed || (is_over && WIFEXITED(status) &&
	                             WEXITSTATUS(status) == 0);
	return is_killed;
}

static void begin(struct world *w, void *memory, const struct play *play,
                  bool is_untold)
{
	memset(w, 0, sizeof(*w));
	w->play = play;
	w->account = fake_account_new_shared((char *)memory + sizeof(*w),
	                                     MEMORY - sizeof(*w));
	if (is_untold)
		fake_untold(w->account);
	play_prepare(play, w->account);
	(void)snprintf(w->dir, sizeof(w->dir), "/dev/shm/crash-XXXXXX");
	if (mkdtemp(w->dir) == NULL) {
		(void)snprintf(w->dir, sizeof(w->dir), "/tmp/crash-XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
}

/* One run; false: the first death did not come, the play is over. */
static bool run(struct tally *t, void *memory, const struct play *play,
                bool is_untold, int first, int second, bool *is_second_out)
{
	struct world *w = memory;
	bool is_well;
	begin(w, memory, play, is_untold);
	*is_second_out = false;
	bool is_first = act(w, play_all, first, &is_well);
	if (is_well && is_first)
		*is_second_out = act(w, recover, second, &is_well);
	if (is_well)
		(void)act(w, recover, 0, &is_well);
	if (is_well)
		(void)act(w, recover_again, 0, &is_well);
	if (!is_well) {
		print_error("CRASH_PLAY='%s'%s CRASH_AT=%d:%d: step %d: %s\n",
		            play->name, is_untold ? " (untold)" : "", first,
		            second, w->at, w->why);
		t->failures++;
	}
	t->runs++;
	t->second_deaths += *is_second_out;
	rig_remove(w->dir);
	fake_account_free(w->account);
	return is_first;
}

static int number(const char *name, int otherwise)
{
	const char *value = getenv(name);
	return value == NULL ? otherwise : atoi(value);
}

static void run_play(struct tally *t, void *memory, const struct play *play,
                     bool is_untold)
{
	int every = number("CRASH_EVERY", is_untold ? UNTOLD_EVERY : 1);
	const char *at = getenv("CRASH_AT");
	bool is_all = getenv("CRASH_ALL") != NULL, is_first = true, is_second;
	int first = 1, second;
	if (at != NULL) {
		assert_int_equal(sscanf(at, "%d:%d", &first, &second), 2);
		(void)run(t, memory, play, is_untold, first, second,
		          &is_second);
		return;
	}
	for (; is_first && t->failures < FAILURES_MAX; first += every) {
		second = is_all ? 1 : 1 + first / every % SECONDS;
		do
			is_first = run(t, memory, play, is_untold, first,
			               second++, &is_second);
		while (is_all && is_second && t->failures < FAILURES_MAX);
	}
}

static void what_was_acknowledged_is_there_once_wherever_we_die(void **state)
{
	struct tally t = { 0 };
	const char *only = getenv("CRASH_PLAY");
	void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	for (size_t i = 0; i < 2 * COUNT_OF(plays); i++) {
		const struct play *play = &plays[i / 2];
		if (only != NULL && strcmp(only, play->name) != 0)
			continue;
		long before = t.runs;
		run_play(&t, memory, play, i % 2 == 1);
		print_message("%s%s: %ld runs\n", play->name,
		              i % 2 == 1 ? ", keys not told" : "",
		              t.runs - before);
	}
	(void)munmap(memory, MEMORY);
	print_message("%ld runs, %ld with two deaths\n", t.runs,
	              t.second_deaths);
	assert_int_equal(t.failures, 0);
	if (only == NULL && getenv("CRASH_EVERY") == NULL)
		assert_true(t.runs >= RUNS_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_was_acknowledged_is_there_once_wherever_we_die),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
