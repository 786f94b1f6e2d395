/*
 * A simulation: whatever a user does, whatever other clients and the server do
 * meanwhile, and wherever we are killed, in the end each delivery that was
 * acknowledged is with the server exactly once, nothing is gone that was not
 * removed, both sides are the same, and going on changes nothing.  Only what
 * the server takes very late may be there once more, if the copy that we knew
 * was removed, moved or edited: see settle_twin.c.
 *
 * A run is a seed.  It works in a process of its own, which fault points kill;
 * the next goes on with what is on disk.  The server and what is to come of
 * it are in memory that outlives them.
 *
 *	ONCE_RUNS=100000	that many instead of 2000
 *	ONCE_SEED=77		begin there; a failure tells its seed
 *	ONCE_LOG=1		tell each step and call
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cache/hand.h"
#include "util/clock.h"
#include "util/log.h"

#define RUNS         2000
#define STEPS        14
#define ITEMS        64
#define TOKENS       96
#define FOLDERS      3
#define CRASHES      3
#define FOREIGN_DATE 2000000
#define MEMORY       ((size_t)16 << 20)

static const char *const folders[FOLDERS] = { "INBOX", "a", "b" };

/* A name that the user gave. */
struct item {
	bool is_used;
	char base[24];
	int token;
	int folder;
};

enum deed {
	DEED_NONE,
	DEED_DELIVER,
	DEED_MOVE,
	DEED_UNLINK,
	DEED_LINK,
};

/* What outlives a crash. */
struct sim {
	uint64_t seed, random;
	int step, crashes;
	int64_t advanced_ms;
	bool may_reset, may_be_late;
	struct item items[ITEMS];
	int copies[TOKENS]; /* that the server is to have in the end */
	int late[TOKENS];   /* that it may have besides, where it may be late */
	int tokens;
	bool is_adopted[TOKENS]; /* another's message that the user has */
	/* Under way: whether it was done shows on the disk. */
	enum deed deed;
	struct item before, after;
	int slot;
	struct fake_account *account;
	char dir[64];
	char why[512];
};

struct run {
	struct sim *sim;
	struct rig rig;
	struct hand hand;
};

static uint64_t draw(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 11) % below;
}

__attribute__((format(printf, 2, 3), noreturn)) static void
fail_run(struct sim *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	_exit(1);
}

/* No two tokens are of one size, so that facts tell them apart. */
static void make_body(int token, char out[1024])
{
	int len = snprintf(out, 1024,
	                   "Message-ID: <%d@x>\nSubject: s\n\nbody %03d ",
	                   token, token);
	memset(out + len, 'x', (size_t)token * 7);
	memcpy(out + len + token * 7, "\n", 2);
}

static int64_t folder_id(struct run *r, int folder)
{
	return hand_folder(&r->hand, folders[folder]);
}

static void advance(struct run *r, int64_t ms)
{
	r->sim->advanced_ms += ms;
	clock_advance_ms(ms);
}

static struct item *pick_item(struct sim *s)
{
	size_t first = draw(s, ITEMS);
	for (size_t i = 0; i < ITEMS; i++)
		if (s->items[(first + i) % ITEMS].is_used)
			return &s->items[(first + i) % ITEMS];
	return NULL;
}

/* What the user named keeps its name. */
static struct cache_entry find_item(struct run *r, const struct item *item)
{
	struct cache_entry entry;
	int64_t id = folder_id(r, item->folder);
	for (int place = 0; place < CACHE_MAIL_PLACES; place++)
		if (cache_name_find(r->rig.cache, id, (enum cache_place)place,
		                    item->base, 0, &entry) == 0)
			return entry;
	fail_run(r->sim, "%s is not in %s", item->base, folders[item->folder]);
}

static int free_slot(const struct sim *s)
{
	for (int i = 0; i < ITEMS; i++)
		if (!s->items[i].is_used)
			return i;
	return -1;
}

static void begin_deed(struct sim *s, enum deed deed, int slot,
                       const struct item *after)
{
	log_debug("deed %d: %s (%d) in %s", (int)deed,
	          after->is_used ? after->base : s->items[slot].base,
	          after->is_used ? after->token : s->items[slot].token,
	          folders[after->folder]);
	s->slot = slot;
	s->before = s->items[slot];
	s->after = *after;
	s->deed = deed;
}

/* Count what a deed that was done makes of both sides. */
static void done_deed(struct sim *s)
{
	if (s->deed == DEED_DELIVER || s->deed == DEED_LINK)
		s->copies[s->after.token]++;
	if (s->deed == DEED_UNLINK)
		s->copies[s->before.token]--;
	if (s->deed == DEED_UNLINK || s->deed == DEED_MOVE)
		s->late[s->before.token]++;
	s->items[s->slot] = s->after;
	s->deed = DEED_NONE;
}

static void end_deed(struct sim *s, int err)
{
	if (err == 0)
		done_deed(s);
	else
		s->deed = DEED_NONE;
}

static bool is_name(struct run *r, const struct item *item)
{
	struct cache_entry entry;
	int64_t id = folder_id(r, item->folder);
	return cache_name_find(r->rig.cache, id, CACHE_NEW, item->base, 0,
	                       &entry) == 0 ||
	       cache_name_find(r->rig.cache, id, CACHE_CUR, item->base, 0,
	                       &entry) == 0;
}

/* After a crash: was it done? */
static void find_deed(struct run *r)
{
	struct sim *s = r->sim;
	bool is_done = false;
	switch (s->deed) {
	case DEED_NONE:
		return;
	case DEED_DELIVER:
	case DEED_MOVE:
	case DEED_LINK:
		is_done = is_name(r, &s->after);
		break;
	case DEED_UNLINK:
		is_done = !is_name(r, &s->before);
		break;
	}
	end_deed(s, is_done ? 0 : -ECANCELED);
}

static void deliver(struct run *r)
{
	struct sim *s = r->sim;
	int slot = free_slot(s);
	char body[1024];
	if (slot < 0 || s->tokens + 2 >= TOKENS)
		return;
	struct item item = { .is_used = true };
	bool is_again = s->tokens > 0 && draw(s, 4) == 0;
	item.token = is_again ? (int)draw(s, (uint64_t)s->tokens) : s->tokens++;
	if (s->is_adopted[item.token])
		return;
	item.folder = (int)draw(s, FOLDERS);
	(void)snprintf(item.base, sizeof(item.base), "%d.%d", s->step, slot);
	make_body(item.token, body);
	begin_deed(s, DEED_DELIVER, slot, &item);
	end_deed(s, hand_deliver(&r->hand, folder_id(r, item.folder), item.base,
	                         body));
}

static void move(struct run *r, bool is_elsewhere)
{
	struct sim *s = r->sim;
	struct item *item = pick_item(s);
	if (item == NULL)
		return;
	struct item after = *item;
	if (is_elsewhere)
		after.folder = (int)draw(s, FOLDERS);
	begin_deed(s, DEED_MOVE, (int)(item - s->items), &after);
	end_deed(s, hand_move(&r->hand, folder_id(r, item->folder), item->base,
	                      folder_id(r, after.folder), CACHE_CUR,
	                      (unsigned)draw(s, 32)));
}

static void unlink_one(struct run *r)
{
	struct sim *s = r->sim;
	struct item *item = pick_item(s);
	struct item after = { .is_used = false };
	if (item == NULL)
		return;
	begin_deed(s, DEED_UNLINK, (int)(item - s->items), &after);
	end_deed(s,
	         hand_unlink(&r->hand, folder_id(r, item->folder), item->base));
}

static void link_one(struct run *r)
{
	struct sim *s = r->sim;
	struct item *item = pick_item(s);
	int slot = free_slot(s);
	if (item == NULL || slot < 0)
		return;
	struct item after = *item;
	after.folder = (item->folder + 1) % FOLDERS;
	(void)snprintf(after.base, sizeof(after.base), "%d.%d", s->step, slot);
	begin_deed(s, DEED_LINK, slot, &after);
	/* In a folder where the message has a name already it has two. */
	if (find_item(r, item).message.links > 1) {
		s->deed = DEED_NONE;
		return;
	}
	end_deed(s, hand_link(&r->hand, folder_id(r, item->folder), item->base,
	                      folder_id(r, after.folder), after.base));
}

/* A crash while a file is half written is the program's, not ours. */
static void edit(struct run *r)
{
	struct sim *s = r->sim;
	struct item *item = pick_item(s);
	char body[1024];
	/* After a reset nobody knows what the old text looked like. */
	if (item == NULL || s->tokens + 2 >= TOKENS || s->may_reset)
		return;
	if (find_item(r, item).message.links > 1)
		return;
	char *fault = getenv("MAILMOUNT_FAULT");
	fault = fault == NULL ? NULL : strdup(fault);
	(void)unsetenv("MAILMOUNT_FAULT");
	make_body(s->tokens, body);
	if (hand_edit(&r->hand, folder_id(r, item->folder), item->base, body) ==
	    0) {
		s->copies[item->token]--;
		s->late[item->token]++;
		item->token = s->tokens++;
		s->copies[item->token]++;
	}
	if (fault != NULL)
		(void)setenv("MAILMOUNT_FAULT", fault, 1);
	free(fault);
}

static void another_delivers(struct run *r)
{
	struct sim *s = r->sim;
	char body[1024];
	if (s->tokens + 2 >= TOKENS)
		return;
	int token = s->tokens++;
	/* Sometimes just what the user has delivered, too. */
	int text = token > 0 && draw(s, 4) == 0 ? (int)draw(s, (uint64_t)token)
	                                        : token;
	make_body(text, body);
	s->is_adopted[token] = true; /* never delivered by the user */
	s->copies[text]++;
	(void)fake_deliver(s->account, folders[draw(s, FOLDERS)], body,
	                   FOREIGN_DATE + token, (unsigned)draw(s, 32));
}

static void another_flags(struct run *r)
{
	struct sim *s = r->sim;
	struct fake_view v;
	const char *folder = folders[draw(s, FOLDERS)];
	size_t count = fake_count(s->account, folder);
	if (count == 0 || !fake_view(s->account, folder, draw(s, count), &v))
		return;
	fake_message_flag(s->account, folder, v.number, (unsigned)draw(s, 32));
}

/* With what the user named, whose name goes then. */
static bool find_there(struct run *r, const struct item *item,
                       struct fake_view *out)
{
	struct cache_entry entry = find_item(r, item);
	char key[REMOTE_KEY_MAX + 1], body[1024];
	if (entry.message.links > 1 ||
	    db_entry_key(db_reader(r->rig.cache->db), &entry, key) < 0 ||
	    key[0] == '\0')
		return false; /* it is under way */
	make_body(item->token, body);
	for (size_t i = 0;
	     fake_view(r->sim->account, folders[item->folder], i, out); i++)
		if (strtoull(strchr(key, '/') + 1, NULL, 10) == out->number)
			return out->body != NULL &&
			       strncmp(out->body, body, strlen(body)) == 0;
	return false;
}

/* And back: nobody need have seen it elsewhere. */
static void another_moves(struct run *r)
{
	struct sim *s = r->sim;
	struct item *item = pick_item(s);
	struct fake_view v;
	/* Of several that are alike, any may be what we look for. */
	if (item == NULL || s->copies[item->token] != 1 ||
	    !find_there(r, item, &v))
		return;
	const char *home = folders[item->folder];
	const char *away = folders[(item->folder + 1) % FOLDERS];
	bool is_seen = draw(s, 2) == 0;
	item->is_used = false;
	s->late[item->token]++;
	fake_message_move(s->account, home, v.number, away);
	if (!fake_view(s->account, away, fake_count(s->account, away) - 1, &v))
		return;
	if (is_seen)
		(void)hand_round(&r->hand);
	fake_message_move(s->account, away, v.number, home);
}

/* The user gives a name to what another delivered. */
static void adopt(struct run *r)
{
	struct sim *s = r->sim;
	int from = (int)draw(s, FOLDERS), slot = free_slot(s);
	struct cache_entry e = { .id = 0 };
	struct cache *c = r->rig.cache;
	bool is_found = false;
	if (slot < 0 ||
	    cache_scan_begin(c, folder_id(r, from), CACHE_CUR, 0, false) < 0)
		return;
	while (!is_found && cache_scan_next(c, &e) == 1)
		is_found = e.base[0] == '\0' &&
		           e.message.received_at >= FOREIGN_DATE &&
		           e.message.received_at < FOREIGN_DATE + TOKENS;
	cache_scan_end(c);
	if (!is_found)
		return;
	struct item item = { .is_used = true, .folder = (int)draw(s, FOLDERS) };
	struct fake_view v;
	bool is_known = false;
	for (size_t i = 0; fake_view(s->account, folders[from], i, &v); i++)
		if (v.received_at == e.message.received_at) {
			is_known = sscanf(strstr(v.body, "body ") + 5, "%d",
			                  &item.token) == 1;
			break;
		}
	if (!is_known)
		return; /* it is under way */
	(void)snprintf(item.base, sizeof(item.base), "%d.%d", s->step, slot);
	struct cache_name to = { folder_id(r, item.folder), CACHE_CUR,
		                 item.base, "", 0 };
	struct outcome o = { .rig = &r->rig };
	struct cache_wait *wait;
	begin_deed(s, DEED_MOVE, slot, &item);
	int n = cache_rename(c, &e, &to, NULL, rig_done, &o, &wait);
	end_deed(s, n == 0 ? rig_outcome(&r->rig, &o) : n == 1 ? 0 : n);
}

static void spoil(struct run *r)
{
	static const enum fake_op ops[] = { FAKE_APPEND, FAKE_APPEND,
		                            FAKE_MOVE,   FAKE_COPY,
		                            FAKE_FLAGS,  FAKE_REMOVE };
	struct sim *s = r->sim;
	enum fake_op op = ops[draw(s, COUNT_OF(ops))];
	size_t answered = draw(s, 2);
	enum fake_loss loss = (enum fake_loss)draw(s, 5);
	if (!s->may_be_late &&
	    (loss == FAKE_LOST_LATE || loss == FAKE_LOST_MIXED))
		loss = FAKE_LOST_DONE;
	/*
	 * A copy of what is not here, and that comes very late, is not known
	 * for certain and stays; a move is known unless it is of one of many
	 * identical messages, as there are here.
	 */
	if ((op == FAKE_COPY || op == FAKE_MOVE) &&
	    (loss == FAKE_LOST_LATE || loss == FAKE_LOST_MIXED))
		loss = FAKE_LOST_DONE;
	if (loss == FAKE_LOST_HALF && op != FAKE_MOVE)
		loss = FAKE_LOST_UNDONE;
	fake_cut(s->account, op, 1, answered, answered + 1 + draw(s, 3), loss);
}

static void refuse(struct run *r)
{
	static const int errs[] = { 0, -EBUSY, -EDQUOT, -EACCES };
	struct sim *s = r->sim;
	fake_refuse(s->account, folders[draw(s, FOLDERS)],
	            errs[draw(s, COUNT_OF(errs))]);
}

static void one_step(struct run *r)
{
	struct sim *s = r->sim;
	uint64_t what = draw(s, 21);
	log_debug("step %d: %d", s->step, (int)what);
	switch (what) {
	case 0:
	case 1:
	case 2:
	case 3:
		deliver(r);
		break;
	case 4:
	case 5:
		move(r, true);
		break;
	case 6:
		move(r, false);
		break;
	case 7:
	case 8:
		unlink_one(r);
		break;
	case 9:
		link_one(r);
		break;
	case 10:
		edit(r);
		break;
	case 11:
		another_delivers(r);
		break;
	case 12:
		another_flags(r);
		break;
	case 13:
		adopt(r);
		break;
	case 14:
	case 15:
		spoil(r);
		break;
	case 16:
		refuse(r);
		break;
	case 17:
		(void)fake_commit_late(s->account);
		break;
	case 18:
		if (s->may_reset)
			fake_folder_reset(s->account,
			                  folders[draw(s, FOLDERS)]);
		break;
	case 19:
		fake_fail(s->account, (enum fake_op)draw(s, FAKE_OPS), 1, 1,
		          -EHOSTUNREACH);
		break;
	case 20:
		another_moves(r);
		break;
	}
}

static void let_pass(struct run *r)
{
	static const int64_t spans_ms[] = { 0, 300, 1200, 2500, 9000, 31000 };
	struct sim *s = r->sim;
	advance(r, spans_ms[draw(s, COUNT_OF(spans_ms))]);
	if (draw(s, 3) > 0)
		(void)hand_round(&r->hand);
}

static void quiesce(struct run *r)
{
	struct sim *s = r->sim;
	fake_heal(s->account);
	for (int i = 0; i < FOLDERS; i++)
		fake_refuse(s->account, folders[i], 0);
	(void)cache_flush(r->rig.cache, true);
	for (int i = 0; i < 60 && (i < 4 || hand_rows(&r->hand) > 0); i++) {
		advance(r, 5000);
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

static size_t list_here(struct run *r, int folder, struct fact *out)
{
	struct cache_entry e;
	size_t n = 0;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		if (cache_scan_begin(r->rig.cache, folder_id(r, folder),
		                     (enum cache_place)place, 0, false) < 0)
			fail_run(r->sim, "cannot scan");
		while (n < 4 * ITEMS &&
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
	for (; n < 4 * ITEMS && fake_view(s->account, folders[folder], n, &v);
	     n++) {
		memset(&out[n], 0, sizeof(out[n]));
		out[n].received_at = v.received_at;
		out[n].flags = v.flags;
	}
	qsort(out, n, sizeof(*out), compare);
	return n;
}

static void check_same(struct run *r)
{
	struct fact here[4 * ITEMS], there[4 * ITEMS];
	for (int i = 0; i < FOLDERS; i++) {
		size_t n = list_here(r, i, here);
		size_t m = list_there(r->sim, i, there);
		if (n != m)
			fail_run(r->sim, "%s: %zu here, %zu there", folders[i],
			         n, m);
		for (size_t j = 0; j < n; j++)
			if (here[j].received_at != there[j].received_at ||
			    here[j].flags != there[j].flags)
				fail_run(r->sim,
				         "%s: %" PRId64 " %x here, %" PRId64
				         " %x there",
				         folders[i], here[j].received_at,
				         here[j].flags, there[j].received_at,
				         there[j].flags);
	}
}

static void check_copies(struct sim *s)
{
	for (int token = 0; token < s->tokens; token++) {
		char body[1024];
		make_body(token, body);
		size_t count = fake_copies(s->account, NULL, body);
		int most = s->copies[token] +
		           (s->may_be_late ? s->late[token] : 0);
		if ((int)count < s->copies[token] || (int)count > most)
			fail_run(s, "message %d: %zu copies instead of %d",
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

static void check(struct run *r)
{
	struct sim *s = r->sim;
	quiesce(r);
	/* What the server owes yet. */
	if (fake_commit_late(s->account) > 0)
		quiesce(r);
	if (hand_rows(&r->hand) > 0)
		fail_run(s, "%zu rows are left", hand_rows(&r->hand));
	check_copies(s);
	check_same(r);
	int before = writes(s);
	quiesce(r);
	if (writes(s) != before)
		fail_run(s, "it goes on and on");
	check_same(r);
}

/* In a process of its own. */
static void work(struct sim *s)
{
	struct run run = { .sim = s };
	struct run *r = &run;
	log_open(getenv("ONCE_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR,
	         false);
	fake_account_revive(s->account);
	clock_advance_ms(s->advanced_ms);
	rig_init(&r->rig, s->dir, s->account);
	rig_open(&r->rig);
	hand_take(&r->hand, &r->rig);
	find_deed(r);
	(void)hand_round(&r->hand);
	while (s->step < STEPS) {
		s->step++;
		one_step(r);
		let_pass(r);
	}
	(void)unsetenv("MAILMOUNT_FAULT");
	check(r);
	hand_drop(&r->hand);
	if (rig_violations(&r->rig) != 0)
		fail_run(s, "the index is not sound");
	_exit(0);
}

static void start(struct sim *s)
{
	char fault[32];
	if (s->crashes < CRASHES && draw(s, 2) == 0) {
		(void)snprintf(fault, sizeof(fault), "*:%d",
		               1 + (int)draw(s, 150));
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
	s->may_reset = draw(s, 3) == 0;
	s->may_be_late = !s->may_reset;
	s->account = fake_account_new_shared((char *)memory + sizeof(*s),
	                                     MEMORY - sizeof(*s));
	for (int i = 0; i < FOLDERS; i++)
		fake_folder_add(s->account, folders[i], 0);
	if (draw(s, 4) == 0)
		fake_untold(s->account);
	if (draw(s, 4) == 0)
		fake_plain(s->account);
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
