/*
 * A change of names, and what it means for the server: made in one
 * transaction with its journal rows.
 *
 * Several names of one message in one mailbox are one message there: one of
 * them stands for it, and when that goes, another takes its place.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/file.h"
#include "cache/journal.h"
#include "cache/write.h"
#include "util/clock.h"

struct unnamed {
	int64_t message; /* 0: none went for good */
	int64_t row;     /* its removal from the server; 0: none */
};

static bool is_mail_name(const struct cache_entry *entry)
{
	return entry->place < CACHE_MAIL_PLACES && entry->base[0] != '.';
}

static bool is_mail(const struct cache_folder *folder,
                    const struct cache_entry *entry)
{
	return is_mail_name(entry) && folder->places == DB_PLACES_ALL &&
	       !folder->is_local;
}

/* The same in a mailbox of ours alone. */
static bool is_local_mail(const struct cache_folder *folder,
                          const struct cache_entry *entry)
{
	return is_mail_name(entry) && folder->places == DB_PLACES_ALL &&
	       folder->is_local;
}

int change_must_last(struct db_conn *conn, const struct change *change,
                     const struct cache_message *message, bool *must_last_out)
{
	struct cache_folder folder;
	int err = db_folder_get(conn, change->to.folder, &folder);
	bool is_ours = err == 0 && is_local_mail(&folder, &change->to);
	bool is_theirs = err == 0 && is_mail(&folder, &change->to);
	/* From flags to flags nothing becomes ours. */
	bool is_within = change->has_from &&
	                 change->from.folder == change->to.folder &&
	                 change->from.place < CACHE_MAIL_PLACES;
	*must_last_out =
		(is_ours && !is_within) || (is_theirs && message->is_kept);
	return err;
}

int change_is_mail(struct db_conn *conn, const struct cache_entry *entry,
                   bool *is_mail_out)
{
	struct cache_folder folder;
	int err = db_folder_get(conn, entry->folder, &folder);
	*is_mail_out = err == 0 && is_mail(&folder, entry);
	return err;
}

/* Does the server have, or get, a copy for this name? */
static bool has_copy(struct db_conn *conn, const struct cache_entry *entry)
{
	char key[REMOTE_KEY_MAX + 1];
	struct journal_row row = { .id = 0 };
	if (db_entry_key(conn, entry, key) == 0 && key[0] != '\0')
		return true;
	while (journal_by_message(conn, entry->message.id, row.id, &row) == 0)
		if (row.entry == entry->id && row.target == entry->folder)
			return true;
	return false;
}

/*
 * Another name of the message in the same mailbox, to stand for it; without a
 * copy of its own, if is_bare.
 */
static int find_other(struct db_conn *conn, const struct cache_entry *entry,
                      bool is_bare, struct cache_entry *out)
{
	int err = db_entry_by_id(conn, entry->folder, entry->message.id, out);
	if (err == 0 && out->id != entry->id && is_mail_name(out) &&
	    !(is_bare && has_copy(conn, out)))
		return 0;
	out->id = 0;
	while ((err = db_entry_link(conn, entry->message.id, out->id, out)) ==
	       0)
		if (out->id != entry->id && out->folder == entry->folder &&
		    is_mail_name(out) && !(is_bare && has_copy(conn, out)))
			return 0;
	return err;
}

/* The name goes, as far as the server is concerned. */
static int leave(struct db_conn *conn, const struct cache_entry *entry,
                 bool is_remembered, int64_t *row_out)
{
	struct journal_row row;
	struct cache_entry other;
	*row_out = 0;
	int err = journal_begin(conn, entry, &row);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = find_other(conn, entry, true, &other);
	if (err == 0)
		return journal_end(conn, &row, &other,
		                   deadline_in(WRITE_DUST_MS));
	if (err != -ENOENT)
		return err;
	if (is_remembered)
		err = journal_remember(conn, &row, entry);
	else
		err = 0;
	*row_out = row.id;
	if (err == 0)
		err = journal_end(conn, &row, NULL,
		                  deadline_in(WRITE_BRAKE_MS));
	return err;
}

/* A name came to a mailbox: the message is new there, or has one already. */
static int arrive(struct cache *c, struct db_conn *conn,
                  const struct cache_entry *entry, int64_t *row_out)
{
	struct cache_entry other;
	*row_out = 0;
	if (!c->can_append)
		return 0;
	int err = find_other(conn, entry, false, &other);
	if (err != -ENOENT)
		return err;
	return journal_birth(conn, entry, deadline_in(WRITE_DUST_MS), row_out);
}

static int unname(struct db_conn *conn, const struct cache_entry *entry,
                  bool is_remembered, struct unnamed *gone)
{
	bool is_dead = false;
	int err = 0;
	/* `rm -r` removes places before others are empty. */
	if (is_mail_name(entry))
		err = leave(conn, entry, is_remembered, &gone->row);
	if (err == 0)
		err = db_entry_drop(conn, entry);
	if (err == 0)
		err = journal_reap(conn, entry->message.id, &is_dead);
	if (err == 0 && is_dead)
		gone->message = entry->message.id;
	return err;
}

/* It is still what the caller saw. */
static int check(struct db_conn *conn, const struct cache_entry *seen,
                 struct cache_entry *now_out)
{
	int err = db_entry_by_id(conn, seen->folder, seen->id, now_out);
	if (err == 0 && now_out->place != seen->place)
		err = -ENOENT;
	return err;
}

static bool has_place(const struct cache_folder *folder, enum cache_place place)
{
	return place == CACHE_TOP || (folder->places & 1u << place) != 0;
}

static int rename_entry(struct cache *c, struct db_conn *conn,
                        const struct change *change,
                        const struct cache_folder *folder, int64_t *row_out)
{
	struct cache_entry old, new;
	struct journal_row row;
	bool was_mail;
	int64_t left;
	int err = check(conn, &change->from, &old);
	if (err == 0)
		err = change_is_mail(conn, &old, &was_mail);
	if (err != 0)
		return err;
	new = change->to;
	new.id = old.id;
	new.message = old.message;
	bool will_be = is_mail(folder, &new);
	new.flags = new.shown;
	new.identity =
		old.folder == new.folder ? old.identity : (uint64_t)-old.id;
	bool is_known = false;
	bool is_same = was_mail && will_be && old.folder == new.folder;
	if (was_mail && will_be && !(is_same && old.flags == new.flags)) {
		err = journal_begin(conn, &old, &row);
		is_known = err == 0;
		if (err == -ENOENT)
			err = 0;
	} else if (was_mail && !will_be) {
		if (!old.message.is_kept)
			return -EXDEV;
		err = leave(conn, &old, false, &left);
		/* A move: the brake, which is for deletions, lets it pass. */
		if (err == 0 && left != 0 && is_local_mail(folder, &new))
			err = journal_set_after(conn, left, JOURNAL_REPLACED);
		if (err == -ENOENT)
			err = 0; /* it was not there yet */
	}
	if (err == 0)
		err = db_entry_name(conn, &old, &new);
	if (err == 0)
		err = db_entry_moved(conn, &old, new.folder, new.place);
	if (err < 0)
		return err;
	if (is_known)
		return journal_end(conn, &row, &new,
		                   deadline_in(WRITE_DUST_MS));
	if (will_be && !is_same)
		return arrive(c, conn, &new, row_out);
	return 0;
}

static int link_entry(struct cache *c, struct db_conn *conn,
                      const struct change *change,
                      const struct cache_folder *folder, int64_t *row_out)
{
	struct cache_entry new = change->to;
	int err = db_message_get(conn, change->message, &new.message);
	if (err < 0)
		return err;
	new.id = db_id_new(conn);
	new.identity = (uint64_t) - new.id;
	bool will_be = is_mail(folder, &new);
	new.flags = new.shown;
	err = db_entry_add_named(conn, &new);
	if (err == 0)
		err = db_message_link(conn, change->message, 1);
	if (err == 0)
		err = db_entry_counted(conn, &new, 1);
	return err == 0 && will_be ? arrive(c, conn, &new, row_out) : err;
}

static int apply(struct cache *c, struct db_conn *conn,
                 const struct change *change, struct unnamed *gone)
{
	struct cache_folder folder;
	struct cache_entry over;
	int64_t row = 0;
	int err = db_folder_get(conn, change->to.folder, &folder);
	if (err < 0)
		return err;
	if (!has_place(&folder, change->to.place))
		return -ENOENT;
	if (change->has_over) {
		err = check(conn, &change->over, &over);
		if (err == 0)
			err = unname(conn, &over, false, gone);
	}
	if (err < 0)
		return err;
	err = change->has_from ? rename_entry(c, conn, change, &folder, &row)
	                       : link_entry(c, conn, change, &folder, &row);
	struct journal_row removal;
	if (err < 0 || gone->row == 0 ||
	    journal_get(conn, gone->row, &removal) == -ENOENT)
		return err;
	return journal_set_after(conn, gone->row,
	                         row != 0 ? row : JOURNAL_REPLACED);
}

int change_apply(struct cache *c, const struct change *change)
{
	struct unnamed gone = { 0 };
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = apply(c, conn, change, &gone);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0 && gone.message != 0)
		write_forget(c, gone.message);
	return err;
}

int change_unname(struct cache *c, const struct cache_entry *entry)
{
	struct unnamed gone = { 0 };
	struct cache_entry now;
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = check(conn, entry, &now);
	if (err == 0)
		err = unname(conn, &now, true, &gone);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0 && gone.message != 0)
		write_forget(c, gone.message);
	return err;
}
