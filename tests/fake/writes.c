/*
 * The writing calls.  A wish is first made a deed, which holds its own copies,
 * so that it can be done at once, late or never.
 */
#include "tests/fake/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/mem.h"

void fake_deed_release(struct fake_deed *deed)
{
	fake_release(deed->folder);
	fake_release(deed->target);
	fake_release(deed->keywords);
	fake_release(deed->removed_keywords);
	fake_release(deed->body);
	*deed = (struct fake_deed){ .op = deed->op };
}

static char *read_body(int fd, uint64_t size)
{
	char *body = fake_alloc(size + 2);
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(fd, body + at, size - at, (off_t)at);
		if (n <= 0)
			abort(); /* the caller gave a wrong size */
		at += (uint64_t)n;
	}
	return body;
}

static void make_deed(struct fake_deed *out, enum fake_op op,
                      const struct fake_folder *folder, const char *target,
                      const struct remote_wish *w)
{
	*out = (struct fake_deed){
		.op = op,
		.folder = fake_strdup(folder->name),
		.target = fake_strdup(target),
		.number = op == FAKE_APPEND ? 0 : fake_number(folder, w->key),
		.flags = w->flags,
		.removed = w->removed,
		.keywords = fake_strdup(w->keywords),
		.removed_keywords = fake_strdup(w->removed_keywords),
		.received_at = w->received_at,
	};
	if (op != FAKE_APPEND)
		return;
	out->body = read_body(w->fd, w->size);
	out->size = w->size;
	/* A server wants a last line end. */
	if (out->size == 0 || out->body[out->size - 1] != '\n')
		out->body[out->size++] = '\n';
}

static uint64_t wire_size(const char *body, uint64_t size)
{
	uint64_t wire = size;
	for (uint64_t i = 0; i < size; i++)
		wire += body[i] == '\n' && (i == 0 || body[i - 1] != '\r');
	return wire;
}

static uint64_t add_message_locked(struct fake_folder *f, const char *body,
                                   uint64_t size, int64_t received_at,
                                   unsigned flags, const char *keywords)
{
	f->clock++;
	struct fake_message *m = fake_message_add_locked(f);
	m->body = memcpy(fake_alloc(size + 1), body, size);
	m->size = size;
	m->wire_size = wire_size(body, size);
	m->flags = flags;
	m->received_at = received_at;
	if (keywords != NULL && keywords[0] != '\0')
		m->keywords = fake_strdup(keywords);
	return m->number;
}

uint64_t fake_deliver(struct fake_account *a, const char *folder,
                      const char *body, int64_t received_at, unsigned flags)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = fake_find_locked(a, folder);
	if (f == NULL)
		abort();
	uint64_t number = add_message_locked(f, body, strlen(body), received_at,
	                                     flags, NULL);
	(void)pthread_mutex_unlock(&a->lock);
	return number;
}

static bool has_word(const char *words, const char *word, size_t len)
{
	while (words != NULL && *words != '\0') {
		size_t n = strcspn(words, " ");
		if (n == len && memcmp(words, word, len) == 0)
			return true;
		words += n + strspn(words + n, " ");
	}
	return false;
}

/* Those of words that are not in except, after those of out. */
static void add_words(char *out, size_t size, const char *words,
                      const char *except)
{
	while (words != NULL && *words != '\0') {
		size_t n = strcspn(words, " ");
		size_t len = strlen(out);
		if (!has_word(except, words, n) && !has_word(out, words, n))
			(void)snprintf(out + len, size - len, "%s%.*s",
			               len > 0 ? " " : "", (int)n, words);
		words += n + strspn(words + n, " ");
	}
}

static void set_flags_locked(struct fake_folder *f, struct fake_message *m,
                             const struct fake_deed *d)
{
	char words[1024] = "";
	add_words(words, sizeof(words), m->keywords, d->removed_keywords);
	add_words(words, sizeof(words), d->keywords, NULL);
	fake_release(m->keywords);
	m->keywords = words[0] != '\0' ? fake_strdup(words) : NULL;
	m->flags = (m->flags & ~d->removed) | d->flags;
	m->changed = ++f->clock;
}

void fake_message_keywords(struct fake_account *a, const char *folder,
                           uint64_t number, const char *keywords)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = fake_find_locked(a, folder);
	struct fake_message *m =
		f == NULL ? NULL : fake_message_locked(f, number);
	if (m == NULL)
		abort();
	fake_release(m->keywords);
	m->keywords = keywords[0] != '\0' ? fake_strdup(keywords) : NULL;
	m->changed = ++f->clock;
	(void)pthread_mutex_unlock(&a->lock);
}

/* What fetching a message that was made by number gives. */
static char *make_body(const struct fake_message *m)
{
	char *body = fake_alloc(m->size + 32);
	int len = snprintf(body, 32, "%ju\n", (uintmax_t)m->number);
	memset(body + len, 'x', m->size);
	body[m->size] = '\0';
	return body;
}

static uint64_t copy_locked(struct fake_folder *to,
                            const struct fake_message *m)
{
	/* It may move when the array grows. */
	struct fake_message from = *m;
	to->clock++;
	struct fake_message *copy = fake_message_add_locked(to);
	uint64_t number = copy->number, added = copy->added;
	*copy = from;
	copy->number = number;
	copy->added = added;
	copy->changed = added;
	copy->keywords = fake_strdup(from.keywords);
	copy->body = from.body == NULL ? make_body(&from)
	                               : memcpy(fake_alloc(from.size + 1),
	                                        from.body, from.size);
	return number;
}

static void remove_locked(struct fake_folder *f, struct fake_message *m)
{
	m->is_gone = true;
	m->changed = ++f->clock;
}

/* Do it: the new message's number, 0 for none, or -errno. */
static int64_t perform_locked(struct fake_account *a, const struct fake_deed *d,
                              bool is_half)
{
	struct fake_folder *f = fake_find_locked(a, d->folder);
	struct fake_folder *to =
		d->target == NULL ? f : fake_find_locked(a, d->target);
	if (f == NULL || to == NULL)
		return -ENOENT;
	if (f->refusal < 0 || to->refusal < 0)
		return f->refusal < 0 ? f->refusal : to->refusal;
	if (d->op == FAKE_APPEND) {
		if (a->size_limit > 0 && d->size > a->size_limit)
			return -EFBIG;
		if (memchr(d->body, '\0', d->size) != NULL)
			return -EILSEQ;
		int64_t date = a->date != 0 ? a->date : d->received_at;
		return (int64_t)add_message_locked(f, d->body, d->size, date,
		                                   d->flags, d->keywords);
	}
	struct fake_message *m =
		d->number == 0 ? NULL : fake_message_locked(f, d->number);
	if (m == NULL)
		return d->op == FAKE_REMOVE && d->number != 0 ? 0 : -ESTALE;
	int64_t number = 0;
	if (d->op == FAKE_FLAGS)
		set_flags_locked(f, m, d);
	if (d->op == FAKE_COPY || d->op == FAKE_MOVE)
		number = (int64_t)copy_locked(to, m);
	if (d->op == FAKE_REMOVE || (d->op == FAKE_MOVE && !is_half))
		remove_locked(f, fake_message_locked(f, d->number));
	return number;
}

bool fake_view(struct fake_account *a, const char *folder, size_t n,
               struct fake_view *out)
{
	bool is_found = false;
	(void)pthread_mutex_lock(&a->lock);
	const struct fake_folder *f = fake_find_locked(a, folder);
	for (size_t i = 0; f != NULL && i < f->count && !is_found; i++) {
		const struct fake_message *m = &f->messages[i];
		if (m->is_gone || n-- > 0)
			continue;
		*out = (struct fake_view){ m->number, m->body, m->flags,
			                   m->keywords == NULL ? ""
			                                       : m->keywords,
			                   m->received_at };
		is_found = true;
	}
	(void)pthread_mutex_unlock(&a->lock);
	return is_found;
}

size_t fake_count(struct fake_account *a, const char *folder)
{
	struct fake_view view;
	size_t n = 0;
	while (fake_view(a, folder, n, &view))
		n++;
	return n;
}

/* A server adds a last line end. */
static bool is_body(const struct fake_message *m, const char *body)
{
	size_t len = strlen(body);
	return m->body != NULL && m->size >= len && m->size <= len + 1 &&
	       memcmp(m->body, body, len) == 0 &&
	       (m->size == len || m->body[len] == '\n');
}

size_t fake_copies(struct fake_account *a, const char *folder, const char *body)
{
	size_t count = 0;
	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++) {
		const struct fake_folder *f = &a->folders[i];
		if (f->name == NULL ||
		    (folder != NULL && strcmp(f->name, folder) != 0))
			continue;
		for (size_t j = 0; j < f->count; j++)
			count += !f->messages[j].is_gone &&
			         is_body(&f->messages[j], body);
	}
	(void)pthread_mutex_unlock(&a->lock);
	return count;
}

bool fake_folder_is(struct fake_account *a, const char *name)
{
	(void)pthread_mutex_lock(&a->lock);
	bool is_there = fake_find_locked(a, name) != NULL;
	(void)pthread_mutex_unlock(&a->lock);
	return is_there;
}

void fake_unlisted(struct fake_account *a, bool is_unlisted)
{
	(void)pthread_mutex_lock(&a->lock);
	a->is_unlisted = is_unlisted;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_untold(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	a->is_untold = true;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_refuse(struct fake_account *a, const char *folder, int err)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *f = fake_find_locked(a, folder);
	if (f == NULL)
		abort();
	f->refusal = err;
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_size_limit(struct fake_account *a, uint64_t bytes)
{
	(void)pthread_mutex_lock(&a->lock);
	a->size_limit = bytes;
	(void)pthread_mutex_unlock(&a->lock);
}

static void answer_locked(struct fake_account *a, const struct fake_deed *d,
                          struct remote_wish *w)
{
	int64_t n = perform_locked(a, d, false);
	w->fate = n < 0 ? REMOTE_REFUSED : REMOTE_DONE;
	if (n < 0) {
		w->err = (int)n;
		(void)snprintf(w->why, sizeof(w->why), "refused: %s",
		               strerror((int)-n));
	}
	if (n > 0 && !a->is_untold)
		fake_key(fake_find_locked(a, d->target != NULL ? d->target
		                                               : d->folder),
		         (uint64_t)n, w->new_key, sizeof(w->new_key));
}

/* The answer is lost. */
static void lose_locked(struct fake_account *a, struct fake_deed *d,
                        enum fake_loss loss, size_t i)
{
	static const enum fake_loss turn[] = { FAKE_LOST_UNDONE, FAKE_LOST_DONE,
		                               FAKE_LOST_LATE };
	switch (loss == FAKE_LOST_MIXED ? turn[i % 3] : loss) {
	case FAKE_LOST_UNDONE:
	case FAKE_LOST_MIXED:
		return;
	case FAKE_LOST_DONE:
	case FAKE_LOST_HALF:
		(void)perform_locked(a, d, loss == FAKE_LOST_HALF);
		return;
	case FAKE_LOST_LATE:
		if (a->late_count == FAKE_LATE_MAX)
			abort();
		a->late[a->late_count++] = *d;
		*d = (struct fake_deed){ .op = d->op };
		return;
	}
}

size_t fake_commit_late(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	size_t count = 0;
	for (size_t i = 0; i < a->late_count; i++) {
		count += perform_locked(a, &a->late[i], false) >= 0;
		fake_deed_release(&a->late[i]);
	}
	a->late_count = 0;
	(void)pthread_mutex_unlock(&a->lock);
	return count;
}

void fake_heal(struct fake_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
	for (size_t op = 0; op < FAKE_OPS; op++) {
		a->cut[op] = 0;
		a->fail[op] = 0;
		a->pass[op] = 0;
	}
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_cut(struct fake_account *a, enum fake_op op, int nth, size_t answered,
              size_t sent, enum fake_loss loss)
{
	(void)pthread_mutex_lock(&a->lock);
	a->cut[op] = nth;
	a->answered[op] = answered;
	a->sent[op] = sent;
	a->loss[op] = loss;
	(void)pthread_mutex_unlock(&a->lock);
}

static int write_locked(struct fake_remote *r, enum fake_op op,
                        const char *folder, const char *target,
                        struct remote_wish *wishes, size_t count)
{
	struct fake_account *a = r->account;
	int err = fake_called_locked(r, op);
	a->wishes[op] += (int)count;
	if (err < 0 && remote_error_scope(err) > REMOTE_SCOPE_FOLDER)
		return err;
	struct fake_folder *f = fake_find_locked(a, folder);
	if (err == 0 && f == NULL)
		err = -ENOENT;
	bool is_cut = a->cut[op] > 0 && --a->cut[op] == 0;
	for (size_t i = 0; i < count; i++) {
		if (err < 0) {
			wishes[i].fate = REMOTE_REFUSED;
			wishes[i].err = err;
			continue;
		}
		if (is_cut && i >= a->sent[op])
			break;
		struct fake_deed deed;
		make_deed(&deed, op, f, target, &wishes[i]);
		if (!is_cut || i < a->answered[op]) {
			answer_locked(a, &deed, &wishes[i]);
		} else {
			wishes[i].fate = REMOTE_UNKNOWN;
			lose_locked(a, &deed, a->loss[op], i);
		}
		fake_deed_release(&deed);
	}
	return is_cut && err == 0 ? fake_lose_locked(r, -EHOSTUNREACH) : 0;
}

static int write_wishes(struct remote *remote, enum fake_op op,
                        const char *folder, const char *target,
                        struct remote_wish *wishes, size_t count)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = write_locked(r, op, folder, target, wishes, count);
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

int fake_set_flags(struct remote *r, const char *folder,
                   struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, FAKE_FLAGS, folder, NULL, wishes, count);
}

int fake_append(struct remote *r, const char *folder,
                struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, FAKE_APPEND, folder, NULL, wishes, count);
}

int fake_copy(struct remote *r, const char *folder, const char *target,
              struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, FAKE_COPY, folder, target, wishes, count);
}

int fake_move(struct remote *r, const char *folder, const char *target,
              struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, FAKE_MOVE, folder, target, wishes, count);
}

int fake_remove(struct remote *r, const char *folder,
                struct remote_wish *wishes, size_t count)
{
	return write_wishes(r, FAKE_REMOVE, folder, NULL, wishes, count);
}

/* A mark: the validity, and the next number. */
int fake_mark(struct remote *remote, const char *folder,
              char mark_out[REMOTE_CURSOR_MAX + 1])
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_MARK);
	const struct fake_folder *f = fake_find_locked(r->account, folder);
	if (err == 0 && f == NULL)
		err = -ENOENT;
	if (err == 0)
		fake_key(f, f->next, mark_out, REMOTE_CURSOR_MAX + 1);
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

int fake_since(struct remote *remote, const char *folder, const char *mark)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	(void)pthread_mutex_lock(&r->account->lock);
	int err = fake_called_locked(r, FAKE_SINCE);
	remote->may_redate = r->account->date != 0;
	struct fake_folder *f = fake_find_locked(r->account, folder);
	if (err == 0 && f == NULL)
		err = -ENOENT;
	if (err == 0 && mark[0] != '\0' && fake_number(f, mark) == 0)
		err = -ESTALE;
	if (err == 0) {
		r->folder = f;
		r->is_since = true;
		r->is_reset_due = false;
		r->at = 0;
		r->since = mark[0] == '\0' ? 0 : fake_number(f, mark);
	}
	(void)pthread_mutex_unlock(&r->account->lock);
	return err;
}

/* Is name, or is it below the folder called from? */
static bool is_below(const char *name, const char *from)
{
	size_t len = strlen(from);
	return strncmp(name, from, len) == 0 &&
	       (name[len] == '/' || name[len] == '\0');
}

static void rename_locked(struct fake_account *a, const char *from,
                          const char *to)
{
	for (size_t i = 0; i < FAKE_FOLDERS_MAX; i++) {
		struct fake_folder *f = &a->folders[i];
		if (f->name == NULL || !is_below(f->name, from))
			continue;
		size_t size = strlen(to) + strlen(f->name) + 1;
		char *name = fake_alloc(size);
		(void)snprintf(name, size, "%s%s", to, f->name + strlen(from));
		fake_release(f->name);
		f->name = name;
	}
}

void fake_message_move(struct fake_account *a, const char *folder,
                       uint64_t number, const char *target)
{
	(void)pthread_mutex_lock(&a->lock);
	struct fake_folder *from = fake_find_locked(a, folder);
	struct fake_folder *to = fake_find_locked(a, target);
	if (from == NULL || to == NULL)
		abort();
	(void)copy_locked(to, fake_message_locked(from, number));
	remove_locked(from, fake_message_locked(from, number));
	(void)pthread_mutex_unlock(&a->lock);
}

void fake_folder_rename(struct fake_account *a, const char *from,
                        const char *to)
{
	(void)pthread_mutex_lock(&a->lock);
	rename_locked(a, from, to);
	(void)pthread_mutex_unlock(&a->lock);
}

static int change_folder_locked(struct fake_account *a, enum fake_op op,
                                const char *name, const char *to)
{
	struct fake_folder *f = fake_find_locked(a, name);
	if (op == FAKE_CREATE) {
		if (f != NULL)
			return -EEXIST;
		(void)fake_folder_add_locked(a, name, 0);
		return 0;
	}
	/* As Dovecot does, before it misses the old one. */
	if (op == FAKE_RENAME && fake_find_locked(a, to) != NULL)
		return -EEXIST;
	if (f == NULL)
		return -ENOENT;
	if (f->refusal < 0)
		return f->refusal;
	if (op == FAKE_DELETE) {
		fake_folder_remove_locked(f);
	} else if (op == FAKE_RENAME) {
		rename_locked(a, name, to);
	} else if (to != NULL) {
		f->attributes |= MAIL_FOLDER_SUBSCRIBED;
	} else {
		f->attributes &= ~(unsigned)MAIL_FOLDER_SUBSCRIBED;
	}
	return 0;
}

static int change_folder(struct remote *remote, enum fake_op op,
                         const char *name, const char *to)
{
	struct fake_remote *r = (struct fake_remote *)remote;
	struct fake_account *a = r->account;
	(void)pthread_mutex_lock(&a->lock);
	int err = fake_called_locked(r, op);
	bool is_cut = err == 0 && a->cut[op] > 0 && --a->cut[op] == 0;
	if (err == 0 && !(is_cut && a->loss[op] == FAKE_LOST_UNDONE))
		err = change_folder_locked(a, op, name, to);
	if (is_cut)
		err = fake_lose_locked(r, -EHOSTUNREACH);
	if (err < 0)
		(void)snprintf(remote->refusal, sizeof(remote->refusal),
		               "refused: %s", strerror(-err));
	(void)pthread_mutex_unlock(&a->lock);
	return err;
}

int fake_create(struct remote *r, const char *folder)
{
	return change_folder(r, FAKE_CREATE, folder, NULL);
}

int fake_delete(struct remote *r, const char *folder)
{
	return change_folder(r, FAKE_DELETE, folder, NULL);
}

int fake_rename(struct remote *r, const char *from, const char *to)
{
	return change_folder(r, FAKE_RENAME, from, to);
}

int fake_subscribe(struct remote *r, const char *folder, bool is_wanted)
{
	return change_folder(r, FAKE_SUBSCRIBE, folder, is_wanted ? "" : NULL);
}
