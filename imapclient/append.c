/*
 * Messages go up in groups, one command each (MULTIAPPEND, RFC 3502), and
 * several commands are under way.  What is to be sent gathers in a buffer,
 * which is written when it is large and before anything is read.
 *
 * A group is stored as a whole or not at all.  So the messages of one that was
 * refused are sent again, each alone: then the bad one is refused, and the
 * others are not; they may come behind those of later groups.
 *
 * A literal of a length that the server wants to be asked about (RFC 7888) is
 * announced, and its bytes wait for the '+'.  Answers to earlier commands may
 * come first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/client.h"
#include "imapclient/content.h"
#include "imapclient/date.h"
#include "imapclient/flags.h"
#include "imapclient/key.h"
#include "imapclient/refusal.h"
#include "imapclient/seqset.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

#define GROUP_MESSAGES 100
#define GROUP_BYTES    (UINT64_C(1024) * 1024)
#define COMMANDS_MAX   64
#define UNDER_WAY_MAX  (8 * GROUP_BYTES)
#define BUFFER_BYTES   ((size_t)64 * 1024)

/* A message that can be sent. */
struct upload {
	struct remote_wish *wish;
	uint64_t wire_size;
	bool is_bare;  /* without keywords: the server takes none */
	bool is_again; /* to be sent alone */
};

/* A command under way. */
struct group {
	unsigned tag;
	size_t from, count; /* of the uploads */
	uint64_t bytes;
};

struct run {
	struct imap_session *s; /* borrowed from the remote */
	const char *wire;       /* borrowed from the caller */
	uint32_t uid_validity;  /* of the folder; 0: not known */
	uint32_t uid_next;      /* what comes is not below */
	struct upload *uploads;
	size_t upload_count;
	struct group groups[COMMANDS_MAX]; /* under way */
	size_t group_count;
	uint64_t bytes; /* of them */
	struct strbuf out;
	/* Uploads that the buffer is about: of these, something may be sent. */
	size_t begun_from, begun_count;
	bool is_asked_for; /* a '+' came */
	int folder_err;    /* refuses all that was not sent */
};

/* ---- Answers ---- */

/* UIDs ascend, and were not there before (CVE-2021-3578). */
static bool is_sane(const struct run *a, uint32_t uid_validity, uint32_t first)
{
	if (uid_validity == 0 || first == 0)
		return false;
	return first >= a->uid_next &&
	       (a->uid_validity == 0 || a->uid_validity == uid_validity);
}

/* APPENDUID: "validity set", a UID for each message in order. */
static void name_uploads(const struct run *a, const struct group *g,
                         struct imap_text text)
{
	struct imap_text validity = { 0 }, set = { 0 };
	uint32_t uid_validity, first, last;
	size_t count = 0;
	if (!imap_atom_next(&text, &validity) || !imap_atom_next(&text, &set) ||
	    !imap_seqset_next(&validity, &uid_validity, &last))
		return;
	auto_free uint32_t *uids = xcalloc(g->count, sizeof(*uids));
	while (imap_seqset_next(&set, &first, &last)) {
		if (!is_sane(a, uid_validity, first) ||
		    last - first >= g->count - count) {
			count = 0;
			break;
		}
		for (uint64_t uid = first; uid <= last; uid++)
			uids[count++] = (uint32_t)uid;
		if (count == g->count)
			break;
	}
	if (count != g->count || set.len > 0) {
		log_warn("the server's APPENDUID makes no sense");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct remote_wish *wish = a->uploads[g->from + i].wish;
		imap_key_print(uid_validity, uids[i], wish->new_key,
		               sizeof(wish->new_key));
	}
}

/* Would another try alone, or with less, be better? */
static bool is_worth_again(struct upload *u, const struct group *g,
                           const struct imap_response *r)
{
	if (g->count > 1)
		return true;
	/* Mailutils takes a keyword for a mistake. */
	bool has_keywords = u->wish->keywords[0] != '\0' ||
	                    (u->wish->flags & MAIL_FORWARDED) != 0;
	if (r->condition != IMAP_BAD || !has_keywords || u->is_bare)
		return false;
	u->is_bare = true;
	return true;
}

static void refuse_group(struct run *a, const struct group *g, int err,
                         const struct imap_response *r)
{
	bool is_of_folder = err == -ENOENT || err == -EACCES || err == -EROFS;
	if (is_of_folder)
		a->folder_err = err;
	for (size_t i = 0; i < g->count; i++) {
		struct upload *u = &a->uploads[g->from + i];
		if (!is_of_folder && is_worth_again(u, g, r)) {
			u->is_again = true;
			u->wish->fate = REMOTE_UNSENT;
		} else {
			imap_wish_refuse(u->wish, err, a->s->words);
		}
	}
}

static void finish_group(struct run *a, const struct group *g,
                         const struct imap_response *r)
{
	int err = imap_refusal(r, "APPEND");
	if (err < 0) {
		refuse_group(a, g, err, r);
		return;
	}
	if (r->code == IMAP_CODE_APPENDUID)
		name_uploads(a, g, r->code_text);
	for (size_t i = 0; i < g->count; i++)
		a->uploads[g->from + i].wish->fate = REMOTE_DONE;
}

static int read_one(struct run *a)
{
	struct imap_response r;
	int err = imap_session_read(a->s, NULL, &r);
	if (err < 0)
		return err;
	if (r.kind == IMAP_CONTINUATION)
		a->is_asked_for = true;
	for (size_t i = 0; i < a->group_count; i++) {
		struct group g = a->groups[i];
		if (!imap_session_is_end(&r, g.tag))
			continue;
		a->group_count--;
		a->bytes -= g.bytes;
		memmove(&a->groups[i], &a->groups[i + 1],
		        (a->group_count - i) * sizeof(g));
		finish_group(a, &g, &r);
		break;
	}
	return 0;
}

/* ---- Writing ---- */

/* The first byte may be all that arrives: from now on, who knows. */
static int flush(struct run *a)
{
	for (size_t i = 0; i < a->begun_count; i++)
		a->uploads[a->begun_from + i].wish->fate = REMOTE_UNKNOWN;
	a->begun_from += a->begun_count;
	a->begun_count = 0;
	if (a->out.len == 0)
		return 0;
	int err = imap_session_write(a->s, a->out.bytes, a->out.len);
	strbuf_clear(&a->out);
	/* What was answered before the connection was lost is still there. */
	while (err == -EHOSTUNREACH && a->group_count > 0 && read_one(a) == 0)
		continue;
	return err;
}

static int land(struct run *a, size_t groups_left, uint64_t bytes_left)
{
	int err = 0;
	if (a->group_count > groups_left || a->bytes > bytes_left)
		err = flush(a);
	while (err == 0 &&
	       (a->group_count > groups_left || a->bytes > bytes_left))
		err = read_one(a);
	return err;
}

static bool is_under_way(const struct run *a, unsigned tag)
{
	for (size_t i = 0; i < a->group_count; i++) {
		if (a->groups[i].tag == tag)
			return true;
	}
	return false;
}

/* Returns 0 when the bytes may follow; 1 when the command was refused. */
static int await_go(struct run *a, unsigned tag)
{
	a->is_asked_for = false;
	int err = flush(a);
	while (err == 0 && !a->is_asked_for && is_under_way(a, tag))
		err = read_one(a);
	return err < 0 ? err : !a->is_asked_for;
}

static bool is_unasked(const struct imap_session *s, uint64_t size)
{
	return imap_session_has(s, IMAP_CAP_LITERAL_PLUS) ||
	       (imap_session_has(s, IMAP_CAP_LITERAL) &&
	        size <= IMAP_LITERAL_MINUS_MAX);
}

/* The file was read before, so it can be read. */
static int put_content(struct run *a, const struct upload *u)
{
	struct imap_content content = { .fd = u->wish->fd,
		                        .size = u->wish->size };
	uint64_t sent = 0;
	for (;;) {
		size_t before = a->out.len;
		int n = imap_content_next(&content, &a->out);
		sent += a->out.len - before;
		if (n < 0 || sent > u->wire_size ||
		    (n == 0 && sent != u->wire_size)) {
			log_error("a message changed while it was sent");
			return -EHOSTUNREACH;
		}
		if (n == 0)
			return 0;
		int err = a->out.len >= BUFFER_BYTES ? flush(a) : 0;
		if (err < 0)
			return err;
	}
}

/* As await_go(). */
static int put_message(struct run *a, const struct upload *u, unsigned tag)
{
	static const struct imap_text all = { 0 };
	auto_strbuf struct strbuf flags = { 0 };
	char date[IMAP_DATE_SIZE];
	unsigned spared = u->is_bare ? MAIL_FORWARDED : 0;
	bool is_free = is_unasked(a->s, u->wire_size);
	imap_flags_add(u->wish->flags & ~spared,
	               u->is_bare ? "" : u->wish->keywords, all, &flags);
	imap_date_print(u->wish->received_at, date);
	strbuf_printf(&a->out, " (%s) \"%s\" {%llu%s}\r\n", strbuf_text(&flags),
	              date, (unsigned long long)u->wire_size,
	              is_free ? "+" : "");
	int err = is_free ? 0 : await_go(a, tag);
	return err != 0 ? err : put_content(a, u);
}

/* The command up to its first message; as await_go(). */
static int put_head(struct run *a, unsigned tag)
{
	auto_command struct imap_command c;
	size_t from = 0;
	imap_command_init(&c, imap_session_has(a->s, IMAP_CAP_LITERAL),
	                  "APPEND ");
	imap_command_string(&c, a->wire, strlen(a->wire));
	strbuf_printf(&a->out, "M%u ", tag);
	if (c.break_count > 0) {
		from = c.breaks[0];
		strbuf_add(&a->out, c.text.bytes, from);
		int err = await_go(a, tag);
		if (err != 0)
			return err;
	}
	strbuf_add(&a->out, c.text.bytes + from, c.text.len - from);
	return 0;
}

static uint64_t total(const struct upload *uploads, size_t count)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += uploads[i].wire_size;
	return bytes;
}

/* One command.  Returns 0, also when it is refused, or an error. */
static int send_group(struct run *a, size_t from, size_t count)
{
	struct group g = { .tag = ++a->s->last_tag,
		           .from = from,
		           .count = count,
		           .bytes = total(a->uploads + from, count) };
	int err = land(a, COMMANDS_MAX - 1, UNDER_WAY_MAX);
	/* What is begun is a range: another than the last one's needs this. */
	if (err == 0 && a->begun_from + a->begun_count != from)
		err = flush(a);
	if (err < 0)
		return err;
	if (a->begun_count == 0)
		a->begun_from = from;
	a->begun_count += count;
	a->groups[a->group_count++] = g;
	a->bytes += g.bytes;
	err = put_head(a, g.tag);
	for (size_t i = 0; err == 0 && i < count; i++)
		err = put_message(a, &a->uploads[from + i], g.tag);
	if (err == 0)
		strbuf_puts(&a->out, "\r\n");
	if (err == 0 && a->out.len >= BUFFER_BYTES)
		err = flush(a);
	return err < 0 ? err : 0;
}

/* ---- What to send ---- */

static struct upload *admit(struct run *a, struct remote_wish *wish)
{
	uint64_t wire_size = 0;
	int err = imap_content_measure(wish->fd, wish->size, &wire_size);
	if (err == 0 && wire_size > a->s->append_limit)
		err = -EFBIG;
	if (err < 0) {
		imap_wish_refuse(wish, err, NULL);
		return NULL;
	}
	struct upload *u = &a->uploads[a->upload_count++];
	*u = (struct upload){ .wish = wish, .wire_size = wire_size };
	return u;
}

/* May u be added to a group of so many messages and bytes? */
static bool is_fitting(const struct run *a, const struct upload *u,
                       size_t count, uint64_t bytes)
{
	if (count == 0)
		return true;
	return imap_session_has(a->s, IMAP_CAP_MULTIAPPEND) &&
	       is_unasked(a->s, u[-1].wire_size) &&
	       is_unasked(a->s, u->wire_size) && count < GROUP_MESSAGES &&
	       bytes + u->wire_size <= GROUP_BYTES;
}

static int send_all(struct run *a, struct remote_wish *wishes, size_t count)
{
	size_t from = 0;
	uint64_t bytes = 0;
	for (size_t i = 0; i < count && a->folder_err == 0; i++) {
		const struct upload *u = admit(a, &wishes[i]);
		if (u == NULL)
			continue;
		size_t at = (size_t)(u - a->uploads);
		if (!is_fitting(a, u, at - from, bytes)) {
			int err = send_group(a, from, at - from);
			if (err < 0)
				return err;
			from = at;
			bytes = 0;
		}
		bytes += u->wire_size;
	}
	if (from < a->upload_count && a->folder_err == 0) {
		int err = send_group(a, from, a->upload_count - from);
		if (err < 0)
			return err;
	}
	return land(a, 0, 0);
}

static bool is_any_again(const struct run *a)
{
	for (size_t i = 0; i < a->upload_count; i++) {
		if (a->uploads[i].is_again)
			return true;
	}
	return false;
}

/* Each comes back twice at most: alone, and then without its keywords. */
static int send_again(struct run *a)
{
	int err = 0;
	while (err == 0 && a->folder_err == 0 && is_any_again(a)) {
		for (size_t i = 0; i < a->upload_count && err == 0; i++) {
			if (!a->uploads[i].is_again)
				continue;
			a->uploads[i].is_again = false;
			err = send_group(a, i, 1);
		}
		if (err == 0)
			err = land(a, 0, 0);
	}
	return err;
}

/* What is known of the folder: its numbers as mark, or else SELECT, told. */
static void know(struct run *a, const struct imap_remote *c, const char *folder)
{
	const struct imap_mark *mark = &c->mark;
	const struct imap_session *s = &c->session;
	if (mark->folder != NULL && strcmp(mark->folder, folder) == 0) {
		a->uid_validity = mark->uid_validity;
		a->uid_next = mark->uid_next;
	} else if (s->selected != NULL && strcmp(s->selected, folder) == 0) {
		a->uid_validity = s->uid_validity;
		a->uid_next = s->uid_next;
	}
}

int imap_append(struct imap_remote *c, const char *folder,
                struct remote_wish *wishes, size_t count)
{
	auto_strbuf struct strbuf wire = { 0 };
	struct imap_session *s = &c->session;
	int err = imap_names_encode(&s->names, folder, &wire);
	if (err < 0)
		return imap_wishes_refuse(wishes, count, err, NULL);
	struct run a = {
		.s = s,
		.wire = wire.bytes,
		.uploads = xcalloc(count + 1, sizeof(*a.uploads)),
	};
	know(&a, c, folder);
	err = send_all(&a, wishes, count);
	if (err == 0)
		err = send_again(&a);
	for (size_t i = 0; i < count && err == 0; i++) {
		if (wishes[i].fate == REMOTE_UNSENT)
			imap_wish_refuse(&wishes[i], a.folder_err, s->words);
	}
	free(a.uploads);
	strbuf_release(&a.out);
	return err;
}
