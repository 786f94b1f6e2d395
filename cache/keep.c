/*
 * Mail of which the only copy is to be here: what is taken off the server, and
 * what moves to a mailbox that the server does not know.
 *
 * The order is that of a delivery.  The data is copied into a kept file and
 * synced, with its name; then one transaction says that it is kept, and makes
 * the row that removes the server's copy; the log is synced before that goes
 * out (push_send.c).  Until the message is kept its file is nobody's: dying
 * leaves a stray, and who edits the message meanwhile makes a file of its own.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cache/core.h"
#include "cache/follow.h"
#include "cache/journal.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fault.h"
#include "util/log.h"

/* Messages asked for at once. */
#define ASK_MAX 2000

static int64_t due_before(const struct cache *c)
{
	return clock_wall_ns() / 1000000000 - c->take_after_s;
}

/* The server's copy goes; its names here stay. */
static int release(struct db_conn *conn, int64_t message)
{
	struct journal_row row;
	struct cache_entry entry;
	int err = follow_leader(conn, message, &entry);
	if (err == 0)
		err = journal_begin(conn, &entry, &row);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	err = journal_end(conn, &row, NULL, 0);
	if (err < 0)
		return err;
	/* It was not the user who removed it: the brake does not ask. */
	return journal_set_after(conn, row.id, JOURNAL_REPLACED);
}

/*
 * A file for what is not kept yet.  1 and *fd_out, or 0: it is kept, or gone.
 * In a transaction, so that nobody else makes one at the same time.
 */
static int make_file(struct cache *c, struct cache_message *m, int *fd_out)
{
	struct db_conn *conn;
	int64_t id = m->id;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = db_message_get(conn, id, m);
	bool is_wanted = err == 0 && !m->is_kept;
	if (is_wanted)
		err = file_create(c->files, id, m->mode, getuid(), getgid(),
		                  fd_out);
	db_rollback(conn);
	if (err < 0)
		return err == -ENOENT ? 0 : err;
	return is_wanted;
}

/*
 * 1: it is kept from now on; 0: it was, or it went; -EXDEV: another thread is
 * about to; or -errno.
 */
static int adopt(struct cache *c, struct db_conn *conn, int64_t message, int fd,
                 struct cache_message *before)
{
	int err = db_message_get(conn, message, before);
	if (err == -ENOENT ||
	    (err == 0 && before->links == 0 && !before->is_kept)) {
		file_remove(c->files, message);
		return 0;
	}
	if (err == 0 && before->is_kept)
		return 0;
	/* Half a file of theirs must not become the only copy. */
	if (err == 0 && !file_is(c->files, message, fd))
		err = -EXDEV;
	if (err == 0)
		err = db_message_set_kept(conn, message, true, 0, 0);
	return err < 0 ? err : 1;
}

static int keep(struct cache *c, int64_t message, int body, bool is_taken)
{
	struct cache_message m = { .id = message };
	struct db_conn *conn;
	auto_fd int fd = -1;
	int n = make_file(c, &m, &fd);
	if (n <= 0)
		return n;
	int err = file_fill(c->files, &m, body, fd);
	if (err == 0)
		err = FAULT("keep-file");
	if (err < 0)
		return err; /* a stray, that the next start removes */
	err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	n = adopt(c, conn, message, fd, &m);
	err = n < 0 ? n : 0;
	if (n == 1 && is_taken)
		err = release(conn, message);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	if (err == 0 && n == 1 && m.is_cached) {
		body_remove(c->bodies, message);
		body_count(c->bodies, 0, m.size);
	}
	return err;
}

int keep_cached(struct cache *c, int64_t message)
{
	struct cache_message m;
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = db_message_get(conn, message, &m);
	db_rollback(conn);
	if (err < 0 || m.is_kept)
		return err;
	auto_fd int fd =
		m.is_cached ? body_open(c->bodies, message, m.size) : -ENOENT;
	return fd < 0 ? -EXDEV : keep(c, message, fd, false);
}

/* By the key of its name, or by the row that this stands for. */
static bool is_on_server(struct db_conn *conn, const struct cache_entry *entry)
{
	char key[REMOTE_KEY_MAX + 1];
	return entry->is_split ||
	       (db_entry_key(conn, entry, key) == 0 && key[0] != '\0');
}

void keep_arrived(struct cache *c, int64_t message, int fd)
{
	struct cache_entry entry;
	struct db_conn *conn;
	if (!c->is_taken || db_begin(c->db, &conn) < 0)
		return;
	bool is_due = follow_leader(conn, message, &entry) == 0 &&
	              is_on_server(conn, &entry) &&
	              entry.message.received_at <= due_before(c);
	db_rollback(conn);
	int err = is_due ? keep(c, message, fd, true) : 0;
	if (err < 0 && err != -EXDEV)
		log_warn("a message stays on the server: %s", strerror(-err));
}

/* The same for one that is kept for another reason. */
static int release_kept(struct cache *c, const struct cache_entry *seen)
{
	struct cache_entry entry;
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = db_entry_by_id(conn, seen->folder, seen->id, &entry);
	if (err == 0 && entry.message.is_kept)
		err = release(conn, entry.message.id);
	if (err < 0) {
		db_rollback(conn);
		return err == -ENOENT ? 0 : err;
	}
	return db_commit(conn);
}

/* Have it fetched, to be taken then; or it is kept, and released. */
static int take_off(struct cache *c, const struct cache_entry *entry,
                    int64_t folder)
{
	if (entry->message.is_kept)
		return release_kept(c, entry);
	(void)jobs_prefetch(c->jobs, entry->message.id, folder,
	                    entry->message.size);
	return 0;
}

/* The next message that the server need not have any more. */
static int next_due(struct cache *c, int64_t folder, enum cache_place place,
                    int64_t after, struct cache_entry *out)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = db_entry_due(conn, folder, place, after, due_before(c), out);
	db_rollback(conn);
	return err;
}

static int take_folder(struct cache *c, int64_t folder, int *left)
{
	struct cache_entry entry;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		int err;
		entry.id = 0;
		while (*left > 0 &&
		       (err = next_due(c, folder, (enum cache_place)place,
		                       entry.id, &entry)) == 0) {
			(*left)--;
			err = take_off(c, &entry, folder);
			if (err < 0)
				return err;
		}
		if (*left > 0 && err < 0 && err != -ENOENT)
			return err;
	}
	return 0;
}

/* The next of those that have no name in INBOX any more. */
static int next_parked(struct cache *c, int64_t after, struct journal_row *row,
                       struct cache_entry *out)
{
	struct journal_wish wish;
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	row->id = after;
	while ((err = journal_next(conn, JOURNAL_PARKED, row->id, row)) == 0) {
		err = journal_wish(conn, row, &wish);
		if (err < 0 || wish.entry.message.received_at <= due_before(c))
			break;
	}
	db_rollback(conn);
	*out = wish.entry;
	return err;
}

static int take_parked(struct cache *c, int *left)
{
	struct cache_entry entry;
	struct journal_row row = { .id = 0 };
	int err = 0;
	while (*left > 0 && (err = next_parked(c, row.id, &row, &entry)) == 0) {
		(*left)--;
		err = take_off(c, &entry, row.folder);
		if (err < 0)
			break;
	}
	return err == -ENOENT ? 0 : err;
}

int keep_due(struct cache *c)
{
	struct cache_folder inbox;
	struct db_conn *conn;
	int left = ASK_MAX;
	if (!c->is_taken)
		return 0;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = db_folder_by_name(conn, "INBOX", &inbox);
	db_rollback(conn);
	if (err == 0)
		err = take_folder(c, inbox.id, &left);
	if (err == 0)
		err = take_parked(c, &left);
	c->is_take_left = left == 0;
	return err == -ENOENT ? 0 : err;
}
