#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imapclient/client.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

#define FOLDERS_MAX   200000
#define OBJECT_ID_MAX 255 /* RFC 8474 7 */
#define STATUS_BATCH  25  /* fifty in flight break Exchange's parser */

static void release_folder(struct imap_folder *f)
{
	free(f->name);
	free(f->wire);
	free(f->state);
	free(f->id);
}

void imap_folders_release(struct imap_folders *folders)
{
	for (size_t i = 0; i < folders->count; i++)
		release_folder(&folders->list[i]);
	free(folders->list);
	*folders = (struct imap_folders){ 0 };
}

static int add_folder(struct imap_remote *c, const struct imap_list *list)
{
	struct imap_folders *all = &c->folders;
	struct strbuf wire = { 0 }, name = { 0 };
	if (all->count == FOLDERS_MAX)
		return -EPROTO;
	imap_text_add(list->name, &wire);
	imap_names_decode(&c->session.names, strbuf_text(&wire), wire.len,
	                  &name);
	if (wire.len == 0 || name.len > REMOTE_NAME_MAX ||
	    memchr(wire.bytes, '\0', wire.len) != NULL ||
	    strpbrk(wire.bytes, "\r\n") != NULL) {
		log_warn("the server lists a name nobody can use: %.100s",
		         strbuf_text(&wire));
		strbuf_release(&wire);
		strbuf_release(&name);
		return 0;
	}
	if (all->count == all->capacity) {
		all->capacity = all->capacity == 0 ? 64 : all->capacity * 2;
		all->list =
			xrealloc(all->list, all->capacity * sizeof(*all->list));
	}
	all->list[all->count++] = (struct imap_folder){
		.name = strbuf_take(&name),
		.wire = strbuf_take(&wire),
		.attributes = list->attributes,
		.count = -1,
	};
	return 0;
}

static bool is_same_mailbox(const char *wire, const char *other, size_t len)
{
	return (strlen(wire) == len && memcmp(wire, other, len) == 0) ||
	       (len == 5 && strcasecmp(wire, "INBOX") == 0 &&
	        strncasecmp(other, "INBOX", 5) == 0);
}

/* RFC 8474 7: objectid */
static bool is_object_id(struct imap_text id)
{
	for (size_t i = 0; i < id.len; i++) {
		unsigned char c = (unsigned char)id.bytes[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return id.len > 0 && id.len <= OBJECT_ID_MAX;
}

static void set_id(struct imap_folders *all, struct imap_folder *f,
                   struct imap_text id)
{
	if (id.len == 0)
		return;
	all->has_bad_id |= !is_object_id(id);
	free(f->id);
	f->id = xstrndup(id.bytes, id.len);
}

static void set_status(struct imap_folder *f, const struct imap_status *status)
{
	const uint64_t *items = f->items;
	f->has_status = true;
	/* NOTIFY names only those that changed. */
	f->has_items |= status->has;
	for (size_t i = 0; i < IMAP_STATUS_ITEMS; i++) {
		if ((status->has & 1U << i) != 0)
			f->items[i] = status->items[i];
	}
	if ((status->has & 1U << IMAP_STATUS_MESSAGES) != 0 &&
	    items[IMAP_STATUS_MESSAGES] <= INT64_MAX)
		f->count = (int64_t)items[IMAP_STATUS_MESSAGES];
	/* Without a modseq, flags may change and the rest stay equal. */
	if (f->has_items != (1U << IMAP_STATUS_ITEMS) - 1 ||
	    items[IMAP_STATUS_HIGHESTMODSEQ] == 0)
		return;
	free(f->state);
	f->state =
		xasprintf("%llu:%llu:%llu:%llu",
	                  (unsigned long long)items[IMAP_STATUS_UIDVALIDITY],
	                  (unsigned long long)items[IMAP_STATUS_UIDNEXT],
	                  (unsigned long long)items[IMAP_STATUS_MESSAGES],
	                  (unsigned long long)items[IMAP_STATUS_HIGHESTMODSEQ]);
}

/* They come in the order of the list: look from where the last one was. */
static struct imap_folder *find(struct imap_folders *all, struct imap_text name)
{
	auto_strbuf struct strbuf wire = { 0 };
	imap_text_add(name, &wire);
	for (size_t i = 0; i < all->count; i++) {
		size_t at = (all->hint + i) % all->count;
		if (is_same_mailbox(all->list[at].wire, strbuf_text(&wire),
		                    wire.len)) {
			all->hint = at;
			return &all->list[at];
		}
	}
	return NULL;
}

static void add_status(struct imap_folders *all,
                       const struct imap_status *status)
{
	struct imap_folder *f = find(all, status->name);
	if (f == NULL)
		return;
	set_status(f, status);
	set_id(all, f, status->id);
}

static bool is_changed(struct imap_folder *f, const struct imap_status *status)
{
	auto_free char *before = take(f->state);
	set_status(f, status);
	return before == NULL || f->state == NULL ||
	       strcmp(before, f->state) != 0;
}

bool imap_folder_hear(struct imap_folders *all, const struct imap_response *r)
{
	if (r->kind == IMAP_STATUS) {
		struct imap_folder *f = find(all, r->status.name);
		if (f != NULL && is_changed(f, &r->status) && !f->has_news) {
			f->has_news = true;
			all->marks++;
		}
		return f != NULL;
	}
	/* Dovecot lists what is as it was when NOTIFY is new. */
	const struct imap_folder *f = find(all, r->list.name);
	unsigned attributes = r->list.attributes;
	return f != NULL && (attributes & IMAP_LIST_NONEXISTENT) == 0 &&
	       ((attributes & ~f->attributes) & MAIL_FOLDER_SUBSCRIBED) == 0;
}

int imap_folder_take_news(struct imap_folders *all, const char **folder_out)
{
	if (all->marks == 0)
		return 0;
	struct imap_folder *f = all->list;
	while (!f->has_news)
		f++;
	f->has_news = false;
	all->marks--;
	*folder_out = f->name;
	return 1;
}

static int read_list(struct imap_remote *c, unsigned tag)
{
	struct imap_response r;
	for (;;) {
		int err = imap_session_read(&c->session, NULL, &r);
		if (err == 0 && r.kind == IMAP_LIST)
			err = add_folder(c, &r.list);
		if (err < 0)
			return err;
		if (r.kind == IMAP_STATUS)
			add_status(&c->folders, &r.status);
		if (imap_session_is_end(&r, tag))
			return imap_session_error(&r, "LIST");
	}
}

/*
 * Cyrus (3.6) answers with what happens to be in its memory, which may be no
 * response at all.
 */
static bool tells_ids(const struct imap_session *s)
{
	return imap_session_has(s, IMAP_CAP_OBJECTID) &&
	       !s->is_mailbox_id_bad &&
	       strstr(strbuf_text(&s->server_id), "Cyrus") == NULL;
}

static void add_status_items(const struct imap_session *s, struct strbuf *text)
{
	strbuf_puts(text, " (MESSAGES UIDNEXT UIDVALIDITY");
	if (imap_session_has(s, IMAP_CAP_CONDSTORE))
		strbuf_puts(text, " HIGHESTMODSEQ");
	if (tells_ids(s))
		strbuf_puts(text, " MAILBOXID");
	strbuf_putc(text, ')');
}

/* List prefix*, with all that the server can tell in one go. */
static int list_below(struct imap_remote *c, const char *prefix,
                      bool is_extended)
{
	struct imap_session *s = &c->session;
	auto_command struct imap_command list;
	auto_strbuf struct strbuf pattern = { 0 };
	unsigned tag;
	strbuf_printf(&pattern, "%s*", prefix);
	imap_command_init(&list, imap_session_has(s, IMAP_CAP_LITERAL),
	                  "LIST \"\" ");
	imap_command_string(&list, pattern.bytes, pattern.len);
	if (is_extended) {
		strbuf_puts(&list.text, " RETURN (SUBSCRIBED");
		if (imap_session_has(s, IMAP_CAP_SPECIAL_USE))
			strbuf_puts(&list.text, " SPECIAL-USE");
		if (imap_session_has(s, IMAP_CAP_LIST_STATUS)) {
			strbuf_puts(&list.text, " STATUS");
			add_status_items(s, &list.text);
		}
		strbuf_putc(&list.text, ')');
	}
	int err = imap_session_send(s, &list, &tag);
	return err < 0 ? err : read_list(c, tag);
}

static bool is_listed(const struct imap_folders *all, const char *prefix)
{
	size_t len = strlen(prefix);
	for (size_t i = 0; i < all->count; i++) {
		if (strncmp(all->list[i].wire, prefix, len) == 0)
			return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct imap_folder *x = a;
	const struct imap_folder *y = b;
	return strcmp(x->name, y->name);
}

/* Servers may list a mailbox twice; the seam knows each once. */
static void merge_twins(struct imap_folders *all)
{
	size_t kept = 0;
	if (all->count == 0)
		return;
	qsort(all->list, all->count, sizeof(*all->list), compare);
	for (size_t i = 1; i < all->count; i++) {
		struct imap_folder *f = &all->list[i];
		struct imap_folder *last = &all->list[kept];
		if (strcmp(f->name, last->name) != 0) {
			all->list[++kept] = *f;
			continue;
		}
		last->attributes |= f->attributes;
		if (last->count < 0)
			last->count = f->count;
		if (last->state == NULL)
			last->state = take(f->state);
		if (last->id == NULL)
			last->id = take(f->id);
		release_folder(f);
	}
	all->count = kept + 1;
}

static bool wants_status(const struct imap_folder *f)
{
	return !f->has_status && (f->attributes & MAIL_FOLDER_NOSELECT) == 0;
}

static int read_statuses(struct imap_remote *c, unsigned count)
{
	struct imap_response r;
	while (count > 0) {
		int err = imap_session_read(&c->session, NULL, &r);
		if (err < 0)
			return err;
		if (r.kind == IMAP_STATUS)
			add_status(&c->folders, &r.status);
		if (r.kind != IMAP_TAGGED)
			continue;
		/* One mailbox that cannot be looked at spoils nothing. */
		err = imap_session_error(&r, "STATUS");
		if (err == -EHOSTUNREACH)
			return err;
		count--;
	}
	return 0;
}

static int send_status(struct imap_remote *c, struct imap_folder *f,
                       unsigned *under_way)
{
	struct imap_session *s = &c->session;
	auto_command struct imap_command status;
	unsigned tag;
	imap_command_init(&status, imap_session_has(s, IMAP_CAP_LITERAL),
	                  "STATUS ");
	imap_command_string(&status, f->wire, strlen(f->wire));
	add_status_items(s, &status.text);
	f->has_status = true;
	/* While we wait for a '+', no other command's end may pass unseen. */
	if (status.break_count > 0) {
		int err = read_statuses(c, *under_way);
		*under_way = 0;
		if (err < 0)
			return err;
	}
	int err = imap_session_send(s, &status, &tag);
	if (err == 0)
		(*under_way)++;
	return err == -EACCES || err == -ENOENT ? 0 : err;
}

static int list_statuses(struct imap_remote *c)
{
	unsigned under_way = 0;
	for (size_t i = 0; i < c->folders.count; i++) {
		struct imap_folder *f = &c->folders.list[i];
		if (!wants_status(f))
			continue;
		int err = send_status(c, f, &under_way);
		if (err == 0 && under_way == STATUS_BATCH) {
			err = read_statuses(c, under_way);
			under_way = 0;
		}
		if (err < 0)
			return err;
	}
	return read_statuses(c, under_way);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_twin_ids(const struct imap_folders *all)
{
	auto_free const char **ids = xcalloc(all->count + 1, sizeof(*ids));
	size_t count = 0;
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].id != NULL)
			ids[count++] = all->list[i].id;
	}
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(ids[i - 1], ids[i]) == 0)
			return true;
	}
	return false;
}

/* Where one is nonsense, the others may be so by chance. */
static void check_ids(struct imap_remote *c)
{
	struct imap_folders *all = &c->folders;
	if (!all->has_bad_id && !has_twin_ids(all))
		return;
	log_info("the server's MAILBOXID makes no sense: not used");
	c->session.is_mailbox_id_bad = true;
	for (size_t i = 0; i < all->count; i++)
		free(take(all->list[i].id));
}

int imap_folder_list(struct imap_remote *c)
{
	struct imap_session *s = &c->session;
	bool is_extended = imap_session_has(s, IMAP_CAP_LIST_EXTENDED);
	imap_folders_release(&c->folders);
	int err = imap_session_refresh(s);
	if (err == 0)
		err = list_below(c, "", is_extended);
	if ((err == -EPROTO || err == -EACCES) && is_extended &&
	    c->folders.count == 0) {
		/* It offers what it does not understand. */
		is_extended = false;
		err = list_below(c, "", false);
	}
	for (size_t i = 0; err == 0 && i < s->names.other_count; i++) {
		const char *prefix = s->names.others[i];
		if (is_listed(&c->folders, prefix))
			continue;
		err = list_below(c, prefix, is_extended);
		if (err == -EACCES || err == -ENOENT)
			err = 0;
	}
	if (err < 0)
		return err;
	merge_twins(&c->folders);
	err = list_statuses(c);
	check_ids(c);
	s->has_other_news = false;
	return err;
}

int imap_folder_next(struct imap_remote *c, struct remote_folder *out)
{
	struct imap_folders *all = &c->folders;
	if (all->at == all->count)
		return 0;
	const struct imap_folder *f = &all->list[all->at++];
	*out = (struct remote_folder){
		.name = f->name,
		.attributes = f->attributes & 0xffff,
		.count = f->count,
		.state = f->state == NULL ? "" : f->state,
		.id = f->id == NULL ? "" : f->id,
	};
	return 1;
}
