/*
 * Bodies come in one command for many messages, several commands in flight.
 *
 * A body whose size is not the claimed one is suspect: Exchange lies about
 * sizes, but Courier forges a body for a message that is gone, and Mailutils
 * gives an empty one.  It is dropped, and once nothing is under way: NOOP, so
 * that the server notices what is gone; a FETCH of the UIDs, which tells what
 * is left; and the bodies of these again.  What comes twice in the same size is
 * the truth, unless it is empty.  The same is done for a new message that the
 * session does not know of yet.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imapclient/client.h"
#include "imapclient/key.h"
#include "imapclient/seqset.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

#define TRIES_MAX 3

void imap_fetches_release(struct imap_fetches *f)
{
	free(f->wants);
	*f = (struct imap_fetches){ 0 };
}

static void settle(struct imap_want *w, int err)
{
	w->state = IMAP_WANT_SETTLED;
	w->err = err;
}

static void add_want(struct imap_fetches *f, const struct imap_session *s,
                     const struct remote_want *want)
{
	if (f->count == f->capacity) {
		f->capacity = f->capacity == 0 ? 64 : f->capacity * 2;
		f->wants = xrealloc(f->wants, f->capacity * sizeof(*f->wants));
	}
	struct imap_want *w = &f->wants[f->count++];
	*w = (struct imap_want){ .claimed_size = want->claimed_size,
		                 .seen_size = UINT64_MAX };
	snprintf(w->key, sizeof(w->key), "%s", want->key);
	w->uid = imap_key_uid(want->key, s->uid_validity);
	if (w->uid == 0)
		settle(w, -ESTALE);
}

/* Ask for the bodies, or with items for less, of all that have no tag yet. */
static int send_wants(struct imap_remote *c, enum imap_want_state state,
                      const char *items)
{
	struct imap_fetches *f = &c->fetches;
	auto_free uint32_t *uids = xcalloc(f->count + 1, sizeof(*uids));
	size_t count = 0;
	for (size_t i = 0; i < f->count; i++) {
		if (f->wants[i].state == state && f->wants[i].tag == 0)
			uids[count++] = f->wants[i].uid;
	}
	count = imap_seqset_sort(uids, count);
	for (size_t from = 0; from < count;) {
		auto_command struct imap_command fetch;
		unsigned tag;
		imap_command_init(&fetch, true, "UID FETCH ");
		size_t n =
			imap_seqset_add(&fetch.text, uids + from, count - from);
		strbuf_printf(&fetch.text, " (%s)", items);
		int err = imap_session_send(&c->session, &fetch, &tag);
		if (err < 0)
			return err;
		f->commands++;
		for (size_t i = 0; i < f->count; i++) {
			struct imap_want *w = &f->wants[i];
			if (w->state == state && w->tag == 0 &&
			    w->uid >= uids[from] &&
			    w->uid <= uids[from + n - 1])
				w->tag = tag;
		}
		from += n;
	}
	return 0;
}

static int fetch(struct imap_remote *c, const char *folder,
                 const struct remote_want *wants, size_t count,
                 const char *field)
{
	struct imap_session *s = &c->session;
	struct imap_fetches *f = &c->fetches;
	imap_pull_release(&c->pull);
	if (s->selected == NULL || strcmp(s->selected, folder) != 0) {
		imap_fetches_release(f);
		int err = imap_session_select(s, folder);
		if (err < 0)
			return err;
	}
	f->is_heads = field != NULL;
	if (f->is_heads)
		snprintf(f->items, sizeof(f->items),
		         "UID BODY.PEEK[HEADER.FIELDS (%.100s)]", field);
	else
		snprintf(f->items, sizeof(f->items), "UID BODY.PEEK[]");
	for (size_t i = 0; i < count; i++)
		add_want(f, s, &wants[i]);
	return send_wants(c, IMAP_WANT_OWED, f->items);
}

int imap_message_fetch(struct imap_remote *c, const char *folder,
                       const struct remote_want *wants, size_t count)
{
	return fetch(c, folder, wants, count, NULL);
}

int imap_message_fetch_heads(struct imap_remote *c, const char *folder,
                             const char *field, const struct remote_want *wants,
                             size_t count)
{
	return fetch(c, folder, wants, count, field);
}

static struct imap_want *find_owed(struct imap_fetches *f, uint32_t uid)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->wants[i].uid == uid &&
		    f->wants[i].state == IMAP_WANT_OWED)
			return &f->wants[i];
	}
	return NULL;
}

static int empty_file(int fd)
{
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return 0;
}

/* A body sent as a quoted string, or NIL. */
static int write_inline(struct imap_sink *sink, const struct imap_fetch *fetch)
{
	auto_strbuf struct strbuf body = { 0 };
	imap_text_add(fetch->body, &body);
	for (size_t done = 0; done < body.len;) {
		ssize_t n = write(sink->fd, body.bytes + done, body.len - done);
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	sink->is_filled = true;
	sink->size = sink->wire_size = body.len;
	return 0;
}

static bool is_trusted(const struct imap_fetches *f, const struct imap_want *w,
                       uint64_t wire_size)
{
	if (f->is_heads || wire_size == w->claimed_size)
		return true;
	return w->tries > 0 && wire_size == w->seen_size && wire_size > 0;
}

static void give(struct imap_fetches *f, struct imap_want *w,
                 struct remote_body *out)
{
	snprintf(f->key, sizeof(f->key), "%s", w->key);
	*out = (struct remote_body){ .key = f->key, .err = w->err };
	size_t behind = (size_t)(f->wants + f->count - (w + 1));
	memmove(w, w + 1, behind * sizeof(*w));
	f->count--;
}

/* A FETCH arrived: 1 if it completed a body, 0 if not, or an error. */
static int take_body(struct imap_fetches *f, const struct imap_fetch *fetch,
                     struct imap_sink *sink, struct remote_body *out)
{
	if ((fetch->has & IMAP_FETCH_BODY) == 0 && !sink->is_filled)
		return 0;
	struct imap_want *w = (fetch->has & IMAP_FETCH_UID) != 0
	                              ? find_owed(f, fetch->uid)
	                              : NULL;
	if (w == NULL)
		return empty_file(sink->fd);
	if (!fetch->is_streamed) {
		int err = write_inline(sink, fetch);
		if (err < 0)
			return err;
	}
	if (is_trusted(f, w, sink->wire_size)) {
		give(f, w, out);
		out->size = sink->size;
		out->wire_size = sink->wire_size;
		return 1;
	}
	w->state = IMAP_WANT_SUSPECT;
	w->seen_size = sink->wire_size;
	return empty_file(sink->fd);
}

/*
 * It may have come after this session looked, and another told of it: then
 * this one sees it after a NOOP.
 */
static bool is_perhaps_unseen(const struct imap_session *s,
                              const struct imap_want *w)
{
	return w->tries == 0 && w->uid >= s->uid_next;
}

/* The end of a command: what it did not bring gets its fate. */
static int finish_command(struct imap_remote *c, const struct imap_response *r)
{
	struct imap_fetches *f = &c->fetches;
	size_t left = 0, mine = 0;
	unsigned tag = 0;
	for (size_t i = 0; i < f->count; i++) {
		struct imap_want *w = &f->wants[i];
		if (w->tag == 0 || !imap_session_is_end(r, w->tag))
			continue;
		tag = w->tag;
		mine++;
		left += w->state == IMAP_WANT_OWED;
	}
	f->commands -= f->commands > 0;
	int err = imap_session_error(r, "UID FETCH");
	if (err == -EPROTO || err == -EHOSTUNREACH)
		return err;
	for (size_t i = 0; i < f->count && tag != 0; i++) {
		struct imap_want *w = &f->wants[i];
		if (w->tag != tag)
			continue;
		w->tag = 0;
		if (w->state != IMAP_WANT_OWED)
			continue;
		bool is_told = r->code == IMAP_CODE_EXPUNGEISSUED;
		bool is_alone = left == 1 && mine == 1;
		if (is_told || (err == 0 && !is_perhaps_unseen(&c->session, w)))
			settle(w, -ESTALE);
		else if (err != 0 && is_alone)
			settle(w, -EIO);
		else /* if err, one of them is bad: ask for each alone */
			w->state = IMAP_WANT_SUSPECT;
	}
	return 0;
}

/* NOOP, and which of the suspects are left.  The others are gone. */
static int confirm(struct imap_remote *c)
{
	struct imap_fetches *f = &c->fetches;
	auto_command struct imap_command noop;
	struct imap_response r;
	imap_command_init(&noop, true, "NOOP");
	int err = imap_session_run(&c->session, &noop, "NOOP");
	if (err == 0)
		err = send_wants(c, IMAP_WANT_SUSPECT, "UID FLAGS");
	if (err < 0)
		return err;
	while (f->commands > 0) {
		err = imap_session_read(&c->session, NULL, &r);
		if (err < 0)
			return err;
		bool has_uid = r.kind == IMAP_FETCH &&
		               (r.fetch.has & IMAP_FETCH_UID) != 0;
		for (size_t i = 0; has_uid && i < f->count; i++) {
			struct imap_want *w = &f->wants[i];
			if (w->state == IMAP_WANT_SUSPECT &&
			    w->uid == r.fetch.uid)
				w->state = IMAP_WANT_OWED;
		}
		if (r.kind == IMAP_TAGGED) {
			err = imap_session_error(&r, "UID FETCH");
			if (err == -EPROTO || err == -EHOSTUNREACH)
				return err;
			f->commands--;
		}
	}
	return 0;
}

/* Ask again for what could not be trusted; alone, to find the one to blame. */
static int recheck(struct imap_remote *c)
{
	struct imap_fetches *f = &c->fetches;
	int err = confirm(c);
	if (err < 0)
		return err;
	for (size_t i = 0; i < f->count; i++) {
		struct imap_want *w = &f->wants[i];
		w->tag = 0;
		if (w->state == IMAP_WANT_SUSPECT)
			settle(w, -ESTALE);
		else if (w->state == IMAP_WANT_OWED && ++w->tries > TRIES_MAX)
			settle(w, -EIO);
	}
	for (size_t i = 0; i < f->count; i++) {
		struct imap_want *w = &f->wants[i];
		if (w->state != IMAP_WANT_OWED)
			continue;
		auto_command struct imap_command fetch;
		imap_command_init(&fetch, true, "UID FETCH ");
		strbuf_printf(&fetch.text, "%u (%s)", w->uid, f->items);
		err = imap_session_send(&c->session, &fetch, &w->tag);
		if (err < 0)
			return err;
		f->commands++;
	}
	return 0;
}

static struct imap_want *find_state(struct imap_fetches *f,
                                    enum imap_want_state state)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->wants[i].state == state)
			return &f->wants[i];
	}
	return NULL;
}

int imap_message_fetched(struct imap_remote *c, int fd, struct remote_body *out)
{
	struct imap_fetches *f = &c->fetches;
	struct imap_response r;
	/* The ends of the commands too, or they would be taken for others'. */
	while (f->count > 0 || f->commands > 0) {
		struct imap_sink sink = { .fd = fd };
		struct imap_want *settled = find_state(f, IMAP_WANT_SETTLED);
		if (settled != NULL) {
			give(f, settled, out);
			return 1;
		}
		int err = 0;
		if (f->commands == 0) {
			err = recheck(c);
			if (err < 0)
				return err;
			continue;
		}
		err = imap_session_read(&c->session, &sink, &r);
		if (err == 0 && r.kind == IMAP_FETCH)
			err = take_body(f, &r.fetch, &sink, out);
		else if (err == 0 && r.kind == IMAP_TAGGED)
			err = finish_command(c, &r);
		if (err != 0)
			return err;
	}
	return 0;
}
