/*
 * A pending belongs to the fuse thread from beginning to end.  That thread
 * alone creates and frees it, answers its request, and runs libfuse's interrupt
 * callbacks (they come out of fuse_session_process_buf()).  So nothing here can
 * race with libfuse.  The cache only ever touches it in pending_done(), once;
 * there a direct one is answered too, which libfuse allows of any thread, once
 * no callback runs any more.
 *
 *	waiting		the cache has it.  In set->waiting.
 *	interrupted	the same, and the kernel wants the answer now.  Marked
 *			only: the callback runs with libfuse's lock held.
 *	done		in set->done as well.  No longer the cache's.
 *
 *	waiting|interrupted -> done	pending_done(), cache thread
 *	done -> freed			pendings_resume()
 *	interrupted -> freed		pendings_interrupt(), if the cache took
 *					the wait back; else done follows: a
 *					program must learn whether what changes
 *					something was done
 */
#include "fs/pending.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "util/mem.h"

void pendings_init(struct pendings *set, struct wake *wake)
{
	*set = (struct pendings){ .wake = wake };
	set->done_tail = &set->done;
	pthread_mutex_init(&set->lock, NULL);
}

void pendings_release(struct pendings *set)
{
	assert(!set->waiting && !set->done);
	pthread_mutex_destroy(&set->lock);
}

static void on_interrupt(fuse_req_t req, void *arg)
{
	struct pending *p = arg;
	p->is_interrupted = true;
	p->set->has_interrupted = true;
}

struct pending *pending_new(struct pendings *set, fuse_req_t req,
                            fuse_ino_t ino, struct cache *cache,
                            pending_resume *resume)
{
	struct pending *p = xmalloc(sizeof(*p));
	p->set = set;
	p->resume = resume;
	p->req = req;
	p->ino = ino;
	p->cache = cache;
	p->body.fd = -1;
	p->next = set->waiting;
	if (p->next)
		p->next->prev = p;
	set->waiting = p;
	fuse_req_interrupt_func(req, on_interrupt, p);
	return p;
}

static void unlink_pending(struct pending *p)
{
	if (p->next)
		p->next->prev = p->prev;
	if (p->prev)
		p->prev->next = p->next;
	else
		p->set->waiting = p->next;
	p->set->direct -= p->is_direct;
	if (p->req)
		fuse_req_interrupt_func(p->req, NULL, NULL);
}

static void release(struct pending *p)
{
	free(p->name);
	free(p->old);
	free(p);
}

void pending_direct(struct pending *p)
{
	p->is_direct = true;
	p->set->direct++;
}

void pending_free(struct pending *p)
{
	unlink_pending(p);
	release(p);
}

void pending_done(void *arg, int err, const struct cache_body *body)
{
	struct pending *p = arg;
	struct pendings *set = p->set;
	p->err = err;
	if (body)
		p->body = *body;
	bool is_direct = p->is_direct;
	if (is_direct) {
		fuse_req_interrupt_func(p->req, NULL, NULL);
		p->resume(p);
		p->req = NULL;
	}
	pthread_mutex_lock(&set->lock);
	*set->done_tail = p;
	set->done_tail = &p->next_done;
	pthread_mutex_unlock(&set->lock);
	if (!is_direct)
		wake_signal(set->wake);
}

void pendings_resume(struct pendings *set)
{
	pthread_mutex_lock(&set->lock);
	struct pending *p = set->done;
	set->done = NULL;
	set->done_tail = &set->done;
	pthread_mutex_unlock(&set->lock);
	while (p) {
		struct pending *next = p->next_done;
		unlink_pending(p);
		if (p->req)
			p->resume(p);
		release(p);
		p = next;
	}
}

void pendings_interrupt(struct pendings *set)
{
	if (!set->has_interrupted)
		return;
	set->has_interrupted = false;
	struct pending *next;
	for (struct pending *p = set->waiting; p; p = next) {
		next = p->next;
		if (!p->is_interrupted)
			continue;
		p->is_interrupted = false;
		if (!cache_wait_cancel(p->cache, p->wait))
			continue;
		fuse_req_t req = p->req;
		pending_free(p);
		(void)fuse_reply_err(req, EINTR);
	}
}
