#include "tests/fake/account.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/mem.h"

struct fake_folder *fake_find_locked(struct fake_account *a, const char *name)
{
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++)
		if (a->folders[i].name != NULL &&
		    strcmp(a->folders[i].name, name) == 0)
			return &a->folders[i];
	return NULL;
}

/* One the test made: naming another is a bug of the test. */
static struct fake_folder *known_locked(struct fake_account *a,
                                        const char *name)
{
	struct fake_folder *f = fake_find_locked(a, name);
	if (f == NULL)
		abort();
	return f;
}

struct fake_message *fake_message_locked(struct fake_folder *f, uint64_t number)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->messages[i].number == number && !f->messages[i].is_gone)
			return &f->messages[i];
	return NULL;
}

static struct fake_message *known_message_locked(struct fake_folder *f,
                                                 uint64_t number)
{
	struct fake_message *m = fake_message_locked(f, number);
	if (m == NULL)
		abort();
	return m;
}

struct fake_folder *fake_folder_add_locked(struct fake_account *a,
                                           const char *name,
                                           unsigned attributes)
{
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++) {
		struct fake_folder *f = &a->folders[i];
		if (f->name != NULL)
			continue;
		memset(f, 0, sizeof(*f));
		f->name = fake_strdup(name);
		f->attributes = attributes;
		f->next = 1;
		f->validity = ++a->validity;
		f->clock = 1;
		f->id = f->validity;
		return f;
	}
	abort();
}

void fake_folder_add(struct fake_account *a, const char *name,
                     unsigned attributes)
{
	(void)pthread_mutex_lock(&a->lock);
	(void)fake_folder_add_locked(a, name, attributes);
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_folder_remove_locked(struct fake_folder *f)
{
	for (size_t i = 0; i < f->count; i++) {
		fake_release(f->messages[i].body);
		fake_release(f->messages[i].keywords);
	}
	fake_release(take(f->messages));
	fake_release(take(f->name));
}

void fake_folder_remove(struct fake_account *a, const char *name)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = fake_find_locked(a, name);
	if (f != NULL)
		fake_folder_remove_locked(f);
	(void)pthread_mutex_unlock(&a->lock);
}

struct fake_message *fake_message_add_locked(struct fake_folder *f)
{
	if (f->count == f->capacity) {
		struct fake_message *old = f->messages;
		f->capacity = 2 * f->capacity + 16;
		f->messages = fake_alloc(f->capacity * sizeof(*old));
		if (old != NULL)
			memcpy(f->messages, old, f->count * sizeof(*old));
		fake_release(old);
	}
	struct fake_message *m = &f->messages[f->count++];
	*m = (struct fake_message){ .number = f->next++,
		                    .added = f->clock,
		                    .changed = f->clock };
	m->received_at = 1000000 + (int64_t)m->number;
	m->identity = f->validity << 32 | m->number;
	return m;
}

uint64_t fake_message_add(struct fake_account *a, const char *folder,
                          size_t count, uint64_t size, unsigned flags)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = known_locked(a, folder);
	uint64_t first = f->next;
	f->clock++;
	for (size_t i = 0; i < count; i++) {
		struct fake_message *m = fake_message_add_locked(f);
		m->size = size;
		m->wire_size = size + 1;
		m->flags = flags;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return first;
}

void fake_message_flag(struct fake_account *a, const char *folder,
                       uint64_t number, unsigned flags)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = known_locked(a, folder);
	struct fake_message *m = known_message_locked(f, number);
	m->flags = flags;
	m->changed = ++f->clock;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_message_remove(struct fake_account *a, const char *folder,
                         uint64_t number)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = known_locked(a, folder);
	struct fake_message *m = known_message_locked(f, number);
	m->is_gone = true;
	m->changed = ++f->clock;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_message_lose(struct fake_account *a, const char *folder,
                       uint64_t number)
{
	(void)pthread_mutex_lock(&a->lock);
	known_message_locked(known_locked(a, folder), number)->is_lost = true;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_folder_reset(struct fake_account *a, const char *folder)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = known_locked(a, folder);
	f->validity = ++a->validity;
	f->clock++;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_date(struct fake_account *a, int64_t received_at)
{
	(void)pthread_mutex_lock(&a->lock);
	a->date = received_at;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_fail(struct fake_account *a, enum fake_op op, int nth, int repeat,
               int err)
{
	(void)pthread_mutex_lock(&a->lock);
	a->pass[op] = nth - 1;
	a->fail[op] = repeat;
	a->err[op] = err;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_hold(struct fake_account *a, bool is_held)
{
	(void)pthread_mutex_lock(&a->lock);
	a->is_held = is_held;
	(void)pthread_cond_broadcast(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
}

bool fake_await(struct fake_account *a, enum fake_op op, int count)
{
	struct timespec end;
	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 20;
	int err = 0;
	(void)pthread_mutex_lock(&a->lock);
	while (a->calls[op] < count && err == 0)
		err = pthread_cond_timedwait(&a->changed, &a->lock, &end);
	(void)pthread_mutex_unlock(&a->lock);
	return err == 0;
}

static int read_locked(struct fake_account *a, const int *value)
{
	(void)pthread_mutex_lock(&a->lock);
	int v = *value;
	(void)pthread_mutex_unlock(&a->lock);
	return v;
}

int fake_calls(struct fake_account *a, enum fake_op op)
{
	return read_locked(a, &a->calls[op]);
}

int fake_wishes(struct fake_account *a, enum fake_op op)
{
	return read_locked(a, &a->wishes[op]);
}

int fake_wants(struct fake_account *a)
{
	return read_locked(a, &a->wants);
}

int fake_wants_most(struct fake_account *a)
{
	return read_locked(a, &a->wants_most);
}

int fake_lose_locked(struct fake_remote *r, int err)
{
	r->is_connected = false;
	r->owed_count = 0;
	return err;
}

int fake_called_locked(struct fake_remote *r, enum fake_op op)
{
	struct fake_account *a = r->account;
	int err = 0;
	a->calls[op]++;
	(void)pthread_cond_broadcast(&a->changed);
	if (a->pass[op] > 0)
		a->pass[op]--;
	else if (a->fail[op] > 0 && a->fail[op]--)
		err = a->err[op];
	if (err == 0 && op != FAKE_CONNECT && !r->is_connected)
		err = -EHOSTUNREACH;
	struct pollfd fd = { .fd = wake_fd(&r->remote.abort),
		             .events = POLLIN };
	if (poll(&fd, 1, 0) > 0)
		err = -ECANCELED;
	if (err < 0 && remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
		return fake_lose_locked(r, err);
	return err;
}

static int fake_connect(struct remote *remote)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_CONNECT);
	r->is_connected = err == 0;
	(void)pthread_mutex_unlock(&r->account->lock);
	if (err < 0)
		(void)snprintf(remote->failure, sizeof(remote->failure), "%s",
		               strerror(-err));
	return err;
}

static void fake_disconnect(struct remote *remote)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	r->is_connected = false;
	r->owed_count = 0;
}

static int fake_check(struct remote *remote)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_CHECK);
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

static int fake_list(struct remote *remote)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_LIST);
	r->list_at = 0;
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

static int fake_list_next(struct remote *remote, struct remote_folder *out)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	struct fake_account *a = r->account;
	(void)pthread_mutex_lock(&a->lock);
	int n = fake_called_locked(r, FAKE_LIST_NEXT);
	for (; n == 0 && r->list_at < FAKE_FOLDERS_MAX; r->list_at++) {
		const struct fake_folder *f = &a->folders[r->list_at];
		if (f->name == NULL ||
		    (a->is_unlisted && strcmp(f->name, "INBOX") != 0))
			continue;
		(void)snprintf(r->text, sizeof(r->text), "%s", f->name);
		(void)snprintf(r->state, sizeof(r->state), "%ju.%ju",
		               (uintmax_t)f->validity, (uintmax_t)f->clock);
		(void)snprintf(r->id, sizeof(r->id), "%ju", (uintmax_t)f->id);
		*out = (struct remote_folder){ r->text, f->attributes,
			                       (int64_t)f->count, r->state,
			                       a->has_ids ? r->id : "" };
		n = 1;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return n;
}

/* A cursor: validity, clock reached, messages already given of a chunk. */
static int fake_pull(struct remote *remote, const char *folder,
                     const char *cursor)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_PULL);
	struct fake_folder *f = fake_find_locked(r->account, folder);
	if (err == 0 && f == NULL)
		err = -ENOENT;
	if (err == 0) {
		uintmax_t validity = 0, since = 0, at = 0;
		(void)sscanf(cursor, "%ju %ju %ju", &validity, &since, &at);
		r->is_reset_due = validity != 0 && validity != f->validity;
		bool is_fresh = validity == 0 || r->is_reset_due;
		r->since = is_fresh ? 0 : since;
		r->at = is_fresh ? 0 : at;
		r->is_first = r->since == 0;
		/* As servers do that cannot tell what went. */
		r->is_complete = r->is_first
		                         ? r->account->chunk == 0
		                         : r->account->is_plain && r->at == 0;
		r->folder = f;
		r->is_since = false;
		r->until = f->clock;
		r->given = 0;
	}
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

static enum remote_change_kind kind_of(const struct fake_remote *r,
                                       const struct fake_message *m)
{
	if (r->is_since)
		return REMOTE_MESSAGE;
	if (m->is_gone)
		return REMOTE_GONE;
	if (!r->is_complete || m->added > r->since)
		return REMOTE_MESSAGE;
	return m->changed > r->since ? REMOTE_FLAGS : REMOTE_PRESENT;
}

/* What a pull names: the news, and when it is complete, all that is there. */
static bool is_named(const struct fake_remote *r, const struct fake_message *m)
{
	if (r->is_since)
		return !m->is_gone && m->number >= r->since;
	if (r->is_complete)
		return !m->is_gone;
	return m->changed > r->since && !(m->is_gone && m->added > r->since);
}

uint64_t fake_number(const struct fake_folder *f, const char *key)
{
	uintmax_t validity = 0, number = 0;
	(void)sscanf(key, "%ju/%ju", &validity, &number);
	return validity == f->validity ? number : 0;
}

void fake_key(const struct fake_folder *f, uint64_t number, char *out,
              size_t size)
{
	(void)snprintf(out, size, "%ju/%ju", (uintmax_t)f->validity,
	               (uintmax_t)number);
}

static void give_message(struct fake_remote *r, const struct fake_message *m,
                         struct remote_change *out)
{
	fake_key(r->folder, m->number, r->text, sizeof(r->text));
	(void)snprintf(r->keywords, sizeof(r->keywords), "%s",
	               m->keywords == NULL ? "" : m->keywords);
	*out = (struct remote_change){
		.kind = kind_of(r, m),
		.key = r->text,
		.flags = m->flags,
		.keywords = r->keywords,
		.received_at = m->received_at,
		.claimed_size = m->wire_size,
		.identity = r->account->has_ids
		                    ? m->identity
		                    : r->folder->validity << 32 | m->number,
		.is_identity_everywhere = r->account->has_ids,
	};
}

static int fake_next(struct remote *remote, struct remote_change *out,
                     struct remote_cursor *cursor)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	struct fake_account *a = r->account;
	(void)pthread_mutex_lock(&a->lock);
	int n = fake_called_locked(r, FAKE_NEXT);
	struct fake_folder *f = r->folder;
	if (n == 0 && r->is_reset_due) {
		r->is_reset_due = false;
		*out = (struct remote_change){ .kind = REMOTE_RESET };
		(void)pthread_mutex_unlock(&a->lock);
		return 1;
	}
	bool is_full = a->chunk > 0 && !r->is_since && r->given >= a->chunk;
	while (n == 0 && !is_full && r->at < f->count) {
		const struct fake_message *m = &f->messages[r->at++];
		if (!is_named(r, m))
			continue;
		give_message(r, m, out);
		r->given += out->kind == REMOTE_MESSAGE;
		n = 1;
	}
	if (n == 0) {
		bool more = is_full && r->at < f->count;
		(void)snprintf(cursor->text, sizeof(cursor->text),
		               "%ju %ju %zu", (uintmax_t)f->validity,
		               (uintmax_t)(more ? r->since : r->until),
		               more ? r->at : (size_t)0);
		cursor->more = more;
		cursor->complete = r->is_complete;
		if (r->is_since)
			*cursor = (struct remote_cursor){ .text = "" };
	}
	(void)pthread_mutex_unlock(&a->lock);
	return n;
}

static int ask(struct remote *remote, enum fake_op op, const char *folder,
               const struct remote_want *wants, size_t count)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	struct fake_account *a = r->account;
	(void)pthread_mutex_lock(&a->lock);
	int err = fake_called_locked(r, op);
	r->owes_heads = op == FAKE_HEADS;
	r->owed_folder = fake_find_locked(a, folder);
	if (err == 0 && r->owed_folder == NULL)
		err = -ENOENT;
	for (size_t i = 0; i < count && err == 0; i++)
		r->owed[r->owed_count++] =
			strtoull(strchr(wants[i].key, '/') + 1, NULL, 10);
	if (err == 0)
		r->owed_validity = strtoull(wants[0].key, NULL, 10);
	if (err == 0 && op == FAKE_FETCH) {
		a->wants += (int)count;
		if (a->wants_most < (int)count)
			a->wants_most = (int)count;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return err;
}

static int fake_fetch(struct remote *remote, const char *folder,
                      const struct remote_want *wants, size_t count)
{
	return ask(remote, FAKE_FETCH, folder, wants, count);
}

static int fake_fetch_heads(struct remote *remote, const char *folder,
                            const char *field, const struct remote_want *wants,
                            size_t count)
{
	return ask(remote, FAKE_HEADS, folder, wants, count);
}

static int await_release_locked(struct fake_remote *r)
{
	struct fake_account *a = r->account;
	while (a->is_held) {
		struct pollfd fd = { .fd = wake_fd(&r->remote.abort),
			             .events = POLLIN };
		(void)pthread_mutex_unlock(&a->lock);
		int n = poll(&fd, 1, 5);
		(void)pthread_mutex_lock(&a->lock);
		if (n > 0)
			return -ECANCELED;
	}
	return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Up to the blank line. */
static uint64_t head_size(const struct fake_message *m)
{
	const char *blank = m->body == NULL ? NULL : strstr(m->body, "\n\n");
	return blank == NULL ? m->size : (uint64_t)(blank - m->body) + 1;
}

static int write_body(int fd, const struct fake_message *m, uint64_t size)
{
	char block[4096];
	int err = 0;
	if (m->body != NULL)
		return write_all(fd, m->body, size);
	memset(block, 'x', sizeof(block));
	int len = snprintf(block, sizeof(block), "%ju\n", (uintmax_t)m->number);
	block[len] = 'x';
	while (size > 0 && err == 0) {
		size_t n = size < sizeof(block) ? size : sizeof(block);
		err = write_all(fd, block, n);
		size -= n;
		memset(block, 'x', (size_t)len);
	}
	return err;
}

/* The first body owed: 1, or -errno. */
static int give_body_locked(struct fake_remote *r, int fd, int err,
                            struct remote_body *out)
{
	const struct fake_folder *f = r->owed_folder;
	uint64_t number = r->owed[0];
	memmove(r->owed, r->owed + 1, --r->owed_count * sizeof(r->owed[0]));
	const struct fake_message *m =
		f->validity == r->owed_validity
			? fake_message_locked(r->owed_folder, number)
			: NULL;
	if (err == 0 && (m == NULL || m->is_lost))
		err = -ESTALE;
	(void)snprintf(r->text, sizeof(r->text), "%ju/%ju",
	               (uintmax_t)r->owed_validity, (uintmax_t)number);
	*out = (struct remote_body){ .key = r->text, .err = err };
	if (err < 0)
		return 1;
	out->size = r->owes_heads ? head_size(m) : m->size;
	out->wire_size = m->wire_size;
	err = write_body(fd, m, out->size);
	return err < 0 ? err : 1;
}

static int fake_fetched(struct remote *remote, int fd, struct remote_body *out)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	struct fake_account *a = r->account;
	(void)pthread_mutex_lock(&a->lock);
	int n = fake_called_locked(r, FAKE_FETCHED);
	if (n == 0)
		n = await_release_locked(r);
	if (r->owed_count > 0 &&
	    (n == 0 || remote_error_scope(n) == REMOTE_SCOPE_MESSAGE))
		n = give_body_locked(r, fd, n, out);
	(void)pthread_mutex_unlock(&a->lock);
	return n;
}

static void fake_free(struct remote *remote)
{
	remote_release(remote);
	free(remote);
}

static const struct remote_ops fake_ops = {
	.connect = fake_connect,
	.disconnect = fake_disconnect,
	.check = fake_check,
	.list = fake_list,
	.list_next = fake_list_next,
	.pull = fake_pull,
	.next = fake_next,
	.fetch = fake_fetch,
	.fetch_heads = fake_fetch_heads,
	.fetched = fake_fetched,
	.set_flags = fake_set_flags,
	.append = fake_append,
	.copy = fake_copy,
	.move = fake_move,
	.remove = fake_remove,
	.mark = fake_mark,
	.since = fake_since,
	.create = fake_create,
	.delete = fake_delete,
	.rename = fake_rename,
	.subscribe = fake_subscribe,
	.free = fake_free,
};

struct remote *fake_remote_new(struct fake_account *a)
{
	struct fake_remote *r = xmalloc(sizeof(*r));
	r->account = a;
	r->remote.abilities = REMOTE_CAN_REMOVE | REMOTE_CAN_FLAG |
	                      REMOTE_CAN_APPEND | REMOTE_CAN_FOLDERS;
	if (remote_init(&r->remote, &fake_ops) < 0)
		abort();
	return &r->remote;
}
