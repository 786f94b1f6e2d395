/*
 * Bodies, and the end of messages.
 *
 * Bodies come in the order they were asked for, and complete, for the dot
 * behind them says so: a size other than LIST's is LIST's mistake.  Within a
 * session no message goes, so a key that is not there is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popclient/client.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* ---- Bodies ---- */

void pop_fetches_release(struct pop_fetches *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->wants[i].key);
	free(f->wants);
	*f = (struct pop_fetches){ 0 };
}

static void add_want(struct pop_remote *c, const struct remote_want *want)
{
	struct pop_fetches *f = &c->fetches;
	const struct pop_message *m = pop_drop_find(&c->drop, want->key);
	if (f->count == f->capacity) {
		f->capacity = 2 * f->capacity + 64;
		f->wants = xrealloc(f->wants, f->capacity * sizeof(*f->wants));
	}
	f->wants[f->count++] = (struct pop_want){
		.key = xstrdup(want->key),
		.number = m != NULL ? m->number : 0,
		.claimed = m != NULL ? m->size : 0,
	};
}

static void add_command(struct strbuf *lines, bool is_head, uint32_t number)
{
	if (is_head)
		strbuf_printf(lines, "TOP %u 0\r\n", number);
	else
		strbuf_printf(lines, "RETR %u\r\n", number);
}

static bool asks_for_heads(const struct pop_remote *c)
{
	return c->fetches.is_heads && pop_session_may(&c->session, POP_CAP_TOP);
}

/* Keep as many under way as the server takes. */
static int ask(struct pop_remote *c)
{
	struct pop_fetches *f = &c->fetches;
	auto_strbuf struct strbuf lines = { 0 };
	size_t count = 0;
	size_t room = pop_session_window(&c->session) - c->session.owed;
	for (; f->asked < f->count && count < room; f->asked++) {
		if (f->wants[f->asked].number == 0)
			continue;
		add_command(&lines, asks_for_heads(c),
		            f->wants[f->asked].number);
		count++;
	}
	return count > 0 ? pop_session_send(&c->session, lines.bytes, count)
	                 : 0;
}

int pop_message_fetch(struct pop_remote *c, const struct remote_want *wants,
                      size_t count, bool is_heads)
{
	c->fetches.is_heads = is_heads;
	for (size_t i = 0; i < count; i++)
		add_want(c, &wants[i]);
	return ask(c);
}

/*
 * Where there is no CAPA, a refusal may tell that there is no TOP; nothing else
 * is under way then.
 */
static int ask_for_all(struct pop_remote *c, const struct pop_want *want,
                       struct pop_answer *answer_io)
{
	auto_strbuf struct strbuf line = { 0 };
	if (answer_io->is_ok || c->session.has_capabilities ||
	    !asks_for_heads(c))
		return 0;
	add_command(&line, false, want->number);
	int err = pop_session_send(&c->session, line.bytes, 1);
	return err < 0 ? err : pop_session_answer(&c->session, answer_io);
}

static int receive(struct pop_remote *c, const struct pop_want *want, int fd,
                   struct remote_body *out)
{
	struct pop_answer answer;
	struct pop_sink sink = { .fd = fd, .claimed = want->claimed };
	int err = pop_session_answer(&c->session, &answer);
	if (err == 0)
		err = ask_for_all(c, want, &answer);
	if (err < 0)
		return err;
	if (!answer.is_ok) {
		err = pop_session_error(&answer,
		                        asks_for_heads(c) ? "TOP" : "RETR",
		                        -EIO);
		out->err = err == -EIO ? err : 0;
		return out->err == 0 ? err : 0;
	}
	err = pop_session_copy(&c->session, &sink);
	if (err < 0)
		return err;
	out->size = sink.size;
	out->wire_size = sink.wire_size;
	return 0;
}

int pop_message_fetched(struct pop_remote *c, int fd, struct remote_body *out)
{
	struct pop_fetches *f = &c->fetches;
	if (f->at == f->count) {
		pop_fetches_release(f);
		return 0;
	}
	int err = ask(c);
	if (err < 0)
		return err;
	const struct pop_want *want = &f->wants[f->at];
	snprintf(f->key, sizeof(f->key), "%s", want->key);
	*out = (struct remote_body){ .key = f->key };
	if (want->number == 0)
		out->err = -ESTALE;
	else
		err = receive(c, want, fd, out);
	if (err < 0)
		return err;
	f->at++;
	return 1;
}

/* ---- The end of messages ---- */

static void refuse(struct remote_wish *wish, const struct pop_answer *answer,
                   int err)
{
	wish->fate = REMOTE_REFUSED;
	wish->err = err;
	snprintf(wish->why, sizeof(wish->why), "%.*s",
	         (int)(answer->len < 100 ? answer->len : 100), answer->text);
}

/* DELE each; those that the server took are UNKNOWN until QUIT. */
static int delete_some(struct pop_remote *c, struct remote_wish *wishes,
                       size_t count)
{
	auto_strbuf struct strbuf lines = { 0 };
	size_t sent = 0;
	for (size_t i = 0; i < count; i++) {
		const struct pop_message *m =
			pop_drop_find(&c->drop, wishes[i].key);
		if (m == NULL) {
			wishes[i].fate = REMOTE_DONE;
			continue;
		}
		strbuf_printf(&lines, "DELE %u\r\n", m->number);
		wishes[i].fate = REMOTE_UNKNOWN;
		sent++;
	}
	int err =
		sent > 0 ? pop_session_send(&c->session, lines.bytes, sent) : 0;
	for (size_t i = 0; i < count && err == 0; i++) {
		struct pop_answer answer;
		if (wishes[i].fate != REMOTE_UNKNOWN)
			continue;
		err = pop_session_answer(&c->session, &answer);
		if (err < 0 || answer.is_ok)
			continue;
		err = pop_session_error(&answer, "DELE", -EACCES);
		if (err == -EACCES) {
			refuse(&wishes[i], &answer, err);
			err = 0;
		}
	}
	return err;
}

int pop_message_remove(struct pop_remote *c, struct remote_wish *wishes,
                       size_t count)
{
	size_t window = pop_session_window(&c->session);
	for (size_t i = 0; i < count; i += window) {
		size_t some = count - i < window ? count - i : window;
		int err = delete_some(c, wishes + i, some);
		if (err < 0)
			return err;
	}
	/* RFC 1939 6: only now the server removes them. */
	pop_drop_release(&c->drop);
	int err = pop_session_quit(&c->session);
	for (size_t i = 0; i < count && err == 0; i++)
		if (wishes[i].fate == REMOTE_UNKNOWN)
			wishes[i].fate = REMOTE_DONE;
	return err;
}
