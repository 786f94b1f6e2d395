#include "util/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long passed;

static void log_passage(const char *name)
{
	const char *path = getenv("MAILMOUNT_FAULT_LOG");
	if (path == NULL)
		return;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)dprintf(fd, "%s\n", name);
	(void)close(fd);
}

/* Does spec, up to its first colon, name this point? */
static int is_named(const char *spec, const char *name)
{
	size_t len = strcspn(spec, ":");
	if (len == 1 && spec[0] == '*')
		return 1;
	return strlen(name) == len && strncmp(spec, name, len) == 0;
}

int fault_pass(const char *name)
{
	log_passage(name);
	const char *spec = getenv("MAILMOUNT_FAULT");
	if (spec == NULL || !is_named(spec, name))
		return 0;
	const char *rest = spec + strcspn(spec, ":");
	long nth = 1;
	if (*rest == ':')
		nth = strtol(rest + 1, NULL, 10);
	if (atomic_fetch_add(&passed, 1) + 1 != nth)
		return 0;
	const char *action = *rest == ':' ? strchr(rest + 1, ':') : NULL;
	if (action != NULL && strcmp(action, ":kill") != 0)
		return -(int)strtol(action + 1, NULL, 10);
	(void)kill(getpid(), SIGKILL);
	return -ECANCELED;
}
