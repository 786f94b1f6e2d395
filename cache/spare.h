/*
 * Files made ahead, while a delivery waits for the disk: to make one may take as
 * long as to sync it.
 */
#ifndef CACHE_SPARE_H
#define CACHE_SPARE_H

#include "cache/file.h"

/* There are so many at most. */
#define SPARES_MAX 8

struct spares;

/* Starts a thread.  Both are borrowed.  0 or -errno. */
int spares_new(struct file_store *files, struct db *db,
               struct spares **spares_out);
/* NULL is nothing to free.  What was not taken is removed at the next start. */
void spares_free(struct spares *spares);

/* The id of one, which is the caller's from now on; 0: there is none. */
int64_t spares_take(struct spares *spares);
/* Have one more made, if they are used; does not wait for it. */
void spares_want(struct spares *spares);

#endif
