/*
 * What became of what was sent and not answered: it is looked for.
 *
 * A message that may be ours came after the mark that was taken before it was
 * sent, has the date and about the size it was sent with, is known to no entry
 * and no row, and has our content.  Each satisfies one row; among identical
 * messages any assignment is right.
 *
 * Not found is not proof: servers commit late (Dovecot was seen to 3.3 s after
 * the connection was lost).  So it is looked for again and again before it is
 * sent again, and for a day there is a JOURNAL_WATCH row for what may come
 * yet.  If that is found, it either serves the row that is to be sent again,
 * or it is perhaps a second copy, which is ours to remove: see settle_twin.c.
 *
 * A void mark (the server numbers its messages anew) leaves all messages to
 * look at.  Then those that entries stand for are left to them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/content.h"
#include "cache/settle.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

#define RETRY_MS 5000
#define WATCH_MS (INT64_C(24) * 60 * 60 * 1000)
/* Rows that one call deals with; the rest has its turn later. */
#define LOOKS_MAX 2000

static bool is_move(const struct look *l)
{
	if (settle_is_watch(l))
		return l->row.target != -1;
	return l->row.folder != l->trace.folder;
}

/*
 * Among identical messages: what landed is there, so that it is not left to
 * what perhaps is not; and a move that was done, however late, has no source
 * any more to be done again from.  Watches take what no row wants.
 */
static int rank(const struct look *l)
{
	if (l->row.state == JOURNAL_LANDED)
		return is_move(l) ? 0 : 1;
	if (is_move(l))
		return settle_is_watch(l) ? 3 : 2;
	return settle_is_watch(l) ? 5 : 4;
}

static int compare_ranks(const void *a, const void *b)
{
	const struct look *const *l = a, *const *m = b;
	if ((*l)->rank != (*m)->rank)
		return (*l)->rank - (*m)->rank;
	return (*l)->row.id < (*m)->row.id ? -1 : 1;
}

static void add_look(struct settling *s, const struct journal_row *row,
                     const struct push_trace *trace)
{
	if (s->look_count == s->look_capacity) {
		s->look_capacity = 2 * s->look_capacity + 16;
		s->looks = xrealloc(s->looks,
		                    s->look_capacity * sizeof(struct look *));
	}
	struct look *l = xmalloc(sizeof(*l));
	l->row = *row;
	l->trace = *trace;
	l->rank = rank(l);
	s->looks[s->look_count++] = l;
}

static int load(struct settling *s)
{
	static const enum journal_state states[] = {
		JOURNAL_LANDED,
		JOURNAL_SENT,
		JOURNAL_WATCH,
	};
	struct journal_row row;
	struct push_trace trace;
	struct db_conn *conn;
	int64_t wall = clock_wall_ns() / 1000000;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	s->name = db_folder_name(conn, s->folder);
	for (size_t i = 0; i < 3 && (err == 0 || err == -ENOENT); i++) {
		row.id = 0;
		while ((err = journal_next(conn, states[i], row.id, &row)) ==
		       0) {
			if (!push_trace_read(&row, &trace) ||
			    trace.folder != s->folder)
				continue;
			if (s->look_count == LOOKS_MAX) {
				s->is_cut |= row.state != JOURNAL_WATCH;
				continue;
			}
			if (row.state == JOURNAL_WATCH &&
			    wall - row.created_at > WATCH_MS)
				err = journal_drop(conn, &row);
			else
				add_look(s, &row, &trace);
			if (err < 0)
				break;
		}
	}
	if (err != -ENOENT) {
		db_rollback(conn);
		return err;
	}
	if (s->look_count > 0)
		qsort(s->looks, s->look_count, sizeof(struct look *),
		      compare_ranks);
	return db_commit(conn);
}

/* The row a watch stands beside, if what was found is what it wants. */
static int find_served(struct settling *s, struct db_conn *conn, struct look *l,
                       struct journal_row *out)
{
	struct cache_message m;
	struct content content;
	int err = journal_get(conn, l->row.after, out);
	if (err < 0)
		return err;
	bool is_waiting = out->state == JOURNAL_READY ||
	                  out->state == JOURNAL_REFUSED ||
	                  out->state == JOURNAL_SETTLING;
	if (!is_waiting || out->target != s->folder || out->is_void)
		return -ENOENT;
	if (is_move(l))
		return out->folder == l->row.target ? 0 : -ENOENT;
	if (!push_is_birth(out))
		return -ENOENT;
	err = db_message_get(conn, out->message, &m);
	if (err < 0)
		return err;
	auto_fd int fd = content_open(s->cache, &m);
	bool is_it = fd >= 0 && content_read(fd, &content) == 0 &&
	             memcmp(content.digest, l->trace.digest, DIGEST_SIZE) == 0;
	return is_it ? 0 : -ENOENT;
}

/* What watches found serves the rows that want it. */
static int serve(struct settling *s)
{
	struct db_conn *conn;
	struct journal_row row;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		struct look *l = s->looks[i];
		if (!settle_is_watch(l) || l->found == NULL || l->is_done)
			continue;
		err = find_served(s, conn, l, &row);
		if (err == 0) {
			err = journal_drop(conn, &l->row);
			l->row = row;
		} else if (err == -ENOENT) {
			err = 0;
		}
	}
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	return err;
}

/* Remove messages of a folder for good, in one call. */
static int remove_keys(struct settling *s, int64_t folder,
                       struct remote_wish *wishes, size_t count)
{
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	auto_free char *name = db_folder_name(conn, folder);
	db_rollback(conn);
	if (name == NULL || count == 0)
		return 0;
	err = remote_remove(s->remote, name, wishes, count);
	return err < 0 && remote_error_scope(err) > REMOTE_SCOPE_FOLDER ? err
	                                                                : 0;
}

static struct remote_wish wish_of(const char *key)
{
	return (struct remote_wish){
		.key = key,
		.keywords = "",
		.removed_keywords = "",
	};
}

/*
 * A move may have been a copy whose end was cut off.  What is removed already
 * is not minded.
 */
static int remove_sources(struct settling *s)
{
	auto_free bool *is_seen = xcalloc(s->look_count, sizeof(*is_seen));
	auto_free struct remote_wish *wishes =
		xcalloc(s->look_count, sizeof(*wishes));
	for (size_t i = 0; i < s->look_count; i++) {
		const struct look *first = s->looks[i];
		size_t count = 0;
		for (size_t j = i; j < s->look_count; j++) {
			const struct look *l = s->looks[j];
			if (is_seen[j] || l->is_done || l->found == NULL ||
			    settle_is_watch(l) || !is_move(l) ||
			    l->row.folder != first->row.folder ||
			    l->row.key[0] == '\0')
				continue;
			is_seen[j] = true;
			wishes[count++] = wish_of(l->row.key);
		}
		int err = remove_keys(s, first->row.folder, wishes, count);
		if (err < 0)
			return err;
	}
	return 0;
}

static int remove_twins(struct settling *s)
{
	auto_free struct remote_wish *wishes =
		xcalloc(s->look_count, sizeof(*wishes));
	size_t count = 0;
	for (size_t i = 0; i < s->look_count; i++)
		if (s->looks[i]->is_twin && !s->looks[i]->is_done)
			wishes[count++] = wish_of(s->looks[i]->found->key);
	if (count == 0)
		return 0;
	log_warn("the server took %zu messages late, and so twice: removing "
	         "the second copies",
	         count);
	return remove_keys(s, s->folder, wishes, count);
}

static int take_found(struct settling *s, struct db_conn *conn, struct look *l,
                      struct push_after *after)
{
	struct journal_row row = l->row;
	l->is_done = true;
	/* A twin is gone now; what is none is left to the next pull. */
	if (settle_is_watch(l))
		return journal_drop(conn, &row);
	int err = push_is_birth(&row) ? db_message_redate(conn, row.message,
	                                                  l->found->received_at)
	                              : 0;
	if (err < 0)
		return err;
	row.folder = s->folder;
	/* The mark of half a move is ours; other flags the next pull tells. */
	if (is_move(l))
		row.flags |= l->found->flags & MAIL_DELETED;
	row.wire_size = l->found->size;
	(void)strncpy(row.key, l->found->key, sizeof(row.key) - 1);
	row.key[sizeof(row.key) - 1] = '\0';
	return push_took(conn, &row, after);
}

/* Send it again; and mind that it may have been sent. */
static int give_up(struct db_conn *conn, struct look *l,
                   struct push_after *after)
{
	int err = journal_watch(conn, &l->row, l->trace.folder,
	                        is_move(l) ? l->row.folder : -1);
	l->row.tries++;
	if (err == 0)
		err = journal_update(conn, &l->row);
	return err < 0 ? err : push_took(conn, &l->row, after);
}

static int take_missing(struct settling *s, struct db_conn *conn,
                        struct look *l, struct push_after *after,
                        bool *is_blocked_out)
{
	int64_t since = settle_age(l);
	l->is_done = true;
	if (settle_is_watch(l))
		return s->is_void ? journal_drop(conn, &l->row) : 0;
	for (size_t i = 0; i < SETTLE_LOOKS; i++) {
		if (settle_looks_ms[i] <= since)
			continue;
		*is_blocked_out = true;
		l->row.sent_at = clock_now_ms() - since;
		l->row.not_before = l->row.sent_at + settle_looks_ms[i];
		return journal_update(conn, &l->row);
	}
	/* What the server took, another has removed since. */
	if (l->row.state == JOURNAL_LANDED)
		return push_gone(conn, &l->row, after);
	return give_up(conn, l, after);
}

static int save(struct settling *s, const struct look *first,
                bool *is_blocked_out)
{
	struct push_after after = { 0 };
	struct db_conn *conn;
	int err = FAULT("settle-found");
	if (err == 0)
		err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		struct look *l = s->looks[i];
		if (l->is_done || !settle_is_together(l, first))
			continue;
		err = l->found != NULL ? take_found(s, conn, l, &after)
		                       : take_missing(s, conn, l, &after,
		                                      is_blocked_out);
		if (err == -ENOENT)
			err = 0; /* it ended meanwhile */
	}
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0)
		push_after_run(s->cache, &after);
	push_after_release(&after);
	return err;
}

/* All that was sent after one mark. */
static int settle_mark(struct settling *s, const struct look *first,
                       bool *is_blocked_out)
{
	struct look key = *first; /* its row may change under way */
	int err = settle_find(s, &key);
	if (err == 0)
		err = serve(s);
	if (err == 0)
		err = settle_twins(s);
	if (err == 0)
		err = remove_sources(s);
	if (err == 0)
		err = FAULT("settle-moved");
	if (err == 0)
		err = remove_twins(s);
	if (err == 0)
		err = save(s, &key, is_blocked_out);
	return err;
}

/* The folder is not there, so nothing in it is: all may be sent again. */
static int abandon(struct settling *s)
{
	struct push_after after = { 0 };
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		struct look *l = s->looks[i];
		err = settle_is_watch(l) ? journal_drop(conn, &l->row)
		                         : push_took(conn, &l->row, &after);
	}
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0)
		push_after_run(s->cache, &after);
	push_after_release(&after);
	return err;
}

/* The server does not let us look: the list of folders tells why. */
static int look_later(struct settling *s)
{
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		struct look *l = s->looks[i];
		if (settle_is_watch(l) || l->is_done)
			continue;
		l->row.not_before = clock_now_ms() + RETRY_MS;
		err = journal_update(conn, &l->row);
	}
	jobs_list_at(s->cache->jobs, clock_now_ms());
	if (err == 0)
		return db_commit(conn);
	db_rollback(conn);
	return err;
}

static int settle_all(struct settling *s, bool *is_blocked_out)
{
	if (s->name == NULL)
		return abandon(s);
	for (size_t i = 0; i < s->look_count; i++) {
		if (s->looks[i]->is_done)
			continue;
		int err = settle_mark(s, s->looks[i], is_blocked_out);
		/* Its looks are done, and its candidates free to go. */
		for (size_t j = 0; j < s->look_count; j++)
			s->looks[j]->found = NULL;
		settle_forget(s);
		if (err == 0)
			continue;
		if (remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
			return err;
		*is_blocked_out = true;
		return look_later(s);
	}
	*is_blocked_out |= s->is_cut;
	/* It waited for this. */
	if (!*is_blocked_out && !settle_is_watch(s->looks[0]))
		jobs_pull_add(s->cache->jobs, s->folder, false, "", -1);
	return 0;
}

int settle_folder(struct session *session, int64_t folder, bool *is_blocked_out)
{
	struct settling s = {
		.session = session,
		.cache = session->cache,
		.remote = session->remote,
		.folder = folder,
	};
	*is_blocked_out = false;
	int err = load(&s);
	if (err == 0 && s.look_count > 0)
		err = settle_all(&s, is_blocked_out);
	for (size_t i = 0; i < s.look_count; i++)
		free(s.looks[i]);
	free(s.looks);
	free(s.candidates);
	free(s.name);
	return err;
}
