/*
 * Inside cache/ only: the numbers that keywords have in a folder, which are
 * bits of cache_entry.flags, and the file that tells them to others.
 */
#ifndef CACHE_KEYWORD_H
#define CACHE_KEYWORD_H

#include "cache/core.h"
#include "cache/journal.h"

/* A file that was written, to be told of after the commit. */
struct keyword_file {
	int64_t folder;
	int64_t message; /* 0: none was */
	bool is_new;
};

/*
 * The flags that stand for words in a folder.  Words without a number get one
 * if there is one left; the file is then written.
 */
int keyword_number(struct cache *c, struct db_conn *conn, int64_t folder,
                   const char *words, unsigned *flags_out,
                   struct keyword_file *file);
void keyword_told(struct cache *c, const struct keyword_file *file);

/*
 * A name in a folder shows numbers is, and the one before showed was: what
 * that means to words, the keywords of an entry that was in old_folder.
 * *unmapped: those of is that are no keyword's; before, of was.
 */
int keyword_rename(struct db_conn *conn, int64_t old_folder, unsigned was,
                   int64_t folder, unsigned is,
                   char words[JOURNAL_KEYWORDS_MAX + 1], unsigned *unmapped);

/*
 * If the file, which we made, is all that is left in a folder, it goes: it
 * alone keeps no directory.  *dead_out: its message, whose file is to go after
 * the commit; 0: none.
 */
int keyword_leave(struct db_conn *conn, int64_t folder, int64_t *dead_out);

/*
 * Is this the file?  Somebody may have written that in the folder home: take in
 * what is new.
 */
bool keyword_is_file(const struct cache_entry *entry);
int keyword_read(struct cache *c, int64_t home);

#endif
