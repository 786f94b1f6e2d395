/*
 * Inside cache/ only: the numbers of a folder's keywords, as they are saved.
 */
#ifndef CACHE_DB_KEYWORD_H
#define CACHE_DB_KEYWORD_H

#include "cache/db.h"
#include "cache/journal.h"

/* Longer ones have no number. */
#define KEYWORD_MAX 255

int db_keyword_get(struct db_conn *conn, int64_t folder, int number,
                   char word_out[KEYWORD_MAX + 1]);
/* Its number, or -ENOENT. */
int db_keyword_find(struct db_conn *conn, int64_t folder, const char *word);
int db_keyword_add(struct db_conn *conn, int64_t folder, int number,
                   const char *word);
int db_keyword_count(struct db_conn *conn, int64_t folder);
int db_keyword_remove_all(struct db_conn *conn, int64_t folder);

/* Is another file at the folder's top? */
bool db_keyword_is_other(struct db_conn *conn, int64_t folder);

/* The flags that stand for those of words that have a number. */
int db_keyword_flags(struct db_conn *conn, int64_t folder, const char *words,
                     unsigned *flags_out);

/* An entry's keywords, and the numbers its name shows that are none's. */
int db_keywords_get(struct db_conn *conn, const struct cache_entry *entry,
                    char words_out[JOURNAL_KEYWORDS_MAX + 1],
                    unsigned *unmapped_out);
int db_keywords_set(struct db_conn *conn, const struct cache_entry *entry,
                    const char *words, unsigned unmapped);
/* The first above after whose name shows such a one. */
int db_keyword_unmapped(struct db_conn *conn, int64_t folder,
                        enum cache_place place, unsigned flag, int64_t after,
                        struct cache_entry *out);
/* It is a keyword's now; the name stays. */
int db_keyword_adopt(struct db_conn *conn, const struct cache_entry *entry,
                     unsigned flag, const char *words);

#endif
