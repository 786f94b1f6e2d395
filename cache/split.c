/*
 * Entries are looked at in the order of their ids, in both directions from
 * where the first run began: what came since then upward, what was there
 * downward.  How far is saved in the transaction that adds the names; so each
 * message is looked at once, and a name that is removed does not come back.
 */
#include "cache/split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/content.h"
#include "cache/follow.h"
#include "cache/journal.h"
#include "cache/keyword.h"
#include "cache/recipient.h"
#include "util/cleanup.h"
#include "util/digest.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/strbuf.h"

/* Messages whose heads are asked for at once. */
#define ASK_MAX 128
/* Of a head so much is looked at. */
#define HEAD_MAX ((size_t)64 * 1024)
/* Names that one transaction adds, about. */
#define NAMES_BATCH 100

struct looked {
	struct cache_entry entry;
	char key[REMOTE_KEY_MAX + 1]; /* "": it cannot be asked for */
	bool is_read;                 /* its body is here */
	struct recipients recipients;
};

struct split {
	struct cache *cache;
	struct remote *remote;
	struct db_split progress;
	int64_t inbox;
	bool is_first; /* nothing was looked at before */
	bool is_news;  /* what came, not what was there */
	struct looked *looked;
	size_t count;
	/* Of the transaction under way: to be told. */
	struct cache_entry *names;
	struct keyword_file *files; /* of each name */
	struct cache_folder *folders;
	size_t name_count, folder_count;
};

/* What the configuration says, short; other words mean another beginning. */
static void write_how(const struct cache *c, char out[DB_SPLIT_MAX + 1])
{
	auto_strbuf struct strbuf text = { 0 };
	strbuf_printf(&text, "%s", c->split);
	for (size_t i = 0; i < c->domain_count; i++)
		strbuf_printf(&text, " %s", c->domains[i]);
	(void)snprintf(out, DB_SPLIT_MAX + 1, "%016llx",
	               (unsigned long long)digest_u64(text.bytes, text.len));
}

/* Where to go on; -ENOENT: INBOX is not known. */
static int begin(struct split *s, struct db_conn *conn)
{
	char how[DB_SPLIT_MAX + 1];
	struct cache_folder inbox;
	int64_t first;
	int err = db_folder_by_name(conn, "INBOX", &inbox);
	if (err == 0 && !inbox.is_listed)
		err = -ENOENT;
	if (err == 0)
		err = db_split_get(conn, &s->progress);
	if (err < 0)
		return err;
	s->inbox = inbox.id;
	write_how(s->cache, how);
	if (strcmp(how, s->progress.how) == 0)
		return 0;
	s->is_first = true;
	memcpy(s->progress.how, how, sizeof(how));
	s->progress.high = 0;
	err = db_entry_range(conn, inbox.id, &first, &s->progress.high);
	s->progress.low = s->progress.high + 1;
	return err == -ENOENT ? 0 : err;
}

/* A message's own name: others of it came otherwise. */
static bool is_wanted(const struct cache_entry *entry)
{
	return entry->id == entry->message.id && entry->base[0] != '.';
}

/* Of a delivery that may be taken back yet, nothing is known. */
static bool is_offered(struct db_conn *conn, const struct cache_entry *entry)
{
	struct journal_row row = { .id = 0 };
	while (journal_by_message(conn, entry->message.id, row.id, &row) == 0)
		if (row.is_offered)
			return true;
	return false;
}

/* The next in the direction we go. */
static int next(struct split *s, struct db_conn *conn, int64_t id,
                struct cache_entry *out)
{
	return s->is_news ? db_entry_above(conn, s->inbox, id, out)
	                  : db_entry_below(conn, s->inbox, id, out);
}

/*
 * Those to look at now.  One whose key is void ends them, as does one that is
 * not delivered yet: when it is known, its turn comes.
 */
static int pick(struct split *s, struct db_conn *conn)
{
	int64_t id = s->is_news ? s->progress.high : s->progress.low;
	int err = 0;
	while (s->count < ASK_MAX) {
		struct looked *l = &s->looked[s->count];
		struct db_source source;
		err = next(s, conn, id, &l->entry);
		if (err < 0)
			break;
		id = l->entry.id;
		l->key[0] = '\0';
		l->is_read = false;
		l->recipients.count = 0;
		s->count++;
		if (!is_wanted(&l->entry))
			continue;
		if (l->entry.message.is_kept) {
			if (!is_offered(conn, &l->entry))
				continue;
			s->count--;
			break;
		}
		err = db_source_get(conn, l->entry.message.id, &source);
		if (err < 0)
			break;
		if (source.folder == s->inbox)
			memcpy(l->key, source.key, sizeof(l->key));
		if (l->key[0] == '\0' && !source.is_cached) {
			s->count--;
			break;
		}
	}
	return err == -ENOENT ? 0 : err;
}

static int load(struct split *s)
{
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	err = begin(s, conn);
	s->is_news = true;
	if (err == 0)
		err = pick(s, conn);
	if (err == 0 && s->count == 0) {
		s->is_news = false;
		err = pick(s, conn);
	}
	db_rollback(conn);
	return err;
}

static void read_recipients(struct split *s, struct looked *l, int fd)
{
	auto_free char *head = xmalloc(HEAD_MAX);
	ssize_t len = pread(fd, head, HEAD_MAX, 0);
	if (len > 0)
		recipients_read(head, (size_t)len, s->cache->split,
		                &l->recipients);
}

/* Of what is here nobody need be asked. */
static void read_bodies(struct split *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct looked *l = &s->looked[i];
		if (!is_wanted(&l->entry) || !l->entry.message.is_cached)
			continue;
		auto_fd int fd = content_open(s->cache, &l->entry.message);
		l->is_read = fd >= 0;
		if (l->is_read)
			read_recipients(s, l, fd);
	}
}

static struct looked *find_key(struct split *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->looked[i].key, key) == 0)
			return &s->looked[i];
	return NULL;
}

/* Who was gone, or cannot be read, is for nobody. */
static int receive(struct split *s, int fd)
{
	struct remote_body body;
	int n;
	do {
		if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		n = remote_fetched(s->remote, fd, &body);
		struct looked *l = n == 1 ? find_key(s, body.key) : NULL;
		if (n == 1)
			jobs_spend(s->cache->jobs, body.wire_size);
		if (l != NULL && body.err == 0)
			read_recipients(s, l, fd);
	} while (n == 1);
	return n;
}

static int ask(struct split *s)
{
	struct remote_want wants[ASK_MAX];
	size_t count = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct looked *l = &s->looked[i];
		if (l->key[0] != '\0' && !l->is_read)
			wants[count++] =
				(struct remote_want){ l->key,
				                      l->entry.message.size };
	}
	if (count == 0)
		return 0;
	auto_fd int fd = memfd_create("head", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int err = remote_fetch_heads(s->remote, "INBOX",
	                             recipient_field(s->cache->split), wants,
	                             count);
	return err < 0 ? err : receive(s, fd);
}

/* A directory of ours, or with places a mailbox. */
static int make_folder(struct split *s, struct db_conn *conn, int64_t parent,
                       const char *level, unsigned places, int64_t *id_out)
{
	int err = db_folder_add(conn, parent, level,
	                        places == 0 ? MAIL_FOLDER_NOSELECT : 0, NULL,
	                        id_out);
	if (err == 0)
		err = db_folder_set_local(conn, *id_out, true);
	if (err == 0)
		err = db_folder_set_places(conn, *id_out, places);
	if (err == 0)
		err = db_folder_set_listed(conn, *id_out, true);
	if (err < 0)
		return err;
	s->folders = xrealloc(s->folders,
	                      (s->folder_count + 1) * sizeof(*s->folders));
	return db_folder_get(conn, *id_out, &s->folders[s->folder_count++]);
}

/*
 * The mailbox of an address, made if need be.  -ENOENT: there can be none, for
 * the server has one of that name, or there are too many.
 */
static int find_mailbox(struct split *s, struct db_conn *conn,
                        const char *address, int64_t *id_out)
{
	struct cache_folder root, folder;
	auto_free char *level = recipient_level(address);
	int err = db_folder_find(conn, CACHE_ROOT, SPLIT_ROOT, &root);
	if (err == -ENOENT) {
		root = (struct cache_folder){ .children = 0 };
		err = make_folder(s, conn, CACHE_ROOT, SPLIT_ROOT, 0, &root.id);
	}
	if (err == 0)
		err = db_folder_find(conn, root.id, level, &folder);
	if (err == 0) {
		*id_out = folder.id;
		return folder.is_local && folder.places == DB_PLACES_ALL
		               ? 0
		               : -ENOENT;
	}
	if (err == -ENOENT && root.children >= SPLIT_FOLDERS_MAX) {
		if (!s->cache->is_split_full)
			log_warn("%s: no more mailboxes are made", SPLIT_ROOT);
		s->cache->is_split_full = true;
		return err;
	}
	return err == -ENOENT ? make_folder(s, conn, root.id, level,
	                                    DB_PLACES_ALL, id_out)
	                      : err;
}

static int add_name(struct split *s, struct db_conn *conn,
                    const struct cache_entry *own, int64_t folder)
{
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
	struct keyword_file file = { 0 };
	unsigned numbers = 0;
	if (follow_is_in(conn, own->message.id, folder))
		return 0;
	int err = db_entry_keywords(conn, own, keywords, sizeof(keywords));
	if (err == 0)
		err = keyword_number(s->cache, conn, folder, keywords, &numbers,
		                     &file);
	s->files = xrealloc(s->files, (s->name_count + 1) * sizeof(*s->files));
	s->files[s->name_count] = file;
	s->names = xrealloc(s->names, (s->name_count + 1) * sizeof(*s->names));
	if (err == 0)
		err = db_entry_add_split(conn, own, keywords,
		                         (own->flags & MAIL_FLAGS) | numbers,
		                         folder, &s->names[s->name_count]);
	s->name_count += err == 0;
	return err;
}

/* Its names; it may have gone since it was looked at. */
static int add_names(struct split *s, struct db_conn *conn,
                     const struct looked *l)
{
	const struct cache *c = s->cache;
	struct cache_entry own;
	int64_t folder;
	int err = db_entry_by_id(conn, s->inbox, l->entry.id, &own);
	for (size_t i = 0; i < l->recipients.count && err == 0; i++) {
		const char *address = l->recipients.list[i];
		if (!recipient_is_of(address, c->domains, c->domain_count))
			continue;
		err = find_mailbox(s, conn, address, &folder);
		if (err == 0)
			err = add_name(s, conn, &own, folder);
		if (err == -ENOENT)
			err = 0;
	}
	return err == -ENOENT ? 0 : err;
}

static void tell(struct split *s)
{
	struct cache *c = s->cache;
	for (size_t i = 0; i < s->folder_count; i++) {
		tell_folders(c, s->folders[i].parent, NULL);
		tell_folder(c, NULL, &s->folders[i]);
	}
	for (size_t i = 0; i < s->name_count; i++) {
		/* What was there before is no arrival. */
		if (s->is_news)
			tell_moved(c, NULL, &s->names[i]);
		tell_entries(c, s->names[i].folder);
		keyword_told(c, &s->files[i]);
	}
	s->folder_count = 0;
	s->name_count = 0;
}

/* From *at_io on, as many as one transaction takes; and how far that is. */
static int save_some(struct split *s, size_t *at_io)
{
	struct db_conn *conn;
	int err = db_begin(s->cache->db, &conn);
	if (err < 0)
		return err;
	size_t at = *at_io;
	while (at < s->count && s->name_count < NAMES_BATCH && err == 0)
		err = add_names(s, conn, &s->looked[at++]);
	if (err == 0 && at > 0 && s->is_news)
		s->progress.high = s->looked[at - 1].entry.id;
	else if (err == 0 && at > 0)
		s->progress.low = s->looked[at - 1].entry.id;
	if (err == 0)
		err = db_split_set(conn, &s->progress);
	if (err == 0)
		err = jobs_budget_save(s->cache->jobs, conn);
	if (err == 0)
		err = FAULT("split-names");
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0)
		tell(s);
	*at_io = at;
	return err;
}

static int save(struct split *s)
{
	size_t at = 0;
	int err;
	if (s->count == 0 && !s->is_first)
		return 0;
	/* Once even if there is none: where we began must be known. */
	do
		err = save_some(s, &at);
	while (err == 0 && at < s->count);
	return err;
}

int split_some(struct session *session, bool *more_out)
{
	struct split s = { .cache = session->cache, .remote = session->remote };
	s.looked = xcalloc(ASK_MAX, sizeof(*s.looked));
	*more_out = false;
	int err = load(&s);
	if (err == 0) {
		read_bodies(&s);
		err = ask(&s);
	}
	if (err == 0)
		err = save(&s);
	*more_out = err == 0 && s.count > 0;
	for (size_t i = 0; i < s.count; i++)
		recipients_release(&s.looked[i].recipients);
	free(s.looked);
	free(s.names);
	free(s.files);
	free(s.folders);
	return err == -ENOENT ? 0 : err;
}
