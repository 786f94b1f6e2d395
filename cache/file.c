#include "cache/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/home.h"
#include "util/cleanup.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/sync.h"

/*
 * Files known to survive a power cut: to sync one again would cost as much as
 * the first time.
 */
#define SYNCED_MAX 64
/* FILE_BLOCK ids in each, in turn. */
#define DIRS 256

/* Ids lately seen; 0: none. */
struct ring {
	int64_t ids[SYNCED_MAX];
	size_t next;
};

struct writer {
	int64_t id;
	int count;
};

struct file_store {
	char *dir;
	pthread_mutex_t lock;
	/* All below is guarded by lock. */
	struct writer *writers;
	size_t writer_count, writer_capacity;
	struct ring synced; /* data and name */
	int64_t watched;    /* 0: none */
	bool is_changed;    /* what is watched */
};

static unsigned dir_of(int64_t id)
{
	return (unsigned)(id / FILE_BLOCK) % DIRS;
}

static char *dir_path(const struct file_store *store, int64_t id)
{
	return xasprintf("%s/%02x", store->dir, dir_of(id));
}

static char *file_path(const struct file_store *store, int64_t id)
{
	return xasprintf("%s/%02x/%" PRId64, store->dir, dir_of(id), id);
}

static bool ring_has(const struct ring *ring, int64_t id)
{
	for (size_t i = 0; i < SYNCED_MAX; i++)
		if (ring->ids[i] == id)
			return true;
	return false;
}

static void ring_add(struct ring *ring, int64_t id)
{
	ring->ids[ring->next++ % SYNCED_MAX] = id;
}

static void ring_remove(struct ring *ring, int64_t id)
{
	for (size_t i = 0; i < SYNCED_MAX; i++)
		if (ring->ids[i] == id)
			ring->ids[i] = 0;
}

static bool is_named(struct db_conn *conn, const char *name)
{
	struct cache_message message;
	int64_t id = strtoll(name, NULL, 10);
	int err = db_message_get(conn, id, &message);
	return err != -ENOENT && (err < 0 || message.is_kept);
}

/*
 * A file is made before its row, and removed after it: some may be left.  One
 * that an older version put elsewhere goes where it belongs.
 */
static void tidy_dir(const struct file_store *store, const char *path,
                     struct db_conn *conn)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (d->d_name[0] == '.')
			continue;
		auto_free char *right =
			file_path(store, strtoll(d->d_name, NULL, 10));
		if (is_named(conn, d->d_name))
			(void)renameat(dirfd(dir), d->d_name, AT_FDCWD, right);
		else
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	}
	(void)closedir(dir);
}

/* The names of all are synced at once. */
static int make_dirs(const struct file_store *store, struct db_conn *conn)
{
	auto_free char *why = NULL;
	bool is_any_new = false;
	int err = home_make(store->dir, true, &why);
	if (err < 0) {
		log_error("%s", why);
		return err;
	}
	for (unsigned i = 0; i < DIRS; i++) {
		auto_free char *path = xasprintf("%s/%02x", store->dir, i);
		bool is_new = mkdir(path, 0700) == 0;
		if (!is_new && errno != EEXIST) {
			err = -errno;
			log_error("cannot make %s: %s", path, strerror(errno));
			return err;
		}
		is_any_new |= is_new;
		tidy_dir(store, path, conn);
	}
	return is_any_new ? sync_dir(store->dir, "file-dirs") : 0;
}

int file_store_open(const char *state_dir, struct db *db,
                    struct file_store **store_out)
{
	struct file_store *store = xmalloc(sizeof(*store));
	store->dir = xasprintf("%s/files", state_dir);
	(void)pthread_mutex_init(&store->lock, NULL);
	int err = make_dirs(store, db_reader(db));
	if (err < 0) {
		file_store_close(store);
		return err;
	}
	*store_out = store;
	return 0;
}

void file_store_close(struct file_store *store)
{
	if (store == NULL)
		return;
	(void)pthread_mutex_destroy(&store->lock);
	free(store->writers);
	free(store->dir);
	free(store);
}

bool file_touch(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	ring_remove(&store->synced, id);
	bool is_watched = store->watched == id;
	store->is_changed |= is_watched;
	(void)pthread_mutex_unlock(&store->lock);
	return is_watched;
}

void file_watch(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	store->watched = id;
	store->is_changed = false;
	(void)pthread_mutex_unlock(&store->lock);
}

bool file_is_changed(struct file_store *store)
{
	(void)pthread_mutex_lock(&store->lock);
	bool is_changed = store->is_changed;
	(void)pthread_mutex_unlock(&store->lock);
	return is_changed;
}

void file_end_watch(struct file_store *store, bool lasts)
{
	(void)pthread_mutex_lock(&store->lock);
	if (lasts && !store->is_changed)
		ring_add(&store->synced, store->watched);
	store->watched = 0;
	(void)pthread_mutex_unlock(&store->lock);
}

/* A new file has the attributes that were asked for, or no name. */
static int dress(int fd, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	bool is_other = uid != geteuid() || gid != getegid();
	if ((!is_other || fchown(fd, uid, gid) == 0 || geteuid() != 0) &&
	    fchmod(fd, mode & 07777) == 0)
		return 0;
	int err = -errno;
	(void)unlink(path);
	return err;
}

/* Returns a descriptor, or -errno. */
static int make_empty(const char *path)
{
	/* One with this number can only be left of a transaction that died. */
	(void)unlink(path);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	              0600);
	return fd < 0 ? -errno : fd;
}

/* Even of the room that is left for the journal. */
static int make_file(struct file_store *store, int64_t id, mode_t mode,
                     uid_t uid, gid_t gid, int *fd_out)
{
	int err = FAULT("file-create");
	if (err < 0)
		return err;
	auto_free char *path = file_path(store, id);
	(void)file_touch(store, id);
	auto_fd int fd = make_empty(path);
	if (fd < 0)
		return fd;
	err = dress(fd, path, mode, uid, gid);
	if (err < 0)
		return err;
	*fd_out = take_fd(&fd);
	return 0;
}

int file_create(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
                gid_t gid, int *fd_out)
{
	auto_fd int fd = -1;
	int err = make_file(store, id, mode, uid, gid, &fd);
	if (err < 0)
		return err;
	err = home_room(fd, 0);
	if (err < 0) {
		file_remove(store, id);
		return err;
	}
	*fd_out = take_fd(&fd);
	return 0;
}

int file_make_spare(struct file_store *store, int64_t id)
{
	auto_free char *path = file_path(store, id);
	auto_fd int fd = make_empty(path);
	return fd < 0 ? fd : 0;
}

int file_take(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
              gid_t gid, int *fd_out)
{
	int err = FAULT("file-take");
	if (err < 0)
		return err;
	auto_free char *path = file_path(store, id);
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	/* It begins now. */
	if (fd < 0 || futimens(fd, NULL) < 0)
		err = -errno;
	if (err == 0)
		err = home_room(fd, 0);
	if (err == 0)
		err = dress(fd, path, mode, uid, gid);
	if (err < 0) {
		(void)unlink(path);
		return err;
	}
	*fd_out = take_fd(&fd);
	return 0;
}

static int copy_data(int from, int to)
{
	char buf[64 * 1024];
	off_t at = 0;
	for (;;) {
		ssize_t n = pread(from, buf, sizeof(buf), at);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		int err = home_room(to, (uint64_t)n);
		if (err < 0)
			return err;
		ssize_t written = pwrite(to, buf, (size_t)n, at);
		if (written < 0)
			return -errno;
		at += written;
	}
}

static int set_times(int fd, const struct cache_message *message)
{
	struct timespec times[] = { message->mtime, message->mtime };
	return futimens(fd, times) < 0 ? -errno : 0;
}

int file_copy(struct file_store *store, const struct cache_message *message,
              int body, int *fd_out)
{
	auto_fd int fd = -1;
	uid_t uid = message->uid == (uid_t)-1 ? getuid() : message->uid;
	gid_t gid = message->gid == (gid_t)-1 ? getgid() : message->gid;
	int err = file_create(store, message->id, message->mode, uid, gid, &fd);
	if (err == 0 && body >= 0)
		err = copy_data(body, fd);
	if (err == 0)
		err = set_times(fd, message);
	if (err < 0) {
		file_remove(store, message->id);
		return err;
	}
	*fd_out = take_fd(&fd);
	return 0;
}

int file_open(struct file_store *store, int64_t id, int flags)
{
	auto_free char *path = file_path(store, id);
	int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool file_is(struct file_store *store, int64_t id, int fd)
{
	auto_free char *path = file_path(store, id);
	struct stat named, opened;
	return lstat(path, &named) == 0 && fstat(fd, &opened) == 0 &&
	       named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

void file_remove(struct file_store *store, int64_t id)
{
	auto_free char *path = file_path(store, id);
	(void)unlink(path);
	(void)FAULT("file-removed");
}

int file_stat(struct file_store *store, struct cache_message *message)
{
	auto_free char *path = file_path(store, message->id);
	struct stat st;
	if (lstat(path, &st) < 0)
		return -errno;
	message->size = (uint64_t)st.st_size;
	message->is_size_exact = true;
	message->mode = st.st_mode & 07777;
	message->uid = st.st_uid;
	message->gid = st.st_gid;
	message->mtime = st.st_mtim;
	message->ctime = st.st_ctim;
	return 0;
}

int file_set(struct file_store *store, const struct cache_message *what,
             unsigned which)
{
	auto_free char *path = file_path(store, what->id);
	uid_t uid = which & CACHE_SET_UID ? what->uid : (uid_t)-1;
	gid_t gid = which & CACHE_SET_GID ? what->gid : (gid_t)-1;
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, what->mtime };
	if ((which & CACHE_SET_MODE) && chmod(path, what->mode & 07777) < 0)
		return -errno;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    lchown(path, uid, gid) < 0)
		return -errno;
	if ((which & CACHE_SET_MTIME) &&
	    utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

bool file_is_synced(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	bool has = ring_has(&store->synced, id);
	(void)pthread_mutex_unlock(&store->lock);
	return has;
}

static void set_synced(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	ring_add(&store->synced, id);
	(void)pthread_mutex_unlock(&store->lock);
}

static int sync_name(struct file_store *store, int64_t id, const char *name)
{
	auto_free char *path = dir_path(store, id);
	return sync_dir(path, name);
}

int file_fill(struct file_store *store, const struct cache_message *message,
              int body, int fd)
{
	int err = copy_data(body, fd);
	if (err == 0)
		err = set_times(fd, message);
	if (err == 0)
		err = sync_file(fd, "copy");
	if (err == 0)
		err = sync_name(store, message->id, "copy-name");
	if (err == 0)
		set_synced(store, message->id);
	return err;
}

static int flush_data(struct file_store *store, int64_t id)
{
	int err = FAULT("file-sync");
	if (err < 0)
		return err;
	auto_fd int fd = file_open(store, id, O_RDONLY);
	if (fd < 0)
		return fd;
	err = sync_file(fd, "file");
	return err == 0 ? FAULT("file-synced") : err;
}

int file_sync(struct file_store *store, int64_t id)
{
	if (file_is_synced(store, id))
		return 0;
	file_watch(store, id);
	int err = flush_data(store, id);
	if (err == 0)
		err = sync_name(store, id, "file-name");
	file_end_watch(store, err == 0);
	return err;
}

int file_sync_again(struct file_store *store, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int err = flush_data(store, ids[i]);
		if (err < 0 && err != -ENOENT)
			return err;
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && dir_of(ids[i]) == dir_of(ids[i - 1]))
			continue;
		int err = sync_name(store, ids[i], "file-name");
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_whole(int fd, void *bytes, size_t size)
{
	size_t at = 0;
	while (at < size) {
		ssize_t n = pread(fd, (char *)bytes + at, size - at, (off_t)at);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int file_read(struct file_store *store, const struct cache_message *message,
              void *bytes)
{
	auto_fd int fd = file_open(store, message->id, O_RDONLY);
	return fd < 0 ? fd : read_whole(fd, bytes, message->size);
}

static bool has_bytes(int fd, const void *bytes, size_t size)
{
	struct stat st;
	auto_free char *found = xmalloc(size + 1);
	return fstat(fd, &st) == 0 && (size_t)st.st_size == size &&
	       read_whole(fd, found, size) == 0 &&
	       memcmp(found, bytes, size) == 0;
}

int file_restore(struct file_store *store, const struct cache_message *message,
                 const void *bytes)
{
	auto_fd int found = file_open(store, message->id, O_RDONLY);
	if (found >= 0 && has_bytes(found, bytes, message->size))
		return 0;
	auto_fd int fd = -1;
	int err = make_file(store, message->id, message->mode, message->uid,
	                    message->gid, &fd);
	if (err < 0)
		return err;
	ssize_t n = pwrite(fd, bytes, message->size, 0);
	if (n != (ssize_t)message->size)
		return n < 0 ? -errno : -ENOSPC;
	err = set_times(fd, message);
	return err < 0 ? err : 1;
}

int file_rewrite(struct file_store *store, const struct cache_message *message,
                 const void *bytes)
{
	struct stat st;
	auto_fd int fd = file_open(store, message->id, O_WRONLY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	ssize_t n = pwrite(fd, bytes, message->size, 0);
	if (n != (ssize_t)message->size)
		return n < 0 ? -errno : -ENOSPC;
	struct timespec times[] = { st.st_atim, st.st_mtim };
	return futimens(fd, times) < 0 ? -errno : 0;
}

static struct writer *find_writer_locked(struct file_store *store, int64_t id)
{
	for (size_t i = 0; i < store->writer_count; i++)
		if (store->writers[i].id == id)
			return &store->writers[i];
	return NULL;
}

void file_writer(struct file_store *store, int64_t id, int change)
{
	(void)pthread_mutex_lock(&store->lock);
	struct writer *w = find_writer_locked(store, id);
	if (w == NULL) {
		if (store->writer_count == store->writer_capacity) {
			store->writer_capacity = 2 * store->writer_capacity + 8;
			store->writers =
				xrealloc(store->writers,
			                 store->writer_capacity * sizeof(*w));
		}
		w = &store->writers[store->writer_count++];
		*w = (struct writer){ .id = id };
	}
	w->count += change;
	if (w->count <= 0)
		*w = store->writers[--store->writer_count];
	(void)pthread_mutex_unlock(&store->lock);
}

bool file_has_writer(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	bool has = find_writer_locked(store, id) != NULL;
	(void)pthread_mutex_unlock(&store->lock);
	return has;
}
