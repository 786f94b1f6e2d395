/*
 * Kept files: what the server does not have, or not so.  They are in
 * state_dir/files/xx/ID, xx changing with each FILE_BLOCK ids, and are ended by
 * file_remove() alone.
 *
 * All functions may be called from any thread; results are 0 or -errno.
 */
#ifndef CACHE_FILE_H
#define CACHE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/db.h"

struct file_store;

#define FILE_BLOCK 64

/* Files that no row of db names are removed. */
int file_store_open(const char *state_dir, struct db *db,
                    struct file_store **store_out);
void file_store_close(struct file_store *store);

/* Make an empty one; *fd_out is for reading and writing. */
int file_create(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
                gid_t gid, int *fd_out);
/* The same in two steps, the first ahead of time: see spare.h. */
int file_make_spare(struct file_store *store, int64_t id);
int file_take(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
              gid_t gid, int *fd_out);
/* Make one of a body, with the attributes of its message. */
int file_copy(struct file_store *store, const struct cache_message *message,
              int body, int *fd_out);
/* Copy a body into a made one, and its times; all survives a power cut. */
int file_fill(struct file_store *store, const struct cache_message *message,
              int body, int fd);
int file_open(struct file_store *store, int64_t id, int flags);
/* Is fd still the file of id, or did somebody make another? */
bool file_is(struct file_store *store, int64_t id, int fd);
void file_remove(struct file_store *store, int64_t id);

/* Size, times, mode and owner are those of the file. */
int file_stat(struct file_store *store, struct cache_message *message);
int file_set(struct file_store *store, const struct cache_message *what,
             unsigned which);

/* Exactly message->size bytes; -EIO: there are less. */
int file_read(struct file_store *store, const struct cache_message *message,
              void *bytes);
/* Make the file of message have these bytes: 1, or 0: it has them. */
int file_restore(struct file_store *store, const struct cache_message *message,
                 const void *bytes);

/*
 * Write the bytes that it has over themselves: where a sync failed the kernel
 * holds them for written, and the next would not write them.
 */
int file_rewrite(struct file_store *store, const struct cache_message *message,
                 const void *bytes);

/*
 * Its data, and its name, survive a power cut from now on.  The keeper's alone,
 * as is the watch.
 */
int file_sync(struct file_store *store, int64_t id);
/* The same, whatever is believed of them.  Those that went are left out. */
int file_sync_again(struct file_store *store, const int64_t *ids, size_t count);

/* Would file_sync() have nothing to do? */
bool file_is_synced(struct file_store *store, int64_t id);
/*
 * Watch for changes of one file, until the end; if there was none, and it lasts
 * then, there is nothing to sync.
 */
void file_watch(struct file_store *store, int64_t id);
bool file_is_changed(struct file_store *store);
void file_end_watch(struct file_store *store, bool lasts);

/* Who writes: while anybody does, the dust has not settled. */
void file_writer(struct file_store *store, int64_t id, int change);
bool file_has_writer(struct file_store *store, int64_t id);
/* Data changed, or is about to.  True: it is watched. */
bool file_touch(struct file_store *store, int64_t id);

#endif
