/*
 * Keywords by number.  The table keyword has the numbers of each folder, which
 * never change their meaning; the file shows them to programs that know them by
 * number.  Those may add lines: what is new in the file is taken in when it was
 * written or replaced, and what is lost or otherwise in it is put right.
 *
 * A program may use a number before it says what it means.  Until then the
 * number is remembered in entry.unmapped.
 */
#include "cache/keyword.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/db_keyword.h"
#include "cache/file.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/strbuf.h"

/* More than this of a file is not looked at. */
#define FILE_MAX 65536

bool keyword_is_file(const struct cache_entry *entry)
{
	return entry->place == CACHE_TOP &&
	       strcmp(entry->base, CACHE_KEYWORDS_FILE) == 0;
}

/* Where the file of a mailbox is; and which mailbox has one there. */
static int64_t home_of(struct cache *c, struct db_conn *conn, int64_t folder)
{
	struct cache_folder inbox;
	if (!c->is_inbox_root ||
	    db_folder_find(conn, CACHE_ROOT, "INBOX", &inbox) < 0)
		return folder;
	return folder == inbox.id ? CACHE_ROOT : folder;
}

static int64_t mailbox_of(struct cache *c, struct db_conn *conn, int64_t home)
{
	struct cache_folder inbox;
	if (!c->is_inbox_root || home != CACHE_ROOT ||
	    db_folder_find(conn, CACHE_ROOT, "INBOX", &inbox) < 0)
		return home;
	return inbox.id;
}

static int make_file(struct cache *c, struct db_conn *conn, int64_t folder,
                     struct cache_entry *entry, int *fd_out)
{
	*entry = (struct cache_entry){ .folder = folder, .place = CACHE_TOP };
	strcpy(entry->base, CACHE_KEYWORDS_FILE);
	entry->id = db_id_new(conn);
	entry->message.id = entry->id;
	entry->message.received_at = clock_wall_ns() / 1000000000;
	entry->identity = (uint64_t)-entry->id;
	int err = file_create(c->files, entry->id, 0600, getuid(), getgid(),
	                      fd_out);
	if (err == 0)
		err = db_message_keep(conn, entry->id, folder);
	if (err == 0)
		err = db_entry_add_named(conn, entry);
	return err < 0 ? err : db_entry_counted(conn, entry, 1);
}

/* In place: who has it open sees the lines come, as if they were appended. */
static int write_file(struct cache *c, struct db_conn *conn, int64_t folder,
                      struct keyword_file *file)
{
	char word[KEYWORD_MAX + 1];
	struct cache_entry entry;
	auto_fd int fd = -1;
	auto_strbuf struct strbuf text = { 0 };
	for (int n = 0; n < CACHE_KEYWORDS; n++)
		if (db_keyword_get(conn, folder, n, word) == 0)
			strbuf_printf(&text, "%d %s\n", n, word);
	int64_t home = home_of(c, conn, folder);
	int err = db_entry_by_base(conn, home, CACHE_TOP, CACHE_KEYWORDS_FILE,
	                           0, &entry);
	file->is_new = err == -ENOENT;
	if (file->is_new)
		err = make_file(c, conn, home, &entry, &fd);
	else if (err == 0)
		fd = file_open(c->files, entry.message.id, O_RDWR);
	if (err < 0 || fd < 0)
		return err < 0 ? err : fd;
	if (pwrite(fd, strbuf_text(&text), text.len, 0) != (ssize_t)text.len ||
	    ftruncate(fd, (off_t)text.len) < 0)
		return errno == 0 ? -EIO : -errno;
	file->folder = home;
	file->message = entry.message.id;
	return 0;
}

/* The one above all; or, when there is none, the first that is free. */
static int free_number(struct db_conn *conn, int64_t folder)
{
	char word[KEYWORD_MAX + 1];
	int first = -1, next = 0;
	for (int n = CACHE_KEYWORDS - 1; n >= 0; n--) {
		if (db_keyword_get(conn, folder, n, word) != 0)
			first = n;
		else if (next == 0)
			next = n + 1;
	}
	return next < CACHE_KEYWORDS ? next : first;
}

/* The next of words, which is cut off: false, there is none. */
static bool next_word(const char **words, char word[KEYWORD_MAX + 1])
{
	size_t len;
	do {
		len = strcspn(*words, " ");
		(void)snprintf(word, KEYWORD_MAX + 1, "%.*s", (int)len, *words);
		*words += len + strspn(*words + len, " ");
	} while (len > KEYWORD_MAX);
	return len > 0;
}

int keyword_number(struct cache *c, struct db_conn *conn, int64_t folder,
                   const char *words, unsigned *flags_out,
                   struct keyword_file *file)
{
	char word[KEYWORD_MAX + 1];
	bool is_changed = false;
	*flags_out = 0;
	while (next_word(&words, word)) {
		int n = db_keyword_find(conn, folder, word);
		if (n == -ENOENT) {
			n = free_number(conn, folder);
			if (n < 0)
				continue; /* it has no letter */
			int err = db_keyword_add(conn, folder, n, word);
			if (err < 0)
				return err;
			is_changed = true;
		}
		if (n < 0)
			return n;
		*flags_out |= CACHE_KEYWORD(n);
	}
	return is_changed ? write_file(c, conn, folder, file) : 0;
}

void keyword_told(struct cache *c, const struct keyword_file *file)
{
	if (file->message == 0)
		return;
	tell_size(c, file->message);
	if (file->is_new)
		tell_folders(c, file->folder, NULL);
}

int keyword_leave(struct db_conn *conn, int64_t folder, int64_t *dead_out)
{
	struct cache_entry entry;
	bool is_dead = false;
	*dead_out = 0;
	for (int place = 0; place < CACHE_TOP; place++)
		if (db_entry_any(conn, folder, (enum cache_place)place))
			return 0;
	if (db_keyword_is_other(conn, folder))
		return 0;
	int err = db_entry_by_base(conn, folder, CACHE_TOP, CACHE_KEYWORDS_FILE,
	                           0, &entry);
	if (err == 0)
		err = db_entry_drop(conn, &entry);
	if (err == 0)
		err = journal_reap(conn, entry.message.id, &is_dead);
	if (err == 0 && is_dead)
		*dead_out = entry.message.id;
	return err == -ENOENT ? 0 : err;
}

static bool has_word(const char *words, const char *word)
{
	char one[KEYWORD_MAX + 1];
	while (next_word(&words, one))
		if (strcmp(one, word) == 0)
			return true;
	return false;
}

static int add_word(char words[JOURNAL_KEYWORDS_MAX + 1], const char *word)
{
	size_t len = strlen(words);
	if (has_word(words, word))
		return 0;
	int n = snprintf(words + len, JOURNAL_KEYWORDS_MAX + 1 - len, "%s%s",
	                 len > 0 ? " " : "", word);
	if (len + (size_t)n <= JOURNAL_KEYWORDS_MAX)
		return 0;
	words[len] = '\0';
	return -ENOSPC;
}

static void remove_word(char words[JOURNAL_KEYWORDS_MAX + 1], const char *word)
{
	auto_free char *old = xstrdup(words);
	const char *at = old;
	char one[KEYWORD_MAX + 1];
	words[0] = '\0';
	while (next_word(&at, one))
		if (strcmp(one, word) != 0)
			(void)add_word(words, one);
}

int keyword_rename(struct db_conn *conn, int64_t old_folder, unsigned was,
                   int64_t folder, unsigned is,
                   char words[JOURNAL_KEYWORDS_MAX + 1], unsigned *unmapped)
{
	char word[KEYWORD_MAX + 1];
	int err = 0;
	*unmapped &= is;
	for (int n = 0; n < CACHE_KEYWORDS; n++)
		if ((was & ~is & CACHE_KEYWORD(n)) &&
		    db_keyword_get(conn, old_folder, n, word) == 0)
			remove_word(words, word);
	for (int n = 0; n < CACHE_KEYWORDS && err == 0; n++) {
		if (!(is & ~was & CACHE_KEYWORD(n)))
			continue;
		err = db_keyword_get(conn, folder, n, word);
		if (err == 0)
			err = add_word(words, word);
		else if (err == -ENOENT)
			*unmapped |= CACHE_KEYWORD(n);
		if (err == -ENOENT)
			err = 0;
	}
	return err;
}

/* Names that showed the number before it had a meaning have it now. */
static int adopt(struct db_conn *conn, int64_t folder, int n, const char *word)
{
	struct cache_entry entry;
	struct journal_row row;
	char words[JOURNAL_KEYWORDS_MAX + 1];
	unsigned unmapped;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		entry.id = 0;
		while (db_keyword_unmapped(conn, folder,
		                           (enum cache_place)place,
		                           CACHE_KEYWORD(n), entry.id,
		                           &entry) == 0) {
			int known = journal_begin(conn, &entry, &row);
			if (known < 0 && known != -ENOENT)
				return known;
			int err =
				db_keywords_get(conn, &entry, words, &unmapped);
			if (err == 0)
				err = add_word(words, word);
			if (err == 0)
				err = db_keyword_adopt(conn, &entry,
				                       CACHE_KEYWORD(n), words);
			if (err < 0)
				return err;
			entry.flags |= CACHE_KEYWORD(n);
			if (known == 0)
				err = journal_end(conn, &row, &entry,
				                  deadline_in(WRITE_DUST_MS));
			if (err < 0)
				return err;
		}
	}
	return 0;
}

/*
 * One line.  1: it is as we know it, now; 0: it is none; -EEXIST: the number,
 * or the keyword, is another's.
 */
static int read_line(struct db_conn *conn, int64_t folder, char *line)
{
	char known[KEYWORD_MAX + 1];
	char *word;
	long n = strtol(line, &word, 10);
	if (word == line || *word++ != ' ' || n < 0 || n >= CACHE_KEYWORDS ||
	    *word == '\0' || strlen(word) > KEYWORD_MAX)
		return 0;
	for (const char *p = word; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return 0;
	int err = db_keyword_get(conn, folder, (int)n, known);
	if (err == 0)
		return strcmp(known, word) == 0 ? 1 : -EEXIST;
	if (err != -ENOENT)
		return err;
	err = db_keyword_find(conn, folder, word);
	if (err != -ENOENT)
		return err < 0 ? err : -EEXIST;
	err = db_keyword_add(conn, folder, (int)n, word);
	if (err == 0)
		err = adopt(conn, folder, (int)n, word);
	return err < 0 ? err : 1;
}

static int read_text(struct cache *c, struct db_conn *conn, int64_t folder,
                     char *text, struct keyword_file *file)
{
	bool is_wrong = false;
	int good = 0;
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		int n = read_line(conn, folder, line);
		if (n < 0 && n != -EEXIST)
			return n;
		is_wrong |= n < 0;
		good += n > 0;
	}
	/* Each number is to be there once. */
	if (!is_wrong && good == db_keyword_count(conn, folder))
		return 0;
	return write_file(c, conn, folder, file);
}

static int read_file(struct cache *c, struct db_conn *conn, int64_t home,
                     struct keyword_file *file)
{
	int64_t folder = mailbox_of(c, conn, home);
	struct cache_entry entry;
	int err = db_entry_by_base(conn, home, CACHE_TOP, CACHE_KEYWORDS_FILE,
	                           0, &entry);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	auto_fd int fd = file_open(c->files, entry.message.id, O_RDONLY);
	auto_free char *text = xmalloc(FILE_MAX + 1);
	ssize_t len = fd < 0 ? fd : pread(fd, text, FILE_MAX, 0);
	if (len < 0)
		return fd < 0 ? fd : -errno;
	text[len] = '\0';
	return read_text(c, conn, folder, text, file);
}

int keyword_read(struct cache *c, int64_t home)
{
	struct keyword_file file = { 0 };
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = read_file(c, conn, home, &file);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0)
		keyword_told(c, &file);
	cache_push_soon(c);
	return err;
}
