#include "fs/listing.h"

#include <stdlib.h>

#include "util/mem.h"

static uint64_t *find(const struct listings *l, uint64_t number)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->numbers[i] == number)
			return &l->numbers[i];
	return NULL;
}

bool listing_begin(struct listings *l, uint64_t number)
{
	if (find(l, number))
		return false;
	if (l->count == l->capacity) {
		l->capacity = 2 * l->capacity + 8;
		l->numbers =
			xrealloc(l->numbers, l->capacity * sizeof(*l->numbers));
	}
	l->numbers[l->count++] = number;
	return true;
}

void listing_end(struct listings *l, uint64_t number)
{
	uint64_t *at = find(l, number);
	if (at)
		*at = l->numbers[--l->count];
}

void listings_release(struct listings *l)
{
	free(l->numbers);
	*l = (struct listings){ 0 };
}
