/*
 * What a change of the server does to an entry, or to the row of the journal
 * that knows more of the message than the entry does.  Each is idempotent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/content.h"
#include "cache/core.h"
#include "cache/follow.h"
#include "cache/gone.h"
#include "cache/journal.h"
#include "cache/pull.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"

/* A message may have lost its last name and row. */
static int reap(struct pull *p, int64_t message)
{
	bool is_dead = false;
	int err = journal_reap(p->conn, message, &is_dead);
	if (err == 0 && is_dead) {
		body_remove(p->cache->bodies, message);
		file_remove(p->cache->files, message);
	}
	return err;
}

static void forget_body(struct cache *c, int64_t message)
{
	struct cache_message m;
	struct db_conn *conn;
	if (message == 0 || db_begin(c->db, &conn) < 0)
		return;
	bool is_here = db_message_get(conn, message, &m) == 0;
	db_rollback(conn);
	if (!is_here)
		body_remove(c->bodies, message);
}

void pull_forget_gone(struct cache *c, int64_t before)
{
	int64_t message;
	while ((message = gone_expire(c->gone, before)) != 0)
		forget_body(c, message);
}

/* It may have been moved: then it comes to another folder. */
static void keep_gone(struct pull *p, const struct cache_entry *old)
{
	int64_t expired;
	gone_add(p->cache->gone, clock_wall_ns() / 1000000, old, &expired);
	if (expired != 0)
		body_remove(p->cache->bodies, expired);
}

int pull_entry_remove(struct pull *p, const struct cache_entry *old)
{
	bool is_dead = false;
	bool leads = follow_leads(p->conn, old);
	int err = db_entry_remove(p->conn, old);
	if (err == 0)
		err = db_message_link(p->conn, old->message.id, -1);
	if (err == 0 && leads)
		err = follow_gone(p->conn, old->message.id, pull_told, p);
	if (err == 0)
		err = journal_reap(p->conn, old->message.id, &is_dead);
	if (err < 0)
		return err;
	/*
	 * Before the commit, for a file that no row names is never found
	 * again; the other way round it is only fetched once more.
	 */
	bool is_kept_aside =
		is_dead && !old->message.is_kept && p->cache->gone->is_used;
	if (is_kept_aside)
		keep_gone(p, old);
	if (is_dead && !old->message.is_kept && old->message.is_cached) {
		if (!is_kept_aside)
			body_remove(p->cache->bodies, old->message.id);
		p->freed += old->message.size;
	}
	if (is_dead && old->message.is_kept)
		file_remove(p->cache->files, old->message.id);
	p->delta.count[old->place]--;
	p->delta.is_changed[old->place] = true;
	pull_entry_moved(p, old, NULL);
	return 0;
}

int pull_row_apply(struct pull *p, struct journal_row *row,
                   const struct remote_change *change)
{
	struct cache_entry old = { 0 }, now = { 0 };
	bool is_changed = false, is_gone = change->kind == REMOTE_GONE;
	int err = 0;
	pull_row_see(p, row->id);
	/* The row may end here: then the entry has the key, and was named. */
	pull_entry_see(p, row->entry);
	if (is_gone) {
		/* A move of ours: its outcome is found out otherwise. */
		if (row->state == JOURNAL_SENT || row->state == JOURNAL_LANDED)
			return 0;
		err = journal_gone(p->conn, row, &is_changed, &old, pull_told,
		                   p);
		if (err == 0)
			err = reap(p, row->message);
	} else if (change->kind != REMOTE_PRESENT && p->has_flags) {
		err = journal_merge(p->conn, row, change->flags,
		                    change->keywords, &is_changed, &old);
	}
	if (err == 0 && is_changed && !is_gone)
		err = db_entry_by_id(p->conn, old.folder, old.id, &now);
	if (err < 0 || !is_changed)
		return err;
	pull_entry_moved(p, &old, is_gone ? NULL : &now);
	if (is_gone || now.flags == old.flags || !follow_leads(p->conn, &now))
		return 0;
	return follow_flags(p->conn, &now, pull_told, p);
}

/*
 * Bring a known entry to what the server says.  Flags move it out of new; it
 * never goes back there.
 */
static int update_entry(struct pull *p, const struct cache_entry *old,
                        const struct remote_change *change)
{
	enum cache_place place =
		(change->flags & MAIL_FLAGS) != 0 ? CACHE_CUR : old->place;
	int err = db_entry_update(p->conn, old, place, change);
	if (err < 0)
		return err;
	p->delta.count[old->place]--;
	p->delta.count[place]++;
	if (place == old->place && change->flags == old->flags)
		return 0; /* names, and so directories, stay as they are */
	p->delta.is_changed[old->place] = true;
	p->delta.is_changed[place] = true;
	struct cache_entry now = *old;
	now.place = place;
	now.flags = change->flags;
	pull_entry_moved(p, old, &now);
	if (now.flags == old->flags || !follow_leads(p->conn, &now))
		return 0;
	return follow_flags(p->conn, &now, pull_told, p);
}

static enum cache_place first_place(const struct remote_change *change)
{
	return (change->flags & MAIL_FLAGS) == 0 ? CACHE_NEW : CACHE_CUR;
}

/* The name that a program gave it, unless that is taken by now. */
static int name_again(struct pull *p, const struct gone *g, int64_t id)
{
	struct cache_entry entry, now;
	int err = db_entry_by_id(p->conn, p->folder, id, &entry);
	if (err < 0)
		return err;
	now = entry;
	(void)snprintf(now.base, sizeof(now.base), "%s", g->base);
	(void)snprintf(now.info, sizeof(now.info), "%s", g->info);
	now.shown = g->shown;
	err = db_entry_name(p->conn, &entry, &now);
	return err == -EEXIST ? 0 : err;
}

/* A message that went from another folder; -ENOENT: it is no such. */
static int bring_back(struct pull *p, const struct remote_change *change,
                      enum cache_place place, int64_t *id_out)
{
	struct cache *c = p->cache;
	struct cache_message other;
	struct gone g;
	if (!gone_take(c->gone, change->identity, change->received_at, &g))
		return -ENOENT;
	int64_t id = g.message.id;
	int err = db_message_get(p->conn, id, &other) == 0
	                  ? -ENOENT
	                  : db_entry_add_again(p->conn, p->folder, place,
	                                       change, id);
	if (err == 0 && g.message.is_size_exact)
		err = db_body_set(p->conn, id, g.message.size,
		                  body_use(c->bodies));
	if (err == 0 && g.message.is_size_exact && !g.message.is_cached)
		err = db_body_clear(p->conn, id);
	if (err == 0 && g.message.is_cached)
		p->regained += g.message.size;
	if (err == 0 && g.base != NULL)
		err = name_again(p, &g, id);
	if (err == 0)
		pull_entry_see(p, id);
	gone_release(&g);
	*id_out = id;
	return err;
}

static int add_entry(struct pull *p, const struct remote_change *change,
                     enum cache_place place, int64_t *id_out)
{
	int err = -ENOENT;
	p->cache->gone->is_used |= change->is_identity_everywhere;
	if (change->is_identity_everywhere)
		err = bring_back(p, change, place, id_out);
	return err == -ENOENT
	               ? db_entry_add(p->conn, p->folder, place, change, id_out)
	               : err;
}

/* Rows that may stand for a message whose keys are void. */
struct void_rows {
	struct journal_row kept, removal; /* the first of each; id 0: none */
};

static bool is_removal(const struct journal_row *row)
{
	return row->target == -1;
}

static int find_void_rows(struct pull *p, const struct remote_change *change,
                          struct void_rows *out)
{
	struct journal_row row = { .id = 0 };
	int err;
	out->kept.id = 0;
	out->removal.id = 0;
	while ((err = journal_void_next(p->conn, p->folder, change, row.id,
	                                &row)) == 0) {
		struct journal_row *first =
			is_removal(&row) ? &out->removal : &out->kept;
		if (first->id == 0 || row.entry < first->entry)
			*first = row;
	}
	return err == -ENOENT ? 0 : err;
}

static bool has_digest(struct pull *p, int64_t message, struct content *out)
{
	struct cache_message m;
	if (db_message_get(p->conn, message, &m) < 0)
		return false;
	auto_fd int fd = content_open(p->cache, &m);
	return fd >= 0 && content_read(fd, out) == 0;
}

/* Then it is all the same which of the two is removed. */
static bool is_same(struct pull *p, int64_t a, int64_t b)
{
	struct content one, other;
	return has_digest(p, a, &one) && has_digest(p, b, &other) &&
	       memcmp(one.digest, other.digest, DIGEST_SIZE) == 0;
}

/*
 * Which of those that look the same as what is kept was removed cannot be told
 * any more.
 */
static int forget_removals(struct pull *p, const struct remote_change *change,
                           int64_t kept)
{
	const struct remote_change gone = { .kind = REMOTE_GONE };
	struct journal_row row = { .id = 0 };
	int err;
	while ((err = journal_void_next(p->conn, p->folder, change, row.id,
	                                &row)) == 0) {
		if (!is_removal(&row) || is_same(p, row.message, kept))
			continue;
		log_warn("a message that was removed may come back: the server "
		         "numbers its messages anew, and has another of the "
		         "same date and size");
		err = pull_row_apply(p, &row, &gone);
		if (err < 0)
			return err;
	}
	return err == -ENOENT ? 0 : err;
}

/*
 * After a reset: whom a message belongs to.  Of several that look the same, the
 * one that is here longest, for most servers keep the order.  -ENOENT: it is
 * nobody's.
 */
static int apply_void(struct pull *p, const struct remote_change *change)
{
	struct void_rows rows;
	struct cache_entry entry;
	int found = db_void_find(p->conn, p->folder, change, &entry);
	if (found < 0 && found != -ENOENT)
		return found;
	int err = find_void_rows(p, change, &rows);
	if (err < 0)
		return err;
	bool is_row = rows.kept.id != 0;
	if (rows.removal.id != 0 && (is_row || found == 0))
		err = forget_removals(p, change,
		                      found == 0 ? entry.message.id
		                                 : rows.kept.message);
	else if (rows.removal.id != 0)
		rows.kept = rows.removal;
	if (err < 0)
		return err;
	if (found == 0 && (!is_row || entry.identity == change->identity ||
	                   entry.id < rows.kept.entry)) {
		err = db_void_remove(p->conn, &entry);
		pull_entry_see(p, entry.id);
		return err < 0 ? err : update_entry(p, &entry, change);
	}
	if (rows.kept.id == 0)
		return -ENOENT;
	err = journal_void_end(p->conn, &rows.kept, change->key);
	return err < 0 ? err : pull_row_apply(p, &rows.kept, change);
}

static int apply_message(struct pull *p, const struct remote_change *change)
{
	struct cache_entry entry;
	bool same_keywords;
	int err = db_entry_by_key(p->conn, p->folder, change->key, &entry,
	                          &same_keywords, change->keywords);
	if (err == 0) {
		pull_entry_see(p, entry.id);
		if (!p->has_flags ||
		    (same_keywords && entry.flags == change->flags))
			return 0;
		return update_entry(p, &entry, change);
	}
	if (err != -ENOENT)
		return err;
	struct journal_row row;
	err = journal_by_key(p->conn, p->folder, change->key, &row);
	if (err == 0)
		return pull_row_apply(p, &row, change);
	if (err == -ENOENT && p->has_void)
		err = apply_void(p, change);
	if (err != -ENOENT)
		return err;
	enum cache_place place = first_place(change);
	int64_t id;
	err = add_entry(p, change, place, &id);
	if (err < 0)
		return err;
	p->delta.count[place]++;
	p->delta.is_changed[place] = true;
	if (!p->is_listed)
		return 0; /* nobody saw the folder yet */
	/* If this pull breaks off, and it goes before the next. */
	if (p->has_cursor)
		err = db_landed_add(p->conn, p->folder, change->key);
	if (err == 0)
		err = db_entry_by_id(p->conn, p->folder, id, &entry);
	if (err == 0)
		pull_entry_moved(p, NULL, &entry);
	return err;
}

int pull_known_apply(struct pull *p, const struct remote_change *change)
{
	struct cache_entry entry;
	bool same_keywords;
	int err = db_entry_by_key(p->conn, p->folder, change->key, &entry,
	                          &same_keywords, change->keywords);
	struct journal_row row;
	if (err == -ENOENT) {
		err = journal_by_key(p->conn, p->folder, change->key, &row);
		if (err == -ENOENT)
			return 0; /* one that we were never told of */
		return err < 0 ? err : pull_row_apply(p, &row, change);
	}
	if (err < 0)
		return err;
	if (change->kind == REMOTE_GONE)
		return pull_entry_remove(p, &entry);
	pull_entry_see(p, entry.id);
	if (change->kind == REMOTE_PRESENT ||
	    (same_keywords && entry.flags == change->flags))
		return 0;
	return update_entry(p, &entry, change);
}

/* Every key is void; the entries wait for their messages to come again. */
static int apply_reset(struct pull *p)
{
	int count = 0;
	log_info("the server numbers its messages anew; matching them");
	free(take(p->seen));
	p->has_void = true;
	p->has_cursor = false;
	int voided = journal_void(p->conn, p->folder);
	if (voided == 0)
		voided = db_landed_clear(p->conn, p->folder);
	if (voided < 0)
		return voided;
	do {
		int err = pull_batch_commit(p);
		if (err == 0)
			err = pull_batch_begin(p);
		if (err == 0)
			err = db_void_add(p->conn, p->folder, DB_BATCH / 4,
			                  &count);
		if (err < 0)
			return err;
	} while (count > 0);
	return 0;
}

static int apply(struct pull *p, const struct remote_change *change)
{
	int err = pull_batch_row(p);
	if (err < 0)
		return err;
	switch (change->kind) {
	case REMOTE_RESET:
		return apply_reset(p);
	case REMOTE_MESSAGE:
		return apply_message(p, change);
	case REMOTE_FLAGS:
	case REMOTE_PRESENT:
	case REMOTE_GONE:
		return pull_known_apply(p, change);
	}
	return 0;
}

/*
 * Of a first listing, as many messages at once as one INSERT adds.  -EEXIST:
 * they have to be looked at one by one.
 */
static int add_rows(struct pull *p, size_t first)
{
	const struct remote_change *rows[DB_ROWS];
	if (p->is_listed || p->has_void || first + DB_ROWS > p->gathered_count)
		return -EEXIST;
	for (size_t i = 0; i < DB_ROWS; i++) {
		rows[i] = &p->gathered[first + i].change;
		if (rows[i]->kind != REMOTE_MESSAGE ||
		    gone_has(p->cache->gone, rows[i]->identity,
		             rows[i]->received_at))
			return -EEXIST;
		p->cache->gone->is_used |= rows[i]->is_identity_everywhere;
	}
	int err = pull_batch_row(p);
	if (err == 0)
		err = db_entry_add_rows(p->conn, p->folder, rows);
	if (err < 0)
		return err;
	p->rows += DB_ROWS - 1;
	for (size_t i = 0; i < DB_ROWS; i++) {
		enum cache_place place = first_place(rows[i]);
		p->delta.count[place]++;
		p->delta.is_changed[place] = true;
	}
	return 0;
}

/* Words of which a few are in all the messages of a folder. */
#define MEMO_SLOTS 16

struct memo {
	const char *words; /* borrowed from pull.text; NULL: none yet */
	unsigned flags;
};

static struct memo *memo_of(struct memo *memos, const char *words)
{
	unsigned sum = 0;
	for (const char *p = words; *p; p++)
		sum = sum * 31 + (unsigned char)*p;
	return &memos[sum % MEMO_SLOTS];
}

/* Keywords that have a number are flags, too. */
static int number_keywords(struct pull *p)
{
	struct memo memos[MEMO_SLOTS] = { 0 };
	for (size_t i = 0; i < p->gathered_count && p->has_flags; i++) {
		struct remote_change *c = &p->gathered[i].change;
		if (c->keywords[0] == '\0' ||
		    (c->kind != REMOTE_MESSAGE && c->kind != REMOTE_FLAGS))
			continue;
		struct memo *m = memo_of(memos, c->keywords);
		if (m->words == NULL || strcmp(m->words, c->keywords) != 0) {
			int err = pull_batch_begin(p);
			if (err == 0)
				err = keyword_number(p->cache, p->conn,
				                     p->folder, c->keywords,
				                     &m->flags,
				                     &p->keyword_file);
			if (err < 0)
				return err;
			m->words = c->keywords;
		}
		c->flags |= m->flags;
	}
	return 0;
}

int pull_apply(struct pull *p)
{
	int err = 0;
	for (size_t i = 0; i < p->gathered_count; i++) {
		struct gathered *g = &p->gathered[i];
		g->change.key = p->text.bytes + g->key;
		g->change.keywords = p->text.bytes + g->keywords;
	}
	err = number_keywords(p);
	for (size_t i = 0; i < p->gathered_count && err == 0;) {
		err = add_rows(p, i);
		if (err == 0) {
			i += DB_ROWS;
		} else if (err == -EEXIST) {
			err = apply(p, &p->gathered[i++].change);
		}
	}
	p->gathered_count = 0;
	strbuf_clear(&p->text);
	return err < 0 ? err : pull_batch_commit(p);
}
