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
 * or it is a second copy, which is ours to remove: nobody else can have sent
 * these bytes with this date after the mark.
 *
 * A void mark (the server numbers its messages anew) leaves all messages to
 * look at.  Then those that entries stand for are left to them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/content.h"
#include "cache/push.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

/* When to look, after it was sent; then it is sent again. */
static const int64_t looks_ms[] = { 2000, 8000, 30000, 60000 };
#define LOOKS    (sizeof(looks_ms) / sizeof(looks_ms[0]))
#define RETRY_MS 5000
#define WATCH_MS (INT64_C(24) * 60 * 60 * 1000)
/* Rows and messages that one call deals with; the rest has its turn later. */
#define LOOKS_MAX      2000
#define CANDIDATES_MAX 20000
#define FETCH_BATCH    64

struct candidate {
	char *key, *keywords;
	unsigned flags;
	int64_t received_at;
	uint64_t size;
	bool is_known; /* to an entry or a row */
	bool is_taken;
	bool is_wanted; /* its content is needed */
	bool has_digest;
	uint8_t digest[DIGEST_SIZE];
};

/* A row that was sent, or a watch. */
struct look {
	struct journal_row row;
	struct push_trace trace;
	int rank;                /* see rank() */
	struct candidate *found; /* borrowed from the settling; NULL: none */
	int64_t others;          /* entries that look the same; if is_void */
	bool is_done;
	bool is_twin; /* what a watch found is one copy too many */
};

struct settling {
	struct session *session;
	struct cache *cache;
	struct remote *remote;
	int64_t folder;
	char *name;
	struct look **looks;
	size_t look_count, look_capacity;
	/* For those looked for together: what came since their mark. */
	bool is_void;
	struct candidate **candidates;
	size_t count, capacity;
};

static bool is_watch(const struct look *l)
{
	return l->row.state == JOURNAL_WATCH;
}

static bool is_move(const struct look *l)
{
	if (is_watch(l))
		return l->row.target != -1;
	return l->row.folder != l->trace.folder;
}

/*
 * Among identical messages: what landed is there, so that it is not left to
 * what perhaps is not; and a move that was done has no source any more to be
 * done again from.  Watches take what no row wants.
 */
static int rank(const struct look *l)
{
	int state = l->row.state == JOURNAL_LANDED ? 0 : 2;
	return is_watch(l) ? 4 : state + (is_move(l) ? 0 : 1);
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
			    trace.folder != s->folder ||
			    s->look_count == LOOKS_MAX)
				continue;
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

/* What a server that counts as most do says of it. */
static bool is_size_close(const struct look *l, uint64_t size)
{
	return size + 2 >= l->trace.wire_size && size <= l->trace.wire_size + 2;
}

static bool is_size_like(const struct look *l, uint64_t size)
{
	uint64_t wire = l->trace.wire_size;
	if (wire == 0)
		return l->trace.has_digest;
	/* Content decides; some servers count line ends as one byte. */
	uint64_t least = l->trace.has_digest ? wire - wire / 8 : wire;
	return is_size_close(l, size) || (size >= least && size <= wire);
}

static bool is_like(const struct look *l, const struct candidate *c)
{
	return c->received_at == l->trace.received_at &&
	       is_size_like(l, c->size);
}

/* Those of one mark are looked for with one call, a rank after the other. */
static bool is_together(const struct look *a, const struct look *b)
{
	return a->rank == b->rank && strcmp(a->trace.mark, b->trace.mark) == 0;
}

/* What is like any of those looked for with first. */
static void add_candidate(struct settling *s, const struct look *first,
                          const struct remote_change *change)
{
	struct candidate c = {
		.flags = change->flags,
		.received_at = change->received_at,
		.size = change->claimed_size,
	};
	bool is_any = false;
	for (size_t i = 0; i < s->look_count; i++) {
		if (!is_together(s->looks[i], first) ||
		    !is_like(s->looks[i], &c))
			continue;
		is_any = true;
		c.is_wanted |= s->looks[i]->trace.has_digest;
	}
	if (!is_any || s->count == CANDIDATES_MAX)
		return;
	if (s->count == s->capacity) {
		s->capacity = 2 * s->capacity + 16;
		s->candidates =
			xrealloc(s->candidates,
		                 s->capacity * sizeof(struct candidate *));
	}
	struct candidate *added = xmalloc(sizeof(*added));
	*added = c;
	added->key = xstrdup(change->key);
	added->keywords = xstrdup(change->keywords);
	s->candidates[s->count++] = added;
}

static void forget_candidates(struct settling *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->candidates[i]->key);
		free(s->candidates[i]->keywords);
		free(s->candidates[i]);
	}
	s->count = 0;
}

static int gather(struct settling *s, const struct look *first)
{
	struct remote_change change;
	struct remote_cursor cursor;
	const char *mark = first->trace.mark;
	int n = remote_since(s->remote, s->name, mark);
	s->is_void = n == -ESTALE || mark[0] == '\0';
	if (n == -ESTALE)
		n = remote_since(s->remote, s->name, "");
	if (n < 0)
		return n;
	while ((n = remote_next(s->remote, &change, &cursor)) == 1)
		if (change.kind == REMOTE_MESSAGE)
			add_candidate(s, first, &change);
	return n;
}

/* Whose key an entry or a row has is none of ours. */
static int find_known(struct settling *s)
{
	struct db_conn *conn;
	struct journal_row row;
	struct cache_entry entry;
	bool same_keywords;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->count && err == 0; i++) {
		struct candidate *c = s->candidates[i];
		err = db_entry_by_key(conn, s->folder, c->key, &entry,
		                      &same_keywords, "");
		if (err == -ENOENT)
			err = journal_by_key(conn, s->folder, c->key, &row);
		c->is_known = err == 0;
		if (err == -ENOENT)
			err = 0;
	}
	db_rollback(conn);
	return err;
}

static struct candidate *by_key(struct settling *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->candidates[i]->key, key) == 0)
			return s->candidates[i];
	return NULL;
}

/* The next body owed: 1, 0 when none is, or -errno. */
static int receive_digest(struct settling *s)
{
	struct body_temp temp;
	struct remote_body body;
	struct content content;
	int err = body_temp_open(s->cache->bodies, &temp);
	if (err < 0)
		return err;
	int n = remote_fetched(s->remote, temp.fd, &body);
	struct candidate *c = n == 1 ? by_key(s, body.key) : NULL;
	if (n == 1 && c == NULL)
		n = -EPROTO; /* not what was asked for */
	if (n == 1 && body.err == 0) {
		err = content_read(temp.fd, &content);
		c->has_digest = err == 0;
		memcpy(c->digest, content.digest, DIGEST_SIZE);
	}
	body_temp_close(s->cache->bodies, &temp);
	return err < 0 ? err : n;
}

static int fetch_digests(struct settling *s)
{
	for (size_t i = 0; i < s->count;) {
		struct remote_want wants[FETCH_BATCH];
		size_t count = 0;
		for (; i < s->count && count < FETCH_BATCH; i++) {
			const struct candidate *c = s->candidates[i];
			if (!c->is_known && c->is_wanted)
				wants[count++] =
					(struct remote_want){ c->key, c->size };
		}
		if (count == 0)
			continue;
		int n = remote_fetch(s->remote, s->name, wants, count);
		if (n < 0)
			return n;
		while ((n = receive_digest(s)) == 1)
			;
		if (n < 0)
			return n;
	}
	return 0;
}

/*
 * May what looks like l be the entry's message?  Not if it has a row that says
 * that the server has it not, or perhaps not.
 */
static bool is_other(struct db_conn *conn, const struct look *l,
                     const struct cache_entry *entry)
{
	struct journal_row row = { .id = 0 };
	struct db_source source;
	if (db_source_get(conn, entry->message.id, &source) == 0 &&
	    source.claimed_size > 0 && !is_size_close(l, source.claimed_size))
		return false;
	while (journal_by_message(conn, entry->message.id, row.id, &row) == 0)
		if (row.entry == entry->id && row.state != JOURNAL_WATCH &&
		    (row.state == JOURNAL_SENT || row.state == JOURNAL_LANDED ||
		     push_is_birth(&row)))
			return false;
	return true;
}

/*
 * With a void mark: entries that the server's messages may be, though their
 * keys do not say so any more.
 */
static int count_others(struct settling *s, struct look *l)
{
	struct cache_entry e;
	int n = 0;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		int64_t after = 0;
		do {
			struct cache_entry like[32];
			size_t count = 0;
			struct db_conn *conn;
			int err = db_begin(s->cache->db, &conn);
			if (err < 0)
				return err;
			n = db_scan_begin(conn, s->folder,
			                  (enum cache_place)place, after,
			                  false);
			for (int i = 0; n >= 0 && i < DB_BATCH && count < 32;
			     i++) {
				n = db_scan_next(conn, &e);
				if (n <= 0)
					break;
				after = e.id;
				if (e.message.received_at ==
				    l->trace.received_at)
					like[count++] = e;
			}
			db_scan_end(conn);
			for (size_t i = 0; i < count; i++)
				l->others += is_other(conn, l, &like[i]);
			db_rollback(conn);
		} while (n > 0);
		if (n < 0)
			return n;
	}
	for (size_t i = 0; i < s->count; i++)
		if (s->candidates[i]->is_known &&
		    is_like(l, s->candidates[i]) &&
		    is_size_close(l, s->candidates[i]->size))
			l->others--;
	return 0;
}

static bool is_fit(const struct look *l, const struct candidate *c,
                   bool is_content_told)
{
	if (c->is_known || c->is_taken || !is_like(l, c))
		return false;
	if (!l->trace.has_digest || !is_content_told)
		return true;
	return c->has_digest &&
	       memcmp(c->digest, l->trace.digest, DIGEST_SIZE) == 0;
}

/* The last that fits, when more do than there are entries for. */
static void assign(struct look *l, struct settling *s, bool is_content_told)
{
	int64_t fits = 0;
	struct candidate *last = NULL;
	for (size_t i = 0; i < s->count; i++) {
		if (!is_fit(l, s->candidates[i], is_content_told))
			continue;
		fits++;
		last = s->candidates[i];
	}
	if (last == NULL || fits <= l->others)
		return;
	l->found = last;
	last->is_taken = true;
}

static int64_t age(const struct settling *s, const struct look *l)
{
	int64_t now = clock_now_ms();
	(void)s;
	/* The clock began anew with the machine. */
	return l->row.sent_at > now ? 0 : now - l->row.sent_at;
}

static bool is_overdue(const struct settling *s, const struct look *l)
{
	return age(s, l) >= looks_ms[LOOKS - 1];
}

static int match(struct settling *s, const struct look *first)
{
	for (size_t i = 0; i < s->look_count; i++) {
		struct look *l = s->looks[i];
		if (!is_together(l, first))
			continue;
		/* Where a watch's mark is void nothing is certain. */
		if (is_watch(l) && s->is_void)
			continue;
		if (s->is_void) {
			int err = count_others(s, l);
			if (err < 0)
				return err;
		}
		assign(l, s, true);
		/* The server has it; perhaps it changed the content. */
		if (l->found == NULL && l->row.state == JOURNAL_LANDED &&
		    is_overdue(s, l))
			assign(l, s, false);
	}
	return 0;
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

/* What watches found serves a row, or is a twin. */
static int serve(struct settling *s)
{
	struct db_conn *conn;
	struct journal_row row;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		struct look *l = s->looks[i];
		if (!is_watch(l) || l->found == NULL || l->is_done)
			continue;
		err = find_served(s, conn, l, &row);
		if (err == 0) {
			err = journal_drop(conn, &l->row);
			l->row = row;
		} else if (err == -ENOENT) {
			err = 0;
			/* A move that came late took the one copy along. */
			l->is_twin = !is_move(l) && l->trace.has_digest;
			if (!l->is_twin) {
				err = journal_drop(conn, &l->row);
				l->is_done = true;
			}
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
			    is_watch(l) || !is_move(l) ||
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
	if (l->is_twin)
		return journal_drop(conn, &row);
	row.folder = s->folder;
	row.flags = l->found->flags;
	row.wire_size = l->found->size;
	(void)strncpy(row.key, l->found->key, sizeof(row.key) - 1);
	row.key[sizeof(row.key) - 1] = '\0';
	(void)strncpy(row.keywords, l->found->keywords,
	              sizeof(row.keywords) - 1);
	row.keywords[sizeof(row.keywords) - 1] = '\0';
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
	int64_t since = age(s, l);
	l->is_done = true;
	if (is_watch(l))
		return s->is_void ? journal_drop(conn, &l->row) : 0;
	for (size_t i = 0; i < LOOKS; i++) {
		if (looks_ms[i] <= since)
			continue;
		*is_blocked_out = true;
		l->row.sent_at = clock_now_ms() - since;
		l->row.not_before = l->row.sent_at + looks_ms[i];
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
		if (l->is_done || !is_together(l, first))
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
	int err = gather(s, &key);
	if (err == 0)
		err = find_known(s);
	if (err == 0)
		err = fetch_digests(s);
	if (err == 0)
		err = match(s, &key);
	if (err == 0)
		err = serve(s);
	if (err == 0)
		err = remove_sources(s);
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
		err = is_watch(l) ? journal_drop(conn, &l->row)
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
		if (is_watch(l) || l->is_done)
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
		forget_candidates(s);
		if (err == 0)
			continue;
		if (remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
			return err;
		*is_blocked_out = true;
		return look_later(s);
	}
	/* It waited for this. */
	if (!*is_blocked_out && !is_watch(s->looks[0]))
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
