#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/config.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* $NAME/mailmount, or ~/fallback/mailmount; the XDG rule wants it absolute. */
static char *xdg_dir(const char *name, const char *home, const char *fallback)
{
	const char *set = getenv(name);
	if (set != NULL && *set == '/')
		return xasprintf("%s/mailmount", set);
	return xasprintf("%s/%s/mailmount", home, fallback);
}

void config_dirs_init(struct config_dirs *dirs)
{
	const char *home = getenv("HOME");
	if (home == NULL || *home != '/') {
		const struct passwd *user = getpwuid(geteuid());
		home = user != NULL ? user->pw_dir : "/nonexistent";
	}
	auto_free char *config = xdg_dir("XDG_CONFIG_HOME", home, ".config");
	*dirs = (struct config_dirs){
		.home = xstrdup(home),
		.config = xasprintf("%s/config", config),
		.state = xdg_dir("XDG_STATE_HOME", home, ".local/state"),
		.cache = xdg_dir("XDG_CACHE_HOME", home, ".cache"),
	};
}

void config_dirs_release(struct config_dirs *dirs)
{
	free(dirs->home);
	free(dirs->config);
	free(dirs->state);
	free(dirs->cache);
	*dirs = (struct config_dirs){ 0 };
}
