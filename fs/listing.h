/*
 * Which directories are being listed by way of the kernel's cache of names.
 * Only one listing of a directory may be, at a time: another that began after
 * a change, and so has to show it, would go on in the middle with what an older
 * one has put there (Linux 6.18).  Of the fuse thread.
 */
#ifndef FS_LISTING_H
#define FS_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct listings {
	uint64_t *numbers; /* inode numbers of directories */
	size_t count, capacity;
};

/* false: there is one. */
bool listing_begin(struct listings *l, uint64_t number);
void listing_end(struct listings *l, uint64_t number);
void listings_release(struct listings *l);

#endif
