#include "cache/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool has_word(const char *words, const char *word, size_t len)
{
	while (*words != '\0') {
		size_t n = strcspn(words, " ");
		if (n == len && memcmp(words, word, n) == 0)
			return true;
		words += n + strspn(words + n, " ");
	}
	return false;
}

/* Add to out, which has len bytes, words that are not among others. */
static void append(const char *words, const char *others, char *out, size_t len,
                   size_t size)
{
	while (*words != '\0') {
		size_t n = strcspn(words, " ");
		if (n > 0 && !has_word(others, words, n) && len + n + 2 <= size)
			len += (size_t)snprintf(out + len, size - len, "%s%.*s",
			                        len > 0 ? " " : "", (int)n,
			                        words);
		words += n + strspn(words + n, " ");
	}
}

void words_less(const char *words, const char *others, char *out, size_t size)
{
	out[0] = '\0';
	append(words, others, out, 0, size);
}

void words_add(char *words_io, size_t size, const char *others)
{
	append(others, words_io, words_io, strlen(words_io), size);
}
