/*
 * What the file system may change: each call is one transaction.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/ack.h"
#include "cache/db_keyword.h"
#include "cache/file.h"
#include "cache/follow.h"
#include "cache/home.h"
#include "cache/journal.h"
#include "cache/keyword.h"
#include "cache/logged.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Give the transaction back; the error that ended it, if any. */
static int finish(struct cache *c, struct db_conn *conn, int err)
{
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	cache_push_soon(c);
	return err;
}

static int begin(struct cache *c, struct db_conn **conn_out)
{
	return c->is_read_only ? -EROFS : db_begin(c->db, conn_out);
}

void write_forget(struct cache *c, int64_t message)
{
	file_remove(c->files, message);
	body_remove(c->bodies, message);
}

static void fill_to(struct cache_entry *entry, const struct cache_name *name)
{
	*entry = (struct cache_entry){
		.folder = name->folder,
		.place = name->place,
		.shown = name->flags,
	};
	if (name->base == NULL)
		return;
	(void)snprintf(entry->base, sizeof(entry->base), "%s", name->base);
	(void)snprintf(entry->info, sizeof(entry->info), "%s", name->info);
}

static int make_file(struct cache *c, struct db_conn *conn, mode_t mode,
                     uid_t uid, gid_t gid, int64_t *id_out, int *fd_out)
{
	*id_out = spares_take(c->spares);
	int err = *id_out == 0 ? -ENOENT
	                       : file_take(c->files, *id_out, mode, uid, gid,
	                                   fd_out);
	if (err != -ENOENT)
		return err;
	*id_out = db_id_new(conn);
	return file_create(c->files, *id_out, mode, uid, gid, fd_out);
}

static int create_entry(struct cache *c, struct db_conn *conn,
                        struct cache_entry *entry, mode_t mode, uid_t uid,
                        gid_t gid, int *fd_out)
{
	struct cache_folder folder;
	int64_t row;
	bool is_mail;
	int err = db_folder_get(conn, entry->folder, &folder);
	if (err < 0)
		return err;
	if (entry->place != CACHE_TOP && !(folder.places & 1u << entry->place))
		return -ENOENT;
	err = make_file(c, conn, mode, uid, gid, &entry->id, fd_out);
	entry->message.id = entry->id;
	entry->message.received_at = clock_wall_ns() / 1000000000;
	entry->identity = (uint64_t)-entry->id;
	if (err == 0)
		err = db_message_keep(conn, entry->id, entry->folder);
	if (err == 0)
		err = change_is_mail(conn, entry, &is_mail);
	if (err != 0)
		return err;
	char words[JOURNAL_KEYWORDS_MAX + 1] = "";
	unsigned unmapped = 0, asked = entry->shown;
	err = keyword_rename(conn, entry->folder, 0, entry->folder,
	                     asked & ~MAIL_FLAGS, words, &unmapped);
	/* Numbers without a keyword are none of its flags. */
	entry->shown = asked & ~unmapped;
	entry->flags = entry->shown;
	if (err == 0)
		err = db_entry_add_named(conn, entry);
	if (err == 0 && (words[0] != '\0' || unmapped != 0))
		err = db_keywords_set(conn, entry, words, unmapped);
	if (err == 0)
		err = db_entry_counted(conn, entry, 1);
	if (err == 0 && is_mail && c->can_append)
		err = journal_birth(conn, entry, deadline_in(WRITE_DUST_MS),
		                    &row);
	return err;
}

int cache_file_create(struct cache *c, const struct cache_name *name,
                      mode_t mode, uid_t uid, gid_t gid,
                      struct cache_entry *entry_out, int *fd_out)
{
	struct db_conn *conn;
	auto_fd int fd = -1;
	int err = begin(c, &conn);
	if (err < 0)
		return err;
	fill_to(entry_out, name);
	err = create_entry(c, conn, entry_out, mode, uid, gid, &fd);
	int64_t id = entry_out->id;
	/* Not after it: a reader would begin with nothing in its memory. */
	if (err == 0)
		err = db_entry_by_message(conn, id, entry_out);
	err = finish(c, conn, err);
	if (err < 0) {
		if (fd >= 0)
			file_remove(c->files, id);
		return err;
	}
	file_writer(c->files, id, 1);
	*fd_out = take_fd(&fd);
	return file_stat(c->files, &entry_out->message);
}

/*
 * Its data is to be kept from now on; all in one transaction, for keep.c may be
 * about to do the same.
 */
static int keep(struct cache *c, struct db_conn *conn,
                const struct cache_message *message, int body, int *fd_out)
{
	struct cache_message now;
	int err = db_message_get(conn, message->id, &now);
	if (err < 0)
		return err;
	if (now.is_kept) {
		*fd_out = file_open(c->files, message->id, O_RDWR);
		return *fd_out < 0 ? *fd_out : 0;
	}
	err = file_copy(c->files, message, body, fd_out);
	if (err == 0)
		err = db_message_set_kept(conn, message->id, true, 0, 0);
	return err < 0 ? err : now.is_cached;
}

static int keep_body(struct cache *c, const struct cache_message *message,
                     int body, int *fd_out)
{
	struct db_conn *conn;
	auto_fd int fd = -1;
	int err = begin(c, &conn);
	if (err < 0)
		return err;
	int was_cached = keep(c, conn, message, body, &fd);
	err = finish(c, conn, was_cached);
	if (err < 0)
		return err; /* what is left is a stray */
	if (was_cached > 0) {
		body_remove(c->bodies, message->id);
		body_count(c->bodies, 0, message->size);
	}
	*fd_out = take_fd(&fd);
	return 0;
}

int cache_file_edit(struct cache *c, int64_t message, bool is_truncated,
                    const struct cache_body *body, int *fd_out)
{
	struct cache_message m;
	auto_fd int fd = -1;
	int err = c->is_read_only ? -EROFS : cache_message_get(c, message, &m);
	if (err < 0)
		return err;
	if (m.is_kept)
		fd = file_open(c->files, message, O_RDWR);
	else if (is_truncated || body != NULL)
		err = keep_body(c, &m, is_truncated ? -1 : body->fd, &fd);
	else
		return -EAGAIN;
	if (err < 0 || fd < 0)
		return err < 0 ? err : fd;
	if (is_truncated) {
		err = cache_file_touch(c, message);
		if (err == 0 && ftruncate(fd, 0) < 0)
			err = -errno;
	}
	if (err < 0)
		return err;
	file_writer(c->files, message, 1);
	*fd_out = take_fd(&fd);
	return 0;
}

/*
 * The server's copy, if there is one, is no more what the user wants: what the
 * file will be is appended, and then that removed.
 */
static int renew(struct cache *c, struct db_conn *conn,
                 const struct cache_entry *entry)
{
	struct journal_row row, birth;
	int64_t id;
	int err = journal_begin(conn, entry, &row);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	bool was_sent =
		row.state == JOURNAL_SENT || row.state == JOURNAL_LANDED;
	if (row.key[0] == '\0' && !row.is_void && !was_sent) {
		row.state = JOURNAL_SETTLING;
		row.not_before = deadline_in(WRITE_DUST_MS);
		return journal_update(conn, &row);
	}
	err = journal_end(conn, &row, NULL, 0);
	if (err == 0 && !c->can_append)
		return journal_set_after(conn, row.id, JOURNAL_REPLACED);
	if (err == 0)
		err = journal_birth(conn, entry, deadline_in(WRITE_DUST_MS),
		                    &id);
	if (err == 0)
		err = journal_get(conn, id, &birth);
	return err != 0 ? err : journal_set_after(conn, row.id, birth.id);
}

/*
 * It has no name in a mailbox of the server's, and will not be what the server
 * has: from now on it is ours alone.
 */
static int part(struct db_conn *conn, int64_t message)
{
	struct journal_row row;
	struct cache_entry entry;
	int err = journal_stand_in(conn, message, &row, &entry);
	if (err == 0)
		err = journal_end(conn, &row, NULL, 0);
	if (err == 0)
		err = journal_set_after(conn, row.id, JOURNAL_REPLACED);
	if (err == 0 || err == -ENOENT)
		err = db_entry_unsplit(conn, message);
	return err;
}

int cache_file_room(int fd, uint64_t bytes)
{
	return home_room(fd, bytes);
}

int cache_file_touch(struct cache *c, int64_t message)
{
	struct cache_entry entry;
	struct db_conn *conn;
	bool is_mail = false;
	int err = logged_touch(c, message);
	if (err < 0)
		return err;
	err = follow_leader(db_reader(c->db), message, &entry);
	if (err < 0)
		return err == -ENOENT ? 0 : err; /* open, but without a name */
	err = change_is_mail(db_reader(c->db), &entry, &is_mail);
	if (err < 0 || !(is_mail || entry.is_split))
		return err;
	err = begin(c, &conn);
	if (err < 0)
		return err;
	return finish(c, conn,
	              is_mail ? renew(c, conn, &entry) : part(conn, message));
}

/* The dust of a delivery rose again. */
static int stir(struct cache *c, int64_t message)
{
	struct journal_row row = { .id = 0 };
	struct db_conn *conn;
	if (journal_by_message(db_reader(c->db), message, 0, &row) == -ENOENT)
		return 0;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	row.id = 0;
	while ((err = journal_by_message(conn, message, row.id, &row)) == 0) {
		if (row.state != JOURNAL_SETTLING)
			continue;
		row.not_before = deadline_in(WRITE_DUST_MS);
		err = journal_update(conn, &row);
		if (err < 0)
			break;
	}
	return finish(c, conn, err == -ENOENT ? 0 : err);
}

void cache_file_release(struct cache *c, int64_t message)
{
	struct cache_entry entry;
	file_writer(c->files, message, -1);
	(void)stir(c, message);
	if (db_entry_by_message(db_reader(c->db), message, &entry) == 0 &&
	    keyword_is_file(&entry))
		(void)keyword_read(c, entry.folder);
}

/*
 * Has it no name but one in tmp/?  Then it is nobody's mail yet: when it
 * becomes that, its data lasts with its name.
 */
static bool is_draft(struct cache *c, int64_t message)
{
	struct cache_entry entry;
	return message != 0 &&
	       db_entry_by_message(db_reader(c->db), message, &entry) == 0 &&
	       entry.place == CACHE_TMP && entry.message.links == 1;
}

int cache_file_sync(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_wait **wait_out)
{
	*wait_out = NULL;
	if (is_draft(c, message))
		return 1;
	keeper_sync(c->keeper, message, done, arg);
	return 0;
}

static int set_row(struct cache *c, const struct cache_message *what,
                   unsigned which, struct cache_message *m)
{
	struct db_conn *conn;
	int64_t now = clock_wall_ns();
	if (which & CACHE_SET_MODE)
		m->mode = what->mode & 07777;
	if (which & CACHE_SET_UID)
		m->uid = what->uid;
	if (which & CACHE_SET_GID)
		m->gid = what->gid;
	if (which & CACHE_SET_MTIME)
		m->mtime = what->mtime;
	m->ctime = (struct timespec){ now / 1000000000, now % 1000000000 };
	int err = begin(c, &conn);
	return err < 0 ? err : finish(c, conn, db_message_set(conn, m));
}

int cache_file_set(struct cache *c, const struct cache_message *what,
                   unsigned which)
{
	struct cache_message m;
	int err = c->is_read_only ? -EROFS : cache_message_get(c, what->id, &m);
	if (err < 0)
		return err;
	if (!m.is_kept)
		return set_row(c, what, which, &m);
	err = file_set(c->files, what, which);
	return err < 0 ? err : stir(c, what->id);
}

/* Somebody may have to wait until the server has it. */
static int keep_change(struct cache *c, struct change *change, cache_done *done,
                       void *arg, struct cache_wait **wait_out)
{
	bool is_delivery = false;
	int err = 0;
	if (c->ack == CACHE_ACK_SERVER && c->can_append)
		err = change_is_delivery(db_reader(c->db), change,
		                         &is_delivery);
	if (err == 0 && is_delivery)
		err = ack_new(c, done, arg, &change->ack, wait_out);
	if (err == 0)
		keeper_add(c->keeper, change, done, arg);
	return err;
}

/* A delivery must last; what else there is may be lost with the power. */
static int make(struct cache *c, struct change *change, cache_done *done,
                void *arg, struct cache_wait **wait_out)
{
	struct cache_message m;
	bool must_last = false;
	*wait_out = NULL;
	int err = c->is_read_only ? -EROFS
	                          : cache_message_get(c, change->message, &m);
	if (err == 0)
		err = change_must_last(db_reader(c->db), change, &m,
		                       &must_last);
	if (err < 0)
		return err;
	if (must_last)
		return keep_change(c, change, done, arg, wait_out);
	err = change_apply(c, change);
	cache_push_soon(c);
	return err < 0 ? err : 1;
}

int cache_link(struct cache *c, int64_t message, const struct cache_name *to,
               cache_done *done, void *arg, struct cache_wait **wait_out)
{
	struct change change = { .message = message, .was = to->was };
	fill_to(&change.to, to);
	return make(c, &change, done, arg, wait_out);
}

int cache_rename(struct cache *c, const struct cache_entry *from,
                 const struct cache_name *to, const struct cache_entry *over,
                 cache_done *done, void *arg, struct cache_wait **wait_out)
{
	struct change change = {
		.message = from->message.id,
		.has_from = true,
		.from = *from,
		.has_over = over != NULL,
		.was = to->was,
		.is_made = to->is_made,
	};
	if (over != NULL)
		change.over = *over;
	fill_to(&change.to, to);
	return make(c, &change, done, arg, wait_out);
}

int cache_unlink(struct cache *c, const struct cache_entry *entry)
{
	int err = c->is_read_only ? -EROFS : change_unname(c, entry);
	cache_push_soon(c);
	return err;
}

int cache_facts_get(struct cache *c, int64_t message,
                    struct cache_facts *facts_out)
{
	struct db_conn *reader = db_reader(c->db);
	struct cache_entry entry;
	struct journal_row row;
	int err = follow_leader(reader, message, &entry);
	if (err < 0)
		return err;
	*facts_out = (struct cache_facts){ .flags = entry.flags & MAIL_FLAGS,
		                           .state = "synced" };
	err = db_entry_key(reader, &entry, facts_out->key);
	if (err == 0)
		err = db_entry_keywords(reader, &entry, facts_out->keywords,
		                        sizeof(facts_out->keywords));
	if (err < 0 || journal_by_message(reader, message, 0, &row) < 0)
		return err;
	facts_out->state = row.state == JOURNAL_PARKED    ? "synced"
	                   : row.state == JOURNAL_REFUSED ? "refused"
	                   : row.state == JOURNAL_HELD    ? "held"
	                                                  : "pending";
	memcpy(facts_out->key, row.key, sizeof(facts_out->key));
	(void)snprintf(facts_out->why, sizeof(facts_out->why), "%s", row.why);
	return 0;
}

static int set_keywords(struct cache *c, struct db_conn *conn, int64_t message,
                        const char *keywords, struct keyword_file *file)
{
	struct cache_entry entry;
	struct journal_row row;
	unsigned numbers, old;
	int err = follow_leader(conn, message, &entry);
	if (err < 0)
		return err;
	int known = journal_begin(conn, &entry, &row);
	if (known < 0 && known != -ENOENT)
		return known;
	err = keyword_number(c, conn, entry.folder, keywords, &numbers, file);
	if (err < 0)
		return err;
	old = entry.flags;
	entry.flags = (old & MAIL_FLAGS) | numbers;
	err = db_entry_set_flags(conn, &entry, entry.place, entry.flags,
	                         keywords);
	if (err == 0 && entry.flags != old) /* it has another name */
		err = db_entry_moved(conn, &entry, entry.folder, entry.place);
	if (err < 0 || known == -ENOENT)
		return err;
	return journal_end(conn, &row, &entry, deadline_in(WRITE_DUST_MS));
}

int cache_keywords_set(struct cache *c, int64_t message, const char *keywords)
{
	struct keyword_file file = { 0 };
	struct db_conn *conn;
	if (strlen(keywords) > JOURNAL_KEYWORDS_MAX)
		return -ENOSPC;
	int err = begin(c, &conn);
	if (err < 0)
		return err;
	err = finish(c, conn, set_keywords(c, conn, message, keywords, &file));
	if (err == 0)
		keyword_told(c, &file);
	return err;
}
