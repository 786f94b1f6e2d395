/*
 * Copy, move, remove.
 *
 * Without UIDPLUS there is only EXPUNGE, which removes all that is marked
 * \Deleted.  It is used when a search just before it shows that this is what we
 * marked, and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/batch.h"
#include "imapclient/client.h"
#include "imapclient/key.h"
#include "imapclient/refusal.h"
#include "imapclient/search.h"
#include "util/mem.h"

static const struct imap_verb mark_deleted = { "UID STORE",
	                                       " +FLAGS.SILENT (\\Deleted)",
	                                       NULL, false };

/* What is still open gets one fate. */
static void settle(const struct imap_items *items, int err, const char *words)
{
	for (size_t i = 0; i < items->count; i++) {
		struct remote_wish *wish = items->list[i].wish;
		if (wish->fate != REMOTE_UNKNOWN)
			continue;
		if (err < 0)
			imap_wish_refuse(wish, err, words);
		else
			wish->fate = REMOTE_DONE;
	}
}

/* Is what is marked \Deleted ours, and nothing else? */
static int search_deleted(struct imap_session *s,
                          const struct imap_items *items, bool *is_ours_out)
{
	auto_uids struct imap_uids deleted = { 0 };
	int err = imap_search(s, "DELETED", &deleted);
	*is_ours_out = true;
	for (size_t i = 0; i < deleted.count; i++) {
		if (imap_items_find(items->list, items->count,
		                    deleted.list[i]) == NULL)
			*is_ours_out = false;
	}
	return err;
}

static int expunge(struct imap_session *s, const struct imap_items *items)
{
	bool is_safe;
	int err = search_deleted(s, items, &is_safe);
	if (err == 0 && !is_safe) {
		settle(items, -EBUSY, "other messages are marked deleted, too");
		return 0;
	}
	if (err == 0)
		err = imap_refusal_run_text(s, "EXPUNGE", "EXPUNGE");
	if (remote_error_scope(err) >= REMOTE_SCOPE_SESSION && err < 0)
		return err;
	settle(items, err, s->words);
	return 0;
}

/* Those with this fate, in a list of their own. */
static void pick(const struct imap_items *items, enum remote_fate fate,
                 struct imap_items *out)
{
	out->list = xcalloc(items->count + 1, sizeof(*out->list));
	for (size_t i = 0; i < items->count; i++) {
		if (items->list[i].wish->fate == fate)
			out->list[out->count++] = items->list[i];
	}
}

/*
 * One after the other: Dovecot 2.3 answers OK to a UID EXPUNGE that came with
 * the STORE before it, and expunges nothing, if others expunge at that time.
 */
static int remove_items(struct imap_session *s, const struct imap_items *items)
{
	struct imap_flight f = { .s = s };
	const struct imap_verb expunge_them = { "UID EXPUNGE", "", NULL, true };
	auto_items struct imap_items marked = { 0 };
	int err = imap_flight_send(&f, items->list, items->count, &mark_deleted,
	                           1);
	if (err == 0)
		err = imap_flight_land(&f, 0);
	if (err < 0)
		return err;
	pick(items, REMOTE_UNKNOWN, &marked);
	if (marked.count == 0)
		return 0;
	if (!imap_session_has(s, IMAP_CAP_UIDPLUS))
		return expunge(s, items);
	err = imap_flight_send(&f, marked.list, marked.count, &expunge_them, 1);
	return err < 0 ? err : imap_flight_land(&f, 0);
}

/* What is gone is as good as removed, if its key could be of this folder. */
static void forgive(const struct imap_session *s, struct remote_wish *wish)
{
	if (wish->fate != REMOTE_REFUSED || wish->err != -ESTALE ||
	    imap_key_uid(wish->key, s->uid_validity) == 0)
		return;
	wish->fate = REMOTE_DONE;
	wish->err = 0;
}

int imap_transfer_remove(struct imap_remote *c, const char *folder,
                         struct remote_wish *wishes, size_t count)
{
	struct imap_session *s = &c->session;
	auto_items struct imap_items items = { 0 };
	int err = imap_open_for_change(c, folder);
	if (err < 0)
		return imap_wishes_refuse(wishes, count, err, s->words);
	err = imap_items_init(&items, s, wishes, count);
	if (err == 0)
		err = remove_items(s, &items);
	for (size_t i = 0; i < count && err == 0; i++)
		forgive(s, &wishes[i]);
	return err;
}

/*
 * One command, for all.  Dovecot copies nothing at all when one of the messages
 * is gone that it did not tell us of: it does at NOOP.
 */
static int transfer(struct imap_session *s, const char *name,
                    const char *target, const struct imap_items *items)
{
	struct imap_flight f = { .s = s, .is_retrying = true };
	const struct imap_verb verb = { name, "", target, true };
	auto_items struct imap_items unsent = { 0 };
	int err = imap_flight_send(&f, items->list, items->count, &verb, 1);
	if (err == 0)
		err = imap_flight_land(&f, 0);
	if (err < 0 || !f.is_any_unsent)
		return err;
	f.is_retrying = false;
	pick(items, REMOTE_UNSENT, &unsent);
	err = imap_refusal_run_text(s, "NOOP", "NOOP");
	if (err < 0)
		return err;
	err = imap_flight_send(&f, unsent.list, unsent.count, &verb, 1);
	return err < 0 ? err : imap_flight_land(&f, 0);
}

/*
 * By COPY and remove.  A wish whose message is now in both folders is neither
 * done nor refused.
 */
static int move_by_copy(struct imap_session *s, const char *target,
                        const struct imap_items *items)
{
	auto_items struct imap_items copied = { 0 };
	int err = transfer(s, "UID COPY", target, items);
	pick(items, REMOTE_DONE, &copied);
	for (size_t i = 0; i < copied.count; i++)
		copied.list[i].wish->fate = REMOTE_UNKNOWN;
	if (err == 0)
		err = remove_items(s, &copied);
	for (size_t i = 0; i < copied.count; i++) {
		struct remote_wish *wish = copied.list[i].wish;
		if (wish->fate != REMOTE_REFUSED)
			continue;
		wish->fate = REMOTE_UNKNOWN;
		if (err == 0)
			err = wish->err;
	}
	return err;
}

/* Open the folder, and find the target's name on the wire. */
static int begin(struct imap_remote *c, const char *folder, const char *target,
                 bool is_change, struct strbuf *wire)
{
	struct imap_session *s = &c->session;
	int err = imap_names_encode(&s->names, target, wire);
	if (err < 0)
		return err;
	err = imap_open_for_change(c, folder);
	return err == -EROFS && !is_change ? 0 : err;
}

int imap_transfer_copy(struct imap_remote *c, const char *folder,
                       const char *target, struct remote_wish *wishes,
                       size_t count)
{
	struct imap_session *s = &c->session;
	auto_strbuf struct strbuf wire = { 0 };
	auto_items struct imap_items items = { 0 };
	int err = begin(c, folder, target, false, &wire);
	if (err < 0)
		return imap_wishes_refuse(wishes, count, err, s->words);
	err = imap_items_init(&items, s, wishes, count);
	return err < 0 ? err : transfer(s, "UID COPY", wire.bytes, &items);
}

int imap_transfer_move(struct imap_remote *c, const char *folder,
                       const char *target, struct remote_wish *wishes,
                       size_t count)
{
	struct imap_session *s = &c->session;
	auto_strbuf struct strbuf wire = { 0 };
	auto_items struct imap_items items = { 0 };
	int err = begin(c, folder, target, true, &wire);
	if (err < 0)
		return imap_wishes_refuse(wishes, count, err, s->words);
	err = imap_items_init(&items, s, wishes, count);
	if (err < 0)
		return err;
	if (imap_session_has(s, IMAP_CAP_MOVE))
		return transfer(s, "UID MOVE", wire.bytes, &items);
	return move_by_copy(s, wire.bytes, &items);
}
