/*
 * What may be ours among what came since a mark: its facts, then whether it is
 * known, then its content.
 */
#include "cache/settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/content.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Messages that one call deals with; the rest has its turn later. */
#define CANDIDATES_MAX 20000
#define FETCH_BATCH    64

const int64_t settle_looks_ms[SETTLE_LOOKS] = { 2000, 8000, 30000, 60000 };

bool settle_is_watch(const struct look *l)
{
	return l->row.state == JOURNAL_WATCH;
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

/*
 * Where a server may have dated it itself, content decides.  With a void mark
 * all messages are looked at; then it is fetched of few.
 */
static bool is_like(const struct settling *s, const struct look *l,
                    const struct candidate *c)
{
	if (c->received_at == l->trace.received_at)
		return is_size_like(l, c->size);
	return s->remote->may_redate && l->trace.has_digest &&
	       (s->is_void ? is_size_close(l, c->size)
	                   : is_size_like(l, c->size));
}

/* Those of one mark are looked for with one call, a rank after the other. */
bool settle_is_together(const struct look *a, const struct look *b)
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
		if (!settle_is_together(s->looks[i], first) ||
		    !is_like(s, s->looks[i], &c))
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
	s->candidates[s->count++] = added;
}

void settle_forget(struct settling *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->candidates[i]->key);
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

/* Has the server's copy of an entry a key that is known to be true? */
static bool is_keyed(struct settling *s, struct db_conn *conn,
                     const struct cache_entry *entry)
{
	char key[REMOTE_KEY_MAX + 1] = "";
	struct journal_row row = { .id = 0 };
	if (db_entry_key(conn, entry, key) == 0 && key[0] != '\0')
		return by_key(s, key) != NULL;
	while (journal_by_message(conn, entry->message.id, row.id, &row) == 0)
		if (row.entry == entry->id && by_key(s, row.key) != NULL)
			return true;
	return false;
}

/* What the index says of a message: the date, unless its content is here. */
static bool is_same(struct settling *s, const struct look *l,
                    const struct cache_message *m)
{
	struct content content;
	auto_fd int fd = content_open(s->cache, m);
	if (l->trace.has_digest && fd >= 0 && content_read(fd, &content) == 0)
		return memcmp(content.digest, l->trace.digest, DIGEST_SIZE) ==
		       0;
	return m->received_at == l->trace.received_at;
}

/* Is a closer look worth it? */
static bool may_be_like(const struct settling *s, const struct look *l,
                        const struct cache_message *m)
{
	return m->received_at == l->trace.received_at ||
	       (s->remote->may_redate && l->trace.has_digest && m->is_cached &&
	        m->size <= l->trace.wire_size + 2);
}

/* Does a row say that the server has it there, under whatever key? */
static bool is_copy_of(const struct journal_row *row, int64_t folder)
{
	return row->folder == folder && (row->key[0] != '\0' || row->is_void);
}

/*
 * May what looks like l be the entry's message?  Not if it has a row that says
 * that the server has it not, or perhaps not.
 */
static bool is_other(struct settling *s, struct db_conn *conn,
                     const struct look *l, const struct cache_entry *entry)
{
	struct journal_row row = { .id = 0 };
	struct db_source source;
	if (db_source_get(conn, entry->message.id, &source) == 0 &&
	    source.claimed_size > 0 && !is_size_close(l, source.claimed_size))
		return false;
	while (journal_by_message(conn, entry->message.id, row.id, &row) == 0)
		if (row.entry == entry->id && row.state != JOURNAL_WATCH &&
		    !is_copy_of(&row, l->trace.folder))
			return false;
	return !is_keyed(s, conn, entry) && is_same(s, l, &entry->message);
}

/*
 * Those that are to go from the folder, which has no entry for them any more.
 * Returns 0 or -errno.
 */
static int count_leaving(struct settling *s, struct look *l)
{
	struct journal_row row = { .id = 0 };
	struct cache_message m;
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	while ((err = journal_of_folder(conn, s->folder, row.id, &row)) == 0)
		l->others += row.target != s->folder && row.id != l->row.id &&
		             is_copy_of(&row, s->folder) &&
		             by_key(s, row.key) == NULL &&
		             db_message_get(conn, row.message, &m) == 0 &&
		             may_be_like(s, l, &m) && is_same(s, l, &m);
	db_rollback(conn);
	return err == -ENOENT ? 0 : err;
}

/*
 * Among the next entries of a place after *after_io, in a transaction.  Returns
 * 0 at the end of the place, else 1.
 */
static int count_some_others(struct settling *s, struct look *l,
                             enum cache_place place, int64_t *after_io)
{
	struct cache_entry e, like[32];
	size_t count = 0;
	struct db_conn *conn;
	int n = db_begin(s->cache->db, &conn);
	if (n < 0)
		return n;
	n = db_scan_begin(conn, s->folder, place, *after_io, false);
	for (int i = 0; n >= 0 && i < DB_BATCH && count < 32; i++) {
		n = db_scan_next(conn, &e);
		if (n <= 0)
			break;
		*after_io = e.id;
		if (may_be_like(s, l, &e.message))
			like[count++] = e;
	}
	db_scan_end(conn);
	for (size_t i = 0; i < count; i++)
		l->others += is_other(s, conn, l, &like[i]);
	db_rollback(conn);
	return n;
}

/*
 * With a void mark: entries that the server's messages may be, though their
 * keys do not say so any more.
 */
static int count_others(struct settling *s, struct look *l)
{
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		int64_t after = 0;
		int n;
		do
			n = count_some_others(s, l, (enum cache_place)place,
			                      &after);
		while (n > 0);
		if (n < 0)
			return n;
	}
	return count_leaving(s, l);
}

static bool is_fit(const struct settling *s, const struct look *l,
                   const struct candidate *c, bool is_content_told)
{
	if (c->is_known || c->is_taken || !is_like(s, l, c))
		return false;
	if (!l->trace.has_digest || !is_content_told)
		return c->received_at == l->trace.received_at;
	return c->has_digest &&
	       memcmp(c->digest, l->trace.digest, DIGEST_SIZE) == 0;
}

/*
 * The first that fits, for what was sent later cannot have it; but for those
 * that entries may stand for.  One with our date goes before others.
 */
static void assign(struct look *l, struct settling *s, bool is_content_told)
{
	int64_t others = l->others;
	bool is_dated = false;
	for (size_t i = 0; i < s->count && !is_dated; i++) {
		struct candidate *c = s->candidates[i];
		if (!is_fit(s, l, c, is_content_told) || others-- > 0)
			continue;
		is_dated = c->received_at == l->trace.received_at;
		if (l->found == NULL || is_dated)
			l->found = c;
	}
	if (l->found != NULL)
		l->found->is_taken = true;
}

int64_t settle_age(const struct look *l)
{
	int64_t now = clock_now_ms();
	/* The clock began anew with the machine. */
	return l->row.sent_at > now ? 0 : now - l->row.sent_at;
}

bool settle_is_overdue(const struct look *l)
{
	return settle_age(l) >= settle_looks_ms[SETTLE_LOOKS - 1];
}
static int match(struct settling *s, const struct look *first)
{
	for (size_t i = 0; i < s->look_count; i++) {
		struct look *l = s->looks[i];
		if (!settle_is_together(l, first))
			continue;
		/* Where a watch's mark is void nothing is certain. */
		if (settle_is_watch(l) && s->is_void)
			continue;
		if (s->is_void) {
			int err = count_others(s, l);
			if (err < 0)
				return err;
		}
		assign(l, s, true);
		/* The server has it; perhaps it changed the content. */
		if (l->found == NULL && l->row.state == JOURNAL_LANDED &&
		    settle_is_overdue(l))
			assign(l, s, false);
	}
	return 0;
}

int settle_find(struct settling *s, const struct look *first)
{
	int err = gather(s, first);
	if (err == 0)
		err = find_known(s);
	if (err == 0)
		err = fetch_digests(s);
	return err < 0 ? err : match(s, first);
}
