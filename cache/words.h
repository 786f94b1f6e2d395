/*
 * Inside cache/ only: keywords, separated by blanks.  Pure.  What does not fit
 * into size bytes is left out.
 */
#ifndef CACHE_WORDS_H
#define CACHE_WORDS_H

#include <stddef.h>

/* Of words those that are not among others. */
void words_less(const char *words, const char *others, char *out, size_t size);

/* Add to words_io those of others that it has not. */
void words_add(char *words_io, size_t size, const char *others);

#endif
