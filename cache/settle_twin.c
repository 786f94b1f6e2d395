/*
 * Is what a watch found one copy too many?
 *
 * It has our bytes and our date, and came after the mark.  That is not enough:
 * another client that moves a message away and back gives it another key, and
 * then it is the only copy there is.  So it is a twin only while another copy
 * of the message that was sent is known, and is certainly still there: the
 * server is asked for it.  Whatever became of it otherwise (moved by others,
 * removed by the user, who may have it back from the Trash), what was found
 * stays: mail that comes back is better than mail that is lost.
 */
#include <errno.h>
#include <string.h>

#include "cache/settle.h"
#include "util/cleanup.h"

#define ASK_BATCH 64

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

/*
 * The name whose copy is to be there: that in this folder, for each is to have
 * its own; else the message was moved here.
 */
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

/*
 * Where the copy is that was sent again; or it is yet to be sent, from a file
 * that we have as long.  -ENOENT: no copy is known.
 */
static int find_copy(const struct settling *s, struct db_conn *conn,
                     struct look *l)
{
	struct cache_entry entry;
	struct journal_row row;
	int err = find_entry(s, conn, l->trace.message, &entry);
	if (err == 0)
		err = db_entry_key(conn, &entry, l->copy_key);
	if (err < 0)
		return err;
	l->copy_folder = entry.folder;
	if (l->copy_key[0] == '\0') {
		err = journal_by_entry(conn, &entry, &row);
		if (err < 0)
			return err;
		l->copy_folder = row.folder;
		memcpy(l->copy_key, row.key, sizeof(l->copy_key));
		l->is_twin = push_is_birth(&row) &&
		             row.state != JOURNAL_LANDED &&
		             entry.message.is_kept;
	}
	l->is_asked = l->copy_key[0] != '\0';
	return 0;
}

static int find_copies(struct settling *s)
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

/* The next body owed is there: 1, 0 when none is, or -errno. */
static int receive(struct settling *s, int64_t folder)
{
	struct body_temp temp;
	struct remote_body body;
	int err = body_temp_open(s->cache->bodies, &temp);
	if (err < 0)
		return err;
	int n = remote_fetched(s->remote, temp.fd, &body);
	for (size_t i = 0; n == 1 && body.err == 0 && i < s->look_count; i++) {
		struct look *l = s->looks[i];
		l->is_twin |= l->copy_folder == folder &&
		              strcmp(l->copy_key, body.key) == 0;
	}
	body_temp_close(s->cache->bodies, &temp);
	return n;
}

/*
 * Ask for some copies of a folder.  None has a size of 0: so each is given only
 * after the server has confirmed that it is there.
 */
static int ask(struct settling *s, int64_t folder)
{
	struct remote_want wants[ASK_BATCH];
	size_t count = 0;
	auto_free char *name = NULL;
	int n = settle_folder_name(s, folder, &name);
	for (size_t i = 0; i < s->look_count && count < ASK_BATCH; i++) {
		struct look *l = s->looks[i];
		if (!l->is_asked || l->copy_folder != folder)
			continue;
		l->is_asked = false;
		size_t same = 0;
		while (same < count &&
		       strcmp(wants[same].key, l->copy_key) != 0)
			same++;
		if (same == count)
			wants[count++] = (struct remote_want){ l->copy_key, 0 };
	}
	if (n < 0 || name == NULL)
		return n;
	n = remote_fetch(s->remote, name, wants, count);
	if (n == 0)
		while ((n = receive(s, folder)) == 1)
			;
	return n < 0 && remote_error_scope(n) > REMOTE_SCOPE_FOLDER ? n : 0;
}

int settle_twins(struct settling *s)
{
	int err = find_copies(s);
	for (size_t i = 0; i < s->look_count && err == 0; i++)
		while (s->looks[i]->is_asked && err == 0)
			err = ask(s, s->looks[i]->copy_folder);
	return err;
}
