#include "imapclient/search.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "imapclient/refusal.h"
#include "imapclient/seqset.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define RESULTS_MAX (1000 * 1000)

void imap_uids_release(struct imap_uids *uids)
{
	free(uids->list);
	*uids = (struct imap_uids){ 0 };
}

static int add_number(struct imap_uids *uids, uint32_t uid)
{
	if (uids->count == RESULTS_MAX)
		return -EPROTO;
	if (uids->count == uids->capacity) {
		uids->capacity = 2 * uids->capacity + 64;
		uids->list = xrealloc(uids->list,
		                      uids->capacity * sizeof(*uids->list));
	}
	assert(uids->list != NULL);
	uids->list[uids->count++] = uid;
	return 0;
}

static int add_numbers(struct imap_uids *uids, struct imap_text numbers)
{
	struct imap_text atom;
	uint32_t uid, last;
	int err = 0;
	while (err == 0 && imap_atom_next(&numbers, &atom))
		if (imap_seqset_next(&atom, &uid, &last))
			err = add_number(uids, uid);
	return err;
}

int imap_search(struct imap_session *s, const char *criteria,
                struct imap_uids *uids)
{
	auto_command struct imap_command c;
	struct imap_response r;
	unsigned tag;
	imap_command_init(&c, true, "UID SEARCH ");
	strbuf_puts(&c.text, criteria);
	int err = imap_session_send(s, &c, &tag);
	while (err == 0) {
		err = imap_session_read(s, NULL, &r);
		if (err == 0 && r.kind == IMAP_SEARCH)
			err = add_numbers(uids, r.text);
		if (err == 0 && imap_session_is_end(&r, tag)) {
			uids->count = imap_seqset_sort(uids->list, uids->count);
			return imap_refusal(&r, "UID SEARCH");
		}
	}
	return err;
}

/*
 * Which of a set are there?  Not by UID SEARCH UID: Mailutils takes the set for
 * numbers in the folder.  FETCH says of what it speaks.
 */
static int find_some(struct imap_session *s, const char *set,
                     struct imap_uids *present)
{
	auto_command struct imap_command c;
	struct imap_response r;
	unsigned tag;
	imap_command_init(&c, true, "UID FETCH ");
	strbuf_printf(&c.text, "%s (UID)", set);
	int err = imap_session_send(s, &c, &tag);
	while (err == 0) {
		err = imap_session_read(s, NULL, &r);
		if (err == 0 && r.kind == IMAP_FETCH &&
		    (r.fetch.has & IMAP_FETCH_UID) != 0)
			err = add_number(present, r.fetch.uid);
		if (err == 0 && imap_session_is_end(&r, tag))
			return imap_refusal(&r, "UID FETCH");
	}
	return err;
}

static int find_present(struct imap_session *s, const struct imap_items *items,
                        struct imap_uids *present)
{
	auto_free uint32_t *wanted = xcalloc(items->count + 1, sizeof(*wanted));
	int err = 0;
	for (size_t i = 0; i < items->count; i++)
		wanted[i] = items->list[i].uid;
	size_t count = imap_seqset_sort(wanted, items->count);
	for (size_t from = 0; from < count && err == 0;) {
		auto_strbuf struct strbuf set = { 0 };
		from += imap_seqset_add(&set, wanted + from, count - from);
		err = find_some(s, set.bytes, present);
	}
	present->count = imap_seqset_sort(present->list, present->count);
	return err;
}

/* Both ascend: *at walks along. */
static bool is_among(const struct imap_uids *uids, uint32_t uid, size_t *at)
{
	assert(uids->list != NULL || uids->count == 0);
	while (*at < uids->count && uids->list[*at] < uid)
		(*at)++;
	return *at < uids->count && uids->list[*at] == uid;
}

int imap_search_items(struct imap_session *s, struct imap_items *items)
{
	auto_uids struct imap_uids present = { 0 };
	size_t kept = 0, at = 0;
	int err = items->count > 0 ? find_present(s, items, &present) : 0;
	if (err < 0 && remote_error_scope(err) >= REMOTE_SCOPE_SESSION)
		return err;
	for (size_t i = 0; i < items->count; i++) {
		struct imap_item *item = &items->list[i];
		if (is_among(&present, item->uid, &at))
			items->list[kept++] = *item;
		else
			imap_wish_refuse(item->wish, err < 0 ? err : -ESTALE,
			                 err < 0 ? s->words : NULL);
	}
	items->count = kept;
	return 0;
}
