/*
 * A simulation: whatever a user does, whatever other clients and the server do
 * meanwhile, and wherever we are killed, in the end each delivery that was
 * acknowledged is with the server exactly once, nothing is gone that was not
 * removed, both sides are the same, and going on changes nothing.  Only what
 * the server takes very late may be there once more, if the copy that we knew
 * was removed, moved or edited: see settle_twin.c.  And where a move was cut
 * between copy and removal, what it came from may stay if its mailbox is
 * numbered anew before we look.  Nor does another client move one of two
 * messages of the same text while a move of the other is not known yet: which
 * is which nobody can tell.
 *
 * A run is a seed; sim.c does its steps.  It works in a process of its own,
 * which fault points kill; the next goes on with what is on disk.  The server
 * and what is to come of it are in memory that outlives them.
 *
 *	ONCE_RUNS=100000	that many instead of 2000
 *	ONCE_SEED=77		begin there; a failure tells its seed
 *	ONCE_LOG=1		tell each step and call
 */
#include "tests/unit/test.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cache/sim.h"
#include "util/clock.h"
#include "util/log.h"

#define RUNS    2000
#define STEPS   14
#define CRASHES 3
#define MEMORY  ((size_t)16 << 20)

static void quiesce(struct sim_run *r)
{
	struct sim *s = r->sim;
	fake_heal(s->account);
	for (int i = 0; i < SIM_FOLDERS; i++)
		fake_refuse(s->account, sim_folders[i], 0);
	(void)cache_flush(r->rig.cache, true);
	for (int i = 0; i < 60 && (i < 4 || hand_rows(&r->hand) > 0); i++) {
		sim_advance(r, 5000);
		(void)hand_round(&r->hand);
	}
}

struct fact {
	int64_t received_at;
	unsigned flags;
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct fact));
}

static size_t list_here(struct sim_run *r, int folder, struct fact *out)
{
	struct cache_entry e;
	size_t n = 0;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		if (cache_scan_begin(r->rig.cache, sim_folder(r, folder),
		                     (enum cache_place)place, 0, false) < 0)
			sim_fail(r->sim, "cannot scan");
		while (n < 4 * SIM_ITEMS &&
		       cache_scan_next(r->rig.cache, &e) == 1) {
			memset(&out[n], 0, sizeof(out[n]));
			out[n].received_at = e.message.received_at;
			out[n++].flags = e.flags;
		}
		cache_scan_end(r->rig.cache);
	}
	qsort(out, n, sizeof(*out), compare);
	return n;
}

static size_t list_there(struct sim *s, int folder, struct fact *out)
{
	struct fake_view v;
	size_t n = 0;
	for (; n < 4 * SIM_ITEMS &&
	       fake_view(s->account, sim_folders[folder], n, &v);
	     n++) {
		memset(&out[n], 0, sizeof(out[n]));
		out[n].received_at = v.received_at;
		out[n].flags = v.flags;
	}
	qsort(out, n, sizeof(*out), compare);
	return n;
}

static void check_same(struct sim_run *r)
{
	struct fact here[4 * SIM_ITEMS], there[4 * SIM_ITEMS];
	for (int i = 0; i < SIM_FOLDERS; i++) {
		size_t n = list_here(r, i, here);
		size_t m = list_there(r->sim, i, there);
		if (n != m)
			sim_fail(r->sim, "%s: %zu here, %zu there",
			         sim_folders[i], n, m);
		for (size_t j = 0; j < n; j++)
			if (here[j].received_at != there[j].received_at ||
			    here[j].flags != there[j].flags)
				sim_fail(r->sim,
				         "%s: %" PRId64 " %x here, %" PRId64
				         " %x there",
				         sim_folders[i], here[j].received_at,
				         here[j].flags, there[j].received_at,
				         there[j].flags);
	}
}

static void check_copies(struct sim *s)
{
	for (int token = 0; token < s->tokens; token++) {
		char body[SIM_BODY];
		sim_body(token, body);
		size_t count = fake_copies(s->account, NULL, body);
		int most = s->copies[token] +
		           (s->may_be_late ? s->late[token] : s->torn);
		if ((int)count < s->copies[token] || (int)count > most)
			sim_fail(s, "message %d: %zu copies instead of %d",
			         token, count, s->copies[token]);
	}
}

static int writes(const struct sim *s)
{
	int count = 0;
	for (int op = FAKE_FLAGS; op <= FAKE_REMOVE; op++)
		count += fake_calls(s->account, (enum fake_op)op);
	return count;
}

static void check(struct sim_run *r)
{
	struct sim *s = r->sim;
	quiesce(r);
	/* What the server owes yet. */
	if (fake_commit_late(s->account) > 0)
		quiesce(r);
	if (hand_rows(&r->hand) > 0)
		sim_fail(s, "%zu rows are left", hand_rows(&r->hand));
	check_copies(s);
	check_same(r);
	int before = writes(s);
	quiesce(r);
	if (writes(s) != before)
		sim_fail(s, "it goes on and on");
	check_same(r);
}

/* In a process of its own. */
static void work(struct sim *s)
{
	struct sim_run run = { .sim = s };
	struct sim_run *r = &run;
	log_open(getenv("ONCE_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
	         false);
	fake_account_revive(s->account);
	clock_advance_ms(s->advanced_ms);
	rig_init(&r->rig, s->dir, s->account);
	rig_open(&r->rig);
	hand_take(&r->hand, &r->rig);
	sim_recover(r);
	(void)hand_round(&r->hand);
	while (s->step < STEPS)
		sim_step(r);
	(void)unsetenv("MAILMOUNT_FAULT");
	check(r);
	hand_drop(&r->hand);
	if (rig_violations(&r->rig) != 0)
		sim_fail(s, "the index is not sound");
	_exit(0);
}

static void start(struct sim *s)
{
	char fault[32];
	if (s->crashes < CRASHES && sim_draw(s, 2) == 0) {
		(void)snprintf(fault, sizeof(fault), "*:%d",
		               1 + (int)sim_draw(s, 150));
		(void)setenv("MAILMOUNT_FAULT", fault, 1);
	} else {
		(void)unsetenv("MAILMOUNT_FAULT");
	}
}

static bool run_seed(uint64_t seed, void *memory)
{
	struct sim *s = memory;
	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->random = seed * 0x9e3779b97f4a7c15u + 1;
	s->may_reset = sim_draw(s, 3) == 0;
	s->may_be_late = !s->may_reset;
	s->account = fake_account_new_shared((char *)memory + sizeof(*s),
	                                     MEMORY - sizeof(*s));
	for (int i = 0; i < SIM_FOLDERS; i++)
		fake_folder_add(s->account, sim_folders[i], 0);
	if (sim_draw(s, 4) == 0)
		fake_untold(s->account);
	if (sim_draw(s, 4) == 0)
		fake_plain(s->account);
	if (sim_draw(s, 4) == 0)
		fake_chunk(s->account, 1 + sim_draw(s, 3));
	(void)snprintf(s->dir, sizeof(s->dir), "/dev/shm/once-XXXXXX");
	if (mkdtemp(s->dir) == NULL)
		(void)snprintf(s->dir, sizeof(s->dir), "/tmp/once-XXXXXX");
	if (access(s->dir, F_OK) < 0 && mkdtemp(s->dir) == NULL)
		return false;
	bool is_killed;
	int status = 0;
	do {
		start(s);
		pid_t pid = fork();
		if (pid == 0)
			work(s);
		is_killed = waitpid(pid, &status, 0) == pid &&
		            WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		s->crashes += is_killed;
	} while (is_killed);
	rig_remove(s->dir);
	fake_account_free(s->account);
	bool is_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!is_well)
		print_error("ONCE_SEED=%" PRIu64 " ONCE_RUNS=1: step %d, "
		            "%d crashes, status %d: %s\n",
		            seed, s->step, s->crashes, status, s->why);
	return is_well;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);
	return value == NULL ? otherwise : strtoull(value, NULL, 10);
}

static void each_delivery_is_there_once_whatever_happens(void **state)
{
	uint64_t first = number("ONCE_SEED", 1),
		 runs = number("ONCE_RUNS", RUNS);
	int failures = 0;
	void *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	for (uint64_t i = 0; i < runs && failures < 10; i++)
		failures += !run_seed(first + i, memory);
	(void)munmap(memory, MEMORY);
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_delivery_is_there_once_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
