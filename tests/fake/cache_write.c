/*
 * The writing calls.  They obey cache.h as the real ones do, but know of no
 * journal; kept files are memfds.  What may be answered at once or later is
 * answered so in turns.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/fake/cache_core.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* What fake_fail() ordered, once. */
static int begin_locked(struct cache *c)
{
	pthread_mutex_lock(&c->lock);
	int err = c->fail;
	c->fail = 0;
	return err;
}

static int end(struct cache *c, int err)
{
	pthread_mutex_unlock(&c->lock);
	return err;
}

static bool is_mail(const struct cache_folder *folder,
                    const struct cache_entry *entry)
{
	return entry->place < CACHE_MAIL_PLACES && *entry->base != '.' &&
	       folder->places == PLACES_ALL;
}

/* Where a name can be: its folder, or NULL. */
static struct cache_folder *target_locked(struct cache *c,
                                          const struct cache_name *name)
{
	struct cache_folder *f = fake_folder_locked(c, name->folder);
	bool has_place = name->place == CACHE_TOP ||
	                 (f && (f->places & 1U << name->place));
	return f && has_place ? f : NULL;
}

void fake_keywords(struct cache *c, unsigned numbers)
{
	pthread_mutex_lock(&c->lock);
	c->keywords = numbers;
	pthread_mutex_unlock(&c->lock);
}

static void name_entry_locked(struct cache *c, struct cache_entry *entry,
                              const struct cache_name *name)
{
	unsigned kept = entry->flags & ~(name->was | name->flags);
	entry->folder = name->folder;
	entry->place = name->place;
	entry->flags = name->flags & (MAIL_FLAGS | c->keywords);
	if (name->place < CACHE_MAIL_PLACES)
		entry->flags |= kept & ~MAIL_FLAGS;
	entry->shown = entry->flags;
	entry->base[0] = '\0';
	entry->info[0] = '\0';
	bool is_made = name->is_made && entry->flags == name->flags;
	if (name->base && !is_made) {
		(void)snprintf(entry->base, sizeof(entry->base), "%s",
		               name->base);
		(void)snprintf(entry->info, sizeof(entry->info), "%s",
		               name->info);
	}
}

static void keep_locked(struct fake_row *row)
{
	row->fd = memfd_create("kept", MFD_CLOEXEC);
	assert(row->fd >= 0);
	row->message.is_kept = true;
}

int cache_file_create(struct cache *c, const struct cache_name *name,
                      mode_t mode, uid_t uid, gid_t gid,
                      struct cache_entry *entry_out, int *fd_out)
{
	int err = begin_locked(c);
	const struct cache_folder *folder = target_locked(c, name);
	if (err == 0 && !folder)
		err = -ENOENT;
	if (err < 0)
		return end(c, err);
	struct fake_row *row = fake_row_add_locked(c);
	row->is_entry = true;
	row->entry.message.id = row->entry.id;
	name_entry_locked(c, &row->entry, name);
	row->message.links = 1;
	keep_locked(row);
	assert(fchmod(row->fd, mode) == 0 && fchown(row->fd, uid, gid) == 0);
	row->writers = 1;
	*fd_out = dup(row->fd);
	fake_touch_locked(c, name->folder, name->place);
	fake_entry_fill_locked(c, row, entry_out);
	return end(c, 0);
}

static void copy_locked(struct fake_row *row, const struct cache_body *body)
{
	struct timespec times[] = { row->message.mtime, row->message.mtime };
	keep_locked(row);
	for (uint64_t at = 0; body && at < body->size;) {
		char bytes[4096];
		ssize_t n = pread(body->fd, bytes, sizeof(bytes), (off_t)at);
		assert(n > 0 &&
		       pwrite(row->fd, bytes, (size_t)n, (off_t)at) == n);
		at += (uint64_t)n;
	}
	assert(fchmod(row->fd, row->message.mode) == 0);
	assert(futimens(row->fd, times) == 0);
}

int cache_file_edit(struct cache *c, int64_t message, bool is_truncated,
                    const struct cache_body *body, int *fd_out)
{
	int err = begin_locked(c);
	struct fake_row *row = fake_file_locked(c, message);
	if (err == 0 && !row)
		err = -ENOENT;
	if (err == 0 && row->fd < 0 && !is_truncated && !body)
		err = -EAGAIN;
	if (err < 0)
		return end(c, err);
	if (row->fd < 0)
		copy_locked(row, is_truncated ? NULL : body);
	else if (is_truncated)
		assert(ftruncate(row->fd, 0) == 0);
	row->touches += is_truncated;
	row->writers++;
	*fd_out = dup(row->fd);
	return end(c, 0);
}

int cache_file_room(int fd, uint64_t bytes)
{
	(void)fd;
	(void)bytes;
	return 0;
}

int cache_file_touch(struct cache *c, int64_t message)
{
	int err = begin_locked(c);
	if (err == 0)
		fake_row_locked(c, message)->touches++;
	return end(c, err);
}

void cache_file_release(struct cache *c, int64_t message)
{
	pthread_mutex_lock(&c->lock);
	assert(fake_row_locked(c, message)->writers-- > 0);
	pthread_mutex_unlock(&c->lock);
}

void fake_acked(struct cache *c, bool is_acked)
{
	pthread_mutex_lock(&c->lock);
	c->is_acked = is_acked;
	pthread_mutex_unlock(&c->lock);
}

/* It is done; 1, or 0 and done runs. */
static int answer_locked(struct cache *c, struct cache_wait wait,
                         struct cache_wait **wait_out)
{
	struct cache_wait *made;
	bool is_held = c->is_held;
	*wait_out = NULL;
	if (!is_held && c->turns++ % 2)
		return end(c, 1);
	int err = fake_wait_locked(c, wait, &made);
	if (err == 0 && wait.is_offered)
		*wait_out = made;
	(void)end(c, 0);
	if (err == 0 && !is_held)
		fake_complete(c, 0); /* done runs before we return */
	return err;
}

int cache_file_sync(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_wait **wait_out)
{
	int err = begin_locked(c);
	struct cache_wait wait = { .folder = -1, .done = done, .arg = arg };
	return err < 0 ? end(c, err) : answer_locked(c, wait, wait_out);
}

static int set_kept(int fd, const struct cache_message *what, unsigned which)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, what->mtime };
	uid_t uid = which & CACHE_SET_UID ? what->uid : (uid_t)-1;
	gid_t gid = which & CACHE_SET_GID ? what->gid : (gid_t)-1;
	if ((which & CACHE_SET_MODE) && fchmod(fd, what->mode) < 0)
		return -errno;
	if ((which & CACHE_SET_MTIME) && futimens(fd, times) < 0)
		return -errno;
	return fchown(fd, uid, gid) < 0 ? -errno : 0;
}

int cache_file_set(struct cache *c, const struct cache_message *what,
                   unsigned which)
{
	int err = begin_locked(c);
	struct fake_row *row = fake_file_locked(c, what->id);
	if (err == 0 && !row)
		err = -ENOENT;
	if (err == 0 && row->fd >= 0)
		return end(c, set_kept(row->fd, what, which));
	if (err < 0)
		return end(c, err);
	struct cache_message *m = &row->message;
	int64_t now = clock_wall_ns();
	if (which & CACHE_SET_MODE)
		m->mode = what->mode;
	if (which & CACHE_SET_UID)
		m->uid = what->uid;
	if (which & CACHE_SET_GID)
		m->gid = what->gid;
	if (which & CACHE_SET_MTIME)
		m->mtime = what->mtime;
	m->ctime = (struct timespec){ now / 1000000000, now % 1000000000 };
	return end(c, 0);
}

int cache_link(struct cache *c, int64_t message, const struct cache_name *to,
               cache_done *done, void *arg, struct cache_wait **wait_out)
{
	int err = begin_locked(c);
	const struct cache_folder *folder = target_locked(c, to);
	struct fake_row *row = fake_file_locked(c, message);
	if (err == 0 && (!folder || !row))
		err = -ENOENT;
	if (err < 0)
		return end(c, err);
	row->message.links++;
	row = fake_row_add_locked(c);
	row->is_entry = true;
	row->entry.message.id = message;
	name_entry_locked(c, &row->entry, to);
	fake_touch_locked(c, to->folder, to->place);
	struct cache_wait wait = {
		.folder = -1,
		.done = done,
		.arg = arg,
		.is_offered = c->is_acked,
		.entry = row->entry.id,
	};
	return answer_locked(c, wait, wait_out);
}

/* The entry as the caller saw it, or NULL. */
static struct fake_row *seen_locked(struct cache *c,
                                    const struct cache_entry *seen)
{
	struct fake_row *row = fake_row_locked(c, seen->id);
	bool is_same = row->is_entry && row->entry.folder == seen->folder &&
	               row->entry.place == seen->place;
	return is_same ? row : NULL;
}

static void unname_locked(struct cache *c, struct fake_row *row)
{
	struct fake_row *file = fake_row_locked(c, row->entry.message.id);
	row->is_entry = false;
	fake_touch_locked(c, row->entry.folder, row->entry.place);
	if (--file->message.links == 0 && file->fd >= 0) {
		(void)close(file->fd);
		file->fd = -1;
	}
}

void fake_take_back_locked(struct cache *c, const struct cache_wait *wait)
{
	struct fake_row *row = fake_row_locked(c, wait->entry);
	fake_touch_locked(c, row->entry.folder, row->entry.place);
	if (wait->old.id == 0) {
		unname_locked(c, row);
		return;
	}
	row->entry = wait->old;
	fake_touch_locked(c, row->entry.folder, row->entry.place);
}

int cache_rename(struct cache *c, const struct cache_entry *from,
                 const struct cache_name *to, const struct cache_entry *over,
                 cache_done *done, void *arg, struct cache_wait **wait_out)
{
	int err = begin_locked(c);
	const struct cache_folder *folder = target_locked(c, to);
	struct fake_row *row = seen_locked(c, from);
	struct fake_row *victim = over ? seen_locked(c, over) : NULL;
	if (err == 0 && (!folder || !row || (over && !victim)))
		err = -ENOENT;
	if (err < 0)
		return end(c, err);
	struct cache_entry then = row->entry;
	name_entry_locked(c, &then, to);
	bool was_mail = is_mail(&c->folders[row->entry.folder], &row->entry);
	const struct fake_row *file = fake_row_locked(c, then.message.id);
	if (was_mail && !is_mail(folder, &then) && !file->message.is_kept)
		return end(c, -EXDEV);
	if (then.folder != row->entry.folder)
		then.identity = (uint64_t)-then.id;
	if (victim)
		unname_locked(c, victim);
	fake_touch_locked(c, row->entry.folder, row->entry.place);
	struct cache_wait wait = {
		.folder = -1,
		.done = done,
		.arg = arg,
		.is_offered = c->is_acked,
		.entry = then.id,
		.old = row->entry,
	};
	row->entry = then;
	fake_touch_locked(c, then.folder, then.place);
	return answer_locked(c, wait, wait_out);
}

int cache_unlink(struct cache *c, const struct cache_entry *entry)
{
	int err = begin_locked(c);
	struct fake_row *row = seen_locked(c, entry);
	if (err == 0 && !row)
		err = -ENOENT;
	if (err == 0)
		unname_locked(c, row);
	return end(c, err);
}

static bool is_level_taken(struct cache *c, int64_t parent, const char *level)
{
	for (int64_t id = 1; id < c->folder_count; id++)
		if (c->folders[id].parent == parent &&
		    strcmp(c->folders[id].level, level) == 0)
			return true;
	return false;
}

int cache_folder_make(struct cache *c, int64_t parent, const char *level,
                      int64_t *folder_out)
{
	int err = begin_locked(c);
	if (err == 0 && !fake_folder_locked(c, parent))
		err = -ENOENT;
	if (err == 0 && is_level_taken(c, parent, level))
		err = -EEXIST;
	if (err == 0 && c->folder_count == FOLDERS_MAX)
		err = -ENOSPC;
	if (err < 0)
		return end(c, err);
	int64_t id = c->folder_count++;
	struct cache_folder *f = &c->folders[id];
	*f = (struct cache_folder){
		.id = id,
		.parent = parent,
		.is_listed = true,
		.changed_ns = clock_wall_ns(),
	};
	strcpy(f->level, level);
	c->folders[parent].children++;
	fake_touch_locked(c, parent, CACHE_TOP);
	*folder_out = id;
	return end(c, 0);
}

int cache_place_make(struct cache *c, int64_t folder, enum cache_place place)
{
	int err = begin_locked(c);
	struct cache_folder *f = fake_folder_locked(c, folder);
	if (err == 0 && (!f || f->places & 1U << place))
		err = f ? -EEXIST : -ENOENT;
	if (err < 0)
		return end(c, err);
	f->places |= 1U << place;
	f->entries_changed_ns[place] = clock_wall_ns();
	fake_touch_locked(c, folder, CACHE_TOP);
	return end(c, 0);
}

static bool is_empty(struct cache *c, int64_t folder, enum cache_place place)
{
	for (int64_t i = 0; i < c->row_count; i++)
		if (c->rows[i].is_entry && c->rows[i].entry.folder == folder &&
		    c->rows[i].entry.place == place)
			return false;
	return true;
}

int cache_place_remove(struct cache *c, int64_t folder, enum cache_place place)
{
	int err = begin_locked(c);
	struct cache_folder *f = fake_folder_locked(c, folder);
	if (err == 0 && (!f || !(f->places & 1U << place)))
		err = -ENOENT;
	if (err == 0 && !is_empty(c, folder, place))
		err = -ENOTEMPTY;
	if (err < 0)
		return end(c, err);
	f->places &= ~(1U << place);
	fake_touch_locked(c, folder, CACHE_TOP);
	return end(c, 0);
}

static int drop_locked(struct cache *c, struct cache_folder *f)
{
	if (f->places || f->children > 0 || !is_empty(c, f->id, CACHE_TOP))
		return -ENOTEMPTY;
	c->folders[f->parent].children--;
	fake_touch_locked(c, f->parent, CACHE_TOP);
	f->parent = -1;
	return 0;
}

int cache_folder_remove(struct cache *c, int64_t folder)
{
	int err = begin_locked(c);
	struct cache_folder *f = fake_folder_locked(c, folder);
	if (err == 0 && (!f || folder == CACHE_ROOT))
		err = -ENOENT;
	return end(c, err < 0 ? err : drop_locked(c, f));
}

int cache_folder_rename(struct cache *c, int64_t folder, int64_t parent,
                        const char *level)
{
	int err = begin_locked(c);
	struct cache_folder *f = fake_folder_locked(c, folder);
	if (err == 0 && (!f || !fake_folder_locked(c, parent)))
		err = -ENOENT;
	for (int64_t id = parent; err == 0 && id > 0;
	     id = c->folders[id].parent)
		if (id == folder)
			err = -EINVAL;
	for (int64_t id = 1; err == 0 && id < c->folder_count; id++) {
		struct cache_folder *over = &c->folders[id];
		if (id != folder && over->parent == parent &&
		    strcmp(over->level, level) == 0)
			err = drop_locked(c, over);
	}
	if (err < 0)
		return end(c, err);
	c->folders[f->parent].children--;
	fake_touch_locked(c, f->parent, CACHE_TOP);
	f->parent = parent;
	strcpy(f->level, level);
	c->folders[parent].children++;
	fake_touch_locked(c, parent, CACHE_TOP);
	return end(c, 0);
}

int cache_facts_get(struct cache *c, int64_t message,
                    struct cache_facts *facts_out)
{
	struct cache_entry entry;
	int err = cache_entry_of(c, message, &entry);
	if (err < 0)
		return err;
	pthread_mutex_lock(&c->lock);
	const struct fake_row *row = fake_row_locked(c, message);
	*facts_out = (struct cache_facts){ .flags = entry.flags & MAIL_FLAGS };
	facts_out->state = *row->key ? "synced" : "pending";
	strcpy(facts_out->key, row->key);
	strcpy(facts_out->keywords, row->keywords);
	return end(c, 0);
}

int cache_keywords_set(struct cache *c, int64_t message, const char *keywords)
{
	int err = begin_locked(c);
	struct fake_row *row = fake_row_locked(c, message);
	if (err == 0 && strlen(keywords) >= sizeof(row->keywords))
		err = -ENOSPC;
	if (err == 0)
		strcpy(row->keywords, keywords);
	return end(c, err);
}
