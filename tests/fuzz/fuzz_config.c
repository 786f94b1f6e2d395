/*
 * Any bytes as a configuration file: read, or refused with words; never a
 * control byte in them that a terminal would obey.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_words(const struct strbuf *why)
{
	for (size_t i = 0; i < why->len; i++) {
		unsigned char c = (unsigned char)why->bytes[i];
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char home[] = "/home/me", state[] = "/state", cache[] = "/cache";
	const struct config_dirs dirs = { .home = home,
		                          .state = state,
		                          .cache = cache };
	int fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0600) < 0 ||
	    write(fd, bytes, size) != (ssize_t)size)
		abort();
	char path[32];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct config config = { 0 };
	struct strbuf why = { 0 };
	int err = config_read(path, &dirs, "1", &config, &why);
	if ((err == 0) != (why.len == 0) ||
	    (err == 0) != (config.account_count > 0))
		abort();
	check_words(&why);
	strbuf_release(&why);
	config_release(&config);
	(void)close(fd);
	return 0;
}
