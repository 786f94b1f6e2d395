/*
 * The table of options that a configuration file may hold.  Private to the
 * config.
 */
#ifndef CLI_CONFIG_OPTIONS_H
#define CLI_CONFIG_OPTIONS_H

#include <stdbool.h>

#include "cli/config.h"

/* In the order of config_options[]; server comes before what depends on it. */
enum config_option {
	OPTION_SERVER,
	OPTION_USER,
	OPTION_PASSWORD,
	OPTION_PASSWORD_COMMAND,
	OPTION_PASSWORD_FILE,
	OPTION_NETRC,
	OPTION_TOKEN_COMMAND,
	OPTION_AUTH,
	OPTION_TLS,
	OPTION_TLS_CA,
	OPTION_TLS_PIN,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_PROXY,
	OPTION_CONNECTIONS,
	OPTION_TIMEOUT,
	OPTION_INTERVAL,
	OPTION_FOLDERS,
	OPTION_LAYOUT,
	OPTION_CACHE_SIZE,
	OPTION_MAX_SIZE,
	OPTION_DAILY_LIMIT,
	OPTION_ANNOUNCE_COMPLETE,
	OPTION_HOOK,
	OPTION_DISABLE,
	OPTION_COMPRESS,
	OPTION_READ_ONLY,
	OPTION_KEEP,
	OPTION_DELETE,
	OPTION_ACK,
	OPTION_SPLIT,
	OPTION_DOMAINS,
	OPTION_COUNT
};

/* An account in the making. */
struct option_target {
	struct config_account account;
	struct config *config; /* borrowed: keeps the strings */
	const char *home;      /* borrowed from the caller's dirs */
	const char *url_user;
	bool has_tls_scheme, is_tls_none;
	unsigned secret_count;
};

/* With what holds where nothing is said. */
void option_target_init(struct option_target *target, struct config *config,
                        const char *home);

struct config_option_entry {
	const char *key;
	bool in_defaults; /* may stand in [defaults] */
	bool is_secret;   /* one of those of which there is exactly one */
	/* NULL, or what is wrong with the text: "is not …; hint". */
	const char *(*parse)(const char *text, struct option_target *target);
};

extern const struct config_option_entry config_options[OPTION_COUNT];

/* The index of a key, or -1. */
int config_option_find(const char *key);

/* Give a string to the config, which frees it at its end. */
const char *config_keep(struct config *config, char *text);

#endif
