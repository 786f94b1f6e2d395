/*
 * Inside db_journal.c and journal.c only: rows as they are saved.
 */
#ifndef CACHE_DB_JOURNAL_H
#define CACHE_DB_JOURNAL_H

#include "cache/journal.h"

/* Sets row->id. */
int db_journal_add(struct db_conn *conn, struct journal_row *row);
/* Save folder, key, flags, keywords, is_void, and what is unsure. */
int db_journal_set_side(struct db_conn *conn, const struct journal_row *row);
/* Save target, entry, message. */
int db_journal_set_wish(struct db_conn *conn, const struct journal_row *row);
/* With what is remembered of its entry. */
int db_journal_remove(struct db_conn *conn, int64_t id);
int db_journal_bring_back(struct db_conn *conn, const struct journal_row *row);
/* What journal_offer() remembers of an entry: what its name is made of. */
int db_journal_removed_get(struct db_conn *conn, int64_t row,
                           struct cache_entry *out);
int db_journal_settle(struct db_conn *conn, int64_t id, int64_t now);
/* The entry is void: what its message will be known by is the row's now. */
int db_journal_void_entry(struct db_conn *conn, const struct journal_row *row,
                          const struct cache_entry *entry);
/* The row about the folder itself. */
int db_journal_folder_row(struct db_conn *conn, int64_t folder,
                          struct journal_row *out);

#endif
