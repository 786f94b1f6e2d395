#include "cache/follow.h"

#include <errno.h>

#include "cache/db_keyword.h"
#include "cache/journal.h"

/* The next above after, of those that are split or of the others. */
static int next_name(struct db_conn *conn, int64_t message, int64_t after,
                     bool is_split, struct cache_entry *out)
{
	int err;
	out->id = after;
	do
		err = db_entry_link(conn, message, out->id, out);
	while (err == 0 && out->is_split != is_split);
	return err;
}

int follow_leader(struct db_conn *conn, int64_t message,
                  struct cache_entry *out)
{
	struct journal_row row;
	int err = journal_stand_in(conn, message, &row, out);
	if (err != -ENOENT)
		return err;
	err = db_entry_by_message(conn, message, out);
	if (err == 0 && out->is_split)
		err = next_name(conn, message, 0, false, out);
	return err;
}

bool follow_leads(struct db_conn *conn, const struct cache_entry *entry)
{
	struct cache_entry other;
	if (entry->message.links < 2 ||
	    next_name(conn, entry->message.id, 0, true, &other) < 0)
		return false;
	return follow_leader(conn, entry->message.id, &other) == 0 &&
	       other.id == entry->id;
}

int follow_find(struct db_conn *conn, const struct cache_entry *entry,
                struct cache_entry *out)
{
	int err = next_name(conn, entry->message.id, 0, true, out);
	while (err == 0 && out->id == entry->id)
		err = next_name(conn, entry->message.id, out->id, true, out);
	return err;
}

bool follow_is_in(struct db_conn *conn, int64_t message, int64_t folder)
{
	struct cache_entry entry;
	int err = next_name(conn, message, 0, true, &entry);
	while (err == 0 && entry.folder != folder)
		err = next_name(conn, message, entry.id, true, &entry);
	return err == 0;
}

int follow_one(struct db_conn *conn, const struct cache_entry *changed,
               struct cache_entry *name_io, follow_told *told, void *arg)
{
	struct cache_entry old = *name_io;
	char words[JOURNAL_KEYWORDS_MAX + 1];
	unsigned numbers = 0;
	int err = db_entry_keywords(conn, changed, words, sizeof(words));
	if (err == 0)
		err = db_keyword_flags(conn, old.folder, words, &numbers);
	if (err < 0)
		return err;
	unsigned flags = changed->flags & MAIL_FLAGS;
	name_io->flags = flags | numbers;
	name_io->place = flags != 0 ? CACHE_CUR : old.place;
	err = db_entry_set_flags(conn, &old, name_io->place, name_io->flags,
	                         words);
	if (err < 0 || name_io->flags == old.flags)
		return err;
	err = db_entry_moved(conn, &old, old.folder, name_io->place);
	if (err == 0)
		told(arg, &old, name_io);
	return err;
}

int follow_flags(struct db_conn *conn, const struct cache_entry *changed,
                 follow_told *told, void *arg)
{
	struct cache_entry name;
	int err = next_name(conn, changed->message.id, 0, true, &name);
	while (err == 0) {
		if (name.id != changed->id)
			err = follow_one(conn, changed, &name, told, arg);
		if (err == 0)
			err = next_name(conn, changed->message.id, name.id,
			                true, &name);
	}
	return err == -ENOENT ? 0 : err;
}

int follow_gone(struct db_conn *conn, int64_t message, follow_told *told,
                void *arg)
{
	struct cache_entry entry;
	int err = next_name(conn, message, 0, true, &entry);
	while (err == 0) {
		err = db_entry_drop(conn, &entry);
		if (err < 0)
			return err;
		told(arg, &entry, NULL);
		err = next_name(conn, message, entry.id, true, &entry);
	}
	return err == -ENOENT ? 0 : err;
}
