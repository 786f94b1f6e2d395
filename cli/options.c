#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/value.h"
#include "util/cleanup.h"
#include "util/mem.h"

const char options_usage[] =
	"usage: mailmount [-fv] [-o OPTION,...] [--config FILE] [ACCOUNT] DIR\n"
	"       mailmount -u DIR\n"
	"       mailmount check [ACCOUNT]\n"
	"       mailmount status [--json] [ACCOUNT]\n"
	"       mailmount sync [--timeout TIME] [ACCOUNT...]\n"
	"       mailmount queue [--json | --export DIR] [ACCOUNT]\n"
	"       mailmount confirm | undo | retry [ACCOUNT]\n"
	"       mailmount events [ACCOUNT...]\n"
	"       mailmount import MBOX MAILDIR\n"
	"       mailmount export MAILDIR MBOX\n"
	"\n"
	"  -f, --foreground   stay in the foreground, log to standard error\n"
	"  -o OPTION,...      mount options: ro, allow_other, allow_root,\n"
	"                     auto_unmount, config=FILE\n"
	"  -u, --unmount      unmount DIR\n"
	"  -v, --verbose      say more; twice: everything\n"
	"      --config FILE  instead of ~/.config/mailmount/config\n"
	"      --json         status and queue for programs\n"
	"      --timeout TIME wait no longer for the server\n"
	"      --export DIR   copy what was refused to a Maildir\n"
	"      --version\n"
	"      --help\n"
	"\n"
	"See mailmount(1), mailmount.conf(5).\n";

enum {
	OPT_CONFIG = 256,
	OPT_JSON,
	OPT_TIMEOUT,
	OPT_EXPORT,
	OPT_VERSION,
	OPT_HELP,
};

#define TIMEOUT_MAX_S (24 * 3600)

static const struct option long_options[] = {
	{ "foreground", no_argument, NULL, 'f' },
	{ "unmount", no_argument, NULL, 'u' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "export", required_argument, NULL, OPT_EXPORT },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

/* What fstab and mount(8) put into every list: nothing to us. */
static const char *const ignored[] = {
	"rw",         "defaults", "auto",     "noauto",     "user",
	"nouser",     "users",    "owner",    "group",      "nofail",
	"_netdev",    "dev",      "nodev",    "suid",       "nosuid",
	"exec",       "noexec",   "async",    "sync",       "dirsync",
	"atime",      "noatime",  "relatime", "norelatime", "strictatime",
	"nodiratime", "diratime", "lazytime", "nolazytime",
};

static const char *const passed_on[] = {
	"allow_other",
	"allow_root",
	"auto_unmount",
	"ro",
};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(word, list) \
	is_one_of(word, list, sizeof(list) / sizeof((list)[0]))

static int parse_mount_option(const char *word, struct options *options,
                              struct strbuf *why)
{
	if (*word == '\0' || IS_ONE_OF(word, ignored) ||
	    strncmp(word, "x-", 2) == 0)
		return 0;
	if (IS_ONE_OF(word, passed_on)) {
		if (options->kernel.len > 0)
			strbuf_putc(&options->kernel, ',');
		strbuf_puts(&options->kernel, word);
		return 0;
	}
	if (strncmp(word, "config=", 7) == 0 && word[7] != '\0') {
		free(options->config);
		options->config = xstrdup(word + 7);
		return 0;
	}
	strbuf_printf(why, "-o %s: no such mount option", word);
	return -EINVAL;
}

static int parse_mount_options(const char *list, struct options *options,
                               struct strbuf *why)
{
	auto_free char *copy = xstrdup(list);
	char *rest = copy, *word;
	while ((word = strsep(&rest, ",")) != NULL) {
		int err = parse_mount_option(word, options, why);
		if (err < 0)
			return err;
	}
	return 0;
}

static int parse_timeout(const char *text, struct options *options,
                         struct strbuf *why)
{
	const char *wrong =
		value_duration(text, 0, TIMEOUT_MAX_S, &options->timeout_ms);
	if (wrong == NULL)
		return 0;
	strbuf_printf(why, "--timeout: \"%s\" %s", text, wrong);
	return -EINVAL;
}

static int parse_option(int opt, const char *arg, struct options *options,
                        struct strbuf *why)
{
	switch (opt) {
	case 'f':
		options->is_foreground = true;
		return 0;
	case 'o':
		return parse_mount_options(optarg, options, why);
	case 'u':
		options->command = COMMAND_UNMOUNT;
		return 0;
	case 'v':
		options->verbosity++;
		return 0;
	case OPT_CONFIG:
		free(options->config);
		options->config = xstrdup(optarg);
		return 0;
	case OPT_JSON:
		options->is_json = true;
		return 0;
	case OPT_TIMEOUT:
		return parse_timeout(optarg, options, why);
	case OPT_EXPORT:
		options->export_dir = optarg;
		return 0;
	case OPT_VERSION:
		options->command = COMMAND_VERSION;
		return 0;
	case OPT_HELP:
		options->command = COMMAND_HELP;
		return 0;
	case ':':
		strbuf_printf(why, "%s needs an argument", arg);
		return -EINVAL;
	default:
		strbuf_printf(why, "%s: no such option", arg);
		return -EINVAL;
	}
}

static const struct subcommand {
	const char *name;
	enum command command;
	int min, max; /* words behind it */
	const char *words;
} subcommands[] = {
	{ "check", COMMAND_CHECK, 0, 1, "[ACCOUNT]" },
	{ "status", COMMAND_STATUS, 0, 1, "[ACCOUNT]" },
	{ "sync", COMMAND_SYNC, 0, INT_MAX, "[ACCOUNT...]" },
	{ "queue", COMMAND_QUEUE, 0, 1, "[ACCOUNT]" },
	{ "confirm", COMMAND_CONFIRM, 0, 1, "[ACCOUNT]" },
	{ "undo", COMMAND_UNDO, 0, 1, "[ACCOUNT]" },
	{ "retry", COMMAND_RETRY, 0, 1, "[ACCOUNT]" },
	{ "events", COMMAND_EVENTS, 0, INT_MAX, "[ACCOUNT...]" },
	{ "import", COMMAND_IMPORT, 2, 2, "MBOX MAILDIR" },
	{ "export", COMMAND_EXPORT, 2, 2, "MAILDIR MBOX" },
};

static const struct subcommand *find_subcommand(const char *name)
{
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]);
	     i++)
		if (strcmp(name, subcommands[i].name) == 0)
			return &subcommands[i];
	return NULL;
}

static int parse_subcommand(const struct subcommand *sub, int argc, char **argv,
                            struct options *options, struct strbuf *why)
{
	if (argc > sub->max) {
		strbuf_printf(why, "%s: one argument too many", argv[sub->max]);
		return -EINVAL;
	}
	if (argc < sub->min) {
		strbuf_printf(why, "%s needs %s", sub->name, sub->words);
		return -EINVAL;
	}
	options->command = sub->command;
	options->words = argv;
	options->word_count = (size_t)argc;
	return 0;
}

/* [ACCOUNT] DIR */
static int parse_mount(int argc, char **argv, struct options *options,
                       struct strbuf *why)
{
	int max = options->command == COMMAND_UNMOUNT ? 1 : 2;
	if (argc > max) {
		strbuf_printf(why, "%s: one argument too many", argv[max]);
		return -EINVAL;
	}
	if (argc == 0) {
		strbuf_puts(why, "which directory?");
		return -EINVAL;
	}
	options->dir = argv[argc - 1];
	options->words = argv;
	options->word_count = (size_t)argc - 1;
	return 0;
}

/* Some options are for some commands. */
static int check_options(const struct options *options, struct strbuf *why)
{
	bool is_queue = options->command == COMMAND_QUEUE;
	if (options->is_json && !is_queue && options->command != COMMAND_STATUS)
		strbuf_puts(why, "--json goes with status and queue");
	else if (options->export_dir != NULL && !is_queue)
		strbuf_puts(why, "--export goes with queue");
	else if (options->export_dir != NULL && options->is_json)
		strbuf_puts(why, "--export and --json: give one of them");
	else if (options->timeout_ms >= 0 && options->command != COMMAND_SYNC)
		strbuf_puts(why, "--timeout goes with sync");
	return why->len > 0 ? -EINVAL : 0;
}

static int parse_arguments(int argc, char **argv, struct options *options,
                           struct strbuf *why)
{
	if (options->command == COMMAND_HELP ||
	    options->command == COMMAND_VERSION)
		return 0;
	const struct subcommand *sub = NULL;
	if (argc > 0 && options->command != COMMAND_UNMOUNT)
		sub = find_subcommand(argv[0]);
	int err = sub != NULL ? parse_subcommand(sub, argc - 1, argv + 1,
	                                         options, why)
	                      : parse_mount(argc, argv, options, why);
	if (err < 0)
		return err;
	return check_options(options, why);
}

int options_parse(int argc, char **argv, struct options *options_out,
                  struct strbuf *why)
{
	*options_out =
		(struct options){ .command = COMMAND_MOUNT, .timeout_ms = -1 };
	optind = 0; /* glibc: forget an earlier run */
	for (;;) {
		int at = optind > 0 ? optind : 1;
		int opt = getopt_long(argc, argv, ":fo:uv", long_options, NULL);
		if (opt < 0)
			break;
		int named = optind > 1 ? optind - 1 : at;
		int err = parse_option(opt, argv[named], options_out, why);
		if (err < 0)
			return err;
	}
	return parse_arguments(argc - optind, argv + optind, options_out, why);
}

void options_release(struct options *options)
{
	free(options->config);
	strbuf_release(&options->kernel);
	*options = (struct options){ 0 };
}
