#include "tests/unit/cache/hand.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/file.h"
#include "util/clock.h"
#include "util/mem.h"

void hand_take(struct hand *h, struct rig *rig)
{
	struct remote *remote = fake_remote_new(rig->account);
	h->rig = rig;
	memset(&h->session, 0, sizeof(h->session));
	h->session.cache = rig->cache;
	h->session.remote = remote;
	jobs_serve(rig->cache->jobs, &h->session.remote, 1);
}

void hand_drop(struct hand *h)
{
	rig_close(h->rig);
	remote_free(h->session.remote);
}

int hand_setup(void **state)
{
	struct hand *h = xmalloc(sizeof(*h));
	void *rig;
	assert_int_equal(rig_setup(&rig), 0);
	hand_take(h, rig);
	assert_int_equal(hand_round(h), 0);
	*state = h;
	return 0;
}

int hand_teardown(void **state)
{
	struct hand *h = *state;
	void *rig = h->rig;
	hand_drop(h);
	free(h);
	return rig_teardown(&rig);
}

static bool is_busy(void *arg, int64_t message)
{
	struct cache *c = arg;
	return file_has_writer(c->files, message);
}

static int settle_dust(struct cache *c)
{
	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = journal_settle(conn, clock_now_ms(), is_busy, c);
	if (err == 0)
		return db_commit(conn);
	db_rollback(conn);
	return err;
}

int hand_push(struct hand *h)
{
	int err = remote_connect(h->session.remote);
	if (err == 0)
		err = settle_dust(h->rig->cache);
	int64_t sent;
	return err < 0 ? err : push_journal(&h->session, &sent);
}

static int pull(struct hand *h)
{
	struct cache *c = h->rig->cache;
	struct jobs_pull job;
	int err = 0;
	for (int i = 0; i < 100 && jobs_pull_take(c->jobs, &job); i++) {
		bool more = false, is_blocked = false;
		err = settle_folder(&h->session, job.folder, &is_blocked);
		if (err == 0 && !is_blocked)
			err = pull_folder(c, h->session.remote, &job, &more);
		jobs_pull_end(c->jobs, job.folder, more);
		if (err < 0 && remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
			return err;
	}
	return 0;
}

int hand_round(struct hand *h)
{
	int err = hand_push(h);
	if (err == 0)
		err = folders_list(h->rig->cache, h->session.remote);
	if (err == 0)
		err = pull(h);
	if (err < 0)
		remote_disconnect(h->session.remote);
	return err;
}

void hand_pass(struct hand *h, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		clock_advance_ms(1000);
		(void)hand_round(h);
	}
}

int64_t hand_folder(struct hand *h, const char *level)
{
	struct cache_folder folder;
	if (cache_folder_find(h->rig->cache, CACHE_ROOT, level, &folder) < 0)
		return 0;
	return folder.id;
}

static int find(struct hand *h, int64_t folder, const char *base,
                struct cache_entry *out)
{
	int err = -ENOENT;
	for (int place = 0; place < CACHE_MAIL_PLACES && err == -ENOENT;
	     place++)
		err = cache_name_find(h->rig->cache, folder,
		                      (enum cache_place)place, base, 0, out);
	return err;
}

struct cache_entry hand_entry(struct hand *h, int64_t folder, const char *base)
{
	struct cache_entry entry = { .id = 0 };
	assert_int_equal(find(h, folder, base, &entry), 0);
	return entry;
}

size_t hand_count(struct hand *h, int64_t folder)
{
	return (size_t)(cache_entry_count(h->rig->cache, folder, CACHE_NEW) +
	                cache_entry_count(h->rig->cache, folder, CACHE_CUR));
}

size_t hand_rows(struct hand *h)
{
	struct journal_row row = { .id = 0 };
	size_t count = 0;
	while (journal_each(db_reader(h->rig->cache->db), row.id, &row) == 0)
		count += row.state != JOURNAL_WATCH;
	return count;
}

static int write_file(int fd, const char *body)
{
	size_t len = strlen(body);
	bool is_whole = pwrite(fd, body, len, 0) == (ssize_t)len;
	(void)close(fd);
	return is_whole ? 0 : -EIO;
}

static bool is_done(struct outcome *o)
{
	(void)pthread_mutex_lock(&o->rig->lock);
	bool is_done = o->is_done;
	(void)pthread_mutex_unlock(&o->rig->lock);
	return is_done;
}

static bool is_offered(struct hand *h)
{
	struct journal_row row;
	return journal_offered_next(db_reader(h->rig->cache->db), &row) == 0;
}

/* What a call that may be waited for gave in the end. */
static int outcome(struct hand *h, struct outcome *o, int n)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	if (n != 0)
		return n == 1 ? 0 : n;
	bool is_by_hand = h->session.remote != NULL;
	if (h->rig->config.ack != CACHE_ACK_SERVER || !is_by_hand)
		return rig_outcome(h->rig, o);
	/* It waits for the keeper, and then for the server, but not for ever. */
	for (int i = 0; i < 5000 && !is_done(o) && !is_offered(h); i++)
		(void)nanosleep(&pause, NULL);
	while (!is_done(o)) {
		if (hand_push(h) < 0)
			remote_disconnect(h->session.remote);
		if (is_done(o))
			break;
		clock_advance_ms(5000);
		cache_tick(h->rig->cache);
	}
	return rig_outcome(h->rig, o);
}

/* By tmp into new; what has the name already goes. */
static int bring(struct hand *h, int64_t folder, const char *base,
                 const char *body, const struct cache_entry *over)
{
	struct cache *c = h->rig->cache;
	struct cache_name tmp = { folder, CACHE_TMP, base, "", 0 };
	struct cache_name to = { folder, CACHE_NEW, base, "", 0 };
	struct outcome o = { .rig = h->rig };
	struct cache_entry entry;
	struct cache_wait *wait;
	int fd;
	int err = cache_file_create(c, &tmp, 0600, getuid(), getgid(), &entry,
	                            &fd);
	if (err < 0)
		return err;
	err = write_file(fd, body);
	cache_file_release(c, entry.message.id);
	if (err < 0)
		return err;
	if (over != NULL)
		to.place = over->place;
	err = cache_rename(c, &entry, &to, over, rig_done, &o, &wait);
	return outcome(h, &o, err);
}

int hand_deliver(struct hand *h, int64_t folder, const char *base,
                 const char *body)
{
	return bring(h, folder, base, body, NULL);
}

int hand_replace(struct hand *h, int64_t folder, const char *base,
                 const char *body)
{
	struct cache_entry over;
	int err = find(h, folder, base, &over);
	return err < 0 ? err : bring(h, folder, base, body, &over);
}

int hand_unlink(struct hand *h, int64_t folder, const char *base)
{
	struct cache_entry entry;
	int err = find(h, folder, base, &entry);
	return err < 0 ? err : cache_unlink(h->rig->cache, &entry);
}

int hand_move(struct hand *h, int64_t folder, const char *base, int64_t to,
              enum cache_place place, unsigned flags)
{
	struct cache_entry entry;
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	int err = find(h, folder, base, &entry);
	if (err < 0)
		return err;
	struct cache_name name = { to, place, base, flags == 0 ? "" : ":2,x",
		                   flags };
	err = cache_rename(h->rig->cache, &entry, &name, NULL, rig_done, &o,
	                   &wait);
	return outcome(h, &o, err);
}

int hand_link(struct hand *h, int64_t folder, const char *base, int64_t to,
              const char *new_base)
{
	struct cache_entry entry;
	struct outcome o = { .rig = h->rig };
	struct cache_wait *wait;
	int err = find(h, folder, base, &entry);
	if (err < 0)
		return err;
	struct cache_name name = { to, CACHE_CUR, new_base, "", 0 };
	err = cache_link(h->rig->cache, entry.message.id, &name, rig_done, &o,
	                 &wait);
	return outcome(h, &o, err);
}

int hand_edit(struct hand *h, int64_t folder, const char *base,
              const char *body)
{
	struct cache_entry entry;
	int fd;
	int err = find(h, folder, base, &entry);
	if (err == 0)
		err = cache_file_edit(h->rig->cache, entry.message.id, true,
		                      NULL, &fd);
	if (err < 0)
		return err;
	err = write_file(fd, body);
	cache_file_release(h->rig->cache, entry.message.id);
	return err;
}
