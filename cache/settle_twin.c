/*
 * Is what a watch found one copy too many?
 *
 * It has our bytes and our date, and came after the mark.  That is not enough:
 * another client may have moved the message away and back, or copied it from
 * elsewhere.  So it is a twin only beside the copy that was sent again, in the
 * same mailbox, and seen there just now: then one of two that are alike goes.
 * Or nothing is known to be there yet, and the file is here to be sent.
 * Otherwise what was found stays: mail that is there twice is better than mail
 * that is lost.
 */
#include <errno.h>
#include <string.h>

#include "cache/settle.h"

/*
 * Has what a watch found the date that was told?  Servers that date messages
 * themselves date the copy we know of the same way.
 */
static bool is_dated(const struct settling *s, const struct look *l)
{
	const struct candidate *found = l->found;
	if (found->received_at == l->trace.received_at)
		return true;
	for (size_t i = 0; i < s->count; i++) {
		const struct candidate *c = s->candidates[i];
		if (c->is_known && c->size == found->size &&
		    c->received_at == found->received_at)
			return true;
	}
	return false;
}

static bool may_be_twin(const struct settling *s, const struct look *l)
{
	if (!settle_is_watch(l) || l->found == NULL || l->is_done)
		return false;
	/* A move that came late took the one copy along. */
	bool is_move = l->row.target != -1;
	return !is_move && l->trace.has_digest && is_dated(s, l);
}

/* The name in this folder, for each has a copy of its own; else another. */
static int find_entry(const struct settling *s, struct db_conn *conn,
                      int64_t message, struct cache_entry *out)
{
	struct cache_entry link = { .id = 0 };
	int err = db_entry_by_message(conn, message, out);
	while (err == 0 && out->folder != s->folder &&
	       db_entry_link(conn, message, link.id, &link) == 0)
		if (link.folder == s->folder)
			*out = link;
	return err;
}

static bool is_seen(const struct settling *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->candidates[i]->is_known &&
		    strcmp(s->candidates[i]->key, key) == 0)
			return true;
	return false;
}

/* Was it found by what is known of its row? */
static bool is_found(const struct settling *s, int64_t row)
{
	for (size_t i = 0; i < s->look_count; i++)
		if (s->looks[i]->row.id == row && s->looks[i]->found != NULL)
			return true;
	return false;
}

/* -ENOENT: the message has no name. */
static int find_copy(const struct settling *s, struct db_conn *conn,
                     struct look *l)
{
	struct cache_entry entry;
	struct journal_row row;
	char key[REMOTE_KEY_MAX + 1] = "";
	int err = find_entry(s, conn, l->trace.message, &entry);
	if (err == 0)
		err = db_entry_key(conn, &entry, key);
	if (err < 0)
		return err;
	if (key[0] != '\0') {
		l->is_twin = entry.folder == s->folder && is_seen(s, key);
		return 0;
	}
	err = journal_by_entry(conn, &entry, &row);
	if (err < 0)
		return err;
	if (row.key[0] != '\0')
		l->is_twin = row.folder == s->folder && is_seen(s, row.key);
	else
		l->is_twin =
			row.state == JOURNAL_LANDED
				? is_found(s, row.id)
				: push_is_birth(&row) && entry.message.is_kept;
	return 0;
}

int settle_twins(struct settling *s)
{
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	for (size_t i = 0; i < s->look_count && err == 0; i++) {
		if (may_be_twin(s, s->looks[i]))
			err = find_copy(s, conn, s->looks[i]);
		if (err == -ENOENT)
			err = 0;
	}
	db_rollback(conn);
	return err;
}
