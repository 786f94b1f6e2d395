/*
 * A pull selects the folder, which tells UIDVALIDITY, UIDNEXT, EXISTS and
 * HIGHESTMODSEQ afresh, and then takes the steps of enum imap_pull_step in
 * order, leaving out those not needed:
 *
 *	RESET	UIDVALIDITY is another, or UIDNEXT went back
 *	OLD	QRESYNC, CONDSTORE: what changed since the modseq, if any did
 *		neither: the flags of all; that is complete
 *	NEW	all above what is known, in windows of about PULL_MESSAGES; one
 *		window is asked for at once with what OLD asks for
 *	AUDIT	the number of messages is not what it should be: the UIDs of
 *		all, by ESEARCH or else as OLD does it; that is complete
 *
 * Sequence numbers are never used: some servers get them wrong.
 * The cursor's modseq is the one SELECT told before anything was asked, so
 * what changes meanwhile is reported again by the next pull.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/client.h"
#include "imapclient/date.h"
#include "imapclient/flags.h"
#include "imapclient/seqset.h"
#include "util/digest.h"
#include "util/log.h"

#define PULL_MESSAGES 25000

/* So many UIDs, every second one in use, still fit into IMAP_LINE_MAX. */
#define AUDIT_WINDOW 100000
#define AUDIT_MAX    (100 * AUDIT_WINDOW)

/* A VANISHED much wider than the mailbox is not worth stepping through. */
#define GONE_SLACK 100000

void imap_pull_release(struct imap_pull *pull)
{
	strbuf_release(&pull->owed);
	strbuf_release(&pull->keywords);
	*pull = (struct imap_pull){ 0 };
}

static bool parse_cursor(const char *text, struct imap_cursor *out)
{
	int is_listing;
	*out = (struct imap_cursor){ .next = 1 };
	if (sscanf(text,
	           "v=%" SCNu32 " n=%" SCNu32 " m=%" SCNu64 " e=%" SCNu64
	           " l=%d",
	           &out->uid_validity, &out->next, &out->modseq, &out->count,
	           &is_listing) != 5 ||
	    out->next == 0) {
		*out = (struct imap_cursor){ .next = 1 };
		return false;
	}
	out->is_listing = is_listing != 0;
	return true;
}

static void print_cursor(const struct imap_cursor *cursor,
                         struct remote_cursor *out)
{
	snprintf(out->text, sizeof(out->text),
	         "v=%" PRIu32 " n=%" PRIu32 " m=%" PRIu64 " e=%" PRIu64 " l=%d",
	         cursor->uid_validity, cursor->next, cursor->modseq,
	         cursor->count, cursor->is_listing);
}

static bool has_qresync(const struct imap_session *s)
{
	return (s->enabled & IMAP_CAP_QRESYNC) != 0;
}

/* The first step of a pull that knows nothing, or whose knowledge is void. */
static void begin_anew(struct imap_pull *p, const struct imap_session *s)
{
	p->cursor = (struct imap_cursor){
		.uid_validity = s->uid_validity,
		.next = 1,
		.modseq = s->highest_modseq,
		.is_listing = true,
	};
	p->step = IMAP_PULL_NEW;
}

/* The first step of a pull that goes on from a cursor. */
static void resume(struct imap_pull *p, const struct imap_session *s)
{
	bool has_modseq = s->highest_modseq > 0 && p->cursor.modseq > 0;
	p->step = IMAP_PULL_NEW;
	if (p->cursor.is_listing)
		return;
	p->cursor.is_listing = true;
	p->is_plain = !has_modseq;
	if (p->cursor.next == 1)
		p->cursor.modseq = s->highest_modseq;
	else if (p->is_plain || s->highest_modseq != p->cursor.modseq)
		p->step = IMAP_PULL_OLD;
}

/* Courier tells UIDNEXT only in STATUS; without it no window can be sized. */
static int learn_uid_next(struct imap_session *s, const char *folder)
{
	uint32_t uid_validity;
	if (s->uid_next != 0)
		return 0;
	int err = imap_mark_ask(s, folder, &uid_validity, &s->uid_next);
	return err < 0 && remote_error_scope(err) >= REMOTE_SCOPE_SESSION ? err
	                                                                  : 0;
}

/* What keys and identities of the folder begin with. */
static void name_folder(struct imap_pull *p, const char *folder)
{
	auto_strbuf struct strbuf name = { 0 };
	strbuf_printf(&name, "%s/%" PRIu32, folder, p->cursor.uid_validity);
	p->identities = digest_u64(name.bytes, name.len) << 32;
	p->key_prefix = (size_t)snprintf(p->key, sizeof(p->key), "%" PRIu32 ".",
	                                 p->cursor.uid_validity);
}

int imap_pull_begin(struct imap_remote *c, const char *folder,
                    const char *cursor)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	imap_fetches_release(&c->fetches);
	imap_pull_release(p);
	bool is_known = parse_cursor(cursor, &p->cursor);
	/* In a listing under way, what SELECT told still guides well enough. */
	bool is_open = is_known && p->cursor.is_listing &&
	               s->selected != NULL && strcmp(s->selected, folder) == 0;
	int err = is_open ? 0 : imap_session_select(s, folder);
	if (err == 0)
		err = learn_uid_next(s, folder);
	if (err < 0)
		return err;
	bool is_void =
		s->uid_validity != p->cursor.uid_validity ||
		(!is_open && s->uid_next != 0 && s->uid_next < p->cursor.next);
	if (is_known && !is_void)
		resume(p, s);
	else
		begin_anew(p, s);
	if (is_known && is_void)
		p->step = IMAP_PULL_RESET;
	p->known_next = p->seen_next = p->cursor.next;
	name_folder(p, folder);
	return 0;
}

int imap_pull_since(struct imap_remote *c, const char *folder, const char *mark)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	uint32_t uid_validity = 0, next = 1;
	bool is_all = mark[0] == '\0';
	char end;
	if (!is_all && (sscanf(mark, "%" SCNu32 ".%" SCNu32 "%c", &uid_validity,
	                       &next, &end) != 2 ||
	                next == 0))
		return -ESTALE;
	int err = imap_session_select(s, folder);
	if (err == 0)
		err = learn_uid_next(s, folder);
	if (err < 0)
		return err;
	if (!is_all && (s->uid_validity != uid_validity ||
	                (s->uid_next != 0 && s->uid_next < next)))
		return -ESTALE;
	p->cursor.uid_validity = s->uid_validity;
	p->cursor.next = p->known_next = p->seen_next = next;
	p->step = IMAP_PULL_NEW;
	p->is_since = true;
	name_folder(p, folder);
	return 0;
}

static void add_old(struct imap_remote *c, struct strbuf *out)
{
	struct imap_pull *p = &c->pull;
	char text[128], since[64] = "";
	if (!p->is_plain)
		snprintf(since, sizeof(since), " (CHANGEDSINCE %" PRIu64 "%s)",
		         p->cursor.modseq,
		         has_qresync(&c->session) ? " VANISHED" : "");
	snprintf(text, sizeof(text), "UID FETCH 1:%" PRIu32 " (UID FLAGS)%s",
	         p->known_next - 1, since);
	p->counted = 0;
	imap_session_add(&c->session, text, out, &p->tag);
}

static uint64_t unlisted(const struct imap_pull *p,
                         const struct imap_session *s)
{
	return s->exists > p->cursor.count ? s->exists - p->cursor.count : 0;
}

/* The last UID of the next window; UINT32_MAX for all there are. */
static uint32_t choose_window(struct imap_pull *p, const struct imap_session *s)
{
	uint64_t left = unlisted(p, s);
	if (p->is_since || left <= PULL_MESSAGES ||
	    s->uid_next <= p->cursor.next)
		return UINT32_MAX;
	uint64_t uids = s->uid_next - p->cursor.next;
	uint64_t width = uids * PULL_MESSAGES / left;
	/* The last one held too few, or we would not be here again. */
	if (width < 2 * p->window_width)
		width = 2 * p->window_width;
	if (width >= uids)
		return UINT32_MAX;
	p->window_width = width;
	return (uint32_t)(p->cursor.next + width - 1);
}

static void add_new(struct imap_remote *c, struct strbuf *out,
                    unsigned *tag_out)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	char text[160], last[16] = "*";
	const char *object_id = "";
	if (imap_session_has(s, IMAP_CAP_OBJECTID))
		object_id = " EMAILID";
	else if (imap_session_has(s, IMAP_CAP_GMAIL))
		object_id = " X-GM-MSGID";
	p->window_last = choose_window(p, s);
	if (p->window_last != UINT32_MAX)
		snprintf(last, sizeof(last), "%" PRIu32, p->window_last);
	snprintf(text, sizeof(text),
	         "UID FETCH %" PRIu32 ":%s "
	         "(UID FLAGS INTERNALDATE RFC822.SIZE%s)",
	         p->cursor.next, last, object_id);
	imap_session_add(s, text, out, tag_out);
}

/* OLD, and NEW behind it, if that will be one window. */
static void add_both(struct imap_remote *c, struct strbuf *out)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	add_old(c, out);
	if (!p->is_plain && s->uid_next > p->cursor.next &&
	    s->uid_next - p->cursor.next <= PULL_MESSAGES)
		add_new(c, out, &p->ahead_tag);
}

static void add_audit(struct imap_remote *c, struct strbuf *out)
{
	struct imap_pull *p = &c->pull;
	char text[128];
	uint32_t first = p->window_last + 1;
	uint32_t last = p->known_next - first > AUDIT_WINDOW
	                        ? first + AUDIT_WINDOW - 1
	                        : p->known_next - 1;
	p->window_last = last;
	snprintf(text, sizeof(text),
	         "UID SEARCH RETURN (ALL) UID %" PRIu32 ":%" PRIu32, first,
	         last);
	imap_session_add(&c->session, text, out, &p->tag);
}

/* Everything above known_next is listed: is all that is known still there? */
static void finish_new(struct imap_remote *c)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	bool is_first = p->known_next == 1;
	p->cursor.is_listing = false;
	p->cursor.next = p->seen_next;
	p->step = IMAP_PULL_DONE;
	if (p->is_since)
		return;
	if (has_qresync(s) && p->cursor.modseq > 0 && !p->wants_audit) {
		p->cursor.count = s->exists;
		return;
	}
	if (p->is_complete || is_first ||
	    (!p->wants_audit && s->exists == p->cursor.count))
		return;
	/* New ones are counted too: PRESENT does them no harm. */
	p->known_next = p->cursor.next;
	p->counted = 0;
	p->window_last = 0;
	p->is_audit = p->is_plain = true;
	p->step = IMAP_PULL_OLD;
	if (imap_session_has(s, IMAP_CAP_ESEARCH) && p->known_next <= AUDIT_MAX)
		p->step = IMAP_PULL_AUDIT;
}

static void finish_audit(struct imap_pull *p)
{
	p->cursor.count = p->counted;
	p->is_complete = true;
	p->step = IMAP_PULL_DONE;
}

static void finish_old(struct imap_remote *c)
{
	struct imap_pull *p = &c->pull;
	if (p->is_audit) {
		finish_audit(p);
		return;
	}
	if (p->is_plain) {
		p->is_complete = true;
		p->cursor.count = p->counted;
	}
	p->cursor.modseq = c->session.highest_modseq;
	p->step = IMAP_PULL_NEW;
}

/* The command under way ended with OK. */
static void finish_step(struct imap_remote *c)
{
	struct imap_pull *p = &c->pull;
	switch (p->step) {
	case IMAP_PULL_OLD:
		finish_old(c);
		return;
	case IMAP_PULL_NEW:
		if (p->window_last == UINT32_MAX) {
			finish_new(c);
			return;
		}
		p->cursor.next = p->window_last + 1;
		if (p->seen_next < p->cursor.next)
			p->seen_next = p->cursor.next;
		if (p->given >= PULL_MESSAGES / 2)
			p->step = IMAP_PULL_DONE;
		return;
	case IMAP_PULL_AUDIT:
		if (p->window_last + 1 >= p->known_next)
			finish_audit(p);
		return;
	case IMAP_PULL_NONE:
	case IMAP_PULL_RESET:
	case IMAP_PULL_DONE:
		return;
	}
}

/* NEW was sent with OLD. */
static void await_ahead(struct imap_remote *c)
{
	struct imap_pull *p = &c->pull;
	p->tag = p->is_ahead_done ? 0 : p->ahead_tag;
	p->ahead_tag = 0;
	if (p->is_ahead_done)
		finish_step(c);
}

/* Send the command of the step; NEW may find that there is none to send. */
static int begin_step(struct imap_remote *c)
{
	struct imap_session *s = &c->session;
	struct imap_pull *p = &c->pull;
	auto_strbuf struct strbuf out = { 0 };
	switch (p->step) {
	case IMAP_PULL_OLD:
		add_both(c, &out);
		break;
	case IMAP_PULL_NEW:
		if (p->ahead_tag != 0)
			await_ahead(c);
		else if (s->exists > 0 &&
		         (s->uid_next == 0 || s->uid_next > p->cursor.next ||
		          (!p->is_since && unlisted(p, s) > 0)))
			add_new(c, &out, &p->tag);
		else
			finish_new(c);
		break;
	case IMAP_PULL_AUDIT:
		add_audit(c, &out);
		break;
	case IMAP_PULL_NONE:
	case IMAP_PULL_RESET:
	case IMAP_PULL_DONE:
		break;
	}
	return out.len == 0 ? 0 : imap_session_write(s, out.bytes, out.len);
}

/* By hand, as there may be a million: snprintf() is half of a pull's time. */
static void set_key(struct imap_pull *p, uint32_t uid)
{
	char digits[10];
	size_t len = 0;
	do
		digits[len++] = (char)('0' + uid % 10);
	while ((uid /= 10) > 0);
	char *at = p->key + p->key_prefix;
	while (len > 0)
		*at++ = digits[--len];
	*at = '\0';
}

static void set_identity(const struct imap_pull *p, const struct imap_fetch *f,
                         struct remote_change *out)
{
	out->is_identity_everywhere = (f->has & IMAP_FETCH_OBJECT_ID) != 0;
	out->identity =
		out->is_identity_everywhere
			? digest_u64(f->object_id.bytes, f->object_id.len)
			: p->identities | f->uid;
}

/* An answer of FETCH: 1 and a change, or 0 if it is none. */
static int take_fetch(struct imap_remote *c, const struct imap_fetch *f,
                      struct remote_change *out)
{
	struct imap_pull *p = &c->pull;
	unsigned least = IMAP_FETCH_UID | IMAP_FETCH_FLAGS;
	unsigned facts = IMAP_FETCH_INTERNALDATE | IMAP_FETCH_SIZE;
	if ((f->has & least) != least)
		return 0;
	bool is_asked = p->step == IMAP_PULL_NEW || p->ahead_tag != 0;
	/* n:* names the last message even if it is below n. */
	bool is_new = is_asked && (f->has & facts) != 0 &&
	              f->uid >= p->cursor.next && f->uid <= p->window_last;
	/* Flags are true, asked for or not. */
	if (!is_new && (p->is_since || f->uid >= p->known_next))
		return 0;
	strbuf_clear(&p->keywords);
	set_key(p, f->uid);
	*out = (struct remote_change){
		.kind = is_new ? REMOTE_MESSAGE : REMOTE_FLAGS,
		.key = p->key,
		.flags = imap_flags_parse(f->flags, &p->keywords),
	};
	out->keywords = strbuf_text(&p->keywords);
	if (!is_new) {
		p->counted += p->step == IMAP_PULL_OLD && p->is_plain;
		return 1;
	}
	out->received_at = imap_date_parse(f->date);
	out->claimed_size = f->size;
	set_identity(p, f, out);
	p->given++;
	p->cursor.count++;
	if (f->uid >= p->seen_next && f->uid < UINT32_MAX)
		p->seen_next = f->uid + 1;
	return 1;
}

/* Is the set one of known UIDs, and not absurdly many? */
static bool is_sane(const struct imap_pull *p, struct imap_text set)
{
	uint32_t first, last;
	uint64_t total = 0;
	while (imap_seqset_next(&set, &first, &last)) {
		if (last >= p->known_next)
			last = p->known_next - 1;
		if (first <= last)
			total += last - first + 1;
	}
	return total <= 4 * p->cursor.count + GONE_SLACK;
}

static void owe(struct imap_pull *p, enum remote_change_kind kind,
                struct imap_text set)
{
	strbuf_clear(&p->owed);
	strbuf_add(&p->owed, set.bytes, set.len);
	p->owed_kind = kind;
	p->owed_rest = (struct imap_text){ .bytes = p->owed.bytes,
		                           .len = p->owed.len };
	p->owed_next = p->owed_end = 0;
}

/* The next of the UIDs owed: 1, or 0 when there are no more. */
static int give_owed(struct imap_pull *p, struct remote_change *out)
{
	uint32_t first, last;
	while (p->owed_next == p->owed_end) {
		if (!imap_seqset_next(&p->owed_rest, &first, &last))
			return 0;
		if (last >= p->known_next)
			last = p->known_next - 1;
		if (first > last)
			continue;
		p->owed_next = first;
		p->owed_end = (uint64_t)last + 1;
	}
	set_key(p, (uint32_t)p->owed_next++);
	*out = (struct remote_change){ .kind = p->owed_kind, .key = p->key };
	if (p->owed_kind == REMOTE_PRESENT)
		p->counted++;
	else
		p->cursor.count -= p->cursor.count > 0;
	return 1;
}

/* A response while a command of ours is under way: 1 and a change, 0, error. */
static int take_response(struct imap_remote *c, const struct imap_response *r,
                         struct remote_change *out)
{
	struct imap_pull *p = &c->pull;
	if (r->kind == IMAP_FETCH)
		return take_fetch(c, &r->fetch, out);
	if (r->kind == IMAP_VANISHED && !p->is_since) {
		if (is_sane(p, r->text))
			owe(p, REMOTE_GONE, r->text);
		else
			p->wants_audit = true;
		return 0;
	}
	if (r->kind == IMAP_ESEARCH && p->step == IMAP_PULL_AUDIT) {
		if (!is_sane(p, r->text)) {
			log_warn("the server's ESEARCH makes no sense");
			return -EPROTO;
		}
		owe(p, REMOTE_PRESENT, r->text);
		return 0;
	}
	bool is_end = imap_session_is_end(r, p->tag);
	/* RFC 3501 5.5: the later of two may end first. */
	bool is_ahead =
		p->ahead_tag != 0 && imap_session_is_end(r, p->ahead_tag);
	int err = is_end || is_ahead ? imap_session_error(r, "UID FETCH") : 0;
	if (err < 0)
		return err;
	if (is_end) {
		p->tag = 0;
		finish_step(c);
	} else if (is_ahead) {
		p->is_ahead_done = true;
	}
	return 0;
}

static int next_change(struct imap_remote *c, struct remote_change *out)
{
	struct imap_pull *p = &c->pull;
	struct imap_response r;
	for (;;) {
		int err = give_owed(p, out);
		if (err != 0)
			return err;
		if (p->step == IMAP_PULL_DONE)
			return 0;
		if (p->tag == 0) {
			err = begin_step(c);
			if (err < 0)
				return err;
			continue;
		}
		bool had_news = c->session.has_news;
		err = imap_session_read(&c->session, NULL, &r);
		if (err == 0)
			err = take_response(c, &r, out);
		if (err == 1 && r.kind == IMAP_FETCH)
			c->session.has_news = had_news;
		if (err != 0)
			return err;
	}
}

int imap_pull_next(struct imap_remote *c, struct remote_change *change_out,
                   struct remote_cursor *cursor_out)
{
	struct imap_pull *p = &c->pull;
	if (p->step == IMAP_PULL_NONE)
		return -EPROTO;
	if (p->step == IMAP_PULL_RESET) {
		p->step = IMAP_PULL_NEW;
		*change_out = (struct remote_change){ .kind = REMOTE_RESET,
			                              .key = "",
			                              .keywords = "" };
		return 1;
	}
	int err = next_change(c, change_out);
	if (err != 0)
		return err;
	*cursor_out = (struct remote_cursor){ 0 };
	if (p->is_since)
		return 0;
	print_cursor(&p->cursor, cursor_out);
	cursor_out->complete = p->is_complete;
	cursor_out->more = p->cursor.is_listing;
	return 0;
}
