#include "cache/body.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/home.h"
#include "util/cleanup.h"
#include "util/fault.h"
#include "util/log.h"
#include "util/mem.h"

/* Uses remembered between two flushes; more are not. */
#define TOUCH_MAX 4096
/* Bodies evicted in one transaction. */
#define EVICT_BATCH 64

struct body_store {
	char *cache_dir;
	char *dir; /* of this epoch */
	uint64_t size_limit;
	struct db *db; /* borrowed: outlives the store */
	pthread_mutex_t lock;
	/* All below is guarded by lock. */
	uint64_t total;
	int64_t use;
	uint64_t next_temp;
	int64_t touched[TOUCH_MAX];
	size_t touched_count;
};

static int remove_node(const char *path, const struct stat *st, int type,
                       struct FTW *ftw)
{
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_node, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Only what has the form of an epoch: the user may keep other things here. */
static bool is_epoch(const char *name)
{
	return strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16;
}

static void remove_other_epochs(const struct body_store *store)
{
	DIR *dir = opendir(store->cache_dir);
	if (dir == NULL)
		return;
	const char *ours = strrchr(store->dir, '/') + 1;
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (!is_epoch(d->d_name) || strcmp(d->d_name, ours) == 0)
			continue;
		auto_free char *path =
			xasprintf("%s/%s", store->cache_dir, d->d_name);
		log_info("removing the bodies of an index that is gone");
		remove_tree(path);
	}
	(void)closedir(dir);
}

static char *body_path(const struct body_store *store, int64_t message)
{
	return xasprintf("%s/%02x/%" PRId64, store->dir,
	                 (unsigned)(message & 0xff), message);
}

/* In several directories, so that sessions do not wait for each other's. */
static char *temp_path(const struct body_store *store, uint64_t number)
{
	return xasprintf("%s/tmp/%x/%" PRIu64, store->dir,
	                 (unsigned)(number & 0xf), number);
}

/* Make the directory that path is in, and those above. */
static int make_parent(const char *path)
{
	auto_free char *parent =
		xstrndup(path, (size_t)(strrchr(path, '/') - path));
	auto_free char *why = NULL;
	int err = home_make(parent, false, &why);
	if (err < 0)
		log_error("%s", why);
	return err;
}

int body_store_open(const char *cache_dir, uint64_t size_limit, struct db *db,
                    struct body_store **store_out)
{
	struct body_store *store = xmalloc(sizeof(*store));
	store->cache_dir = xstrdup(cache_dir);
	store->dir = xasprintf("%s/%016" PRIx64, cache_dir, db_epoch(db));
	store->size_limit = size_limit;
	store->db = db;
	(void)pthread_mutex_init(&store->lock, NULL);
	remove_other_epochs(store);
	auto_free char *under_way = xasprintf("%s/tmp", store->dir);
	remove_tree(under_way);
	int err = db_body_totals(db_reader(db), &store->total, &store->use);
	if (err < 0) {
		body_store_close(store);
		return err;
	}
	*store_out = store;
	return 0;
}

void body_store_close(struct body_store *store)
{
	if (store == NULL)
		return;
	(void)body_flush(store);
	(void)pthread_mutex_destroy(&store->lock);
	free(store->cache_dir);
	free(store->dir);
	free(store);
}

/*
 * Nothing is synced when it is written: after a power cut a body may be short
 * or not there, its size tells, and it is fetched again.
 */
int body_open(struct body_store *store, int64_t message, uint64_t size)
{
	auto_free char *path = body_path(store, message);
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOTDIR || errno == ELOOP ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return -ENOENT;
	return take_fd(&fd);
}

int body_temp_open(struct body_store *store, struct body_temp *temp_out)
{
	(void)pthread_mutex_lock(&store->lock);
	uint64_t number = store->next_temp++;
	(void)pthread_mutex_unlock(&store->lock);
	int err = FAULT("body-temp");
	if (err < 0)
		return err;
	auto_free char *path = temp_path(store, number);
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags, 0600);
	if (fd < 0 && errno == ENOENT && make_parent(path) == 0)
		fd = open(path, flags, 0600);
	if (fd < 0) {
		err = -errno;
		log_error("cannot make %s: %s", path, strerror(-err));
		return err;
	}
	temp_out->fd = fd;
	temp_out->number = number;
	temp_out->is_published = false;
	return 0;
}

int body_temp_publish(struct body_store *store, struct body_temp *temp,
                      int64_t message)
{
	auto_free char *from = temp_path(store, temp->number);
	auto_free char *to = body_path(store, message);
	int err = FAULT("body-rename");
	if (err < 0)
		return err;
	err = rename(from, to) < 0 ? -errno : 0;
	if (err == -ENOENT && make_parent(to) == 0)
		err = rename(from, to) < 0 ? -errno : 0;
	temp->is_published = err == 0;
	if (err == 0)
		err = FAULT("body-renamed");
	return err;
}

void body_temp_close(struct body_store *store, struct body_temp *temp)
{
	if (temp->fd < 0)
		return;
	auto_free char *path = temp_path(store, temp->number);
	if (!temp->is_published)
		(void)unlink(path);
	(void)close(take_fd(&temp->fd));
}

void body_remove(struct body_store *store, int64_t message)
{
	auto_free char *path = body_path(store, message);
	(void)unlink(path);
}

int64_t body_use(struct body_store *store)
{
	(void)pthread_mutex_lock(&store->lock);
	int64_t use = ++store->use;
	(void)pthread_mutex_unlock(&store->lock);
	return use;
}

void body_touch(struct body_store *store, int64_t message)
{
	(void)pthread_mutex_lock(&store->lock);
	if (store->touched_count < TOUCH_MAX)
		store->touched[store->touched_count++] = message;
	(void)pthread_mutex_unlock(&store->lock);
}

/* Move out the last of what was touched; 0 when there is none. */
static size_t take_touched(struct body_store *store, int64_t *out, size_t max,
                           int64_t *use_out)
{
	(void)pthread_mutex_lock(&store->lock);
	size_t count = store->touched_count < max ? store->touched_count : max;
	/* From the front, so that the order of use stays. */
	memcpy(out, store->touched, count * sizeof(*out));
	store->touched_count -= count;
	memmove(store->touched, store->touched + count,
	        store->touched_count * sizeof(*out));
	*use_out = store->use + 1;
	store->use += (int64_t)count;
	(void)pthread_mutex_unlock(&store->lock);
	return count;
}

int body_flush(struct body_store *store)
{
	int64_t touched[DB_BATCH];
	int64_t use;
	size_t count;
	while ((count = take_touched(store, touched, DB_BATCH, &use)) > 0) {
		struct db_conn *conn;
		int err = db_begin(store->db, &conn);
		if (err < 0)
			return err;
		for (size_t i = 0; i < count && err == 0; i++)
			err = db_body_touch(conn, touched[i], use + (int64_t)i);
		if (err < 0)
			db_rollback(conn);
		else
			err = db_commit(conn);
		if (err < 0)
			return err;
	}
	return 0;
}

void body_count(struct body_store *store, uint64_t added, uint64_t removed)
{
	(void)pthread_mutex_lock(&store->lock);
	store->total += added;
	store->total -= removed < store->total ? removed : store->total;
	(void)pthread_mutex_unlock(&store->lock);
}

uint64_t body_total(struct body_store *store)
{
	(void)pthread_mutex_lock(&store->lock);
	uint64_t total = store->total;
	(void)pthread_mutex_unlock(&store->lock);
	return total;
}

uint64_t body_limit(const struct body_store *store)
{
	return store->size_limit;
}

/*
 * One transaction of eviction.  The files go before the commit: dying in
 * between leaves a row without its file, which body_open() notices, and not a
 * file that no row counts.
 */
static int evict_batch(struct body_store *store, uint64_t excess,
                       uint64_t *freed_out)
{
	struct db_conn *conn;
	int err = db_begin(store->db, &conn);
	if (err < 0)
		return err;
	uint64_t freed = 0;
	for (int i = 0; i < EVICT_BATCH && freed < excess; i++) {
		int64_t message;
		uint64_t size;
		err = db_body_oldest(conn, &message, &size);
		if (err == 0)
			err = db_body_clear(conn, message);
		if (err < 0)
			break;
		body_remove(store, message);
		freed += size;
		*freed_out += size;
	}
	if (err == 0 || err == -ENOENT)
		err = FAULT("body-evicted") < 0 ? -EIO : 0;
	if (err < 0)
		db_rollback(conn);
	else
		err = db_commit(conn);
	return err;
}

int body_evict(struct body_store *store, uint64_t spare)
{
	uint64_t total = body_total(store);
	uint64_t goal = total > spare ? total - spare : 0;
	if (goal > store->size_limit)
		goal = store->size_limit;
	if (total <= goal)
		return 0;
	int err = body_flush(store);
	bool is_any = false;
	while (err == 0 && body_total(store) > goal) {
		uint64_t before = body_total(store);
		uint64_t freed = 0;
		err = evict_batch(store, before - goal, &freed);
		if (err == 0)
			body_count(store, 0, freed);
		if (err == 0 && freed == 0)
			break;
		is_any = true;
	}
	return err < 0 ? err : is_any;
}
