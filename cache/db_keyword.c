#include "cache/db_keyword.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/db_conn.h"

int db_keyword_get(struct db_conn *conn, int64_t folder, int number,
                   char word_out[KEYWORD_MAX + 1])
{
	sqlite3_stmt *s =
		db_query(conn, SQL_KEYWORD_GET, "ii", folder, (int64_t)number);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, word_out, KEYWORD_MAX + 1);
	(void)sqlite3_reset(s);
	return 0;
}

static int one_number(struct db_conn *conn, sqlite3_stmt *s)
{
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	n = (int)sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return n;
}

int db_keyword_find(struct db_conn *conn, int64_t folder, const char *word)
{
	return one_number(conn,
	                  db_query(conn, SQL_KEYWORD_FIND, "it", folder, word));
}

int db_keyword_count(struct db_conn *conn, int64_t folder)
{
	return one_number(conn, db_query(conn, SQL_KEYWORD_COUNT, "i", folder));
}

bool db_keyword_is_other(struct db_conn *conn, int64_t folder)
{
	return one_number(conn, db_query(conn, SQL_KEYWORD_OTHER, "it",
	                                 db_dir(folder, CACHE_TOP),
	                                 CACHE_KEYWORDS_FILE)) != -ENOENT;
}

int db_keyword_add(struct db_conn *conn, int64_t folder, int number,
                   const char *word)
{
	return db_run(conn, db_query(conn, SQL_KEYWORD_ADD, "iit", folder,
	                             (int64_t)number, word));
}

int db_keyword_remove_all(struct db_conn *conn, int64_t folder)
{
	return db_run(conn,
	              db_query(conn, SQL_KEYWORD_REMOVE_ALL, "i", folder));
}

int db_keyword_flags(struct db_conn *conn, int64_t folder, const char *words,
                     unsigned *flags_out)
{
	*flags_out = 0;
	while (*words != '\0') {
		char word[KEYWORD_MAX + 1];
		size_t len = strcspn(words, " ");
		(void)snprintf(word, sizeof(word), "%.*s", (int)len, words);
		words += len + strspn(words + len, " ");
		int n = db_keyword_find(conn, folder, word);
		if (n < 0 && n != -ENOENT)
			return n;
		if (n >= 0)
			*flags_out |= CACHE_KEYWORD(n);
	}
	return 0;
}

int db_keywords_get(struct db_conn *conn, const struct cache_entry *entry,
                    char words_out[JOURNAL_KEYWORDS_MAX + 1],
                    unsigned *unmapped_out)
{
	sqlite3_stmt *s =
		db_query(conn, SQL_KEYWORDS_GET, "ii",
	                 db_dir(entry->folder, entry->place), entry->id);
	int n = db_step(conn, s);
	if (n <= 0)
		return n < 0 ? n : -ENOENT;
	db_column_text(s, 0, words_out, JOURNAL_KEYWORDS_MAX + 1);
	*unmapped_out = (unsigned)sqlite3_column_int64(s, 1);
	(void)sqlite3_reset(s);
	return 0;
}

int db_keywords_set(struct db_conn *conn, const struct cache_entry *entry,
                    const char *words, unsigned unmapped)
{
	return db_run(conn, db_query(conn, SQL_KEYWORDS_SET, "iiti",
	                             db_dir(entry->folder, entry->place),
	                             entry->id, words, (int64_t)unmapped));
}

int db_keyword_unmapped(struct db_conn *conn, int64_t folder,
                        enum cache_place place, unsigned flag, int64_t after,
                        struct cache_entry *out)
{
	return db_one_entry(conn,
	                    db_query(conn, SQL_KEYWORD_UNMAPPED, "iii",
	                             db_dir(folder, place), after,
	                             (int64_t)flag),
	                    out);
}

int db_keyword_adopt(struct db_conn *conn, const struct cache_entry *entry,
                     unsigned flag, const char *words)
{
	return db_run(conn, db_query(conn, SQL_KEYWORD_ADOPT, "iiit",
	                             db_dir(entry->folder, entry->place),
	                             entry->id, (int64_t)flag, words));
}
