/*
 * One group of rows, sent with one call.
 *
 * What is sent is marked so first, in one transaction; what could be done
 * twice is made durable before the first byte goes out.  Then the outcome of
 * each: done, refused, not sent, or unknown.  Unknown appends, copies and moves
 * wait for settle.c; the rest can be sent again.
 */
#include "cache/push.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/content.h"
#include "cache/db_journal.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

/* First look for what may have been done; see settle.c. */
#define FIRST_LOOK_MS 2000
/* After a refusal that may pass. */
#define RETRY_MS     2000
#define RETRY_MAX_MS (15 * 60 * 1000)
/* A message that the server does not know: pulls tell why; then it is gone. */
#define STALE_TRIES 7

void push_trace_write(const struct push_trace *t, struct journal_row *row)
{
	char hex[2 * DIGEST_SIZE + 1] = "-";
	for (int i = 0; i < DIGEST_SIZE && t->has_digest; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", t->digest[i]);
	int len = snprintf(row->mark, sizeof(row->mark),
	                   "%" PRId64 " %" PRId64 " %s+%" PRId64 " %s",
	                   t->folder, t->received_at, hex, t->message, t->mark);
	/* Half a mark is none: then everything is looked at. */
	if (len >= (int)sizeof(row->mark))
		(void)snprintf(row->mark, sizeof(row->mark),
		               "%" PRId64 " %" PRId64 " %s+%" PRId64 " ",
		               t->folder, t->received_at, hex, t->message);
	row->wire_size = t->wire_size;
}

bool push_trace_read(const struct journal_row *row, struct push_trace *out)
{
	char hex[2 * DIGEST_SIZE + 1];
	int at = 0, len = 0;
	if (sscanf(row->mark, "%" SCNd64 " %" SCNd64 " %64[-0-9a-f]%n",
	           &out->folder, &out->received_at, hex, &at) != 3)
		return false;
	out->message = 0;
	if (sscanf(row->mark + at, "+%" SCNd64 "%n", &out->message, &len) == 1)
		at += len;
	out->has_digest = strlen(hex) == 2 * DIGEST_SIZE;
	for (int i = 0; i < DIGEST_SIZE && out->has_digest; i++) {
		unsigned byte = 0;
		(void)sscanf(hex + 2 * (size_t)i, "%2x", &byte);
		out->digest[i] = (uint8_t)byte;
	}
	(void)snprintf(out->mark, sizeof(out->mark), "%s",
	               row->mark[at] == ' ' ? row->mark + at + 1 : "");
	out->wire_size = row->wire_size;
	return true;
}

/* What could be done twice, and so needs to be known again. */
static bool is_traced(enum push_what what)
{
	return what == PUSH_APPEND || what == PUSH_COPY || what == PUSH_MOVE;
}

static bool is_removal(enum push_what what)
{
	return what == PUSH_TRASH || what == PUSH_EXPUNGE || what == PUSH_MARK;
}

static int64_t retry_ms(int tries)
{
	int64_t ms = RETRY_MS;
	for (int i = 0; i < tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static void refuse(struct push *p, struct journal_row *row, int err,
                   const char *why, struct push_after *after)
{
	row->state = JOURNAL_REFUSED;
	row->err = err;
	(void)snprintf(row->why, sizeof(row->why), "%s",
	               why[0] != '\0' ? why : strerror(-err));
	if (push_is_birth(row))
		push_answer(row, err, after);
	if (p->refused++ == 0)
		log_warn("the server does not take it: %s", row->why);
}

/* In one transaction: each row of the group as fn leaves it. */
typedef int row_fn(struct push *p, struct db_conn *conn,
                   const struct push_group *g, size_t i,
                   struct push_after *after);

static int change_rows(struct push *p, const struct push_group *g, row_fn *fn)
{
	struct push_after after = { 0 };
	struct db_conn *conn;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < g->count && err == 0; i++)
		err = fn(p, conn, g, i, &after);
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0)
		push_after_run(p->cache, &after);
	push_after_release(&after);
	return err;
}

static int end_nothing(struct push *p, struct db_conn *conn,
                       const struct push_group *g, size_t i,
                       struct push_after *after)
{
	struct journal_row row = g->items[i]->row;
	struct push_intent intent;
	int err = journal_get(conn, row.id, &row);
	if (err == 0)
		err = push_intend(p, conn, &row, &intent);
	if (err == 0 && intent.what == PUSH_NOTHING)
		err = push_took(conn, &row, after);
	return err == -ENOENT || err == -EAGAIN ? 0 : err;
}

/* No server of this kind keeps flags: they are ours alone. */
static int take_flags(struct push *p, struct db_conn *conn,
                      const struct push_group *g, size_t i,
                      struct push_after *after)
{
	const struct push_item *item = g->items[i];
	struct journal_row row;
	int err = journal_get(conn, item->id, &row);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	row.flags = item->intent.flags_then;
	memcpy(row.keywords, item->intent.keywords_then, sizeof(row.keywords));
	return push_took(conn, &row, after);
}

static int refuse_trash(struct push *p, struct db_conn *conn,
                        const struct push_group *g, size_t i,
                        struct push_after *after)
{
	struct journal_row row = g->items[i]->row;
	refuse(p, &row, -ENOENT, "no mailbox is marked as Trash", after);
	return journal_update(conn, &row);
}

/* Open what is to be appended.  A body that is lost is refused. */
static int open_bodies(struct push *p, struct push_group *g)
{
	int err = 0;
	for (size_t i = g->count; i-- > 0 && err == 0;) {
		struct push_item *item = g->items[i];
		struct push_after after = { 0 };
		struct content content;
		item->fd = content_open(p->cache, &item->intent.message);
		int failed = item->fd < 0 ? item->fd
		                          : content_read(item->fd, &content);
		if (failed == -EMFILE && g->what == PUSH_APPEND) {
			push_group_drop(g, i); /* another time */
			continue;
		}
		item->trace.has_digest = failed == 0;
		if (failed == 0) {
			memcpy(item->trace.digest, content.digest, DIGEST_SIZE);
			item->size = content.size;
			item->trace.wire_size = content.wire_size;
			item->id_digest = content.id;
			memcpy(item->body_digest, content.body_digest,
			       DIGEST_SIZE);
			if (g->what != PUSH_APPEND)
				(void)close(take_fd(&item->fd));
			continue;
		}
		if (g->what != PUSH_APPEND)
			continue;
		struct db_conn *conn;
		err = db_begin(p->cache->db, &conn);
		if (err < 0)
			break;
		refuse(p, &item->row, -EIO, "its file is lost", &after);
		err = journal_update(conn, &item->row);
		if (err < 0)
			db_rollback(conn);
		else
			err = db_commit(conn);
		push_after_run(p->cache, &after);
		push_after_release(&after);
		push_group_drop(g, i);
	}
	return err;
}

static int trace(struct push *p, struct push_group *g)
{
	if (p->marked != g->target) {
		int err = remote_mark(p->remote, g->target_name, p->mark);
		if (err < 0)
			return err;
		p->marked = g->target;
	}
	for (size_t i = 0; i < g->count; i++) {
		struct push_item *item = g->items[i];
		item->trace.folder = g->target;
		memcpy(item->trace.mark, p->mark, sizeof(p->mark));
	}
	return open_bodies(p, g);
}

static int save_trace(struct db_conn *conn, const struct push_group *g,
                      struct push_item *item)
{
	struct db_source source;
	int err = 0;
	item->trace.received_at = item->intent.received_at;
	item->trace.message = item->row.message;
	if (g->what == PUSH_APPEND) {
		err = db_message_date(conn, item->row.message,
		                      item->trace.received_at);
	} else {
		/* Of a copy the server says what it says of its source. */
		err = db_source_get(conn, item->row.message, &source);
		if (err == 0 && source.claimed_size > 0)
			item->trace.wire_size = source.claimed_size;
	}
	push_trace_write(&item->trace, &item->row);
	if (err < 0)
		return err;
	/* With these it went: what it is found with else is another's. */
	item->row.flags = item->intent.flags_then;
	memcpy(item->row.keywords, item->intent.keywords_then,
	       sizeof(item->row.keywords));
	return db_journal_set_side(conn, &item->row);
}

/* Until the answer comes, and if it never does. */
static int save_doubt(struct db_conn *conn, struct push_item *item)
{
	const struct push_intent *intent = &item->intent;
	return journal_doubt(conn, &item->row, intent->flags | intent->removed,
	                     intent->keywords, intent->removed_keywords);
}

/* What was picked and is so no more stays behind. */
static int save_sent(struct push *p, struct push_group *g)
{
	struct db_conn *conn;
	struct push_intent now;
	int err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = g->count; i-- > 0 && err == 0;) {
		struct push_item *item = g->items[i];
		err = journal_get(conn, item->id, &item->row);
		if (err == 0 && item->row.state != JOURNAL_READY)
			err = -EAGAIN;
		if (err == 0)
			err = push_intend(p, conn, &item->row, &now);
		bool is_same = err == 0 && now.folder == g->folder &&
		               (now.what == g->what ||
		                (is_removal(now.what) && is_removal(g->what)));
		if (err == -ENOENT || err == -EAGAIN ||
		    (err == 0 && !is_same)) {
			push_group_drop(g, i);
			err = 0;
			continue;
		}
		if (err < 0)
			break;
		item->intent = now;
		item->row.state = JOURNAL_SENT;
		item->row.sent_at = p->now;
		item->row.not_before = p->now + FIRST_LOOK_MS;
		if (is_traced(g->what))
			err = save_trace(conn, g, item);
		else if (g->what == PUSH_FLAGS)
			err = save_doubt(conn, item);
		if (err == 0)
			err = journal_update(conn, &item->row);
	}
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	/* A removal: the only copy may be a file that is kept since. */
	if (err == 0 && (is_traced(g->what) || g->what == PUSH_EXPUNGE))
		err = db_sync(p->cache->db, "sent");
	return err < 0 ? err : FAULT("push-sent");
}

static int call(struct push *p, const struct push_group *g,
                struct remote_wish *wishes)
{
	for (size_t i = 0; i < g->count; i++) {
		const struct push_item *item = g->items[i];
		wishes[i] = (struct remote_wish){
			.key = item->intent.key,
			.flags = item->intent.flags,
			.removed = item->intent.removed,
			.keywords = item->intent.keywords,
			.removed_keywords = item->intent.removed_keywords,
			.fd = item->fd,
			.size = item->size,
			.received_at = item->intent.received_at,
		};
	}
	struct remote *r = p->remote;
	switch (g->what) {
	case PUSH_NOTHING:
		return 0;
	case PUSH_APPEND:
		return remote_append(r, g->target_name, wishes, g->count);
	case PUSH_COPY:
		return remote_copy(r, g->folder_name, g->target_name, wishes,
		                   g->count);
	case PUSH_MOVE:
	case PUSH_TRASH:
		return remote_move(r, g->folder_name, g->target_name, wishes,
		                   g->count);
	case PUSH_EXPUNGE:
		return remote_remove(r, g->folder_name, wishes, g->count);
	case PUSH_FLAGS:
	case PUSH_MARK:
		return remote_set_flags(r, g->folder_name, wishes, g->count);
	}
	return 0;
}

/* It is as if it had not been tried. */
static int take_back(struct db_conn *conn, struct journal_row *row,
                     int64_t not_before)
{
	row->state = JOURNAL_READY;
	row->mark[0] = '\0';
	row->not_before = not_before;
	return journal_update(conn, row);
}

/* Save it; the server has it, or may: it cannot be taken back any more. */
static int keep(struct db_conn *conn, const struct journal_row *row)
{
	int err = row->is_offered ? journal_accept(conn, row->id) : 0;
	return err < 0 ? err : journal_update(conn, row);
}

/* For push_moved(): where there is one more of the message, and where not. */
static void note_arrival(struct push *p, const struct push_group *g,
                         const struct push_item *item)
{
	struct recent *recent = &p->session->recent;
	if (g->what == PUSH_MOVE)
		recent_left(recent, g->folder, item->id_digest,
		            item->body_digest);
	else
		recent_arrived(recent, clock_wall_ns() / 1000000, g->target,
		               item->id_digest, item->body_digest);
}

static int take_done(struct push *p, struct db_conn *conn,
                     const struct push_group *g, const struct push_item *item,
                     const struct remote_wish *w, struct push_after *after)
{
	struct journal_row row = item->row, other;
	p->counts[g->what]++;
	if (g->what == PUSH_MARK)
		return push_drop(conn, &row, after);
	if (is_removal(g->what))
		return push_gone(conn, &row, after);
	row.flags = item->intent.flags_then;
	memcpy(row.keywords, item->intent.keywords_then, sizeof(row.keywords));
	if (g->what == PUSH_FLAGS) {
		int err = journal_be_sure(conn, &row);
		return err < 0 ? err : push_took(conn, &row, after);
	}
	note_arrival(p, g, item);
	/* A key that is another's is none: the server talks nonsense. */
	bool is_told = w->new_key[0] != '\0' &&
	               (journal_by_key(conn, g->target, w->new_key, &other) ==
	                        -ENOENT ||
	                other.id == row.id);
	if (!is_told) {
		row.state = JOURNAL_LANDED;
		row.not_before = 0;
		push_answer(&row, 0, after);
		return keep(conn, &row);
	}
	row.folder = g->target;
	(void)snprintf(row.key, sizeof(row.key), "%s", w->new_key);
	return push_took(conn, &row, after);
}

/* Gone, or known by another key: the pull tells, and this is tried again. */
static int take_stale(struct push *p, struct db_conn *conn,
                      const struct push_group *g, struct journal_row *row,
                      struct push_after *after)
{
	row->tries++;
	if (g->what != PUSH_COPY && row->tries >= STALE_TRIES)
		return push_gone(conn, row, after);
	row->err = -ESTALE;
	jobs_pull_add(p->cache->jobs, g->folder, false, "", -1);
	return take_back(conn, row, p->now + retry_ms(row->tries - 1));
}

static int take_refused(struct push *p, struct db_conn *conn,
                        const struct push_group *g, struct journal_row *row,
                        int why, const char *words, struct push_after *after)
{
	int err;
	switch (why) {
	case -ESTALE:
		return take_stale(p, conn, g, row, after);
	case -ENOENT:
		/* The list of folders tells what became of it. */
		jobs_list_at(p->cache->jobs, p->now);
		return take_back(conn, row, p->now + retry_ms(row->tries++));
	case -EBUSY:
		return take_back(conn, row, p->now + retry_ms(row->tries++));
	default:
		row->mark[0] = '\0';
		refuse(p, row, why, words, after);
		err = journal_be_sure(conn, row);
		return err < 0 ? err : journal_update(conn, row);
	}
}

static int take_unknown(struct push *p, struct db_conn *conn,
                        const struct push_group *g, struct journal_row *row,
                        struct push_after *after)
{
	row->tries++;
	if (is_traced(g->what))
		return keep(conn, row);
	if (is_removal(g->what))
		return take_back(conn, row, 0);
	/* Flags can be set again; what they are now, the pull tells. */
	jobs_pull_add(p->cache->jobs, g->folder, false, "", -1);
	int err = journal_update(conn, row);
	return err < 0 ? err : push_took(conn, row, after);
}

static int take_fate(struct push *p, struct db_conn *conn,
                     const struct push_group *g, const struct push_item *item,
                     const struct remote_wish *w, int failed,
                     struct push_after *after)
{
	struct journal_row row = item->row;
	bool is_ours =
		failed < 0 && remote_error_scope(failed) <= REMOTE_SCOPE_FOLDER;
	switch (w->fate) {
	case REMOTE_UNSENT:
		if (is_ours)
			return take_refused(p, conn, g, &row, failed, "",
			                    after);
		return take_back(conn, &row, 0);
	case REMOTE_UNKNOWN:
		return take_unknown(p, conn, g, &row, after);
	case REMOTE_DONE:
		return take_done(p, conn, g, item, w, after);
	case REMOTE_REFUSED:
		return take_refused(p, conn, g, &row, w->err, w->why, after);
	}
	return 0;
}

static int take_fates(struct push *p, const struct push_group *g,
                      const struct remote_wish *wishes, int failed)
{
	struct push_after after = { 0 };
	struct db_conn *conn;
	int err = FAULT("push-answered");
	if (err == 0)
		err = db_begin(p->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < g->count && err == 0; i++) {
		err = take_fate(p, conn, g, g->items[i], &wishes[i], failed,
		                &after);
		/* Nobody drops what was sent: it would be a bug of ours. */
		if (err == -ENOENT)
			err = 0;
	}
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0)
		push_after_run(p->cache, &after);
	push_after_release(&after);
	return err;
}

/* The call could not begin: it is refused as a whole, or the session over. */
static int refuse_all(struct push *p, struct push_group *g, int failed)
{
	if (remote_error_scope(failed) > REMOTE_SCOPE_FOLDER)
		return failed;
	auto_free struct remote_wish *wishes =
		xcalloc(g->count, sizeof(*wishes));
	for (size_t i = 0; i < g->count; i++) {
		wishes[i].fate = REMOTE_REFUSED;
		wishes[i].err = failed;
		(void)snprintf(wishes[i].why, sizeof(wishes[i].why), "%s",
		               p->remote->refusal);
	}
	return take_fates(p, g, wishes, failed);
}

int push_send(struct push *p, struct push_group *g)
{
	if (g->what == PUSH_NOTHING)
		return change_rows(p, g, end_nothing);
	if (g->what == PUSH_FLAGS && !(p->remote->abilities & REMOTE_CAN_FLAG))
		return change_rows(p, g, take_flags);
	if (g->what == PUSH_TRASH && g->target == 0)
		return change_rows(p, g, refuse_trash);
	int err = is_traced(g->what) ? trace(p, g) : 0;
	if (err < 0)
		return refuse_all(p, g, err);
	err = save_sent(p, g);
	if (err < 0 || g->count == 0)
		return err;
	auto_free struct remote_wish *wishes =
		xcalloc(g->count, sizeof(*wishes));
	int failed = call(p, g, wishes);
	err = take_fates(p, g, wishes, failed);
	if (is_removal(g->what) && !g->is_moved)
		recent_removed(&p->session->recent, clock_wall_ns() / 1000000,
		               g->folder, (int64_t)g->count);
	if (err == 0 && failed < 0 &&
	    remote_error_scope(failed) > REMOTE_SCOPE_FOLDER)
		err = failed;
	return err;
}
