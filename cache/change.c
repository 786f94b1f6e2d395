/*
 * A change of names, and what it means for the server: made in one
 * transaction with its journal rows.
 *
 * Several names of one message in one mailbox are one message there: one of
 * them stands for it, and when that goes, another takes its place; or one of
 * those that follow it elsewhere (follow.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache/ack.h"
#include "cache/db_keyword.h"
#include "cache/file.h"
#include "cache/follow.h"
#include "cache/journal.h"
#include "cache/keyword.h"
#include "cache/logged.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* A name that followed what was changed. */
struct followed {
	struct cache_entry old, now;
	bool is_gone;
};

/* What a change sets off. */
struct outcome {
	int64_t message; /* that went for good; 0: none */
	int64_t row;     /* its removal from the server; 0: none */
	/* To be told: the kernel knows only what it asked for. */
	struct followed *followed;
	size_t count;
};

static void add_followed(void *arg, const struct cache_entry *old,
                         const struct cache_entry *now)
{
	struct outcome *o = arg;
	if ((o->count & (o->count + 1)) == 0)
		o->followed = xrealloc(o->followed, (2 * o->count +
		                                     2) * sizeof(*o->followed));
	struct followed *f = &o->followed[o->count++];
	f->old = *old;
	f->is_gone = now == NULL;
	if (now != NULL)
		f->now = *now;
}

/* Commit, unless err; and tell. */
static int finish(struct cache *c, struct db_conn *conn, int err,
                  struct outcome *o)
{
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err == 0 && o->message != 0)
		write_forget(c, o->message);
	for (size_t i = 0; i < o->count && err == 0; i++) {
		const struct followed *f = &o->followed[i];
		tell_moved(c, &f->old, f->is_gone ? NULL : &f->now);
		tell_entries(c, f->old.folder);
	}
	free(o->followed);
	return err;
}

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
	bool is_ours = err == 0 && is_local_mail(&folder, &change->to) &&
	               !follow_is_in(conn, change->message, folder.id);
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
	if (db_void_has(conn, entry))
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

/* Another name that follows, to stand for the message; with its keywords. */
static int find_stand_in(struct db_conn *conn, const struct cache_entry *entry,
                         struct cache_entry *out)
{
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
	int err = follow_find(conn, entry, out);
	if (err == 0)
		err = db_entry_keywords(conn, entry, keywords,
		                        sizeof(keywords));
	if (err == 0)
		err = db_entry_set_flags(conn, out, out->place, out->flags,
		                         keywords);
	return err;
}

/* The server has it, or may have. */
static bool is_there(const struct journal_row *row)
{
	return row->key[0] != '\0' || row->is_void ||
	       row->state == JOURNAL_SENT || row->state == JOURNAL_LANDED;
}

/*
 * The name goes, as far as the server is concerned; -ENOENT: which does not
 * know of it.
 */
static int leave(struct db_conn *conn, const struct cache_entry *entry,
                 bool is_remembered, int64_t *row_out)
{
	struct journal_row row;
	struct cache_entry other;
	*row_out = 0;
	bool leads = follow_leads(conn, entry);
	int err = journal_begin(conn, entry, &row);
	if (err < 0)
		return err;
	err = entry->is_split ? -ENOENT : find_other(conn, entry, true, &other);
	if (err == -ENOENT && leads && is_there(&row))
		err = find_stand_in(conn, entry, &other);
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
                  bool is_remembered, struct outcome *gone)
{
	bool is_dead = false;
	int err = 0;
	bool leads = follow_leads(conn, entry);
	/* `rm -r` removes places before others are empty. */
	if (is_mail_name(entry))
		err = leave(conn, entry, is_remembered, &gone->row);
	/* What the server will tell of anew, and is not here, has no names. */
	bool is_lost = err == -ENOENT && leads && !entry->message.is_kept;
	if (err == -ENOENT)
		err = 0;
	if (err == 0)
		err = db_entry_drop(conn, entry);
	if (err == 0 && is_lost)
		err = follow_gone(conn, entry->message.id, add_followed, gone);
	if (err == 0)
		err = journal_reap(conn, entry->message.id, &is_dead);
	if (err == 0 && is_dead)
		gone->message = entry->message.id;
	return err;
}

static bool has_server_name(struct db_conn *conn, int64_t folder)
{
	auto_free char *name = db_folder_name(conn, folder);
	return name != NULL;
}

int change_is_delivery(struct db_conn *conn, const struct change *change,
                       bool *is_delivery_out)
{
	struct cache_entry to = change->to, other;
	bool was_mail = false, will_be = false;
	*is_delivery_out = false;
	int err = change_is_mail(conn, &to, &will_be);
	if (err == 0 && change->has_from)
		err = change_is_mail(conn, &change->from, &was_mail);
	if (err < 0 || was_mail || !will_be || change->has_over ||
	    !has_server_name(conn, to.folder))
		return err;
	to.id = change->has_from ? change->from.id : 0;
	to.message.id = change->message;
	err = find_other(conn, &to, false, &other);
	*is_delivery_out = err == -ENOENT;
	return err == -ENOENT ? 0 : err;
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

/* The keywords of an entry, as a change of its name leaves them. */
struct named {
	char words[JOURNAL_KEYWORDS_MAX + 1];
	unsigned unmapped;
	bool has_any; /* has, or had */
	struct keyword_file file;
};

/*
 * The flags of new, which had words in old_folder.  The name is then as it was
 * asked for, even if it does not show all of them.
 */
static int name_flags(struct cache *c, struct db_conn *conn, int64_t old_folder,
                      const struct change *change, struct named *n,
                      struct cache_entry *new)
{
	unsigned asked = new->shown, numbers = 0;
	new->flags = asked;
	if (!is_mail_name(new))
		return 0;
	int err = keyword_rename(conn, old_folder, change->was, new->folder,
	                         asked & ~MAIL_FLAGS, n->words, &n->unmapped);
	if (err == 0)
		err = keyword_number(c, conn, new->folder, n->words, &numbers,
		                     &n->file);
	n->has_any |= n->words[0] != '\0' || n->unmapped != 0;
	new->flags = (asked & MAIL_FLAGS) | numbers;
	new->shown = new->flags;
	if (change->is_made && new->flags == asked)
		new->base[0] = '\0';
	return err;
}

static int name_anew(struct db_conn *conn, const struct cache_entry *old,
                     const struct cache_entry *new, const struct named *n)
{
	int err = db_entry_name(conn, old, new);
	if (err == 0 && n->has_any)
		err = db_keywords_set(conn, new, n->words, n->unmapped);
	return err < 0 ? err
	               : db_entry_moved(conn, old, new->folder, new->place);
}

/*
 * Flags and words came to a name that follows: its leader and the others get
 * them.
 */
static int share_flags(struct db_conn *conn, const struct cache_entry *changed,
                       struct outcome *o)
{
	struct cache_entry leader;
	struct journal_row row;
	int known = -ENOENT;
	int err = follow_leader(conn, changed->message.id, &leader);
	if (err < 0 && err != -ENOENT)
		return err;
	bool is_led = err == 0 && leader.id != changed->id;
	if (is_led)
		known = journal_begin(conn, &leader, &row);
	if (is_led)
		err = follow_one(conn, changed, &leader, add_followed, o);
	if (is_led && err == 0 && known == 0)
		err = journal_end(conn, &row, &leader,
		                  deadline_in(WRITE_DUST_MS));
	if (err < 0 && err != -ENOENT)
		return err;
	return follow_flags(conn, changed, add_followed, o);
}

/* A name that follows is called otherwise, and still follows. */
static int rename_within(struct db_conn *conn, const struct cache_entry *old,
                         const struct cache_entry *new, const struct named *n,
                         struct outcome *o)
{
	struct journal_row row;
	bool is_flagged = old->flags != new->flags;
	int known = is_flagged ? journal_begin(conn, old, &row) : -ENOENT;
	int err = name_anew(conn, old, new, n);
	if (err == 0 && is_flagged)
		err = share_flags(conn, new, o);
	if (err == 0 && known == 0)
		err = journal_end(conn, &row, new, deadline_in(WRITE_DUST_MS));
	return err;
}

/*
 * A name that followed becomes one of its own.  If it stood for the message,
 * another that follows does; else the message moves along, or leaves the
 * server for a mailbox of ours.
 */
static int rename_away(struct cache *c, struct db_conn *conn,
                       const struct cache_entry *old,
                       const struct cache_entry *new, const struct named *n,
                       bool will_be, int64_t *row_out)
{
	struct journal_row row;
	struct cache_entry other;
	if (!will_be && !old->message.is_kept)
		return -EXDEV;
	bool moves = journal_begin(conn, old, &row) == 0;
	int err = moves ? find_stand_in(conn, old, &other) : -ENOENT;
	if (err == 0) {
		err = journal_end(conn, &row, &other,
		                  deadline_in(WRITE_DUST_MS));
		moves = false;
	} else if (err == -ENOENT) {
		err = 0;
	}
	if (err == 0 && moves && !will_be) {
		err = journal_end(conn, &row, NULL, 0);
		if (err == 0)
			err = journal_set_after(conn, row.id, JOURNAL_REPLACED);
		moves = false;
	}
	if (err == 0)
		err = name_anew(conn, old, new, n);
	if (err < 0)
		return err;
	if (moves)
		return journal_end(conn, &row, new, deadline_in(WRITE_DUST_MS));
	return will_be ? arrive(c, conn, new, row_out) : 0;
}

/* The name of a message of the server's, or of no mail. */
static int rename_own(struct cache *c, struct db_conn *conn,
                      const struct cache_entry *old,
                      const struct cache_entry *new, const struct named *n,
                      const struct cache_folder *folder, int64_t *row_out)
{
	struct journal_row row;
	bool was_mail;
	int64_t left;
	int err = change_is_mail(conn, old, &was_mail);
	if (err != 0)
		return err;
	bool will_be = is_mail(folder, new);
	bool is_known = false;
	bool is_same = was_mail && will_be && old->folder == new->folder;
	if (was_mail && will_be && !(is_same && old->flags == new->flags)) {
		err = journal_begin(conn, old, &row);
		is_known = err == 0;
	} else if (was_mail && !will_be) {
		if (!old->message.is_kept)
			return -EXDEV;
		err = leave(conn, old, false, &left);
		/* A move: the brake, which is for deletions, lets it pass. */
		if (err == 0 && left != 0 && is_local_mail(folder, new))
			err = journal_set_after(conn, left, JOURNAL_REPLACED);
	}
	if (err == -ENOENT)
		err = 0; /* it was not there yet */
	if (err == 0)
		err = name_anew(conn, old, new, n);
	if (err < 0)
		return err;
	if (is_known)
		return journal_end(conn, &row, new, deadline_in(WRITE_DUST_MS));
	return will_be && !is_same ? arrive(c, conn, new, row_out) : 0;
}

static int rename_entry(struct cache *c, struct db_conn *conn,
                        const struct change *change,
                        const struct cache_folder *folder, struct named *n,
                        int64_t *row_out, struct outcome *o)
{
	struct cache_entry old, new;
	int err = check(conn, &change->from, &old);
	if (err == 0)
		err = db_keywords_get(conn, &old, n->words, &n->unmapped);
	if (err < 0)
		return err;
	n->has_any = n->words[0] != '\0' || n->unmapped != 0;
	bool is_within = old.folder == change->to.folder;
	new = change->to;
	new.id = old.id;
	new.message = old.message;
	new.identity = is_within ? old.identity : (uint64_t)-old.id;
	new.is_split = old.is_split &&is_within &&is_mail_name(&new);
	err = name_flags(c, conn, old.folder, change, n, &new);
	if (err < 0)
		return err;
	if (new.is_split)
		return rename_within(conn, &old, &new, n, o);
	if (old.is_split)
		return rename_away(c, conn, &old, &new, n,
		                   is_mail(folder, &new), row_out);
	bool leads = old.flags != new.flags &&follow_leads(conn, &old);
	err = rename_own(c, conn, &old, &new, n, folder, row_out);
	if (err == 0 && leads)
		err = follow_flags(conn, &new, add_followed, o);
	return err;
}

static int link_entry(struct cache *c, struct db_conn *conn,
                      const struct change *change,
                      const struct cache_folder *folder, struct named *n,
                      int64_t *row_out, struct outcome *o)
{
	struct cache_entry new = change->to, first;
	int err = db_entry_by_message(conn, change->message, &first);
	if (err == 0)
		err = db_keywords_get(conn, &first, n->words, &n->unmapped);
	if (err < 0)
		return err;
	new.message = first.message;
	new.id = db_id_new(conn);
	new.identity = (uint64_t) - new.id;
	bool will_be = is_mail(folder, &new);
	new.is_split = is_mail_name(&new) &&
	               follow_is_in(conn, change->message, new.folder);
	n->unmapped = 0;
	n->has_any = n->words[0] != '\0';
	err = name_flags(c, conn, new.folder, change, n, &new);
	if (err == 0)
		err = db_entry_add_named(conn, &new);
	if (err == 0 && n->has_any)
		err = db_keywords_set(conn, &new, n->words, n->unmapped);
	if (err == 0)
		err = db_message_link(conn, change->message, 1);
	if (err == 0)
		err = db_entry_counted(conn, &new, 1);
	if (err == 0 && new.is_split)
		return share_flags(conn, &new, o);
	return err == 0 && will_be ? arrive(c, conn, &new, row_out) : err;
}

static int apply(struct cache *c, struct db_conn *conn,
                 const struct change *change, struct named *n,
                 struct outcome *gone)
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
	err = change->has_from
	              ? rename_entry(c, conn, change, &folder, n, &row, gone)
	              : link_entry(c, conn, change, &folder, n, &row, gone);
	if (err == 0 && row != 0 && change->ack != NULL) {
		ack_name(change->ack, row);
		err = journal_offer(conn, row,
		                    change->has_from ? &change->from : NULL);
	}
	struct journal_row removal;
	if (err < 0 || gone->row == 0 ||
	    journal_get(conn, gone->row, &removal) == -ENOENT)
		return err;
	return journal_set_after(conn, gone->row,
	                         row != 0 ? row : JOURNAL_REPLACED);
}

int change_apply(struct cache *c, const struct change *change)
{
	struct outcome gone = { 0 };
	struct named named = { .words = "" };
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = apply(c, conn, change, &named, &gone);
	if (err == 0 && change->body != NULL)
		err = logged_add(conn, change->body);
	err = finish(c, conn, err, &gone);
	if (err < 0)
		return err;
	keyword_told(c, &named.file);
	return keyword_is_file(&change->to) ? keyword_read(c, change->to.folder)
	                                    : 0;
}

int change_unname(struct cache *c, const struct cache_entry *entry)
{
	struct outcome gone = { 0 };
	struct cache_entry now;
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = check(conn, entry, &now);
	if (err == 0)
		err = unname(conn, &now, true, &gone);
	return finish(c, conn, err, &gone);
}
