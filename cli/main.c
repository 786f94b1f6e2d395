#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/background.h"
#include "cli/changes.h"
#include "cli/check.h"
#include "cli/config.h"
#include "cli/daemon.h"
#include "cli/events.h"
#include "cli/exit_code.h"
#include "cli/import.h"
#include "cli/mountpoint.h"
#include "cli/options.h"
#include "cli/queue.h"
#include "cli/status.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

/* No secret in a core file, none for a debugger of the same user. */
static void harden(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	struct rlimit none = { 0 };
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void prepare_resources(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* An arena for each thread would hold on to memory for each. */
	(void)mallopt(M_ARENA_MAX, 2);
}

static void block_signals(void)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static enum log_level log_level_of(int verbosity)
{
	if (verbosity == 0)
		return LOG_LEVEL_WARN;
	return verbosity == 1 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static int run_mount(const struct options *options,
                     const struct config_account *const *accounts, size_t count)
{
	auto_free char *why = NULL;
	auto_free char *mountpoint = NULL;
	int err = mountpoint_resolve(options->dir, &mountpoint, &why);
	if (err < 0) {
		(void)fprintf(stderr, "mailmount: %s\n", why);
		return exit_code(err);
	}
	prepare_resources();
	int background = -1;
	if (!options->is_foreground) {
		err = background_start(&background);
		if (err < 0) {
			(void)fprintf(stderr, "mailmount: %s\n",
			              strerror(-err));
			return exit_code(err);
		}
	}
	/* Not before: the parent ends by ^C. */
	block_signals();
	log_open(log_level_of(options->verbosity), !options->is_foreground);
	struct daemon_config config = {
		.accounts = accounts,
		.account_count = count,
		.is_single = count == 1,
		.mountpoint = mountpoint,
		.options = strbuf_text(&options->kernel),
		.background = &background,
	};
	int code = daemon_run(&config);
	background_tell(&background, code);
	return code;
}

static int complain_of_account(const char *name, const struct config *config)
{
	(void)fprintf(stderr, "mailmount: %s: no such account; there is", name);
	for (size_t i = 0; i < config->account_count; i++)
		(void)fprintf(stderr, " %s", config->accounts[i].name);
	(void)fputc('\n', stderr);
	return EX_USAGE;
}

static int run_command(const struct options *options,
                       const struct config_account *const *accounts,
                       size_t count)
{
	switch (options->command) {
	case COMMAND_CHECK:
		log_open(log_level_of(options->verbosity), false);
		return check_show(accounts, count, stdout);
	case COMMAND_STATUS:
		return status_show(accounts, count, options->is_json, stdout);
	case COMMAND_SYNC:
		return changes_sync(accounts, count, options->timeout_ms);
	case COMMAND_QUEUE:
		if (options->export_dir != NULL)
			return queue_export(accounts, count,
			                    options->export_dir);
		return queue_show(accounts, count, options->is_json, stdout);
	case COMMAND_CONFIRM:
		return changes_order(accounts, count, CHANGES_CONFIRM);
	case COMMAND_UNDO:
		return changes_order(accounts, count, CHANGES_UNDO);
	case COMMAND_RETRY:
		return changes_order(accounts, count, CHANGES_RETRY);
	case COMMAND_EVENTS:
		return events_show(accounts, count);
	case COMMAND_MOUNT:
		return run_mount(options, accounts, count);
	case COMMAND_UNMOUNT:
	case COMMAND_IMPORT:
	case COMMAND_EXPORT:
	case COMMAND_HELP:
	case COMMAND_VERSION:
		break;
	}
	return EX_SOFTWARE;
}

static int run_on_accounts(const struct options *options,
                           const struct config *config)
{
	size_t count = options->word_count;
	size_t size = count > 0 ? count : config->account_count;
	auto_free const struct config_account **accounts =
		xcalloc(size, sizeof(struct config_account *));
	for (size_t i = 0; i < count; i++) {
		const char *name = options->words[i];
		accounts[i] = config_account_find(config, name);
		if (accounts[i] == NULL)
			return complain_of_account(name, config);
	}
	for (; count < size; count++)
		accounts[count] = &config->accounts[count];
	return run_command(options, accounts, count);
}

/* The file that options name, or the usual one. */
static int load(const struct options *options, struct config *config_out,
                struct strbuf *why)
{
	struct config_dirs dirs;
	config_dirs_init(&dirs);
	const char *path =
		options->config != NULL ? options->config : dirs.config;
	int err = config_read(path, &dirs, MAILMOUNT_VERSION, config_out, why);
	config_dirs_release(&dirs);
	return err;
}

static int run_with_config(const struct options *options)
{
	auto_strbuf struct strbuf why = { 0 };
	struct config config;
	int err = load(options, &config, &why);
	if (err < 0)
		(void)fputs(strbuf_text(&why), stderr);
	if (err == -ENOENT)
		(void)fprintf(stderr, "Write one; this is all it needs:\n\n%s",
		              config_example);
	if (err < 0)
		return EX_CONFIG;
	int code = run_on_accounts(options, &config);
	config_release(&config);
	return code;
}

/* It is only for information: without a configuration there is none. */
static void find_waiting(const struct options *options, const char *mountpoint,
                         struct strbuf *text)
{
	auto_strbuf struct strbuf why = { 0 };
	struct config config;
	if (load(options, &config, &why) < 0)
		return;
	for (size_t i = 0; i < config.account_count; i++)
		changes_waiting(&config.accounts[i], mountpoint, text);
	config_release(&config);
}

static int run_unmount(const struct options *options)
{
	auto_free char *why = NULL;
	auto_free char *mountpoint = NULL;
	auto_strbuf struct strbuf waiting = { 0 };
	int err = mountpoint_resolve(options->dir, &mountpoint, &why);
	if (err == 0) {
		find_waiting(options, mountpoint, &waiting);
		err = fs_unmount(mountpoint, &why);
	}
	if (err < 0)
		(void)fprintf(stderr, "mailmount: %s\n",
		              why != NULL ? why : strerror(-err));
	else
		(void)fputs(strbuf_text(&waiting), stdout);
	return exit_code(err);
}

static int run(const struct options *options)
{
	switch (options->command) {
	case COMMAND_HELP:
		(void)fputs(options_usage, stdout);
		return EX_OK;
	case COMMAND_VERSION:
		(void)puts("mailmount " MAILMOUNT_VERSION);
		return EX_OK;
	case COMMAND_UNMOUNT:
		return run_unmount(options);
	case COMMAND_MOUNT:
	case COMMAND_CHECK:
	case COMMAND_STATUS:
	case COMMAND_SYNC:
	case COMMAND_QUEUE:
	case COMMAND_CONFIRM:
	case COMMAND_UNDO:
	case COMMAND_RETRY:
	case COMMAND_EVENTS:
		return run_with_config(options);
	case COMMAND_IMPORT:
		return import_run(options->words[0], options->words[1]);
	case COMMAND_EXPORT:
		return export_run(options->words[0], options->words[1]);
	}
	return EX_SOFTWARE;
}

int main(int argc, char **argv)
{
	harden();
	struct options options;
	auto_strbuf struct strbuf why = { 0 };
	int code = EX_USAGE;
	if (options_parse(argc, argv, &options, &why) == 0)
		code = run(&options);
	else
		(void)fprintf(stderr, "mailmount: %s\n%s", strbuf_text(&why),
		              options_usage);
	options_release(&options);
	if (fflush(stdout) != 0 && code == EX_OK)
		code = EX_IOERR;
	return code;
}
