/*
 * The command line.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/strbuf.h"

enum command {
	COMMAND_MOUNT,
	COMMAND_UNMOUNT,
	COMMAND_CHECK,
	COMMAND_STATUS,
	COMMAND_SYNC,
	COMMAND_QUEUE,
	COMMAND_CONFIRM,
	COMMAND_UNDO,
	COMMAND_RETRY,
	COMMAND_EVENTS,
	COMMAND_IMPORT,
	COMMAND_EXPORT,
	COMMAND_HELP,
	COMMAND_VERSION,
};

struct options {
	enum command command;
	const char *dir; /* borrowed from argv: MOUNT, UNMOUNT */
	/*
	 * Borrowed from argv.  IMPORT, EXPORT: from and to.  Others: accounts;
	 * none: all.
	 */
	char *const *words;
	size_t word_count;
	char *config;         /* NULL: the usual place */
	struct strbuf kernel; /* mount options for the kernel, by commas */
	bool is_foreground;
	bool is_json;
	int timeout_ms;         /* SYNC; -1: none given */
	const char *export_dir; /* borrowed from argv; QUEUE; NULL: none */
	int verbosity;          /* how often -v was given */
};

/*
 * Returns 0, or -EINVAL and one line in *why.  argv may be put in another
 * order; *options_out is filled either way, to be released.
 */
int options_parse(int argc, char **argv, struct options *options_out,
                  struct strbuf *why);
void options_release(struct options *options);

extern const char options_usage[];

#endif
