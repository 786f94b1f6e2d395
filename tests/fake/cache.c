#include "tests/fake/cache.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"
#include "util/mem.h"

#define FOLDERS_MAX 256
#define RECEIVED_AT 1700000000

struct fake_entry {
	struct cache_entry entry;
	size_t body_size;
	bool is_gone;
};

struct cache_wait {
	struct cache_wait *next;
	int64_t folder;  /* -1: a body is waited for */
	int64_t message; /* then */
	cache_done *done;
	void *arg;
};

struct cache {
	const struct cache_listener *listener;
	void *listener_arg;

	pthread_mutex_t lock;
	/* All guarded by lock. */
	struct cache_folder folders[FOLDERS_MAX]; /* id: place; 0 is the root */
	int64_t folder_count;
	struct fake_entry *entries; /* id: place + 1 */
	int64_t entry_count, entry_capacity;
	struct cache_wait *waits;
	bool is_held, is_stopped;

	/* fuse thread: the scan */
	int64_t scan_folder, scan_after;
	enum cache_place scan_place;
};

struct cache *fake_cache_new(void)
{
	struct cache *c = xmalloc(sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->folder_count = 1;
	c->folders[0].is_listed = true;
	c->folders[0].parent = -1;
	return c;
}

void fake_cache_free(struct cache *c)
{
	cache_stop(c);
	pthread_mutex_destroy(&c->lock);
	free(c->entries);
	free(c);
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

static void touch_locked(struct cache *c, const struct cache_entry *e)
{
	c->folders[e->folder].entries_changed_ns[e->place] += 1000000000;
}

int64_t fake_message(struct cache *c, int64_t folder, enum cache_place place,
                     unsigned flags, size_t count, size_t extra)
{
	pthread_mutex_lock(&c->lock);
	if (c->entry_count == c->entry_capacity) {
		c->entry_capacity = c->entry_capacity * 2 + 64;
		c->entries = xrealloc(c->entries, (size_t)c->entry_capacity *
		                                          sizeof(*c->entries));
	}
	int64_t id = ++c->entry_count;
	c->entries[id - 1] = (struct fake_entry){
		.entry = { .id = id,
		           .folder = folder,
		           .place = place,
		           .identity = (uint64_t)id,
		           .flags = flags,
		           .message = { .id = id,
		                        .received_at = RECEIVED_AT + id,
		                        .mtime.tv_sec = RECEIVED_AT + id,
		                        .ctime.tv_sec = RECEIVED_AT + id,
		                        .links = 1,
		                        .mode = 0600,
		                        .uid = (uid_t)-1,
		                        .gid = (gid_t)-1,
		                        .size = count + 1 + extra } },
		.body_size = count + 1,
	};
	touch_locked(c, &c->entries[id - 1].entry);
	pthread_mutex_unlock(&c->lock);
	if (c->listener)
		c->listener->entries_changed(c->listener_arg, folder);
	return id;
}

void fake_entry_set(struct cache *c, int64_t entry, enum cache_place place,
                    unsigned flags)
{
	pthread_mutex_lock(&c->lock);
	struct cache_entry *e = &c->entries[entry - 1].entry;
	struct cache_entry old = *e;
	touch_locked(c, e);
	e->place = place;
	e->flags = flags;
	touch_locked(c, e);
	pthread_mutex_unlock(&c->lock);
	c->listener->entry_moved(c->listener_arg, &old);
	c->listener->entries_changed(c->listener_arg, old.folder);
}

void fake_entry_remove(struct cache *c, int64_t entry)
{
	pthread_mutex_lock(&c->lock);
	struct fake_entry *e = &c->entries[entry - 1];
	struct cache_entry old = e->entry;
	e->is_gone = true;
	touch_locked(c, &old);
	pthread_mutex_unlock(&c->lock);
	c->listener->entry_moved(c->listener_arg, &old);
	c->listener->entries_changed(c->listener_arg, old.folder);
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
static int body_locked(struct cache *c, int64_t message,
                       struct cache_body *body_out)
{
	struct fake_entry *e = &c->entries[message - 1];
	int fd = memfd_create("body", MFD_CLOEXEC);
	auto_free char *text = xmalloc(e->body_size);
	memset(text, 'x', e->body_size);
	text[e->body_size - 1] = '\n';
	assert(write(fd, text, e->body_size) == (ssize_t)e->body_size);
	e->entry.message.size = e->body_size;
	e->entry.message.is_size_exact = true;
	e->entry.message.is_cached = true;
	*body_out = (struct cache_body){ .fd = fd, .size = e->body_size };
	return 0;
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
		bool has_body = err == 0 && w->folder < 0;
		pthread_mutex_lock(&c->lock);
		if (has_body)
			body_locked(c, w->message, &body);
		else if (err == 0)
			c->folders[w->folder].is_listed = true;
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
	if (id < 0 || id >= c->folder_count)
		return -ENOENT;
	const struct cache_folder *f = &c->folders[id];
	if (id != CACHE_ROOT && f->parent < 0)
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

static int entry_get(struct cache *c, int64_t id, struct cache_entry *entry_out)
{
	int err = -ENOENT;
	pthread_mutex_lock(&c->lock);
	if (id > 0 && id <= c->entry_count && !c->entries[id - 1].is_gone) {
		*entry_out = c->entries[id - 1].entry;
		err = 0;
	}
	pthread_mutex_unlock(&c->lock);
	return err;
}

int cache_message_get(struct cache *c, int64_t message,
                      struct cache_message *message_out)
{
	struct cache_entry entry;
	int err = entry_get(c, message, &entry);
	if (err == 0)
		*message_out = entry.message;
	return err;
}

int cache_entry_find(struct cache *c, int64_t folder, uint64_t identity,
                     struct cache_entry *entry_out)
{
	struct cache_entry entry;
	int err = entry_get(c, (int64_t)identity, &entry);
	if (err == 0 && entry.folder != folder)
		err = -ENOENT;
	if (err == 0)
		*entry_out = entry;
	return err;
}

int cache_scan_begin(struct cache *c, int64_t folder, enum cache_place place,
                     int64_t after, bool names_only)
{
	c->scan_folder = folder;
	c->scan_place = place;
	c->scan_after = after;
	return 0;
}

int cache_scan_next(struct cache *c, struct cache_entry *entry_out)
{
	int found = 0;
	pthread_mutex_lock(&c->lock);
	while (!found && c->scan_after < c->entry_count) {
		const struct fake_entry *e = &c->entries[c->scan_after++];
		if (e->is_gone || e->entry.folder != c->scan_folder ||
		    e->entry.place != c->scan_place)
			continue;
		*entry_out = e->entry;
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

static int wait_locked(struct cache *c, struct cache_wait wait,
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
	int n = 1;
	if (!c->folders[folder].is_listed)
		n = wait_locked(c,
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
	struct cache_entry entry;
	int n = entry_get(c, message, &entry);
	if (n < 0)
		return n;
	pthread_mutex_lock(&c->lock);
	if (entry.message.is_cached) {
		body_locked(c, message, body_out);
		n = 1;
	} else {
		n = wait_locked(c, wait, wait_out);
	}
	bool is_held = c->is_held;
	pthread_mutex_unlock(&c->lock);
	if (n == 0 && !is_held)
		fake_complete(c, 0); /* done runs before we return */
	return n;
}

bool cache_wait_cancel(struct cache *c, struct cache_wait *wait)
{
	bool found = false;
	pthread_mutex_lock(&c->lock);
	for (struct cache_wait **w = &c->waits; *w; w = &(*w)->next)
		if (*w == wait) {
			*w = wait->next;
			free(wait);
			found = true;
			break;
		}
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* A read-only account. */

int cache_name_find(struct cache *c, int64_t folder, enum cache_place place,
                    const char *base, int64_t after,
                    struct cache_entry *entry_out)
{
	return -ENOENT;
}

int cache_file_create(struct cache *c, const struct cache_name *name,
                      mode_t mode, uid_t uid, gid_t gid,
                      struct cache_entry *entry_out, int *fd_out)
{
	return -EROFS;
}

int cache_file_edit(struct cache *c, int64_t message, bool is_truncated,
                    const struct cache_body *body, int *fd_out)
{
	return -EROFS;
}

int cache_file_touch(struct cache *c, int64_t message)
{
	return -EROFS;
}

void cache_file_release(struct cache *c, int64_t message)
{
}

int cache_file_sync(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_wait **wait_out)
{
	*wait_out = NULL;
	done(arg, 0, NULL);
	return 0;
}

int cache_file_set(struct cache *c, const struct cache_message *what,
                   unsigned which)
{
	return -EROFS;
}

int cache_link(struct cache *c, int64_t message, const struct cache_name *to,
               cache_done *done, void *arg, struct cache_wait **wait_out)
{
	return -EROFS;
}

int cache_rename(struct cache *c, const struct cache_entry *from,
                 const struct cache_name *to, const struct cache_entry *over,
                 cache_done *done, void *arg, struct cache_wait **wait_out)
{
	return -EROFS;
}

int cache_unlink(struct cache *c, const struct cache_entry *entry)
{
	return -EROFS;
}

int cache_folder_make(struct cache *c, int64_t parent, const char *level,
                      int64_t *folder_out)
{
	return -EROFS;
}

int cache_place_make(struct cache *c, int64_t folder, enum cache_place place)
{
	return -EROFS;
}

int cache_place_remove(struct cache *c, int64_t folder, enum cache_place place)
{
	return -EROFS;
}

int cache_folder_remove(struct cache *c, int64_t folder)
{
	return -EROFS;
}

int cache_folder_rename(struct cache *c, int64_t folder, int64_t parent,
                        const char *level)
{
	return -EROFS;
}

int cache_entry_of(struct cache *c, int64_t message,
                   struct cache_entry *entry_out)
{
	return entry_get(c, message, entry_out);
}

int cache_facts_get(struct cache *c, int64_t message,
                    struct cache_facts *facts_out)
{
	struct cache_entry entry;
	int err = entry_get(c, message, &entry);
	*facts_out = (struct cache_facts){ .state = "synced" };
	if (err == 0)
		facts_out->flags = entry.flags;
	return err;
}

int cache_keywords_set(struct cache *c, int64_t message, const char *keywords)
{
	return -EROFS;
}
