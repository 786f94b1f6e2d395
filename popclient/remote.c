/*
 * Sessions come and go behind the calls: a call that needs the server makes
 * one, and learns which number each message has in it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popclient/client.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* A session without work is ended after so long; one as old is not news. */
#define LINGER_MS 1000

/* At once, with all that holds within the session only. */
static void hang_up(struct pop_remote *c)
{
	pop_session_close(&c->session);
	pop_drop_release(&c->drop);
	pop_pull_end(&c->pull);
	pop_fetches_release(&c->fetches);
}

/*
 * Everything passes here: after an error that reaches the session, there is
 * none.
 */
static int guarded(struct pop_remote *c, int result)
{
	c->used_at = clock_now_ms();
	if (result < 0 && remote_error_scope(result) >= REMOTE_SCOPE_SESSION)
		hang_up(c);
	return result;
}

/* With a session that owes nothing and whose messages are known. */
static int prepare(struct pop_remote *c)
{
	int err = 0;
	/* The rest of what was given up would be taken for our answers. */
	if (c->session.owed > 0 || c->pull.is_begun ||
	    c->fetches.at < c->fetches.count)
		hang_up(c);
	pop_fetches_release(&c->fetches);
	if (c->session.conn == NULL)
		err = pop_session_open(&c->session);
	if (err < 0)
		snprintf(c->remote.failure, sizeof(c->remote.failure), "%s",
		         c->session.report.text);
	if (err < 0 || c->drop.is_known)
		return err;
	err = pop_drop_learn(&c->drop, &c->session);
	if (err < 0)
		snprintf(c->remote.failure, sizeof(c->remote.failure),
		         "logged in, but the server gave no list: %s",
		         strerror(-err));
	c->learned_at = clock_now_ms();
	return err;
}

static bool is_inbox(const char *folder)
{
	return strcmp(folder, "INBOX") == 0;
}

static int op_connect(struct remote *r)
{
	struct pop_remote *c = pop_remote_of(r);
	return c->session.conn != NULL ? 0 : guarded(c, prepare(c));
}

static void op_disconnect(struct remote *r)
{
	hang_up(pop_remote_of(r));
}

/* A session sees the drop as it was at its begin: for news, another. */
static int op_list(struct remote *r)
{
	struct pop_remote *c = pop_remote_of(r);
	bool is_old = clock_now_ms() - c->learned_at >= LINGER_MS;
	if (is_old && c->session.conn != NULL) {
		if (c->session.owed == 0)
			(void)pop_session_quit(&c->session);
		hang_up(c);
	}
	int err = prepare(c);
	c->is_listing = err == 0;
	return guarded(c, err);
}

static int op_list_next(struct remote *r, struct remote_folder *folder_out)
{
	struct pop_remote *c = pop_remote_of(r);
	if (!c->is_listing)
		return 0;
	c->is_listing = false;
	*folder_out = (struct remote_folder){
		.name = "INBOX",
		.count = (int64_t)c->drop.count,
		.state = c->drop.state,
		.id = "",
	};
	return 1;
}

static int op_pull(struct remote *r, const char *folder, const char *cursor)
{
	struct pop_remote *c = pop_remote_of(r);
	if (!is_inbox(folder))
		return -ENOENT;
	int err = prepare(c);
	return guarded(c, err < 0 ? err : pop_pull_begin(c, cursor));
}

static int op_next(struct remote *r, struct remote_change *change_out,
                   struct remote_cursor *cursor_out)
{
	struct pop_remote *c = pop_remote_of(r);
	return guarded(c, pop_pull_next(c, change_out, cursor_out));
}

static int fetch(struct remote *r, const char *folder,
                 const struct remote_want *wants, size_t count, bool is_heads)
{
	struct pop_remote *c = pop_remote_of(r);
	if (!is_inbox(folder))
		return -ENOENT;
	bool is_more = c->fetches.at < c->fetches.count;
	int err = is_more ? 0 : prepare(c);
	if (err == 0)
		err = pop_message_fetch(c, wants, count, is_heads);
	return guarded(c, err);
}

static int op_fetch(struct remote *r, const char *folder,
                    const struct remote_want *wants, size_t count)
{
	return fetch(r, folder, wants, count, false);
}

/* A head comes as a whole. */
static int op_fetch_heads(struct remote *r, const char *folder,
                          const char *field, const struct remote_want *wants,
                          size_t count)
{
	(void)field;
	return fetch(r, folder, wants, count, true);
}

static int op_fetched(struct remote *r, int fd, struct remote_body *body_out)
{
	struct pop_remote *c = pop_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, pop_message_fetched(c, fd, body_out));
}

static size_t op_buffered(struct remote *r)
{
	const struct pop_remote *c = pop_remote_of(r);
	if (c->session.conn == NULL)
		return 0;
	return reader_buffered(&c->session.reader) +
	       conn_buffered(c->session.conn);
}

static int op_remove(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count)
{
	struct pop_remote *c = pop_remote_of(r);
	if ((r->abilities & REMOTE_CAN_REMOVE) == 0)
		return -EOPNOTSUPP;
	if (!is_inbox(folder))
		return -ENOENT;
	int err = prepare(c);
	return guarded(c, err < 0 ? err : pop_message_remove(c, wishes, count));
}

/* 1: woken; 0: the deadline passed; or -ECANCELED. */
static int pause_until(struct remote *r, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = wake_fd(&r->wake), .events = POLLIN },
		{ .fd = wake_fd(&r->abort), .events = POLLIN },
	};
	(void)poll(fds, 2, deadline_left(deadline));
	wake_clear(&r->wake);
	if (fds[1].revents != 0)
		return -ECANCELED;
	return fds[0].revents != 0 || clock_now_ms() < deadline;
}

/* The server never says anything by itself: nothing but a wake ends it. */
static int op_wait(struct remote *r, int64_t deadline, const char **folder_out)
{
	(void)folder_out;
	struct pop_remote *c = pop_remote_of(r);
	int64_t linger = c->used_at + LINGER_MS;
	int n = 0;
	if (c->session.conn != NULL) {
		n = pause_until(r, deadline < linger ? deadline : linger);
		if (n == 0 && clock_now_ms() >= linger) {
			/* Its answer matters only where something was deleted. */
			(void)pop_session_quit(&c->session);
			hang_up(c);
		}
	}
	if (n == 0)
		n = pause_until(r, deadline);
	return n < 0 ? n : 0;
}

static void op_free(struct remote *r)
{
	struct pop_remote *c = pop_remote_of(r);
	hang_up(c);
	pop_pull_release(&c->pull);
	remote_release(r);
	free(c);
}

static const struct remote_ops ops = {
	.connect = op_connect,
	.disconnect = op_disconnect,
	.list = op_list,
	.list_next = op_list_next,
	.pull = op_pull,
	.next = op_next,
	.fetch = op_fetch,
	.fetch_heads = op_fetch_heads,
	.fetched = op_fetched,
	.buffered = op_buffered,
	.wait = op_wait,
	.remove = op_remove,
	.free = op_free,
};

int pop_remote_new(const struct pop_config *config, struct remote **remote_out)
{
	struct pop_remote *c = xmalloc(sizeof(*c));
	int err = remote_init(&c->remote, &ops);
	if (err < 0) {
		free(c);
		return err;
	}
	c->remote.abilities = REMOTE_HAS_NO_FLAGS;
	if (!config->is_read_only)
		c->remote.abilities |= REMOTE_CAN_REMOVE;
	pop_session_init(&c->session, config->conn, &c->remote.abort);
	*remote_out = &c->remote;
	return 0;
}

static void __attribute__((format(printf, 3, 4)))
sayf(pop_say *say, void *arg, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = NULL;
	if (vasprintf(&text, format, args) >= 0)
		say(arg, text);
	va_end(args);
}

static void check_drop(const struct pop_remote *c, pop_say *say, void *arg)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < c->drop.count; i++)
		bytes += c->drop.messages[i].size;
	sayf(say, arg, "messages: %zu, %" PRIu64 " bytes%s", c->drop.count,
	     bytes, c->drop.lacks_uidl ? "; without UIDL, which is slow" : "");
}

int pop_check(const struct pop_config *config, pop_say *say, void *arg)
{
	struct remote *r;
	int err = pop_remote_new(config, &r);
	if (err < 0)
		return err;
	err = remote_connect(r);
	const struct pop_session *s = &pop_remote_of(r)->session;
	if (err < 0 && r->failure[0] != '\0') {
		sayf(say, arg, "%s: %s", conn_step_name(s->report.failed),
		     r->failure);
	} else if (err < 0) {
		sayf(say, arg, "list: %s", strerror(-err));
	} else {
		sayf(say, arg, "connected in %lld ms, logged in after %lld ms",
		     (long long)s->report.connected_ms,
		     (long long)s->report.login_ms);
		sayf(say, arg, "capabilities: %s",
		     s->has_capabilities ? strbuf_text(&s->capability_text)
		                         : "none told");
		check_drop(pop_remote_of(r), say, arg);
	}
	remote_free(r);
	return err;
}
