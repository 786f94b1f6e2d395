/*
 * Which folders the kernel was shown: nobody can watch another's directories.
 * Pure; of the fuse thread.
 */
#ifndef FS_SEEN_H
#define FS_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A bit for each folder of an account. */
struct seen {
	unsigned char *bits;
	size_t size; /* bytes */
};

void seen_add(struct seen *s, int64_t folder);
bool seen_has(const struct seen *s, int64_t folder);
void seen_release(struct seen *s);

#endif
