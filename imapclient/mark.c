/*
 * A mark is "UIDVALIDITY.UIDNEXT", as STATUS tells them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/client.h"
#include "imapclient/refusal.h"
#include "util/mem.h"

void imap_mark_release(struct imap_mark *mark)
{
	free(mark->folder);
	*mark = (struct imap_mark){ 0 };
}

static uint32_t item_of(const struct imap_status *status,
                        enum imap_status_item item)
{
	bool has = (status->has & 1U << item) != 0 &&
	           status->items[item] <= UINT32_MAX;
	return has ? (uint32_t)status->items[item] : 0;
}

int imap_mark_ask(struct imap_session *s, const char *folder,
                  uint32_t *uid_validity_out, uint32_t *uid_next_out)
{
	auto_strbuf struct strbuf wire = { 0 };
	auto_command struct imap_command c;
	struct imap_response r;
	uint32_t uid_validity = 0, uid_next = 0;
	unsigned tag;
	imap_command_init(&c, imap_session_has(s, IMAP_CAP_LITERAL), "STATUS ");
	int err = imap_names_encode(&s->names, folder, &wire);
	if (err < 0)
		return err;
	imap_command_string(&c, wire.bytes, wire.len);
	strbuf_puts(&c.text, " (UIDNEXT UIDVALIDITY)");
	bool had_other_news = s->has_other_news;
	err = imap_session_send(s, &c, &tag);
	while (err == 0) {
		err = imap_session_read(s, NULL, &r);
		if (err < 0)
			return err;
		if (r.kind == IMAP_STATUS) {
			uid_validity =
				item_of(&r.status, IMAP_STATUS_UIDVALIDITY);
			uid_next = item_of(&r.status, IMAP_STATUS_UIDNEXT);
			s->has_other_news = had_other_news;
		}
		if (!imap_session_is_end(&r, tag))
			continue;
		err = imap_refusal(&r, "STATUS");
		break;
	}
	err = imap_manage_explain(s, err, wire.bytes, false, -ENOENT);
	if (err < 0)
		return err;
	*uid_validity_out = uid_validity;
	*uid_next_out = uid_next;
	return 0;
}

int imap_mark_make(struct imap_remote *c, const char *folder,
                   char mark_out[REMOTE_CURSOR_MAX + 1])
{
	struct imap_session *s = &c->session;
	struct imap_mark mark = { 0 };
	int err = 0;
	imap_mark_release(&c->mark);
	if (s->selected != NULL && strcmp(s->selected, folder) == 0)
		err = imap_session_refresh(s);
	if (err == 0)
		err = imap_mark_ask(s, folder, &mark.uid_validity,
		                    &mark.uid_next);
	if (err < 0) {
		snprintf(c->remote.refusal, sizeof(c->remote.refusal), "%s",
		         s->words);
		return err;
	}
	if (mark.uid_next == 0)
		return -EOPNOTSUPP;
	snprintf(mark_out, REMOTE_CURSOR_MAX + 1, "%" PRIu32 ".%" PRIu32,
	         mark.uid_validity, mark.uid_next);
	mark.folder = xstrdup(folder);
	c->mark = mark;
	return 0;
}
