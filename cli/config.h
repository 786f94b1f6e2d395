/*
 * The configuration file: an INI file with a section for each account,
 *
 *	[defaults]
 *	[account NAME]
 *
 * taken in through one table of options.  Constant once read.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "fs/fs.h"
#include "imapclient/imapclient.h"
#include "util/strbuf.h"

#define CONFIG_ERRORS_MAX 20 /* mistakes shown of one file */

/* All pointers are borrowed from the config it belongs to. */
struct config_account {
	const char *name;
	const char *state_dir, *cache_dir;
	struct imap_config imap; /* its conn also where that is POP3's */
	/* POP3: mail is taken off the server, when it came so long ago. */
	bool is_taken;
	int64_t take_after_s;
	enum cache_delete delete;
	enum cache_ack ack;
	unsigned connections;
	int interval_ms;
	uint64_t cache_size;
	uint64_t ahead_max;     /* 0: none */
	uint64_t daily_limit;   /* 0: none */
	const char *hook;       /* NULL: none */
	uint64_t announce_size; /* arrivals that are fetched first */
	const char *const *folders;
	size_t folder_count;
	const char *split;          /* INBOX by recipients; NULL: not */
	const char *const *domains; /* of those; none: of all */
	size_t domain_count;
	enum fs_layout layout;
};

struct config {
	struct config_account *accounts; /* in the file's order */
	size_t account_count;
	/* Everything the accounts point to; wiped when released. */
	char **strings;
	size_t string_count;
};

/* Where things are; each absolute, to be freed by config_dirs_release(). */
struct config_dirs {
	char *home;
	char *config; /* the file */
	char *state, *cache;
};

/* From the environment: HOME, XDG_*_HOME. */
void config_dirs_init(struct config_dirs *dirs);
void config_dirs_release(struct config_dirs *dirs);

/*
 * Read a file.  dirs says where accounts keep their things; version goes to
 * imap_config.version.  Both are borrowed during the call only, but version,
 * which must live as long as the config.
 *
 * Returns 0; -ENOENT (no such file); -EINVAL: there are mistakes; else -errno.
 * On every error *why is a line for each, "FILE:LINE: …", ready to print.
 */
int config_read(const char *path, const struct config_dirs *dirs,
                const char *version, struct config *config_out,
                struct strbuf *why);

void config_release(struct config *config);

/* NULL: there is no such account. */
const struct config_account *config_account_find(const struct config *config,
                                                 const char *name);

/* A configuration to begin with, for those who have none. */
extern const char config_example[];

#endif
