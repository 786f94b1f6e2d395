#include "imapclient/seqset.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

size_t imap_seqset_sort(uint32_t *uids, size_t count)
{
	if (count == 0)
		return 0;
	qsort(uids, count, sizeof(*uids), compare);
	size_t kept = 1;
	for (size_t i = 1; i < count; i++) {
		if (uids[i] != uids[kept - 1])
			uids[kept++] = uids[i];
	}
	return kept;
}

size_t imap_seqset_add(struct strbuf *sb, const uint32_t *uids, size_t count)
{
	/* The longest range: two numbers of ten digits, a colon, a comma. */
	size_t limit = sb->len + IMAP_SEQSET_MAX - 22;
	size_t i = 0;
	while (i < count && (i == 0 || sb->len <= limit)) {
		size_t last = i;
		while (last + 1 < count && uids[last + 1] == uids[last] + 1)
			last++;
		strbuf_printf(sb, "%s%u", i > 0 ? "," : "", uids[i]);
		if (last > i)
			strbuf_printf(sb, ":%u", uids[last]);
		i = last + 1;
	}
	return i;
}

static bool next_number(const char **p, const char *end, uint32_t *out)
{
	if (*p < end && **p == '*') {
		(*p)++;
		*out = UINT32_MAX;
		return true;
	}
	uint64_t n = 0;
	const char *start = *p;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		n = n * 10 + (uint64_t)(**p - '0');
		if (n > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)n;
	return *p > start && n > 0;
}

bool imap_seqset_next(struct imap_text *set, uint32_t *first_out,
                      uint32_t *last_out)
{
	const char *p = set->bytes;
	const char *end = p == NULL ? NULL : p + set->len;
	uint32_t first, last;
	if (p < end && *p == ',')
		p++;
	if (!next_number(&p, end, &first))
		return false;
	last = first;
	if (p < end && *p == ':') {
		p++;
		if (!next_number(&p, end, &last))
			return false;
	}
	set->bytes = p;
	set->len = (size_t)(end - p);
	*first_out = first < last ? first : last;
	*last_out = first < last ? last : first;
	return true;
}
