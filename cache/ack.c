/*
 * A delivery that is answered by the server (ack = server).
 *
 * It is made as any other, but its row is marked as offered: it goes out at
 * once, and as long as the server cannot have it, it can be taken back.  So
 * what it comes to is read off the row, in one transaction:
 *
 *	not offered, or no row	the server has it, or may: it was delivered
 *	offered, SENT		the same; from now on it is not offered
 *	offered, else		taken back, as if it had not been made
 *
 * The mark goes in the transaction that learns that the server has it, or that
 * the answer was lost.  Then the journal finds out the rest, and the caller is
 * not told to try again what may have been done.  A start takes back what is
 * still marked, for nobody was told that it was delivered.
 *
 * An ack ends when both the keeper is through with the change and the wait is
 * over, whichever comes last.
 */
#include "cache/ack.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cache/journal.h"
#include "util/clock.h"
#include "util/mem.h"

struct ack {
	struct cache *cache;     /* borrowed: it outlives all waits */
	struct cache_wait *wait; /* the keeper's */
	atomic_int owed;         /* of the keeper and the wait, how many */
	cache_done *done;
	void *arg;
	/* Set by who leaves, read by the last. */
	int64_t row;       /* 0: none */
	int made, outcome; /* 0, or -errno */
};

/*
 * In a transaction: true if it can be taken back, and was.  A name that is
 * another's by now cannot: it stays what it is, a delivery.
 */
static int settle_row(struct db_conn *conn, const struct journal_row *row,
                      bool *is_back_out)
{
	bool may_be_there =
		row->state == JOURNAL_SENT || row->state == JOURNAL_LANDED;
	int err = may_be_there ? -EEXIST : journal_take_back(conn, row);
	*is_back_out = err == 0;
	return err == -EEXIST ? journal_accept(conn, row->id) : err;
}

/*
 * What became of a row whose caller waits no more.  *why: why not; then 0 if
 * it was delivered, or what the caller is told.
 */
static int resolve(struct cache *c, int64_t id, int *why)
{
	struct journal_row row;
	struct db_conn *conn;
	bool is_back = false, is_dead = false;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = journal_get(conn, id, &row);
	bool is_offered = err == 0 && row.is_offered;
	if (is_offered)
		err = settle_row(conn, &row, &is_back);
	if (err == 0 && is_back)
		err = journal_reap(conn, row.message, &is_dead);
	if (err < 0 || !is_offered)
		db_rollback(conn);
	else
		err = db_commit(conn);
	if (err < 0 && err != -ENOENT)
		return err;
	if (is_dead)
		write_forget(c, row.message);
	if (!is_back)
		*why = 0;
	else if (row.state == JOURNAL_REFUSED)
		*why = row.err;
	return 0;
}

/* One goes, or both. */
static void leave(struct ack *a, int count)
{
	if (atomic_fetch_sub(&a->owed, count) > count)
		return;
	int why = a->made < 0 ? a->made : a->outcome;
	int err = a->row != 0 && why < 0 ? resolve(a->cache, a->row, &why) : 0;
	a->done(a->arg, err < 0 ? err : why, NULL);
	free(a);
}

static void ended(void *arg, int err, const struct cache_body *body)
{
	struct ack *a = arg;
	a->outcome = err;
	leave(a, 1);
}

int ack_new(struct cache *c, cache_done *done, void *arg, struct ack **ack_out,
            struct cache_wait **wait_out)
{
	struct ack *a = xmalloc(sizeof(*a));
	a->cache = c;
	atomic_init(&a->owed, 2);
	a->done = done;
	a->arg = arg;
	int err = jobs_await_sent(c->jobs, ended, a, &a->wait);
	if (err < 0) {
		free(a);
		return err;
	}
	*wait_out = a->wait;
	*ack_out = a;
	return 0;
}

void ack_name(struct ack *a, int64_t row)
{
	a->row = row;
	jobs_sent_name(a->cache->jobs, a->wait, row);
}

void ack_made(struct ack *a, int err, int unsynced)
{
	struct jobs *jobs = a->cache->jobs;
	a->made = err < 0 ? err : unsynced;
	if (err < 0)
		a->row = 0; /* its transaction came to nothing */
	if (a->row != 0)
		jobs_push_by(jobs, clock_now_ms());
	/* If there is nothing to wait for, and the wait has not ended yet. */
	bool is_both = (a->row == 0 || unsynced < 0) &&
	               jobs_sent_forget(jobs, a->wait);
	leave(a, is_both ? 2 : 1);
}

int ack_restart(struct cache *c)
{
	struct journal_row row;
	int why = -ECANCELED;
	int err;
	do {
		err = journal_offered_next(db_reader(c->db), &row);
		if (err == 0)
			err = resolve(c, row.id, &why);
	} while (err == 0);
	return err == -ENOENT ? 0 : err;
}
