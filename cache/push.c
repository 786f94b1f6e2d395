/*
 * The journal's consumer: what the server must still be told, told in as few
 * commands as it takes.
 *
 * A row's way: READY, SENT before the first byte goes out, and then
 *
 *	done, with a key	it ends, or what changed meanwhile is READY
 *	done, without		LANDED: settle.c looks for the key
 *	unknown			SENT: settle.c looks whether it was done
 *	refused			REFUSED, or READY later
 *	not sent		READY
 */
#include "cache/push.h"

#include <errno.h>
#include <string.h>

#include "util/clock.h"
#include "util/log.h"

static int find_trash(struct push *p)
{
	struct cache_folder folder = { .id = 0 };
	struct db_conn *conn;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	while ((err = db_folder_each(conn, folder.id, &folder)) == 0)
		if (folder.attributes & MAIL_FOLDER_TRASH) {
			p->trash = folder.id;
			break;
		}
	db_rollback(conn);
	return err == -ENOENT ? 0 : err;
}

/*
 * What was under way when we died: what may be sent twice is; the rest has a
 * trace and is looked for.
 */
static int recall(struct push *p)
{
	struct journal_row row = { .id = 0 };
	struct push_after after = { 0 };
	struct push_trace trace;
	struct db_conn *conn;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	while ((err = journal_next(conn, JOURNAL_SENT, row.id, &row)) == 0) {
		if (push_trace_read(&row, &trace))
			continue;
		struct journal_row again = row;
		again.state = JOURNAL_READY;
		again.not_before = 0;
		again.tries++;
		err = journal_update(conn, &again);
		/* Of flags the difference is taken anew; of a removal, none. */
		if (err == 0 && again.target == again.folder)
			err = push_took(conn, &again, &after);
		if (err < 0)
			break;
	}
	if (err == -ENOENT)
		err = db_commit(conn);
	else
		db_rollback(conn);
	if (err == 0)
		push_after_run(p->cache, &after);
	push_after_release(&after);
	return err;
}

/* Folders with rows whose time to be looked for has come. */
static int find_unsettled(struct push *p, int64_t after, int64_t *folder_out)
{
	static const enum journal_state states[] = { JOURNAL_SENT,
		                                     JOURNAL_LANDED };
	struct journal_row row;
	struct push_trace trace;
	struct db_conn *conn;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	*folder_out = 0;
	for (size_t i = 0; i < 2 && (err == 0 || err == -ENOENT); i++) {
		row.id = 0;
		while ((err = journal_next(conn, states[i], row.id, &row)) == 0)
			if (row.not_before <= p->now &&
			    push_trace_read(&row, &trace) &&
			    trace.folder > after &&
			    (*folder_out == 0 || trace.folder < *folder_out))
				*folder_out = trace.folder;
	}
	db_rollback(conn);
	return err == -ENOENT ? 0 : err;
}

static int settle_due(struct push *p)
{
	int64_t folder = 0;
	bool is_blocked;
	for (;;) {
		int err = find_unsettled(p, folder, &folder);
		if (err < 0 || folder == 0)
			return err;
		err = settle_folder(p->session, folder, &is_blocked);
		if (err < 0 && remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
			return err;
	}
}

static bool is_for_brake(const struct push_group *g)
{
	if (g->is_moved || (g->what != PUSH_TRASH && g->what != PUSH_EXPUNGE &&
	                    g->what != PUSH_MARK))
		return false;
	for (size_t i = 0; i < g->count; i++)
		if (g->items[i]->row.tries == 0 && g->items[i]->row.after == 0)
			return true;
	return false;
}

static int send_some(struct push *p)
{
	struct push_group group;
	p->now = clock_now_ms();
	int err = push_pick(p, &group);
	if (err < 0)
		return err;
	log_context(p->cache->account, group.folder_name);
	push_moved(p, &group);
	int held = is_for_brake(&group) ? push_brake(p, group.folder) : 0;
	if (held < 0)
		err = held;
	else if (held == 0 && group.count > 0)
		err = push_send(p, &group);
	log_context(p->cache->account, NULL);
	push_group_release(&group);
	return err;
}

/* How many rows were sent. */
static int64_t report(const struct push *p)
{
	const int64_t *n = p->counts;
	int64_t removed = n[PUSH_TRASH] + n[PUSH_EXPUNGE] + n[PUSH_MARK];
	int64_t sent = n[PUSH_APPEND] + n[PUSH_COPY] + n[PUSH_MOVE] +
	               n[PUSH_FLAGS] + removed;
	if (sent + p->refused == 0)
		return 0;
	log_info("sent: %ld appended, %ld copied, %ld moved, %ld flagged, "
	         "%ld removed, %ld refused",
	         (long)n[PUSH_APPEND], (long)n[PUSH_COPY], (long)n[PUSH_MOVE],
	         (long)n[PUSH_FLAGS], (long)removed, (long)p->refused);
	return sent;
}

int push_journal(struct session *s, int64_t *sent_out)
{
	struct push p = {
		.session = s,
		.cache = s->cache,
		.remote = s->remote,
		.now = clock_now_ms(),
	};
	int err = find_trash(&p);
	if (err == 0)
		err = recall(&p);
	if (err == 0)
		err = settle_due(&p);
	if (err == 0)
		err = push_folders(&p);
	while (err == 0)
		err = send_some(&p);
	if (err == -ENOENT)
		err = settle_due(&p);
	*sent_out = report(&p);
	return err;
}
