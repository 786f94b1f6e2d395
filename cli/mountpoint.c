#include "cli/mountpoint.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/mem.h"

/* What FUSE says where its daemon has died. */
static bool is_dead_mount(int err)
{
	return err == ENOTCONN || err == ECONNABORTED || err == EIO;
}

/* By its parent, which can still be looked at. */
static char *resolve_by_parent(const char *dir)
{
	auto_free char *parent_copy = xstrdup(dir);
	auto_free char *name_copy = xstrdup(dir);
	auto_free char *parent = realpath(dirname(parent_copy), NULL);
	if (parent == NULL)
		return NULL;
	const char *slash = strcmp(parent, "/") == 0 ? "" : "/";
	return xasprintf("%s%s%s", parent, slash, basename(name_copy));
}

int mountpoint_resolve(const char *dir, char **path_out, char **why_out)
{
	auto_free char *path = realpath(dir, NULL);
	struct stat st;
	int err = 0;
	if (path == NULL || stat(path, &st) < 0)
		err = errno;
	else if (!S_ISDIR(st.st_mode))
		err = ENOTDIR;
	if (is_dead_mount(err)) {
		free(path);
		path = resolve_by_parent(dir);
		err = path != NULL ? 0 : errno;
	}
	if (err == 0) {
		*path_out = take(path);
		return 0;
	}
	*why_out = err == ENOENT ? xasprintf("%s: no such directory; make it "
	                                     "with mkdir",
	                                     dir)
	                         : xasprintf("%s: %s", dir, strerror(err));
	return -err;
}
