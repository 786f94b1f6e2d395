#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/client.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/*
 * Everything passes here: after an error that reaches the session, there is
 * none.
 */
static int guarded(struct imap_remote *c, int result)
{
	if (result < 0 && remote_error_scope(result) >= REMOTE_SCOPE_SESSION)
		remote_disconnect(&c->remote);
	return result;
}

static int op_connect(struct remote *r)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn != NULL)
		return 0;
	int64_t throttled_ms = c->session.throttled_until - clock_now_ms();
	if (throttled_ms > 0) {
		snprintf(r->failure, sizeof(r->failure),
		         "the server is throttling us: %lld s to go",
		         (long long)(throttled_ms + 999) / 1000);
		return -EHOSTUNREACH;
	}
	int err = imap_session_open(&c->session);
	if (err < 0)
		snprintf(r->failure, sizeof(r->failure), "%s",
		         c->session.report.text);
	/* Mailutils does; it does not say who it is. */
	r->may_redate = !imap_session_has(&c->session, IMAP_CAP_UIDPLUS);
	return err;
}

static void op_disconnect(struct remote *r)
{
	struct imap_remote *c = imap_remote_of(r);
	imap_session_close(&c->session);
	imap_folders_release(&c->folders);
	imap_pull_release(&c->pull);
	imap_fetches_release(&c->fetches);
	imap_mark_release(&c->mark);
}

static int op_check(struct remote *r)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	imap_pull_release(&c->pull);
	imap_fetches_release(&c->fetches);
	return guarded(c, imap_check_answers(c));
}

static int op_list(struct remote *r)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	imap_pull_release(&c->pull);
	imap_fetches_release(&c->fetches);
	return guarded(c, imap_folder_list(c));
}

static int op_list_next(struct remote *r, struct remote_folder *folder_out)
{
	return imap_folder_next(imap_remote_of(r), folder_out);
}

static int op_pull(struct remote *r, const char *folder, const char *cursor)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, imap_pull_begin(c, folder, cursor));
}

static int op_next(struct remote *r, struct remote_change *change_out,
                   struct remote_cursor *cursor_out)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, imap_pull_next(c, change_out, cursor_out));
}

static int op_fetch(struct remote *r, const char *folder,
                    const struct remote_want *wants, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, imap_message_fetch(c, folder, wants, count));
}

static int op_fetch_heads(struct remote *r, const char *folder,
                          const char *field, const struct remote_want *wants,
                          size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, imap_message_fetch_heads(c, folder, field, wants,
	                                           count));
}

static int op_fetched(struct remote *r, int fd, struct remote_body *body_out)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	return guarded(c, imap_message_fetched(c, fd, body_out));
}

static size_t op_buffered(struct remote *r)
{
	const struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return 0;
	return reader_buffered(&c->session.reader) +
	       conn_buffered(c->session.conn);
}

static int op_wait(struct remote *r, int64_t deadline, const char **folder_out)
{
	struct imap_remote *c = imap_remote_of(r);
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	imap_pull_release(&c->pull);
	imap_fetches_release(&c->fetches);
	return guarded(c, imap_wait(c, deadline, folder_out));
}

/* What a reading call began ends here. */
static int begin(struct imap_remote *c)
{
	if (c->session.conn == NULL)
		return -EHOSTUNREACH;
	imap_pull_release(&c->pull);
	imap_fetches_release(&c->fetches);
	c->session.words[0] = '\0';
	return 0;
}

/* No byte that changes anything passes here on an account that is read-only. */
static int begin_change(struct imap_remote *c)
{
	return c->session.config->read_only ? -EROFS : begin(c);
}

static int op_set_flags(struct remote *r, const char *folder,
                        struct remote_wish *wishes, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_store_flags(c, folder, wishes, count);
	return guarded(c, err);
}

static int op_append(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_append(c, folder, wishes, count);
	return guarded(c, err);
}

static int op_copy(struct remote *r, const char *folder, const char *target,
                   struct remote_wish *wishes, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_transfer_copy(c, folder, target, wishes, count);
	return guarded(c, err);
}

static int op_move(struct remote *r, const char *folder, const char *target,
                   struct remote_wish *wishes, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_transfer_move(c, folder, target, wishes, count);
	return guarded(c, err);
}

static int op_remove(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_transfer_remove(c, folder, wishes, count);
	return guarded(c, err);
}

static int op_mark(struct remote *r, const char *folder,
                   char mark_out[REMOTE_CURSOR_MAX + 1])
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin(c);
	if (err == 0)
		err = imap_mark_make(c, folder, mark_out);
	return guarded(c, err);
}

static int op_since(struct remote *r, const char *folder, const char *mark)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin(c);
	if (err == 0)
		err = imap_pull_since(c, folder, mark);
	return guarded(c, err);
}

static int op_create(struct remote *r, const char *folder)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_manage_create(c, folder);
	return guarded(c, err);
}

static int op_delete(struct remote *r, const char *folder)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_manage_delete(c, folder);
	return guarded(c, err);
}

static int op_rename(struct remote *r, const char *from, const char *to)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_manage_rename(c, from, to);
	return guarded(c, err);
}

static int op_subscribe(struct remote *r, const char *folder, bool is_wanted)
{
	struct imap_remote *c = imap_remote_of(r);
	int err = begin_change(c);
	if (err == 0)
		err = imap_manage_subscribe(c, folder, is_wanted);
	return guarded(c, err);
}

static void op_free(struct remote *r)
{
	op_disconnect(r);
	remote_release(r);
	free(imap_remote_of(r));
}

static const struct remote_ops ops = {
	.connect = op_connect,
	.disconnect = op_disconnect,
	.check = op_check,
	.list = op_list,
	.list_next = op_list_next,
	.pull = op_pull,
	.next = op_next,
	.fetch = op_fetch,
	.fetch_heads = op_fetch_heads,
	.fetched = op_fetched,
	.buffered = op_buffered,
	.wait = op_wait,
	.set_flags = op_set_flags,
	.append = op_append,
	.copy = op_copy,
	.move = op_move,
	.remove = op_remove,
	.mark = op_mark,
	.since = op_since,
	.create = op_create,
	.delete = op_delete,
	.rename = op_rename,
	.subscribe = op_subscribe,
	.free = op_free,
};

int imap_remote_new(const struct imap_config *config,
                    struct remote **remote_out)
{
	struct imap_remote *c = xmalloc(sizeof(*c));
	int err = remote_init(&c->remote, &ops);
	if (err < 0) {
		free(c);
		return err;
	}
	c->remote.abilities = REMOTE_CAN_REMOVE | REMOTE_CAN_FLAG |
	                      REMOTE_CAN_APPEND | REMOTE_CAN_FOLDERS;
	imap_session_init(&c->session, config, &c->remote.abort);
	*remote_out = &c->remote;
	return 0;
}

static void __attribute__((format(printf, 3, 4)))
sayf(imap_say *say, void *arg, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = NULL;
	if (vasprintf(&text, format, args) >= 0)
		say(arg, text);
	va_end(args);
}

static int check_folders(struct remote *r, imap_say *say, void *arg)
{
	struct remote_folder folder;
	unsigned folders = 0;
	long long messages = 0;
	int err = remote_list(r);
	if (err < 0) {
		sayf(say, arg, "list: %s", strerror(-err));
		return err;
	}
	while (remote_list_next(r, &folder) == 1) {
		folders++;
		messages += folder.count > 0 ? folder.count : 0;
	}
	sayf(say, arg, "folders: %u, with %lld messages", folders, messages);
	return 0;
}

int imap_check(const struct imap_config *config, imap_say *say, void *arg)
{
	struct remote *r;
	int err = imap_remote_new(config, &r);
	if (err < 0)
		return err;
	err = remote_connect(r);
	const struct imap_session *s = &imap_remote_of(r)->session;
	if (err < 0) {
		sayf(say, arg, "%s: %s", conn_step_name(s->report.failed),
		     r->failure);
	} else {
		sayf(say, arg, "connected in %lld ms, logged in after %lld ms",
		     (long long)s->report.connected_ms,
		     (long long)s->report.login_ms);
		sayf(say, arg, "server: %s", strbuf_text(&s->server_id));
		sayf(say, arg, "capabilities: %s",
		     strbuf_text(&s->capability_text));
		err = check_folders(r, say, arg);
	}
	remote_free(r);
	return err;
}
