#include "fs/fs.h"

#include <string.h>

#include "fs/maildir.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

char *fs_folder_path(enum fs_layout layout, const char *folder)
{
	char name[MAILDIR_NAME_MAX + 1];
	if (layout == FS_MAILDIRPP) {
		if (strcmp(folder, "INBOX") == 0)
			return xstrdup(".");
		maildir_path_encode(folder, name);
		return xstrdup(name);
	}
	struct strbuf path = { 0 };
	auto_free char *copy = xstrdup(folder);
	char *rest = copy, *level;
	while ((level = strsep(&rest, "/")) != NULL) {
		maildir_level_encode(level, name);
		strbuf_printf(&path, "%s%s", path.len > 0 ? "/" : "", name);
	}
	return strbuf_take(&path);
}
