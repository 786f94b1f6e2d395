/*
 * Flags: wishes that want the same are one set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/batch.h"
#include "imapclient/client.h"
#include "imapclient/flags.h"
#include "imapclient/refusal.h"

int imap_open_for_change(struct imap_remote *c, const char *folder)
{
	struct imap_session *s = &c->session;
	int err = 0;
	/* What could not be changed when it was selected, can be now perhaps. */
	if (s->selected == NULL || strcmp(s->selected, folder) != 0 ||
	    s->is_read_only)
		err = imap_session_select(s, folder);
	if (err < 0 || !s->is_read_only)
		return err;
	(void)snprintf(s->words, sizeof(s->words),
	               "the server opens it for reading only");
	return -EROFS;
}

static int compare_wants(const struct remote_wish *a,
                         const struct remote_wish *b)
{
	if (a->flags != b->flags)
		return a->flags < b->flags ? -1 : 1;
	if (a->removed != b->removed)
		return a->removed < b->removed ? -1 : 1;
	int order = strcmp(a->keywords, b->keywords);
	return order != 0 ? order
	                  : strcmp(a->removed_keywords, b->removed_keywords);
}

static int compare(const void *a, const void *b)
{
	const struct imap_item *x = a;
	const struct imap_item *y = b;
	int order = compare_wants(x->wish, y->wish);
	return order != 0 ? order : (x->uid > y->uid) - (x->uid < y->uid);
}

/* What can be kept; without bytes: the server did not say. */
static struct imap_text allowed_flags(const struct imap_session *s)
{
	if (!s->has_permanent_flags)
		return (struct imap_text){ 0 };
	return (struct imap_text){ .bytes = strbuf_text(&s->permanent_flags),
		                   .len = s->permanent_flags.len };
}

static void write_verb(const struct imap_session *s, const char *sign,
                       unsigned flags, const char *keywords, struct strbuf *out)
{
	struct imap_text allowed = allowed_flags(s);
	auto_strbuf struct strbuf names = { 0 };
	imap_flags_add(flags, keywords, allowed, &names);
	/* As some clients wrote it, we read it: see imap_flags_parse(). */
	if (sign[0] == '-' && (flags & MAIL_FORWARDED) != 0 &&
	    imap_flags_has(allowed, "FORWARDED"))
		strbuf_puts(&names, " Forwarded");
	if (names.len > 0)
		strbuf_printf(out, " %sFLAGS.SILENT (%s)", sign, names.bytes);
}

/* Items that want the same. */
static int store(struct imap_flight *f, const struct imap_item *items,
                 size_t count)
{
	const struct remote_wish *wish = items[0].wish;
	auto_strbuf struct strbuf added = { 0 };
	auto_strbuf struct strbuf removed = { 0 };
	struct imap_verb verbs[2];
	size_t verb_count = 0;
	write_verb(f->s, "+", wish->flags, wish->keywords, &added);
	write_verb(f->s, "-", wish->removed, wish->removed_keywords, &removed);
	if (added.len > 0)
		verbs[verb_count++] =
			(struct imap_verb){ "UID STORE", added.bytes, NULL,
			                    removed.len == 0 };
	if (removed.len > 0)
		verbs[verb_count++] =
			(struct imap_verb){ "UID STORE", removed.bytes, NULL,
			                    true };
	for (size_t i = 0; verb_count == 0 && i < count; i++)
		items[i].wish->fate = REMOTE_DONE;
	return imap_flight_send(f, items, count, verbs, verb_count);
}

/*
 * Mailutils keeps flags to itself until the mailbox is left.  A server like it
 * is known by what it lacks.
 */
static int keep(struct imap_session *s, struct remote_wish *wishes,
                size_t count)
{
	if (imap_session_has(s, IMAP_CAP_UIDPLUS) ||
	    !imap_session_has(s, IMAP_CAP_UNSELECT))
		return 0;
	int err = imap_session_refresh(s);
	for (size_t i = 0; i < count && err < 0; i++) {
		if (wishes[i].fate == REMOTE_DONE)
			wishes[i].fate = REMOTE_UNKNOWN;
	}
	return err;
}

int imap_store_flags(struct imap_remote *c, const char *folder,
                     struct remote_wish *wishes, size_t count)
{
	auto_items struct imap_items items = { 0 };
	struct imap_flight f = { .s = &c->session };
	int err = imap_open_for_change(c, folder);
	if (err < 0)
		return imap_wishes_refuse(wishes, count, err, f.s->words);
	err = imap_items_init(&items, f.s, wishes, count);
	if (err < 0)
		return err;
	qsort(items.list, items.count, sizeof(*items.list), compare);
	for (size_t from = 0; from < items.count;) {
		struct imap_item *first = &items.list[from];
		size_t n = 1;
		while (from + n < items.count &&
		       compare_wants(first->wish, first[n].wish) == 0)
			n++;
		err = store(&f, first, n);
		if (err < 0)
			return err;
		from += n;
	}
	err = imap_flight_land(&f, 0);
	return err < 0 ? err : keep(f.s, wishes, count);
}
