#include "tests/fake/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/fake/cache_core.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

#define RECEIVED_AT 1700000000
#define STEP_NS     1000000000

struct cache *fake_cache_new(void)
{
	struct cache *c = xmalloc(sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->folder_count = 1;
	c->scan_folder = -1;
	c->folders[0].is_listed = true;
	c->folders[0].parent = -1;
	return c;
}

void fake_cache_free(struct cache *c)
{
	cache_stop(c);
	pthread_mutex_destroy(&c->lock);
	for (int64_t i = 0; i < c->row_count; i++)
		if (c->rows[i].fd >= 0)
			(void)close(c->rows[i].fd);
	free(c->rows);
	free(c);
}

struct fake_row *fake_row_add_locked(struct cache *c)
{
	if (c->row_count == c->row_capacity) {
		c->row_capacity = c->row_capacity * 2 + 64;
		c->rows = xrealloc(c->rows,
		                   (size_t)c->row_capacity * sizeof(*c->rows));
	}
	struct fake_row *row = &c->rows[c->row_count++];
	*row = (struct fake_row){ .fd = -1 };
	row->entry.id = c->row_count;
	row->entry.identity = (uint64_t)-c->row_count;
	row->message = (struct cache_message){
		.id = c->row_count,
		.received_at = RECEIVED_AT + c->row_count,
		.mode = 0600,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.mtime.tv_sec = RECEIVED_AT + c->row_count,
		.ctime.tv_sec = RECEIVED_AT + c->row_count,
	};
	return row;
}

struct fake_row *fake_row_locked(struct cache *c, int64_t id)
{
	assert(id > 0 && id <= c->row_count);
	return &c->rows[id - 1];
}

struct fake_row *fake_file_locked(struct cache *c, int64_t id)
{
	if (id <= 0 || id > c->row_count || c->rows[id - 1].message.links == 0)
		return NULL;
	return &c->rows[id - 1];
}

/* Of a kept file the file knows. */
static void message_fill(const struct fake_row *row,
                         struct cache_message *message_out)
{
	struct stat st;
	*message_out = row->message;
	if (row->fd < 0 || fstat(row->fd, &st) < 0)
		return;
	message_out->is_cached = true;
	message_out->is_size_exact = true;
	message_out->size = (uint64_t)st.st_size;
	message_out->mode = st.st_mode & ALLPERMS;
	message_out->uid = st.st_uid;
	message_out->gid = st.st_gid;
	message_out->mtime = st.st_mtim;
	message_out->ctime = st.st_ctim;
}

void fake_entry_fill_locked(struct cache *c, const struct fake_row *row,
                            struct cache_entry *entry_out)
{
	*entry_out = row->entry;
	message_fill(&c->rows[row->entry.message.id - 1], &entry_out->message);
}

struct cache_folder *fake_folder_locked(struct cache *c, int64_t id)
{
	if (id < 0 || id >= c->folder_count)
		return NULL;
	struct cache_folder *f = &c->folders[id];
	return id != CACHE_ROOT && f->parent < 0 ? NULL : f;
}

void fake_touch_locked(struct cache *c, int64_t folder, enum cache_place place)
{
	struct cache_folder *f = &c->folders[folder];
	int64_t *changed_ns = place == CACHE_TOP
	                              ? &f->changed_ns
	                              : &f->entries_changed_ns[place];
	*changed_ns += STEP_NS;
}

int64_t fake_folder(struct cache *c, int64_t parent, const char *level,
                    unsigned attributes)
{
	pthread_mutex_lock(&c->lock);
	assert(c->folder_count < FOLDERS_MAX);
	int64_t id = c->folder_count++;
	struct cache_folder *f = &c->folders[id];
	f->id = id;
	f->parent = parent;
	strcpy(f->level, level);
	f->attributes = attributes;
	f->places = attributes & MAIL_FOLDER_NOSELECT ? 0 : PLACES_ALL;
	f->places = attributes & MAIL_FOLDER_NOSELECT ? 0 : 7;
	f->is_listed = true;
	f->changed_ns = 1000000000 + id;
	c->folders[parent].children++;
	c->folders[parent].changed_ns++;
	pthread_mutex_unlock(&c->lock);
	if (c->listener)
		c->listener->folders_changed(c->listener_arg, parent, NULL);
	return id;
}

void fake_folder_remove(struct cache *c, int64_t folder)
{
	pthread_mutex_lock(&c->lock);
	struct cache_folder *f = &c->folders[folder];
	int64_t parent = f->parent;
	c->folders[parent].children--;
	c->folders[parent].changed_ns++;
	f->parent = -1;
	pthread_mutex_unlock(&c->lock);
	c->listener->folders_changed(c->listener_arg, parent, f->level);
}

void fake_listed(struct cache *c, int64_t folder, bool is_listed)
{
	pthread_mutex_lock(&c->lock);
	c->folders[folder].is_listed = is_listed;
	pthread_mutex_unlock(&c->lock);
}

void fake_folder_late(struct cache *c, const char *level)
{
	pthread_mutex_lock(&c->lock);
	c->late = level;
	pthread_mutex_unlock(&c->lock);
}

int64_t fake_message(struct cache *c, int64_t folder, enum cache_place place,
                     unsigned flags, size_t count, size_t extra)
{
	pthread_mutex_lock(&c->lock);
	struct fake_row *row = fake_row_add_locked(c);
	int64_t id = row->entry.id;
	row->is_entry = true;
	row->entry.folder = folder;
	row->entry.place = place;
	row->entry.identity = (uint64_t)id;
	row->entry.flags = flags;
	row->entry.message.id = id;
	row->message.size = count + 1 + extra;
	row->message.links = 1;
	row->body_size = count + 1;
	fake_touch_locked(c, folder, place);
	struct cache_entry now;
	fake_entry_fill_locked(c, row, &now);
	pthread_mutex_unlock(&c->lock);
	if (c->listener) {
		c->listener->entries_changed(c->listener_arg, folder);
		c->listener->entry_moved(c->listener_arg, NULL, &now);
	}
	return id;
}

void fake_facts_set(struct cache *c, int64_t message, const char *key)
{
	pthread_mutex_lock(&c->lock);
	struct fake_row *row = fake_row_locked(c, message);
	assert(strlen(key) < sizeof(row->key));
	strcpy(row->key, key);
	pthread_mutex_unlock(&c->lock);
}

int fake_touches(struct cache *c, int64_t message)
{
	pthread_mutex_lock(&c->lock);
	struct fake_row *row = fake_row_locked(c, message);
	int touches = row->touches;
	row->touches = 0;
	pthread_mutex_unlock(&c->lock);
	return touches;
}

int fake_writers(struct cache *c)
{
	int count = 0;
	pthread_mutex_lock(&c->lock);
	for (int64_t i = 0; i < c->row_count; i++)
		count += c->rows[i].writers;
	pthread_mutex_unlock(&c->lock);
	return count;
}

/* An entry with other flags, in another place, or gone. */
static void change(struct cache *c, int64_t entry, enum cache_place place,
                   unsigned flags, bool is_gone)
{
	struct cache_entry old, now;
	pthread_mutex_lock(&c->lock);
	struct fake_row *row = fake_row_locked(c, entry);
	fake_entry_fill_locked(c, row, &old);
	fake_touch_locked(c, old.folder, old.place);
	row->entry.place = place;
	row->entry.flags = flags;
	row->is_entry = !is_gone;
	if (!is_gone)
		fake_touch_locked(c, old.folder, place);
	else
		c->rows[old.message.id - 1].message.links--;
	fake_entry_fill_locked(c, row, &now);
	pthread_mutex_unlock(&c->lock);
	c->listener->entry_moved(c->listener_arg, &old, is_gone ? NULL : &now);
	c->listener->entries_changed(c->listener_arg, old.folder);
}

void fake_entry_set(struct cache *c, int64_t entry, enum cache_place place,
                    unsigned flags)
{
	change(c, entry, place, flags, false);
}

void fake_entry_remove(struct cache *c, int64_t entry)
{
	change(c, entry, CACHE_CUR, 0, true);
}

void fake_fail(struct cache *c, int err)
{
	pthread_mutex_lock(&c->lock);
	c->fail = err;
	pthread_mutex_unlock(&c->lock);
}

void fake_hold(struct cache *c, bool is_held)
{
	pthread_mutex_lock(&c->lock);
	c->is_held = is_held;
	pthread_mutex_unlock(&c->lock);
}

size_t fake_waiting(struct cache *c)
{
	size_t count = 0;
	pthread_mutex_lock(&c->lock);
	for (struct cache_wait *w = c->waits; w; w = w->next)
		count++;
	pthread_mutex_unlock(&c->lock);
	return count;
}

/* The body has come: its size is exact from now on. */
static void body_locked(struct cache *c, int64_t message,
                        struct cache_body *body_out)
{
	struct fake_row *row = fake_row_locked(c, message);
	struct stat st;
	if (row->fd >= 0) {
		assert(fstat(row->fd, &st) == 0);
		body_out->fd = dup(row->fd);
		body_out->size = (uint64_t)st.st_size;
		return;
	}
	int fd = memfd_create("body", MFD_CLOEXEC);
	auto_free char *text = xmalloc(row->body_size);
	memset(text, 'x', row->body_size);
	text[row->body_size - 1] = '\n';
	assert(write(fd, text, row->body_size) == (ssize_t)row->body_size);
	row->message.size = row->body_size;
	row->message.is_size_exact = true;
	row->message.is_cached = true;
	*body_out = (struct cache_body){ .fd = fd, .size = row->body_size };
}

void fake_complete(struct cache *c, int err)
{
	pthread_mutex_lock(&c->lock);
	struct cache_wait *w = c->waits;
	c->waits = NULL;
	pthread_mutex_unlock(&c->lock);
	while (w) {
		struct cache_wait *next = w->next;
		struct cache_body body;
		bool has_body = err == 0 && w->message > 0;
		pthread_mutex_lock(&c->lock);
		if (has_body)
			body_locked(c, w->message, &body);
		else if (err == 0 && w->folder >= 0)
			c->folders[w->folder].is_listed = true;
		if (err < 0 && w->is_offered)
			fake_take_back_locked(c, w);
		pthread_mutex_unlock(&c->lock);
		w->done(w->arg, err, has_body ? &body : NULL);
		free(w);
		w = next;
	}
}

void cache_stop(struct cache *c)
{
	pthread_mutex_lock(&c->lock);
	c->is_stopped = true;
	pthread_mutex_unlock(&c->lock);
	fake_complete(c, -ECANCELED);
}

void cache_listen(struct cache *c, const struct cache_listener *listener,
                  void *arg)
{
	c->listener = listener;
	c->listener_arg = arg;
}

static int folder_locked(struct cache *c, int64_t id, int64_t parent,
                         const char *level, struct cache_folder *folder_out)
{
	const struct cache_folder *f = fake_folder_locked(c, id);
	if (!f)
		return -ENOENT;
	if (level && (f->parent != parent || strcmp(f->level, level) != 0))
		return -ENOENT;
	*folder_out = *f;
	return 0;
}

int cache_folder_get(struct cache *c, int64_t folder,
                     struct cache_folder *folder_out)
{
	pthread_mutex_lock(&c->lock);
	int err = folder_locked(c, folder, 0, NULL, folder_out);
	pthread_mutex_unlock(&c->lock);
	return err;
}

int cache_folder_find(struct cache *c, int64_t parent, const char *level,
                      struct cache_folder *folder_out)
{
	int err = -ENOENT;
	pthread_mutex_lock(&c->lock);
	for (int64_t id = 1; err < 0 && id < c->folder_count; id++)
		err = folder_locked(c, id, parent, level, folder_out);
	pthread_mutex_unlock(&c->lock);
	return err;
}

int cache_folder_next(struct cache *c, int64_t parent, int64_t after,
                      struct cache_folder *folder_out)
{
	int err = -ENOENT;
	pthread_mutex_lock(&c->lock);
	for (int64_t id = after + 1; err < 0 && id < c->folder_count; id++)
		if (c->folders[id].parent == parent)
			err = folder_locked(c, id, 0, NULL, folder_out);
	pthread_mutex_unlock(&c->lock);
	return err;
}

int cache_message_get(struct cache *c, int64_t message,
                      struct cache_message *message_out)
{
	pthread_mutex_lock(&c->lock);
	const struct fake_row *row = fake_file_locked(c, message);
	int err = row ? 0 : -ENOENT;
	if (err == 0)
		message_fill(row, message_out);
	pthread_mutex_unlock(&c->lock);
	return err;
}

/* The first entry above after that is as asked. */
static int find(struct cache *c, int64_t after,
                bool (*is_it)(const struct cache_entry *e, const void *arg),
                const void *arg, struct cache_entry *entry_out)
{
	int err = -ENOENT;
	pthread_mutex_lock(&c->lock);
	for (int64_t i = after; err < 0 && i < c->row_count; i++) {
		const struct fake_row *row = &c->rows[i];
		if (!row->is_entry || !is_it(&row->entry, arg))
			continue;
		fake_entry_fill_locked(c, row, entry_out);
		err = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

static bool has_identity(const struct cache_entry *e, const void *arg)
{
	const struct cache_entry *wanted = arg;
	return e->folder == wanted->folder && e->identity == wanted->identity;
}

int cache_entry_find(struct cache *c, int64_t folder, uint64_t identity,
                     struct cache_entry *entry_out)
{
	struct cache_entry wanted = { .folder = folder, .identity = identity };
	/* Most stand where their identity says. */
	int64_t near = 0;
	if (identity > 0 && identity <= INT32_MAX)
		near = (int64_t)identity - 1;
	int err = find(c, near, has_identity, &wanted, entry_out);
	return err == 0 || near == 0
	               ? err
	               : find(c, 0, has_identity, &wanted, entry_out);
}

static bool has_message(const struct cache_entry *e, const void *arg)
{
	const int64_t *message = arg;
	return e->message.id == *message;
}

int cache_entry_of(struct cache *c, int64_t message,
                   struct cache_entry *entry_out)
{
	return find(c, 0, has_message, &message, entry_out);
}

static bool has_base(const struct cache_entry *e, const void *arg)
{
	const struct cache_name *name = arg;
	return e->folder == name->folder && e->place == name->place &&
	       *e->base && strcmp(e->base, name->base) == 0;
}

int cache_name_find(struct cache *c, int64_t folder, enum cache_place place,
                    const char *base, int64_t after,
                    struct cache_entry *entry_out)
{
	struct cache_name name = {
		.folder = folder,
		.place = place,
		.base = base,
	};
	return find(c, after, has_base, &name, entry_out);
}

int cache_scan_begin(struct cache *c, int64_t folder, enum cache_place place,
                     int64_t after, bool names_only)
{
	assert(c->scan_folder < 0); /* one at a time */
	c->scan_folder = folder;
	c->scan_place = place;
	c->scan_after = after;
	return 0;
}

int cache_scan_next(struct cache *c, struct cache_entry *entry_out)
{
	int found = 0;
	pthread_mutex_lock(&c->lock);
	while (!found && c->scan_after < c->row_count) {
		const struct fake_row *row = &c->rows[c->scan_after++];
		if (!row->is_entry || row->entry.folder != c->scan_folder ||
		    row->entry.place != c->scan_place)
			continue;
		fake_entry_fill_locked(c, row, entry_out);
		found = 1;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

void cache_scan_end(struct cache *c)
{
	c->scan_folder = -1;
}

int64_t cache_entry_count(struct cache *c, int64_t folder,
                          enum cache_place place)
{
	int64_t count = 0;
	struct cache_entry entry;
	(void)cache_scan_begin(c, folder, place, 0, false);
	while (cache_scan_next(c, &entry) == 1)
		count++;
	cache_scan_end(c);
	return count;
}

int fake_wait_locked(struct cache *c, struct cache_wait wait,
                     struct cache_wait **wait_out)
{
	if (c->is_stopped)
		return -ECANCELED;
	struct cache_wait *w = xmalloc(sizeof(*w));
	*w = wait;
	w->next = c->waits;
	c->waits = w;
	*wait_out = w;
	return 0;
}

int cache_listing_await(struct cache *c, int64_t folder, cache_done *done,
                        void *arg, struct cache_wait **wait_out)
{
	pthread_mutex_lock(&c->lock);
	const char *late = take(c->late);
	pthread_mutex_unlock(&c->lock);
	if (late != NULL)
		(void)fake_folder(c, CACHE_ROOT, late, 0);
	pthread_mutex_lock(&c->lock);
	int n = 1;
	if (!c->folders[folder].is_listed)
		n = fake_wait_locked(c,
		                     (struct cache_wait){ .folder = folder,
		                                          .done = done,
		                                          .arg = arg },
		                     wait_out);
	pthread_mutex_unlock(&c->lock);
	return n;
}

int cache_body_open(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_body *body_out,
                    struct cache_wait **wait_out)
{
	struct cache_wait wait = {
		.folder = -1, .message = message, .done = done, .arg = arg
	};
	struct cache_message m;
	int n = cache_message_get(c, message, &m);
	if (n < 0)
		return n;
	pthread_mutex_lock(&c->lock);
	if (m.is_cached) {
		body_locked(c, message, body_out);
		n = 1;
	} else {
		n = fake_wait_locked(c, wait, wait_out);
	}
	bool is_held = c->is_held;
	pthread_mutex_unlock(&c->lock);
	if (n == 0 && !is_held)
		fake_complete(c, 0); /* done runs before we return */
	return n;
}

bool cache_wait_cancel(struct cache *c, struct cache_wait *wait)
{
	bool is_withdrawn = false;
	pthread_mutex_lock(&c->lock);
	struct cache_wait **w = &c->waits;
	while (*w && *w != wait)
		w = &(*w)->next;
	bool is_found = *w != NULL;
	if (is_found) {
		*w = wait->next;
		is_withdrawn = !wait->is_offered;
		if (!is_withdrawn)
			fake_take_back_locked(c, wait);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_found && !is_withdrawn)
		wait->done(wait->arg, -EINTR, NULL);
	if (is_found)
		free(wait);
	return is_withdrawn;
}
