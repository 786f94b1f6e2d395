/*
 * Kept files: what the server does not have, or not so.  They are in
 * state_dir/files/xx/ID, xx changing with each DB_ID_BLOCK ids, and are ended by
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

/* Files that no row of db names are removed. */
int file_store_open(const char *state_dir, struct db *db,
                    struct file_store **store_out);
void file_store_close(struct file_store *store);

/* Make an empty one; *fd_out is for reading and writing. */
int file_create(struct file_store *store, int64_t id, mode_t mode, uid_t uid,
                gid_t gid, int *fd_out);
/*
 * The same of one of the spare files, which gives it its id: they are made
 * ahead, for to make a file and to sync its name may take longer than its data.
 * -ENOENT: none is left.
 */
int file_take(struct file_store *store, mode_t mode, uid_t uid, gid_t gid,
              int64_t *id_out, int *fd_out);
/* Make more spare files, if there were too few.  May take its time. */
void file_prepare(struct file_store *store, struct db *db);
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

/* Its data, and its name, survive a power cut from now on. */
int file_sync(struct file_store *store, int64_t id);

/* Who writes: while anybody does, the dust has not settled. */
void file_writer(struct file_store *store, int64_t id, int change);
bool file_has_writer(struct file_store *store, int64_t id);
/* Data changed, or is about to. */
void file_touch(struct file_store *store, int64_t id);

#endif
