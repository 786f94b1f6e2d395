#include "imapclient/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/key.h"
#include "imapclient/refusal.h"
#include "imapclient/search.h"
#include "imapclient/seqset.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

static int compare(const void *a, const void *b)
{
	const struct imap_item *x = a;
	const struct imap_item *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

int imap_items_init(struct imap_items *items, struct imap_session *s,
                    struct remote_wish *wishes, size_t count)
{
	*items = (struct imap_items){
		.list = xcalloc(count + 1, sizeof(*items->list)),
	};
	for (size_t i = 0; i < count; i++) {
		uint32_t uid = imap_key_uid(wishes[i].key, s->uid_validity);
		if (uid == 0)
			imap_wish_refuse(&wishes[i], -ESTALE, NULL);
		else
			items->list[items->count++] =
				(struct imap_item){ uid, &wishes[i] };
	}
	qsort(items->list, items->count, sizeof(*items->list), compare);
	/* A server that has it was never seen to mistake a UID. */
	return imap_session_has(s, IMAP_CAP_UIDPLUS)
	               ? 0
	               : imap_search_items(s, items);
}

void imap_items_release(struct imap_items *items)
{
	free(items->list);
	*items = (struct imap_items){ 0 };
}

const struct imap_item *imap_items_find(const struct imap_item *items,
                                        size_t count, uint32_t uid)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && items[low].uid == uid ? &items[low] : NULL;
}

/* ---- COPYUID (RFC 4315 3) ---- */

static uint64_t count_set(struct imap_text set)
{
	uint32_t first, last;
	uint64_t count = 0;
	while (imap_seqset_next(&set, &first, &last))
		count += (uint64_t)last - first + 1;
	return set.len == 0 ? count : 0;
}

/* The UIDs of a set, one by one. */
struct uids {
	struct imap_text rest;
	uint64_t next, end;
};

static bool next_uid(struct uids *u, uint32_t *uid_out)
{
	uint32_t first, last;
	if (u->next == u->end) {
		if (!imap_seqset_next(&u->rest, &first, &last))
			return false;
		u->next = first;
		u->end = (uint64_t)last + 1;
	}
	*uid_out = (uint32_t)u->next++;
	return true;
}

static struct imap_batch *find_copy(struct imap_flight *f, struct imap_text set)
{
	uint32_t first, last;
	if (!imap_seqset_next(&set, &first, &last))
		return NULL;
	for (size_t i = 0; i < f->count; i++) {
		struct imap_batch *b = &f->batches[i];
		if (b->is_copy &&
		    imap_items_find(b->items, b->count, first) != NULL)
			return b;
	}
	return NULL;
}

/* Give each copied message its new key; false if the sets make no sense. */
static bool map(const struct imap_batch *b, uint32_t uid_validity,
                struct imap_text from, struct imap_text to)
{
	struct uids sources = { .rest = from };
	struct uids targets = { .rest = to };
	uint32_t source, target;
	uint64_t count = count_set(from);
	if (uid_validity == 0 || count > b->count || count != count_set(to))
		return false;
	while (next_uid(&sources, &source)) {
		if (imap_items_find(b->items, b->count, source) == NULL)
			return false;
	}
	sources = (struct uids){ .rest = from };
	while (next_uid(&sources, &source) && next_uid(&targets, &target)) {
		const struct imap_item *item =
			imap_items_find(b->items, b->count, source);
		for (; item < b->items + b->count && item->uid == source;
		     item++)
			imap_key_print(uid_validity, target,
			               item->wish->new_key,
			               sizeof(item->wish->new_key));
	}
	return true;
}

/*
 * It comes untagged for MOVE (RFC 6851 4.3), so its set tells whose it is.  A
 * client that believed any sets was led beyond its memory (CVE-2021-3578).
 */
static void note_copyuid(struct imap_flight *f, struct imap_text text)
{
	struct imap_text validity = { 0 }, from = { 0 }, to = { 0 };
	uint32_t uid_validity, last;
	if (!imap_atom_next(&text, &validity) ||
	    !imap_atom_next(&text, &from) || !imap_atom_next(&text, &to))
		return;
	struct imap_batch *b = find_copy(f, from);
	if (b == NULL)
		return;
	if (!imap_seqset_next(&validity, &uid_validity, &last))
		uid_validity = 0;
	if (map(b, uid_validity, from, to)) {
		b->copyuid = IMAP_COPYUID_GOOD;
	} else {
		log_warn("%s: the server's COPYUID makes no sense", b->name);
		b->copyuid = IMAP_COPYUID_BAD;
	}
}

/* ---- Answers ---- */

static void settle(const struct imap_session *s, const struct imap_batch *b,
                   struct remote_wish *wish)
{
	bool is_told = b->copyuid == IMAP_COPYUID_GOOD ||
	               (b->copyuid == IMAP_COPYUID_NONE &&
	                imap_session_has(s, IMAP_CAP_UIDPLUS));
	if (b->is_copy && is_told && wish->new_key[0] == '\0')
		imap_wish_refuse(wish, -ESTALE, NULL);
	else
		wish->fate = REMOTE_DONE;
}

/* A condition was not met for these (RFC 7162 3.1.3). */
static void refuse_modified(const struct imap_batch *b,
                            const struct imap_response *r)
{
	struct uids uids = { .rest = r->code_text };
	uint32_t uid;
	if (count_set(r->code_text) > b->count)
		return;
	while (next_uid(&uids, &uid)) {
		const struct imap_item *item =
			imap_items_find(b->items, b->count, uid);
		if (item != NULL)
			imap_wish_refuse(item->wish, -EBUSY, NULL);
	}
}

/*
 * What a first verb did stands when a second is refused; to add or to remove a
 * flag once more does no harm.
 */
static void finish(struct imap_flight *f, const struct imap_batch *b,
                   const struct imap_response *r)
{
	const struct imap_session *s = f->s;
	int err = imap_refusal(r, b->name);
	bool is_unsent =
		err < 0 && f->is_retrying && r->code == IMAP_CODE_EXPUNGEISSUED;
	f->is_any_unsent |= is_unsent;
	if (err == 0 && imap_text_is(r->code_name, "MODIFIED"))
		refuse_modified(b, r);
	for (size_t i = 0; i < b->count; i++) {
		struct remote_wish *wish = b->items[i].wish;
		if (wish->fate != REMOTE_UNKNOWN)
			continue;
		/* RFC 6851 4.4: a MOVE may fail with some moved. */
		if (err < 0 && b->is_copy && wish->new_key[0] != '\0')
			wish->fate = REMOTE_DONE;
		else if (is_unsent)
			wish->fate = REMOTE_UNSENT;
		else if (err < 0)
			imap_wish_refuse(wish, err, s->words);
		else if (b->is_last)
			settle(s, b, wish);
	}
}

static void take_response(struct imap_flight *f, const struct imap_response *r)
{
	bool is_condition = r->kind == IMAP_CONDITION || r->kind == IMAP_TAGGED;
	if (is_condition && r->condition == IMAP_OK &&
	    r->code == IMAP_CODE_COPYUID)
		note_copyuid(f, r->code_text);
	for (size_t i = 0; i < f->count; i++) {
		if (!imap_session_is_end(r, f->batches[i].tag))
			continue;
		finish(f, &f->batches[i], r);
		f->count--;
		memmove(&f->batches[i], &f->batches[i + 1],
		        (f->count - i) * sizeof(f->batches[0]));
		return;
	}
}

int imap_flight_land(struct imap_flight *f, size_t left)
{
	struct imap_response r;
	while (f->count > left) {
		int err = imap_session_read(f->s, NULL, &r);
		if (err < 0)
			return err;
		take_response(f, &r);
	}
	return 0;
}

/* ---- Commands ---- */

/* Refused before all of it was sent: a name's literal. */
static void refuse(const struct imap_batch *b, int err, const char *words)
{
	for (size_t i = 0; i < b->count; i++) {
		if (b->items[i].wish->fate == REMOTE_UNKNOWN)
			imap_wish_refuse(b->items[i].wish, err, words);
	}
}

static int send_batch(struct imap_flight *f, struct imap_batch *b,
                      const char *set, const struct imap_verb *verb)
{
	auto_command struct imap_command c;
	imap_command_init(&c, imap_session_has(f->s, IMAP_CAP_LITERAL),
	                  verb->name);
	strbuf_printf(&c.text, " %s%s", set, verb->rest);
	if (verb->target != NULL) {
		strbuf_putc(&c.text, ' ');
		imap_command_string(&c, verb->target, strlen(verb->target));
	}
	/* While we wait for a '+', no other command's end may pass unseen. */
	int err = imap_flight_land(f,
	                           c.break_count > 0 ? 0 : IMAP_FLIGHT_MAX - 1);
	if (err < 0)
		return err;
	for (size_t i = 0; i < b->count; i++) {
		if (b->items[i].wish->fate == REMOTE_UNSENT)
			b->items[i].wish->fate = REMOTE_UNKNOWN;
	}
	err = imap_session_send(f->s, &c, &b->tag);
	if (err == 0)
		f->batches[f->count++] = *b;
	else if (remote_error_scope(err) < REMOTE_SCOPE_SESSION)
		refuse(b, err, f->s->words);
	else
		return err;
	return 0;
}

static int send_set(struct imap_flight *f, const struct imap_item *items,
                    size_t count, const char *set,
                    const struct imap_verb *verbs, size_t verb_count)
{
	for (size_t i = 0; i < verb_count; i++) {
		struct imap_batch b = {
			.name = verbs[i].name,
			.items = items,
			.count = count,
			.is_last = verbs[i].is_last,
			.is_copy = verbs[i].target != NULL,
		};
		int err = send_batch(f, &b, set, &verbs[i]);
		if (err < 0)
			return err;
	}
	return 0;
}

int imap_flight_send(struct imap_flight *f, const struct imap_item *items,
                     size_t count, const struct imap_verb *verbs,
                     size_t verb_count)
{
	auto_free uint32_t *uids = xcalloc(count + 1, sizeof(*uids));
	for (size_t i = 0; i < count; i++)
		uids[i] = items[i].uid;
	size_t left = imap_seqset_sort(uids, count);
	for (size_t from = 0, at = 0; from < left;) {
		auto_strbuf struct strbuf set = { 0 };
		size_t n = imap_seqset_add(&set, uids + from, left - from);
		size_t chunk = 0;
		while (at + chunk < count &&
		       items[at + chunk].uid <= uids[from + n - 1])
			chunk++;
		int err = send_set(f, items + at, chunk, set.bytes, verbs,
		                   verb_count);
		if (err < 0)
			return err;
		from += n;
		at += chunk;
	}
	return 0;
}
