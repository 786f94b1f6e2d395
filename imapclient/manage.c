/*
 * Folders.  Clients expect a new one to be subscribed, and servers differ in
 * what becomes of subscriptions: so they are set here.  That one cannot be set
 * is logged, and spoils nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/client.h"
#include "imapclient/refusal.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* No level may be empty, or hold the server's delimiter: it has no such name. */
static int encode(struct imap_remote *c, const char *folder,
                  struct strbuf *wire)
{
	if (imap_names_encode(&c->session.names, folder, wire) == 0)
		return 0;
	snprintf(c->remote.refusal, sizeof(c->remote.refusal),
	         "the server can have no folder of this name");
	return -EINVAL;
}

/* "NAME mailbox" or "NAME mailbox mailbox". */
static int run(struct imap_session *s, const char *name, const char *wire,
               const char *other)
{
	auto_command struct imap_command c;
	auto_free char *text = xasprintf("%s ", name);
	imap_command_init(&c, imap_session_has(s, IMAP_CAP_LITERAL), text);
	imap_command_string(&c, wire, strlen(wire));
	if (other != NULL) {
		strbuf_putc(&c.text, ' ');
		imap_command_string(&c, other, strlen(other));
	}
	return imap_refusal_run(s, &c, name);
}

static int run_optional(struct imap_session *s, const char *name,
                        const char *wire)
{
	int err = run(s, name, wire, NULL);
	return err < 0 && remote_error_scope(err) < REMOTE_SCOPE_SESSION ? 0
	                                                                 : err;
}

struct names {
	char **list;
	size_t count, capacity;
};

static void release_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct names){ 0 };
}

#define auto_names __attribute__((cleanup(release_names)))

/* Is it a mailbox, or below it? */
static bool is_within(const struct imap_session *s, const char *name,
                      const char *mailbox)
{
	size_t len = strlen(mailbox);
	return strncmp(name, mailbox, len) == 0 &&
	       (name[len] == '\0' || name[len] == s->names.delimiter);
}

/* LIST or LSUB: the mailbox, and what of its pattern is below it. */
static int list(struct imap_session *s, const char *name, const char *mailbox,
                const char *wildcard, struct names *names)
{
	auto_command struct imap_command c;
	auto_free char *text = xasprintf("%s \"\" ", name);
	auto_strbuf struct strbuf pattern = { 0 };
	struct imap_response r;
	unsigned tag;
	strbuf_printf(&pattern, "%s%s", mailbox, wildcard);
	imap_command_init(&c, imap_session_has(s, IMAP_CAP_LITERAL), text);
	imap_command_string(&c, pattern.bytes, pattern.len);
	int err = imap_session_send(s, &c, &tag);
	while (err == 0) {
		err = imap_session_read(s, NULL, &r);
		if (err == 0 && imap_session_is_end(&r, tag))
			return imap_refusal(&r, name);
		if (err < 0 || r.kind != IMAP_LIST ||
		    (r.list.attributes & MAIL_FOLDER_NOSELECT) != 0)
			continue;
		struct strbuf wire = { 0 };
		imap_text_add(r.list.name, &wire);
		if (!is_within(s, strbuf_text(&wire), mailbox)) {
			strbuf_release(&wire);
			continue;
		}
		if (names->count == names->capacity) {
			names->capacity = 2 * names->capacity + 8;
			names->list =
				xrealloc(names->list,
			                 names->capacity * sizeof(char *));
		}
		names->list[names->count++] = strbuf_take(&wire);
	}
	return err;
}

int imap_manage_explain(struct imap_session *s, int err, const char *wire,
                        bool is_there, int explained)
{
	auto_names struct names found = { 0 };
	char words[IMAP_WORDS_SIZE];
	if (err != -EIO)
		return err;
	snprintf(words, sizeof(words), "%s", s->words);
	int listed = list(s, "LIST", wire, "", &found);
	snprintf(s->words, sizeof(s->words), "%s", words);
	if (listed < 0)
		return remote_error_scope(listed) >= REMOTE_SCOPE_SESSION
		               ? listed
		               : err;
	return (found.count > 0) == is_there ? explained : err;
}

/* What the caller is told of a refusal, besides the error. */
static int told(struct imap_remote *c, int err)
{
	if (err < 0)
		snprintf(c->remote.refusal, sizeof(c->remote.refusal), "%s",
		         c->session.words);
	return err;
}

/*
 * A mailbox that is deleted or renamed while it is selected confuses servers.
 * CLOSE would expunge.
 */
static int leave(struct imap_session *s, const char *folder)
{
	size_t len = strlen(folder);
	if (s->selected == NULL || strncmp(s->selected, folder, len) != 0)
		return 0;
	if (imap_session_has(s, IMAP_CAP_UNSELECT))
		return imap_session_refresh(s);
	return imap_session_select(s, "INBOX");
}

/*
 * INBOX is always there: it cannot be deleted, and when it is renamed, its
 * messages move and it stays (RFC 9051 6.3.5, 6.3.6).
 */
static bool is_inbox(const char *folder)
{
	return strcmp(folder, "INBOX") == 0;
}

int imap_manage_create(struct imap_remote *c, const char *folder)
{
	struct imap_session *s = &c->session;
	auto_strbuf struct strbuf wire = { 0 };
	int err = encode(c, folder, &wire);
	if (err < 0)
		return err;
	err = run(s, "CREATE", wire.bytes, NULL);
	err = imap_manage_explain(s, err, wire.bytes, true, -EEXIST);
	if (err < 0)
		return told(c, err);
	return run_optional(s, "SUBSCRIBE", wire.bytes);
}

int imap_manage_delete(struct imap_remote *c, const char *folder)
{
	struct imap_session *s = &c->session;
	auto_strbuf struct strbuf wire = { 0 };
	if (is_inbox(folder))
		return -EOPNOTSUPP;
	int err = encode(c, folder, &wire);
	if (err < 0)
		return err;
	err = leave(s, folder);
	if (err == 0)
		err = run(s, "DELETE", wire.bytes, NULL);
	err = imap_manage_explain(s, err, wire.bytes, false, -ENOENT);
	if (err < 0)
		return told(c, err);
	return run_optional(s, "UNSUBSCRIBE", wire.bytes);
}

static int resubscribe(struct imap_session *s, const struct names *subscribed,
                       const char *from, const char *to)
{
	int err = 0;
	for (size_t i = 0; i < subscribed->count && err == 0; i++) {
		const char *old = subscribed->list[i];
		auto_free char *new = xasprintf("%s%s", to, old + strlen(from));
		err = run_optional(s, "SUBSCRIBE", new);
		if (err == 0)
			err = run_optional(s, "UNSUBSCRIBE", old);
	}
	return err;
}

int imap_manage_rename(struct imap_remote *c, const char *from, const char *to)
{
	struct imap_session *s = &c->session;
	auto_strbuf struct strbuf old = { 0 };
	auto_strbuf struct strbuf new = { 0 };
	auto_names struct names subscribed = { 0 };
	if (is_inbox(from))
		return -EOPNOTSUPP;
	int err = encode(c, from, &old);
	if (err == 0)
		err = encode(c, to, &new);
	if (err < 0)
		return err;
	err = leave(s, from);
	if (err == 0)
		err = list(s, "LSUB", old.bytes, "*", &subscribed);
	if (err < 0 && remote_error_scope(err) >= REMOTE_SCOPE_SESSION)
		return err;
	err = run(s, "RENAME", old.bytes, new.bytes);
	err = imap_manage_explain(s, err, new.bytes, true, -EEXIST);
	err = imap_manage_explain(s, err, old.bytes, false, -ENOENT);
	if (err < 0)
		return told(c, err);
	return resubscribe(s, &subscribed, old.bytes, new.bytes);
}

int imap_manage_subscribe(struct imap_remote *c, const char *folder,
                          bool is_wanted)
{
	auto_strbuf struct strbuf wire = { 0 };
	int err = encode(c, folder, &wire);
	if (err < 0)
		return err;
	return told(c, run(&c->session, is_wanted ? "SUBSCRIBE" : "UNSUBSCRIBE",
	                   wire.bytes, NULL));
}
