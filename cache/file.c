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
 * Files known to be synced: most deliverers sync a file just before they give
 * it its name, and to sync it again costs as much as the first time.
 */
#define SYNCED_MAX 64
/* A block of ids in each, in turn. */
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
	struct ring synced;        /* data and name */
	struct ring named;         /* name */
	int64_t spare, spares_end; /* made ahead: [spare, spares_end) */
	bool wants_spares;
};

static unsigned dir_of(int64_t id)
{
	return (unsigned)(id / DB_ID_BLOCK) % DIRS;
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
 * A file is made before its row, or long before, and removed after it: some may
 * be left.  One that an older version put elsewhere goes where it belongs.
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

void file_touch(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	ring_remove(&store->synced, id);
	(void)pthread_mutex_unlock(&store->lock);
}

/* The name is to be made anew. */
static void forget(struct file_store *store, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	ring_remove(&store->synced, id);
	ring_remove(&store->named, id);
	(void)pthread_mutex_unlock(&store->lock);
}

/* A new file has the attributes that were asked for, or no name. */
static int dress(int fd, const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	int err = home_room(fd, 0);
	bool is_other = uid != geteuid() || gid != getegid();
	if (err == 0 &&
	    ((is_other && fchown(fd, uid, gid) < 0 && geteuid() == 0) ||
	     fchmod(fd, mode & 07777) < 0))
		err = -errno;
	if (err < 0)
		(void)unlink(path);
	return err;
}

int file_create(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
                gid_t gid, int *fd_out)
{
	int err = FAULT("file-create");
	if (err < 0)
		return err;
	auto_free char *path = file_path(store, id);
	/* One with this number can only be left of a transaction that died. */
	(void)unlink(path);
	forget(store, id);
	auto_fd int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	             0600);
	if (fd < 0)
		return -errno;
	err = dress(fd, path, mode, uid, gid);
	if (err < 0)
		return err;
	*fd_out = take_fd(&fd);
	return 0;
}

/* 0: none is left. */
static int64_t take_spare(struct file_store *store)
{
	int64_t id = 0;
	(void)pthread_mutex_lock(&store->lock);
	if (store->spare < store->spares_end) {
		id = store->spare++;
		ring_add(&store->named, id);
	}
	store->wants_spares = id == 0;
	(void)pthread_mutex_unlock(&store->lock);
	return id;
}

int file_take(struct file_store *store, mode_t mode, uid_t uid, gid_t gid,
              int64_t *id_out, int *fd_out)
{
	int64_t id = take_spare(store);
	if (id == 0)
		return -ENOENT;
	int err = FAULT("file-take");
	if (err < 0)
		return err;
	auto_free char *path = file_path(store, id);
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	/* It begins now. */
	if (fd < 0 || futimens(fd, NULL) < 0)
		return -errno;
	err = dress(fd, path, mode, uid, gid);
	if (err < 0)
		return err;
	*id_out = id;
	*fd_out = take_fd(&fd);
	return 0;
}

static int make_spare(const struct file_store *store, int64_t id)
{
	auto_free char *path = file_path(store, id);
	(void)unlink(path);
	auto_fd int fd =
		open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : 0;
}

/* All of a block, or none. */
static int make_spares(const struct file_store *store, int64_t first)
{
	auto_free char *dir = dir_path(store, first);
	int64_t id = first;
	int err = 0;
	while (err == 0 && id < first + DB_ID_BLOCK)
		err = make_spare(store, id++);
	if (err == 0)
		err = FAULT("file-spares");
	if (err == 0)
		err = sync_dir(dir, "spares");
	while (err < 0 && id > first) {
		auto_free char *path = file_path(store, --id);
		(void)unlink(path);
	}
	return err;
}

void file_prepare(struct file_store *store, struct db *db)
{
	(void)pthread_mutex_lock(&store->lock);
	bool is_wanted = store->wants_spares;
	(void)pthread_mutex_unlock(&store->lock);
	if (!is_wanted)
		return;
	int64_t first = db_id_block(db);
	/* Without them, files are made when they are needed. */
	bool is_made = make_spares(store, first) == 0;
	(void)pthread_mutex_lock(&store->lock);
	store->wants_spares = false;
	store->spare = first;
	store->spares_end = is_made ? first + DB_ID_BLOCK : first;
	(void)pthread_mutex_unlock(&store->lock);
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

static bool is_in(struct file_store *store, const struct ring *ring, int64_t id)
{
	(void)pthread_mutex_lock(&store->lock);
	bool has = ring_has(ring, id);
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
	if (is_in(store, &store->named, id))
		return 0;
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

int file_sync(struct file_store *store, int64_t id)
{
	if (is_in(store, &store->synced, id))
		return 0;
	int err = FAULT("file-sync");
	if (err < 0)
		return err;
	auto_fd int fd = file_open(store, id, O_RDONLY);
	if (fd < 0)
		return fd;
	err = sync_file(fd, "file");
	if (err == 0)
		err = FAULT("file-synced");
	if (err == 0)
		err = sync_name(store, id, "file-name");
	if (err == 0)
		set_synced(store, id);
	return err;
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
