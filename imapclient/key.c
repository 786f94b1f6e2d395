#include "imapclient/key.h"

#include <inttypes.h>
#include <stdio.h>

uint32_t imap_key_uid(const char *key, uint32_t uid_validity)
{
	uint32_t validity, uid;
	char end;
	if (sscanf(key, "%" SCNu32 ".%" SCNu32 "%c", &validity, &uid, &end) !=
	            2 ||
	    validity != uid_validity)
		return 0;
	return uid;
}

void imap_key_print(uint32_t uid_validity, uint32_t uid, char *out, size_t size)
{
	snprintf(out, size, "%" PRIu32 ".%" PRIu32, uid_validity, uid);
}
