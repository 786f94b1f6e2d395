/*
 * Each step draws who does what.  The model counts it at once, but for what a
 * crash may cut short: that is noted before it begins (begin_deed()), and
 * counted when it returned, or when the next process finds it on the disk.
 */
#include "tests/unit/cache/sim.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"

#define FOREIGN_DATE 2000000

const char *const sim_folders[SIM_FOLDERS] = { "INBOX", "a", "b" };

uint64_t sim_draw(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (s->random >> 11) % below;
}

void sim_fail(struct sim *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	_exit(1);
}

void sim_body(int token, char out[SIM_BODY])
{
	int len = snprintf(out, SIM_BODY,
	                   "Message-ID: <%d@x>\nSubject: s\n\nbody %03d ",
	                   token, token);
	memset(out + len, 'x', (size_t)token * 7);
	memcpy(out + len + token * 7, "\n", 2);
}

int64_t sim_folder(struct sim_run *r, int folder)
{
	return hand_folder(&r->hand, sim_folders[folder]);
}

void sim_advance(struct sim_run *r, int64_t ms)
{
	r->sim->advanced_ms += ms;
	clock_advance_ms(ms);
}

static struct sim_item *pick_item(struct sim *s)
{
	size_t first = sim_draw(s, SIM_ITEMS);
	for (size_t i = 0; i < SIM_ITEMS; i++)
		if (s->items[(first + i) % SIM_ITEMS].is_used)
			return &s->items[(first + i) % SIM_ITEMS];
	return NULL;
}

/* What the user named keeps its name. */
static struct cache_entry find_item(struct sim_run *r,
                                    const struct sim_item *item)
{
	struct cache_entry entry;
	int64_t id = sim_folder(r, item->folder);
	for (int place = 0; place < CACHE_MAIL_PLACES; place++)
		if (cache_name_find(r->rig.cache, id, (enum cache_place)place,
		                    item->base, 0, &entry) == 0)
			return entry;
	sim_fail(r->sim, "%s is not in %s", item->base,
	         sim_folders[item->folder]);
}

static int free_slot(const struct sim *s)
{
	for (int i = 0; i < SIM_ITEMS; i++)
		if (!s->items[i].is_used)
			return i;
	return -1;
}

static void begin_deed(struct sim *s, enum sim_deed deed, int slot,
                       const struct sim_item *after)
{
	log_debug("deed %d: %s (%d) in %s", (int)deed,
	          after->is_used ? after->base : s->items[slot].base,
	          after->is_used ? after->token : s->items[slot].token,
	          sim_folders[after->folder]);
	s->slot = slot;
	s->before = s->items[slot];
	s->after = *after;
	s->deed = deed;
}

/* Count what a deed that was done makes of both sides. */
static void done_deed(struct sim *s)
{
	if (s->deed == SIM_DELIVER || s->deed == SIM_LINK)
		s->copies[s->after.token]++;
	if (s->deed == SIM_UNLINK)
		s->copies[s->before.token]--;
	if (s->deed == SIM_UNLINK || s->deed == SIM_MOVE)
		s->late[s->before.token]++;
	s->items[s->slot] = s->after;
	s->deed = SIM_NONE;
}

static void end_deed(struct sim *s, int err)
{
	if (err == 0)
		done_deed(s);
	else
		s->deed = SIM_NONE;
}

static bool is_name(struct sim_run *r, const struct sim_item *item)
{
	struct cache_entry entry;
	int64_t id = sim_folder(r, item->folder);
	return cache_name_find(r->rig.cache, id, CACHE_NEW, item->base, 0,
	                       &entry) == 0 ||
	       cache_name_find(r->rig.cache, id, CACHE_CUR, item->base, 0,
	                       &entry) == 0;
}

void sim_recover(struct sim_run *r)
{
	struct sim *s = r->sim;
	bool is_done = false;
	switch (s->deed) {
	case SIM_NONE:
		return;
	case SIM_DELIVER:
	case SIM_MOVE:
	case SIM_LINK:
		is_done = is_name(r, &s->after);
		break;
	case SIM_UNLINK:
		is_done = !is_name(r, &s->before);
		break;
	}
	end_deed(s, is_done ? 0 : -ECANCELED);
}

static void deliver(struct sim_run *r)
{
	struct sim *s = r->sim;
	int slot = free_slot(s);
	char body[SIM_BODY];
	if (slot < 0 || s->tokens + 2 >= SIM_TOKENS)
		return;
	struct sim_item item = { .is_used = true };
	bool is_again = s->tokens > 0 && sim_draw(s, 4) == 0;
	item.token =
		is_again ? (int)sim_draw(s, (uint64_t)s->tokens) : s->tokens++;
	if (s->is_adopted[item.token])
		return;
	item.folder = (int)sim_draw(s, SIM_FOLDERS);
	(void)snprintf(item.base, sizeof(item.base), "%d.%d", s->step, slot);
	sim_body(item.token, body);
	s->given[item.token]++;
	begin_deed(s, SIM_DELIVER, slot, &item);
	end_deed(s, hand_deliver(&r->hand, sim_folder(r, item.folder),
	                         item.base, body));
}

static void move(struct sim_run *r, bool is_elsewhere)
{
	struct sim *s = r->sim;
	struct sim_item *item = pick_item(s);
	if (item == NULL)
		return;
	struct sim_item after = *item;
	if (is_elsewhere)
		after.folder = (int)sim_draw(s, SIM_FOLDERS);
	begin_deed(s, SIM_MOVE, (int)(item - s->items), &after);
	end_deed(s, hand_move(&r->hand, sim_folder(r, item->folder), item->base,
	                      sim_folder(r, after.folder), CACHE_CUR,
	                      (unsigned)sim_draw(s, 32)));
}

static void unlink_one(struct sim_run *r)
{
	struct sim *s = r->sim;
	struct sim_item *item = pick_item(s);
	struct sim_item after = { .is_used = false };
	if (item == NULL)
		return;
	begin_deed(s, SIM_UNLINK, (int)(item - s->items), &after);
	end_deed(s, hand_unlink(&r->hand, sim_folder(r, item->folder),
	                        item->base));
}

static void link_one(struct sim_run *r)
{
	struct sim *s = r->sim;
	struct sim_item *item = pick_item(s);
	int slot = free_slot(s);
	if (item == NULL || slot < 0)
		return;
	struct sim_item after = *item;
	after.folder = (item->folder + 1) % SIM_FOLDERS;
	(void)snprintf(after.base, sizeof(after.base), "%d.%d", s->step, slot);
	begin_deed(s, SIM_LINK, slot, &after);
	/* In a folder where the message has a name already it has two. */
	if (find_item(r, item).message.links > 1) {
		s->deed = SIM_NONE;
		return;
	}
	end_deed(s, hand_link(&r->hand, sim_folder(r, item->folder), item->base,
	                      sim_folder(r, after.folder), after.base));
}

/* A crash while a file is half written is the program's, not ours. */
static void edit(struct sim_run *r)
{
	struct sim *s = r->sim;
	struct sim_item *item = pick_item(s);
	char body[SIM_BODY];
	/* After a reset nobody knows what the old text looked like. */
	if (item == NULL || s->tokens + 2 >= SIM_TOKENS || s->may_reset)
		return;
	if (find_item(r, item).message.links > 1)
		return;
	char *fault = getenv("MAILMOUNT_FAULT");
	fault = fault == NULL ? NULL : strdup(fault);
	(void)unsetenv("MAILMOUNT_FAULT");
	sim_body(s->tokens, body);
	if (hand_edit(&r->hand, sim_folder(r, item->folder), item->base,
	              body) == 0) {
		s->copies[item->token]--;
		s->late[item->token]++;
		item->token = s->tokens++;
		s->copies[item->token]++;
	}
	if (fault != NULL)
		(void)setenv("MAILMOUNT_FAULT", fault, 1);
	free(fault);
}

static void another_delivers(struct sim_run *r)
{
	struct sim *s = r->sim;
	char body[SIM_BODY];
	if (s->tokens + 2 >= SIM_TOKENS)
		return;
	int token = s->tokens++;
	/* Sometimes just what the user has delivered, too. */
	int text = token > 0 && sim_draw(s, 4) == 0
	                   ? (int)sim_draw(s, (uint64_t)token)
	                   : token;
	sim_body(text, body);
	s->is_adopted[token] = true; /* never delivered by the user */
	s->copies[text]++;
	(void)fake_deliver(s->account, sim_folders[sim_draw(s, SIM_FOLDERS)],
	                   body, FOREIGN_DATE + token,
	                   (unsigned)sim_draw(s, 32));
}

static void another_flags(struct sim_run *r)
{
	struct sim *s = r->sim;
	struct fake_view v;
	const char *folder = sim_folders[sim_draw(s, SIM_FOLDERS)];
	size_t count = fake_count(s->account, folder);
	if (count == 0 ||
	    !fake_view(s->account, folder, sim_draw(s, count), &v))
		return;
	fake_message_flag(s->account, folder, v.number,
	                  (unsigned)sim_draw(s, 32));
}

/* With what the user named, whose name goes then. */
static bool find_there(struct sim_run *r, const struct sim_item *item,
                       struct fake_view *out)
{
	struct cache_entry entry = find_item(r, item);
	char key[REMOTE_KEY_MAX + 1], body[SIM_BODY];
	if (entry.message.links > 1 ||
	    db_entry_key(db_reader(r->rig.cache->db), &entry, key) < 0 ||
	    key[0] == '\0')
		return false; /* it is under way */
	sim_body(item->token, body);
	for (size_t i = 0;
	     fake_view(r->sim->account, sim_folders[item->folder], i, out); i++)
		if (strtoull(strchr(key, '/') + 1, NULL, 10) == out->number)
			return out->body != NULL &&
			       strncmp(out->body, body, strlen(body)) == 0;
	return false;
}

/* Is it not known yet what became of something sent? */
static bool is_any_sent(struct sim_run *r)
{
	struct journal_row row;
	struct db_conn *conn;
	if (db_begin(r->rig.cache->db, &conn) < 0)
		sim_fail(r->sim, "cannot read the journal");
	bool is_any = journal_next(conn, JOURNAL_SENT, 0, &row) == 0;
	db_rollback(conn);
	return is_any;
}

/* And back: nobody need have seen it elsewhere. */
static void another_moves(struct sim_run *r)
{
	struct sim *s = r->sim;
	struct sim_item *item = pick_item(s);
	struct fake_view v;
	/*
	 * Of several that are alike, any may be what we look for; also one that
	 * the user has removed since.
	 */
	if (item == NULL || s->copies[item->token] != 1 ||
	    (s->given[item->token] > 1 && is_any_sent(r)) ||
	    !find_there(r, item, &v))
		return;
	const char *home = sim_folders[item->folder];
	const char *away = sim_folders[(item->folder + 1) % SIM_FOLDERS];
	bool is_seen = sim_draw(s, 2) == 0;
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
static void adopt(struct sim_run *r)
{
	struct sim *s = r->sim;
	int from = (int)sim_draw(s, SIM_FOLDERS), slot = free_slot(s);
	struct cache_entry e = { .id = 0 };
	struct cache *c = r->rig.cache;
	bool is_found = false;
	if (slot < 0 ||
	    cache_scan_begin(c, sim_folder(r, from), CACHE_CUR, 0, false) < 0)
		return;
	while (!is_found && cache_scan_next(c, &e) == 1)
		is_found = e.base[0] == '\0' &&
		           e.message.received_at >= FOREIGN_DATE &&
		           e.message.received_at < FOREIGN_DATE + SIM_TOKENS;
	cache_scan_end(c);
	if (!is_found)
		return;
	struct sim_item item = { .is_used = true,
		                 .folder = (int)sim_draw(s, SIM_FOLDERS) };
	struct fake_view v;
	bool is_known = false;
	for (size_t i = 0; fake_view(s->account, sim_folders[from], i, &v); i++)
		if (v.received_at == e.message.received_at) {
			is_known = sscanf(strstr(v.body, "body ") + 5, "%d",
			                  &item.token) == 1;
			break;
		}
	if (!is_known)
		return; /* it is under way */
	(void)snprintf(item.base, sizeof(item.base), "%d.%d", s->step, slot);
	struct cache_name to = { sim_folder(r, item.folder), CACHE_CUR,
		                 item.base, "", 0 };
	struct outcome o = { .rig = &r->rig };
	struct cache_wait *wait;
	begin_deed(s, SIM_MOVE, slot, &item);
	int n = cache_rename(c, &e, &to, NULL, rig_done, &o, &wait);
	end_deed(s, n == 0 ? rig_outcome(&r->rig, &o) : n == 1 ? 0 : n);
}

static void spoil(struct sim_run *r)
{
	static const enum fake_op ops[] = { FAKE_APPEND, FAKE_APPEND,
		                            FAKE_MOVE,   FAKE_COPY,
		                            FAKE_FLAGS,  FAKE_REMOVE };
	struct sim *s = r->sim;
	enum fake_op op = ops[sim_draw(s, COUNT_OF(ops))];
	size_t answered = sim_draw(s, 2);
	enum fake_loss loss = (enum fake_loss)sim_draw(s, 5);
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
	fake_cut(s->account, op, 1, answered, answered + 1 + sim_draw(s, 3),
	         loss);
}

static void refuse(struct sim_run *r)
{
	static const int errs[] = { 0, -EBUSY, -EDQUOT, -EACCES };
	struct sim *s = r->sim;
	fake_refuse(s->account, sim_folders[sim_draw(s, SIM_FOLDERS)],
	            errs[sim_draw(s, COUNT_OF(errs))]);
}

static bool is_move_under_way(struct sim_run *r, int64_t folder)
{
	struct journal_row row = { .id = 0 };
	struct db_conn *conn;
	bool is_any = false;
	if (db_begin(r->rig.cache->db, &conn) < 0)
		sim_fail(r->sim, "cannot read the journal");
	while (!is_any && journal_next(conn, JOURNAL_SENT, row.id, &row) == 0)
		is_any = row.folder == folder && row.target != folder &&
		         row.key[0] != '\0';
	db_rollback(conn);
	return is_any;
}

/* The pull that is to match them may break off. */
static void renumber(struct sim_run *r)
{
	struct sim *s = r->sim;
	int folder = (int)sim_draw(s, SIM_FOLDERS);
	if (!s->may_reset)
		return;
	s->torn += is_move_under_way(r, sim_folder(r, folder));
	fake_folder_reset(s->account, sim_folders[folder]);
	if (sim_draw(s, 2) == 0)
		fake_fail(s->account, FAKE_NEXT, 1 + (int)sim_draw(s, 8), 1,
		          -EHOSTUNREACH);
}

static void one_step(struct sim_run *r)
{
	struct sim *s = r->sim;
	uint64_t what = sim_draw(s, 21);
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
		renumber(r);
		break;
	case 19:
		fake_fail(s->account, (enum fake_op)sim_draw(s, FAKE_OPS), 1, 1,
		          -EHOSTUNREACH);
		break;
	case 20:
		another_moves(r);
		break;
	}
}

static void let_pass(struct sim_run *r)
{
	static const int64_t spans_ms[] = { 0, 300, 1200, 2500, 9000, 31000 };
	struct sim *s = r->sim;
	sim_advance(r, spans_ms[sim_draw(s, COUNT_OF(spans_ms))]);
	if (sim_draw(s, 3) > 0)
		(void)hand_round(&r->hand);
}

void sim_step(struct sim_run *r)
{
	r->sim->step++;
	one_step(r);
	let_pass(r);
}
