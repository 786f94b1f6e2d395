#include "popclient/drop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "popclient/head.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

/* RFC 1939 7; a longer one becomes its digest. */
#define UIDL_MAX 70
/* What we take for one; RFC 1939 allows 70. */
#define UIDL_ACCEPTED 512

/* What a key begins with, behind the occurrence. */
#define KEY_UIDL   'u'
#define KEY_HASHED 'h' /* digest of a UIDL */
#define KEY_HEAD   'd' /* digest of the head */

static void forget_messages(struct pop_drop *d)
{
	for (size_t i = 0; i < d->count; i++)
		free(d->messages[i].key);
	d->count = 0;
}

void pop_drop_release(struct pop_drop *d)
{
	forget_messages(d);
	free(d->messages);
	free(d->by_key);
	*d = (struct pop_drop){ 0 };
}

static int by_number(const void *a, const void *b)
{
	const struct pop_message *left = a, *right = b;
	return (left->number > right->number) - (left->number < right->number);
}

static int compare_keys(const void *a, const void *b)
{
	struct pop_message *const *left = a, *const *right = b;
	int order = strcmp((*left)->key, (*right)->key);
	return order != 0 ? order : by_number(*left, *right);
}

static void write_hex(const uint8_t digest[DIGEST_SIZE], char *out)
{
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	out[2 * DIGEST_SIZE] = '\0';
}

static char *key_of_digest(char kind, const uint8_t digest[DIGEST_SIZE])
{
	char hex[2 * DIGEST_SIZE + 1];
	write_hex(digest, hex);
	return xasprintf("%c%s", kind, hex);
}

static char *key_of_uidl(const char *text, size_t len)
{
	uint8_t digest[DIGEST_SIZE];
	bool is_plain = len <= UIDL_MAX;
	for (size_t i = 0; i < len && is_plain; i++)
		is_plain = text[i] > ' ' && text[i] < 0x7f;
	if (is_plain)
		return xasprintf("%c%.*s", KEY_UIDL, (int)len, text);
	digest_sha256(text, len, digest);
	return key_of_digest(KEY_HASHED, digest);
}

/* ---- UIDL and LIST ---- */

/* at: where it most likely is. */
static struct pop_message *find_number(const struct pop_drop *d, size_t at,
                                       uint32_t number)
{
	struct pop_message wanted = { .number = number };
	if (at < d->count && d->messages[at].number == number)
		return &d->messages[at];
	if (d->count == 0)
		return NULL;
	return bsearch(&wanted, d->messages, d->count, sizeof(wanted),
	               by_number);
}

/*
 * Add what an entry tells.  Servers list in order; of one that does not,
 * nothing is lost, for lines that name the same message come together here.
 */
static int add_message(struct pop_drop *d, struct pop_message added)
{
	if (d->count == POP_MESSAGES_MAX) {
		free(added.key);
		return -EPROTO;
	}
	if (d->count == d->capacity) {
		d->capacity = 2 * d->capacity + 64;
		d->messages = xrealloc(d->messages,
		                       d->capacity * sizeof(*d->messages));
	}
	d->messages[d->count++] = added;
	return 0;
}

static void put_in_order(struct pop_drop *d)
{
	size_t kept = 0;
	if (d->count > 1)
		qsort(d->messages, d->count, sizeof(*d->messages), by_number);
	for (size_t i = 0; i < d->count; i++) {
		if (kept > 0 &&
		    d->messages[kept - 1].number == d->messages[i].number)
			free(d->messages[i].key);
		else
			d->messages[kept++] = d->messages[i];
	}
	d->count = kept;
}

static int read_uidl(struct pop_drop *d, struct pop_session *s)
{
	struct pop_answer answer;
	const char *line;
	size_t len;
	int n = pop_session_answer(s, &answer);
	if (n < 0)
		return n;
	/*
	 * One that offers it and then refuses cannot do it now: its messages
	 * must not get other keys for that.
	 */
	d->lacks_uidl = !answer.is_ok;
	if (!answer.is_ok)
		d->refusal =
			pop_session_error(&answer, "UIDL",
		                          s->has_capabilities ? -EPROTO : 0);
	if (!answer.is_ok)
		return 0;
	while ((n = pop_session_line(s, &line, &len)) == 1) {
		struct pop_entry entry;
		if (!pop_entry_parse(line, len, &entry) || entry.len == 0 ||
		    entry.len > UIDL_ACCEPTED)
			continue;
		n = add_message(d, (struct pop_message){
					   .number = entry.number,
					   .key = key_of_uidl(entry.text,
		                                              entry.len) });
		if (n < 0)
			return n;
	}
	put_in_order(d);
	return n;
}

static int read_list(struct pop_drop *d, struct pop_session *s)
{
	struct pop_answer answer;
	struct pop_drop more = { 0 }; /* those without UIDL */
	const char *line;
	size_t len, at = 0;
	int n = pop_session_answer(s, &answer);
	if (n < 0)
		return n;
	if (!answer.is_ok)
		return pop_session_error(&answer, "LIST", -EPROTO);
	while ((n = pop_session_line(s, &line, &len)) == 1) {
		struct pop_entry entry;
		uint64_t size = 0;
		if (!pop_entry_parse(line, len, &entry))
			continue;
		(void)pop_size_parse(entry.text, entry.len, &size);
		struct pop_message *m = find_number(d, at, entry.number);
		if (m != NULL) {
			m->size = size;
			at = (size_t)(m - d->messages) + 1;
			continue;
		}
		n = add_message(&more,
		                (struct pop_message){ .number = entry.number,
		                                      .size = size });
		if (n < 0)
			break;
	}
	for (size_t i = 0; i < more.count && n == 0; i++)
		n = add_message(d, more.messages[i]);
	pop_drop_release(&more);
	put_in_order(d);
	return n;
}

/* ---- Heads, of what has no UIDL ---- */

int pop_drop_read_head(struct pop_session *s, struct pop_message *m,
                       struct strbuf *head)
{
	struct pop_answer answer;
	struct pop_sink sink = { .fd = -1, .head = head, .claimed = m->size };
	int err = pop_session_answer(s, &answer);
	if (err < 0)
		return err;
	/* Where there is no CAPA, a refusal tells that there is no TOP. */
	if (!answer.is_ok)
		return s->has_capabilities
		               ? pop_session_error(&answer,
		                                   "the head of a message", 0)
		               : 0;
	err = pop_session_copy(s, &sink);
	if (err < 0)
		return err;
	m->has_head = true;
	m->received_at = pop_head_date(strbuf_text(head), head->len);
	return 0;
}

static int take_head(struct pop_session *s, struct pop_message *m)
{
	auto_strbuf struct strbuf head = { 0 };
	uint8_t digest[DIGEST_SIZE];
	int err = pop_drop_read_head(s, m, &head);
	if (err < 0 || !m->has_head)
		return err;
	pop_head_digest(strbuf_text(&head), head.len, digest);
	m->key = key_of_digest(KEY_HEAD, digest);
	return 0;
}

/* Give the messages without a key one, as far as the server answers. */
static int take_heads(struct pop_drop *d, struct pop_session *s,
                      const char *command, const char *arguments)
{
	for (size_t i = 0; i < d->count;) {
		auto_strbuf struct strbuf lines = { 0 };
		size_t first = i, count = 0;
		for (; i < d->count && count < pop_session_window(s); i++) {
			if (d->messages[i].key != NULL)
				continue;
			strbuf_printf(&lines, "%s %u%s\r\n", command,
			              d->messages[i].number, arguments);
			count++;
		}
		int err =
			count > 0 ? pop_session_send(s, lines.bytes, count) : 0;
		for (size_t j = first; j < i && err == 0; j++)
			if (d->messages[j].key == NULL)
				err = take_head(s, &d->messages[j]);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Those that the server does not even give whole cannot be shown. */
static void drop_unknown(struct pop_drop *d)
{
	size_t kept = 0;
	for (size_t i = 0; i < d->count; i++) {
		if (d->messages[i].key != NULL)
			d->messages[kept++] = d->messages[i];
		else
			log_warn("message %u has no UIDL and cannot be read",
			         d->messages[i].number);
	}
	d->count = kept;
}

/* ---- Keys ---- */

static void sort_by_key(struct pop_drop *d)
{
	if (d->count > 1)
		qsort(d->by_key, d->count, sizeof(struct pop_message *),
		      compare_keys);
}

/* Tell copies apart: the second's key gets a "2" in front, and so on. */
static void number_copies(struct pop_drop *d)
{
	size_t same = 0;
	for (size_t i = 1; i < d->count; i++) {
		struct pop_message *m = d->by_key[i];
		const char *first = d->by_key[i - 1 - same]->key;
		same = strcmp(first, m->key) == 0 ? same + 1 : 0;
		if (same > 0) {
			char *key = xasprintf("%zu%s", same + 1, m->key);
			free(m->key);
			m->key = key;
		}
	}
}

static void finish_keys(struct pop_drop *d)
{
	auto_strbuf struct strbuf all = { 0 };
	uint8_t digest[DIGEST_SIZE];
	d->by_key = xcalloc(d->count + 1, sizeof(struct pop_message *));
	for (size_t i = 0; i < d->count; i++)
		d->by_key[i] = &d->messages[i];
	sort_by_key(d);
	number_copies(d);
	sort_by_key(d);
	for (size_t i = 0; i < d->count; i++) {
		struct pop_message *m = &d->messages[i];
		m->identity = digest_u64(m->key, strlen(m->key));
		strbuf_printf(&all, "%s ", m->key);
	}
	digest_sha256(strbuf_text(&all), all.len, digest);
	write_hex(digest, d->state);
}

const struct pop_message *pop_drop_find(const struct pop_drop *d,
                                        const char *key)
{
	size_t low = 0, high = d->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(key, d->by_key[middle]->key);
		if (order == 0)
			return d->by_key[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* UIDL first: Mailutils then counts what it will write into messages. */
static int learn(struct pop_drop *d, struct pop_session *s)
{
	bool has_uidl = pop_session_may(s, POP_CAP_UIDL);
	bool is_pipelined = has_uidl && pop_session_window(s) > 1;
	d->lacks_uidl = !has_uidl;
	int err = 0;
	if (is_pipelined)
		err = pop_session_send(s, "UIDL\r\nLIST\r\n", 2);
	else if (has_uidl)
		err = pop_session_send(s, "UIDL\r\n", 1);
	if (err == 0 && has_uidl)
		err = read_uidl(d, s);
	if (err == 0 && !is_pipelined)
		err = pop_session_send(s, "LIST\r\n", 1);
	if (err == 0)
		err = read_list(d, s);
	/* Plan 9 refuses UIDL for an empty drop. */
	if (err == 0 && d->count > 0)
		err = d->refusal;
	if (err == 0 && pop_session_may(s, POP_CAP_TOP))
		err = take_heads(d, s, "TOP", " 0");
	if (err == 0)
		err = take_heads(d, s, "RETR", "");
	return err;
}

int pop_drop_learn(struct pop_drop *d, struct pop_session *s)
{
	if (d->is_known)
		return 0;
	int err = learn(d, s);
	if (err < 0) {
		pop_drop_release(d);
		return err;
	}
	drop_unknown(d);
	d->lacks_uidl &= d->count > 0;
	finish_keys(d);
	d->is_known = true;
	return 0;
}
