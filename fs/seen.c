#include "fs/seen.h"

#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

/* More folders than any account has; of others, each counts as seen. */
#define SIZE_MAX_BYTES ((size_t)1 << 20)

static bool is_beyond(int64_t folder)
{
	return folder < 0 || (uint64_t)folder / 8 >= SIZE_MAX_BYTES;
}

void seen_add(struct seen *s, int64_t folder)
{
	if (is_beyond(folder))
		return;
	size_t at = (size_t)folder / 8;
	if (at >= s->size) {
		size_t size = at * 2 + 16;
		s->bits = xrealloc(s->bits, size);
		memset(s->bits + s->size, 0, size - s->size);
		s->size = size;
	}
	s->bits[at] |= (unsigned char)(1 << folder % 8);
}

bool seen_has(const struct seen *s, int64_t folder)
{
	size_t at = (size_t)folder / 8;
	return is_beyond(folder) ||
	       (at < s->size && (s->bits[at] & 1 << folder % 8) != 0);
}

void seen_release(struct seen *s)
{
	free(s->bits);
	*s = (struct seen){ 0 };
}
