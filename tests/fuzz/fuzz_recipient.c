/*
 * Any head: addresses stay within their limits, and name folders that are
 * read as they were written.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cache/recipient.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_level(const char *address)
{
	char *level = recipient_level(address);
	assert(level[0] != '\0' && strlen(level) <= 3 * strlen(address));
	for (const char *c = level; *c != '\0'; c++)
		assert(*c != '/' && (unsigned char)*c >= 0x20 && *c != 0x7f);
	free(level);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const sources[] = { RECIPIENT_RECEIVED_FOR, "To",
		                               "Delivered-To" };
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		struct recipients r;
		recipients_read((const char *)bytes, size, sources[i], &r);
		assert(r.count <= RECIPIENTS_MAX);
		for (size_t k = 0; k < r.count; k++) {
			size_t len = strlen(r.list[k]);
			assert(len > 0 && len <= RECIPIENT_MAX);
			for (size_t m = 0; m < k; m++)
				assert(strcmp(r.list[k], r.list[m]) != 0);
			check_level(r.list[k]);
		}
		recipients_release(&r);
	}
	return 0;
}
