#include "cli/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

static void add_path(struct hook_news *news, const char *path)
{
	char **place = &news->paths[news->path_count++ % HOOK_PATHS_MAX];
	free(*place);
	*place = xstrdup(path);
}

void hook_news_add(struct hook_news *news, enum fs_event_kind kind,
                   const char *path)
{
	news->is_any = true;
	switch (kind) {
	case FS_ARRIVED:
		news->arrived++;
		if (path != NULL)
			add_path(news, path);
		break;
	case FS_CHANGED:
		news->changed++;
		break;
	case FS_REMOVED:
		news->removed++;
		break;
	case FS_LOST:
		break;
	}
}

/* The oldest that is kept is number first. */
static size_t first_path(const struct hook_news *news)
{
	return news->path_count > HOOK_PATHS_MAX
	               ? news->path_count - HOOK_PATHS_MAX
	               : 0;
}

void hook_news_join(struct hook_news *news, struct hook_news *later)
{
	news->is_any |= later->is_any;
	news->arrived += later->arrived;
	news->changed += later->changed;
	news->removed += later->removed;
	for (size_t i = first_path(later); i < later->path_count; i++)
		add_path(news, later->paths[i % HOOK_PATHS_MAX]);
	hook_news_release(later);
}

void hook_news_release(struct hook_news *news)
{
	for (size_t i = 0; i < HOOK_PATHS_MAX; i++)
		free(news->paths[i]);
	*news = (struct hook_news){ 0 };
}

/* The environment and four more; the strings of those are to be freed. */
enum { ADDED = 4 };

static char **environment_of(const struct hook *h)
{
	const struct hook_news *news = &h->news;
	size_t count = 0;
	while (environ[count] != NULL)
		count++;
	char **found = xcalloc(count + ADDED + 1, sizeof(*found));
	found[0] = xasprintf("MAILMOUNT_ACCOUNT=%s", h->account);
	found[1] = xasprintf("MAILMOUNT_ARRIVED=%u", news->arrived);
	found[2] = xasprintf("MAILMOUNT_CHANGED=%u", news->changed);
	found[3] = xasprintf("MAILMOUNT_REMOVED=%u", news->removed);
	size_t added = ADDED;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "MAILMOUNT_", 10) != 0)
			found[added++] = environ[i];
	return found;
}

/* Nothing of ours but the mount: what it prints is lost. */
static int spawn(char *const *argv, char *const *environment, pid_t *pid_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	(void)sigemptyset(&none);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null",
		                                 O_RDWR, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
	                                              POSIX_SPAWN_SETSIGMASK |
	                                              POSIX_SPAWN_SETSIGDEF);
	int err = posix_spawn(pid_out, argv[0], &actions, &attributes, argv,
	                      environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -err;
}

static void run(struct hook *h)
{
	char sh[] = "/bin/sh", dash_c[] = "-c", name[] = "hook";
	auto_free char *command = xstrdup(h->command);
	char *argv[4 + HOOK_PATHS_MAX + 1] = { sh, dash_c, command, name };
	const struct hook_news *news = &h->news;
	size_t count = 4;
	for (size_t i = first_path(news); i < news->path_count; i++)
		argv[count++] = news->paths[i % HOOK_PATHS_MAX];
	auto_free char **environment = environment_of(h);
	int err = spawn(argv, environment, &h->pid);
	for (size_t i = 0; i < ADDED; i++)
		free(environment[i]);
	h->deadline = deadline_in(HOOK_MS);
	if (err < 0) {
		h->pid = 0;
		log_warn("hook: cannot be run: %s", strerror(-err));
	}
	hook_news_release(&h->news);
}

/* With what it started. */
static void end(struct hook *h)
{
	if (h->pid == 0)
		return;
	(void)kill(-h->pid, SIGKILL);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	h->pid = 0;
}

static void reap(struct hook *h)
{
	int status;
	if (h->pid == 0)
		return;
	if (waitpid(h->pid, &status, WNOHANG) == h->pid) {
		h->pid = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_warn("hook: failed: %s",
			         WIFEXITED(status) ? "its exit status is not 0"
			                           : "killed by a signal");
	} else if (deadline_left(h->deadline) == 0) {
		log_warn("hook: did not end; killed");
		(void)kill(-h->pid, SIGKILL);
	}
}

void hook_step(struct hook *h, struct hook_news news, bool may_run)
{
	log_context(h->account, NULL);
	reap(h);
	hook_news_join(&h->news, &news);
	if (h->command == NULL)
		hook_news_release(&h->news);
	else if (may_run && h->pid == 0 && h->news.is_any)
		run(h);
	log_context(NULL, NULL);
}

void hook_release(struct hook *h)
{
	end(h);
	hook_news_release(&h->news);
}
