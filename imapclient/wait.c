/*
 * Waiting for news, in this order of preference:
 *
 *	NOTIFY	(RFC 5465) and IDLE: the server tells of every mailbox
 *	IDLE	(RFC 2177) on INBOX
 *	neither	what it may say unasked
 *
 * What was heard is kept until it was given: as a mark at the folder, in
 * has_news of the session for the mailbox that is selected, in has_other_news
 * for all that cannot be named.  Responses that came while something else was
 * done leave it there too.
 *
 * NOTIFY is sent anew before each IDLE: Dovecot 2.3 forgets mailboxes once
 * another is selected.  Its STATUS option then tells what was missed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "imapclient/client.h"
#include "util/clock.h"
#include "util/log.h"

/* RFC 2177 3 asks for 29 minutes: servers may log out who is idle for 30. */
#define RENEW_MS (28 * 60 * 1000)

/* The STATUS option names each mailbox in a hundred bytes. */
#define NOTIFY_STATUS_MAX 500

struct watch {
	unsigned tag; /* of the IDLE under way; 0: none */
	int64_t renew_at;
};

static bool is_notifying(const struct imap_session *s)
{
	/* Without modseqs it would not tell of flags. */
	return s->enabled != 0 &&
	       imap_session_has(s, IMAP_CAP_NOTIFY | IMAP_CAP_IDLE);
}

/* 1: *folder_out, or all if NULL, has news; 0: none has. */
static int take_news(struct imap_remote *c, const char **folder_out)
{
	struct imap_session *s = &c->session;
	if (s->has_other_news) {
		s->has_other_news = false;
		*folder_out = NULL;
		return 1;
	}
	if (s->has_news && s->selected != NULL) {
		s->has_news = false;
		*folder_out = s->selected;
		return 1;
	}
	return imap_folder_take_news(&c->folders, folder_out);
}

/* NOTIFY tells of lists and statuses: what is in them that is new? */
static int hear(struct imap_remote *c, struct imap_response *r)
{
	struct imap_session *s = &c->session;
	bool had_other_news = s->has_other_news;
	int err = imap_session_read(s, NULL, r);
	if (err == 0 && (r->kind == IMAP_STATUS || r->kind == IMAP_LIST) &&
	    imap_folder_hear(&c->folders, r))
		s->has_other_news = had_other_news;
	return err;
}

static int send_notify(struct imap_remote *c, unsigned *tag_out)
{
	auto_command struct imap_command notify;
	bool is_few = c->folders.count <= NOTIFY_STATUS_MAX;
	imap_command_init(&notify, true, "NOTIFY SET");
	strbuf_printf(&notify.text,
	              "%s (selected (MessageNew MessageExpunge FlagChange))"
	              " (personal (MessageNew MessageExpunge FlagChange"
	              " MailboxName SubscriptionChange))",
	              is_few ? " STATUS" : "");
	c->session.is_notified = true;
	return imap_session_send(&c->session, &notify, tag_out);
}

/* What was refused once is not asked for again. */
static void note_refusal(struct imap_session *s, const struct imap_response *r,
                         const char *what, unsigned capability)
{
	if (imap_session_error(r, what) != 0)
		s->capabilities &= ~capability;
}

static int begin_idle(struct imap_remote *c, struct watch *w)
{
	struct imap_session *s = &c->session;
	auto_command struct imap_command idle;
	struct imap_response r;
	unsigned notify_tag = 0, tag = 0;
	int err = is_notifying(s) ? send_notify(c, &notify_tag) : 0;
	imap_command_init(&idle, true, "IDLE");
	if (err == 0)
		err = imap_session_send(s, &idle, &tag);
	while (err == 0) {
		err = hear(c, &r);
		if (err < 0)
			break;
		if (r.kind == IMAP_CONTINUATION) {
			w->tag = tag;
			break;
		}
		if (imap_session_is_end(&r, notify_tag))
			note_refusal(s, &r, "NOTIFY", IMAP_CAP_NOTIFY);
		if (imap_session_is_end(&r, tag)) {
			note_refusal(s, &r, "IDLE", IMAP_CAP_IDLE);
			break;
		}
	}
	return err;
}

/* The connection may have died long ago, and others wait for the end. */
static int end_idle(struct imap_remote *c, struct watch *w)
{
	struct imap_response r;
	unsigned tag = w->tag;
	w->tag = 0;
	c->session.is_hurried = true;
	int err = imap_session_write(&c->session, "DONE\r\n", 6);
	while (err == 0) {
		err = hear(c, &r);
		if (err == 0 && imap_session_is_end(&r, tag))
			break;
	}
	c->session.is_hurried = false;
	return err;
}

/*
 * Select INBOX, unless NOTIFY tells of it whatever is selected.  It may have
 * changed since it was pulled.
 */
static int select_inbox(struct imap_session *s)
{
	struct imap_glimpse before = s->inbox;
	if (s->selected != NULL &&
	    (is_notifying(s) || strcmp(s->selected, "INBOX") == 0))
		return 0;
	int err = imap_session_select(s, "INBOX");
	if (err == 0 && memcmp(&before, &s->inbox, sizeof(before)) != 0)
		s->has_news = true;
	return err;
}

/* Begin to watch, or begin anew. */
static int begin(struct imap_remote *c, struct watch *w)
{
	struct imap_session *s = &c->session;
	w->renew_at = deadline_in(RENEW_MS);
	if (!imap_session_has(s, IMAP_CAP_IDLE))
		return 0;
	int err = select_inbox(s);
	if (err < 0) /* then look at nothing, and hear what comes unasked */
		return remote_error_scope(err) <= REMOTE_SCOPE_FOLDER ? 0 : err;
	return s->has_news ? 0 : begin_idle(c, w);
}

int imap_check_answers(struct imap_remote *c)
{
	c->session.is_hurried = true;
	int err = imap_session_noop(&c->session);
	c->session.is_hurried = false;
	return err;
}

/* Show the server that we are there, and see whether it is. */
static int renew(struct imap_remote *c, struct watch *w)
{
	int err = w->tag != 0 ? end_idle(c, w) : imap_check_answers(c);
	return err < 0 ? err : begin(c, w);
}

enum event { EVENT_NONE, EVENT_BYTES, EVENT_WAKE };

static int await(struct imap_remote *c, int64_t until, enum event *event_out)
{
	struct imap_session *s = &c->session;
	struct pollfd fds[] = {
		{ .fd = wake_fd(&c->remote.abort), .events = POLLIN },
		{ .fd = wake_fd(&c->remote.wake), .events = POLLIN },
		{ .fd = conn_fd(s->conn), .events = POLLIN },
	};
	const char *bytes;
	size_t len;
	*event_out = EVENT_BYTES;
	/* TLS may hold what poll(2) does not see. */
	int err = reader_peek(&s->reader, deadline_in(0), &bytes, &len);
	if (err != -ETIMEDOUT)
		return err;
	(void)poll(fds, 3, deadline_left(until));
	if (fds[0].revents != 0)
		return -ECANCELED;
	if (fds[1].revents != 0)
		*event_out = EVENT_WAKE;
	else if (fds[2].revents == 0)
		*event_out = EVENT_NONE;
	return 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Until there is news (1), or a wake or the deadline (0). */
static int listen(struct imap_remote *c, struct watch *w, int64_t deadline,
                  const char **folder_out)
{
	struct imap_response r;
	enum event event;
	for (;;) {
		int n = take_news(c, folder_out);
		if (n != 0)
			return n;
		int err = await(c, sooner(deadline, w->renew_at), &event);
		if (err == 0 && event == EVENT_BYTES)
			err = hear(c, &r);
		if (err < 0)
			return err;
		if (event == EVENT_WAKE || clock_now_ms() >= deadline)
			return 0;
		if (clock_now_ms() >= w->renew_at)
			err = renew(c, w);
		if (err < 0)
			return err;
	}
}

int imap_wait(struct imap_remote *c, int64_t deadline, const char **folder_out)
{
	struct watch w = { 0 };
	struct pollfd wake = { .fd = wake_fd(&c->remote.wake),
		               .events = POLLIN };
	int n = take_news(c, folder_out);
	if (n == 0 && poll(&wake, 1, 0) == 0) {
		n = begin(c, &w);
		if (n == 0)
			n = listen(c, &w, deadline, folder_out);
		if (n >= 0 && w.tag != 0) {
			int err = end_idle(c, &w);
			n = err < 0 ? err : n;
		}
	}
	wake_clear(&c->remote.wake);
	return n;
}
