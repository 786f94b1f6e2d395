/*
 * SHA-256, comparison that tells nothing by its time, and wiping.
 */
#ifndef UTIL_DIGEST_H
#define UTIL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32

void digest_sha256(const void *bytes, size_t len, uint8_t out[DIGEST_SIZE]);

/* The same in pieces: begin, add, and end, which frees it. */
struct digest;
struct digest *digest_begin(void);
void digest_add(struct digest *d, const void *bytes, size_t len);
void digest_end(struct digest *d, uint8_t out[DIGEST_SIZE]);

/* The first 64 bits of the digest, as a number that names the bytes. */
uint64_t digest_u64(const void *bytes, size_t len);

bool digest_equal(const void *a, const void *b, size_t len);

/* Overwrite; the compiler does not remove it. */
void wipe(void *p, size_t len);

#endif
