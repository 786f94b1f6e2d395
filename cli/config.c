/*
 * Reading goes in two steps.  The first takes the file apart: each section
 * gets the raw text of each option, with the line it stands in; what was
 * written twice, or is no option, is found here.  The second makes each
 * account of its own raw options and, where it has none, of [defaults].
 * Mistakes are collected all the way and shown in the order of their lines.
 */
#include "cli/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/config_options.h"
#include "cli/ini.h"
#include "cli/value.h"
#include "util/cleanup.h"
#include "util/digest.h"
#include "util/mem.h"

#define FILE_SIZE_MAX (1024 * 1024)
#define ACCOUNTS_MAX  64

const char config_example[] = "[account work]\n"
			      "server = imaps://imap.example.org\n"
			      "user = me@example.org\n"
			      "password-command = pass show mail/work\n";

struct section {
	char *name; /* the account's; NULL for [defaults] */
	unsigned line;
	struct raw {
		char *text; /* NULL: not given */
		unsigned line;
	} raw[OPTION_COUNT];
};

struct mistake {
	unsigned line;
	char *text;
};

struct reading {
	const char *path;
	const struct config_dirs *dirs;
	const char *version;
	bool is_private; /* only its owner can read the file */
	struct section defaults;
	struct section *sections;
	size_t section_count;
	struct section dropped; /* options of a section that is wrong */
	struct section *current;
	struct mistake *mistakes;
	size_t mistake_count;
	struct config config;
};

__attribute__((format(printf, 4, 5))) static void
mistake(struct reading *rd, unsigned line, const struct section *section,
        const char *format, ...)
{
	auto_strbuf struct strbuf text = { 0 };
	if (section != NULL && section->name != NULL)
		strbuf_printf(&text, "[account %s] ", section->name);
	else if (section == &rd->defaults)
		strbuf_puts(&text, "[defaults] ");
	char *words = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&words, format, args) < 0)
		abort();
	va_end(args);
	strbuf_puts(&text, words);
	free(words);
	rd->mistakes = xrealloc(rd->mistakes, (rd->mistake_count + 1) *
	                                              sizeof(*rd->mistakes));
	rd->mistakes[rd->mistake_count++] =
		(struct mistake){ line, strbuf_take(&text) };
}

static const char *nearest_option(const char *key)
{
	const char *nearest = NULL;
	size_t least = 3;
	for (int i = 0; i < OPTION_COUNT; i++) {
		size_t distance = value_distance(key, config_options[i].key);
		if (distance < least) {
			least = distance;
			nearest = config_options[i].key;
		}
	}
	return nearest;
}

static void read_value(struct reading *rd, unsigned line, const char *key,
                       const char *value)
{
	struct section *section = rd->current;
	if (section == NULL) {
		mistake(rd, line, NULL,
		        "%s: stands before any section; begin with [account "
		        "NAME]",
		        key);
		return;
	}
	int option = config_option_find(key);
	if (option < 0) {
		const char *nearest = nearest_option(key);
		if (nearest != NULL)
			mistake(rd, line, section,
			        "%s: no such option; did you mean %s?", key,
			        nearest);
		else
			mistake(rd, line, section,
			        "%s: no such option; see mailmount.conf(5)",
			        key);
		return;
	}
	struct raw *raw = &section->raw[option];
	if (raw->text != NULL) {
		mistake(rd, line, section, "%s: given twice; first in line %u",
		        key, raw->line);
		return;
	}
	if (*value == '\0') {
		mistake(rd, line, section, "%s: has no value", key);
		return;
	}
	if (section == &rd->defaults && !config_options[option].in_defaults) {
		mistake(rd, line, section,
		        "%s: belongs to one account; move it there", key);
		return;
	}
	*raw = (struct raw){ xstrdup(value), line };
}

/* The account's name in "account NAME"; NULL if it is not written so. */
static const char *account_of_header(const char *header)
{
	size_t len = strlen("account");
	if (strncmp(header, "account", len) != 0 ||
	    !isblank((unsigned char)header[len]))
		return NULL;
	return header + len + strspn(header + len, " \t");
}

static struct section *find_section(struct reading *rd, const char *name)
{
	for (size_t i = 0; i < rd->section_count; i++)
		if (strcmp(rd->sections[i].name, name) == 0)
			return &rd->sections[i];
	return NULL;
}

static void section_release(struct section *section)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		char *text = section->raw[i].text;
		if (text != NULL)
			wipe(text, strlen(text));
		free(text);
	}
	free(section->name);
	*section = (struct section){ 0 };
}

static void begin_account(struct reading *rd, unsigned line, const char *name)
{
	const struct section *same = find_section(rd, name);
	if (same != NULL)
		mistake(rd, line, same,
		        "the section stands twice; first in "
		        "line %u",
		        same->line);
	else if (!value_is_account_name(name))
		mistake(rd, line, NULL,
		        "[account %s] is no good name; use 1 to 64 letters, "
		        "digits, . _ - and begin with a letter or digit",
		        name);
	else if (rd->section_count == ACCOUNTS_MAX)
		mistake(rd, line, NULL,
		        "[account %s] is one too many; %d may "
		        "stand in a file",
		        name, ACCOUNTS_MAX);
	else {
		struct section *section = &rd->sections[rd->section_count++];
		section->name = xstrdup(name);
		section->line = line;
		rd->current = section;
	}
}

static void read_section(struct reading *rd, unsigned line, const char *header)
{
	section_release(&rd->dropped);
	rd->current = &rd->dropped;
	const char *name = account_of_header(header);
	if (name != NULL) {
		begin_account(rd, line, name);
	} else if (strcmp(header, "defaults") != 0) {
		mistake(rd, line, NULL,
		        "[%s] is no section; write [account NAME] or "
		        "[defaults]",
		        header);
	} else if (rd->defaults.line != 0) {
		mistake(rd, line, &rd->defaults,
		        "the section stands twice; first in line %u",
		        rd->defaults.line);
	} else {
		rd->defaults.line = line;
		rd->current = &rd->defaults;
	}
}

static void read_lines(struct reading *rd, FILE *file)
{
	char *text = NULL;
	size_t capacity = 0;
	ssize_t len;
	for (unsigned line = 1; (len = getline(&text, &capacity, file)) >= 0;
	     line++) {
		/* A byte order mark, as some editors put it. */
		bool has_mark = line == 1 && len >= 3 &&
		                memcmp(text, "\xef\xbb\xbf", 3) == 0;
		size_t skip = has_mark ? 3 : 0;
		struct ini_line parsed;
		switch (ini_parse_line(text + skip, (size_t)len - skip,
		                       &parsed)) {
		case INI_NOTHING:
			break;
		case INI_SECTION:
			read_section(rd, line, parsed.name);
			break;
		case INI_VALUE:
			read_value(rd, line, parsed.name, parsed.value);
			break;
		case INI_WRONG:
			mistake(rd, line, NULL, "%s", parsed.wrong);
			break;
		}
		wipe(text, (size_t)len);
	}
	free(text);
}

static bool parse_one(struct reading *rd, const struct section *section,
                      int option, struct option_target *target)
{
	const struct raw *raw = &section->raw[option];
	const char *why = config_options[option].parse(raw->text, target);
	if (why == NULL)
		return true;
	/* URLs may hold a password. */
	bool may_show = option != OPTION_SERVER && option != OPTION_PROXY;
	if (may_show)
		mistake(rd, raw->line, section, "%s: \"%.200s\" %s",
		        config_options[option].key, raw->text, why);
	else
		mistake(rd, raw->line, section, "%s: %s",
		        config_options[option].key, why);
	return false;
}

/* What is good of [defaults], found once, so that mistakes are told once. */
static void check_defaults(struct reading *rd)
{
	struct option_target target;
	option_target_init(&target, &rd->config, rd->dirs->home);
	for (int i = 0; i < OPTION_COUNT; i++)
		if (rd->defaults.raw[i].text != NULL &&
		    !parse_one(rd, &rd->defaults, i, &target))
			free(take(rd->defaults.raw[i].text));
	free((void *)(uintptr_t)target.account.folders);
	free((void *)(uintptr_t)target.account.domains);
}

/* An account with a secret of its own inherits no other. */
static bool is_inherited(const struct section *section, int option)
{
	if (section->raw[option].text != NULL)
		return false;
	if (!config_options[option].is_secret)
		return true;
	for (int i = 0; i < OPTION_COUNT; i++)
		if (config_options[i].is_secret && section->raw[i].text != NULL)
			return false;
	return true;
}

static void check_secret(struct reading *rd, const struct section *section,
                         const struct option_target *target)
{
	const struct raw *password = &section->raw[OPTION_PASSWORD];
	if (password->text != NULL && !rd->is_private)
		mistake(rd, password->line, section,
		        "password: others can read this file; chmod 600 '%s'",
		        rd->path);
	if (target->secret_count > 1)
		mistake(rd, section->line, section,
		        "has more than one of password, password-command, "
		        "password-file, netrc, token-command; keep one");
	if (target->secret_count == 0 &&
	    target->account.imap.conn.tls_cert == NULL)
		mistake(rd, section->line, section,
		        "has no secret; add password-command = COMMAND (or "
		        "password-file, netrc, token-command)");
}

/* In [defaults] they are for whom they concern. */
static void check_protocol(struct reading *rd, const struct section *section,
                           enum conn_protocol protocol)
{
	static const struct {
		enum config_option option;
		enum conn_protocol protocol;
		const char *text;
	} rows[] = {
		{ OPTION_KEEP, CONN_POP3, "keep: is for POP3; leave it out" },
		{ OPTION_ACK, CONN_IMAP, "ack: is for IMAP; leave it out" },
		{ OPTION_COMPRESS, CONN_IMAP,
		  "compress: is for IMAP; leave it out" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct raw *raw = &section->raw[rows[i].option];
		if (raw->text != NULL && protocol != rows[i].protocol)
			mistake(rd, raw->line, section, "%s", rows[i].text);
	}
}

static void check_account(struct reading *rd, const struct section *section,
                          struct option_target *target, bool was_good)
{
	struct conn_config *conn = &target->account.imap.conn;
	const struct raw *server = &section->raw[OPTION_SERVER];
	if (server->text == NULL)
		mistake(rd, section->line, section,
		        "has no server; add server = imaps://HOST");
	if (target->url_user != NULL && section->raw[OPTION_USER].text != NULL)
		mistake(rd, section->raw[OPTION_USER].line, section,
		        "user: stands in server as well; keep one");
	if (conn->user == NULL)
		conn->user = target->url_user;
	if (conn->user == NULL && was_good)
		mistake(rd, section->line, section,
		        "has no user; add user = NAME");
	if (target->is_tls_none && target->has_tls_scheme)
		mistake(rd, section->line, section,
		        "tls: none goes only with imap:// and pop3://; write "
		        "that or leave tls out");
	if (conn->tls_key != NULL && conn->tls_cert == NULL)
		mistake(rd, section->line, section,
		        "tls-key: goes with tls-cert; add it");
	if (was_good)
		check_secret(rd, section, target);
	conn->security = target->has_tls_scheme ? CONN_TLS
	                 : target->is_tls_none  ? CONN_PLAIN
	                                        : CONN_STARTTLS;
	const struct raw *domains = &section->raw[OPTION_DOMAINS];
	if (domains->text != NULL && target->account.split == NULL && was_good)
		mistake(rd, domains->line, section,
		        "domains: goes with split; add it");
	if (was_good)
		check_protocol(rd, section, conn->protocol);
	/* A second session would be locked out by the first. */
	if (conn->protocol == CONN_POP3)
		target->account.connections = 1;
}

static const char *keep(struct reading *rd, char *text)
{
	return config_keep(&rd->config, text);
}

static void make_account(struct reading *rd, const struct section *section,
                         struct config_account *account_out)
{
	struct option_target target;
	option_target_init(&target, &rd->config, rd->dirs->home);
	bool is_good = true;
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct section *from = section;
		if (is_inherited(section, i))
			from = &rd->defaults;
		if (from->raw[i].text == NULL)
			continue;
		if (from == section)
			is_good &= parse_one(rd, from, i, &target);
		else
			(void)config_options[i].parse(from->raw[i].text,
			                              &target);
	}
	check_account(rd, section, &target, is_good);
	struct config_account *account = &target.account;
	account->imap.version = rd->version;
	account->name = keep(rd, xstrdup(section->name));
	account->state_dir =
		keep(rd, xasprintf("%s/%s", rd->dirs->state, section->name));
	account->cache_dir =
		keep(rd, xasprintf("%s/%s", rd->dirs->cache, section->name));
	*account_out = *account;
}

static int by_line(const void *a, const void *b)
{
	const struct mistake *left = a, *right = b;
	return (left->line > right->line) - (left->line < right->line);
}

static void tell_mistakes(struct reading *rd, struct strbuf *why)
{
	if (rd->mistake_count == 0)
		return;
	qsort(rd->mistakes, rd->mistake_count, sizeof(*rd->mistakes), by_line);
	for (size_t i = 0; i < rd->mistake_count; i++) {
		if (i == CONFIG_ERRORS_MAX) {
			strbuf_printf(why, "%s: and %zu more\n", rd->path,
			              rd->mistake_count - i);
			return;
		}
		strbuf_printf(why, "%s:%u: %s\n", rd->path,
		              rd->mistakes[i].line, rd->mistakes[i].text);
	}
}

static int read_all(struct reading *rd, FILE *file, struct strbuf *why)
{
	rd->sections = xcalloc(ACCOUNTS_MAX, sizeof(*rd->sections));
	read_lines(rd, file);
	if (ferror(file)) {
		strbuf_printf(why, "%s: %s\n", rd->path, strerror(EIO));
		return -EIO;
	}
	if (rd->section_count == 0 && rd->mistake_count == 0)
		mistake(rd, 1, NULL,
		        "there is no account; add a section "
		        "[account NAME]");
	check_defaults(rd);
	rd->config.accounts =
		xcalloc(rd->section_count + 1, sizeof(*rd->config.accounts));
	rd->config.account_count = rd->section_count;
	for (size_t i = 0; i < rd->section_count; i++)
		make_account(rd, &rd->sections[i], &rd->config.accounts[i]);
	tell_mistakes(rd, why);
	return rd->mistake_count > 0 ? -EINVAL : 0;
}

static void reading_release(struct reading *rd)
{
	for (size_t i = 0; i < rd->section_count; i++)
		section_release(&rd->sections[i]);
	free(rd->sections);
	section_release(&rd->defaults);
	section_release(&rd->dropped);
	for (size_t i = 0; i < rd->mistake_count; i++)
		free(rd->mistakes[i].text);
	free(rd->mistakes);
	config_release(&rd->config);
}

/* It may name commands to run: only we and root may have written it. */
static int check_file(const char *path, const struct stat *st,
                      struct strbuf *why)
{
	if (S_ISDIR(st->st_mode)) {
		strbuf_printf(why, "%s: is a directory\n", path);
		return -EISDIR;
	}
	if (st->st_size > FILE_SIZE_MAX) {
		strbuf_printf(why,
		              "%s: is larger than a megabyte; is this "
		              "the right file?\n",
		              path);
		return -EFBIG;
	}
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		strbuf_printf(why,
		              "%s: belongs to another user; it could "
		              "run commands as you\n",
		              path);
		return -EPERM;
	}
	if (S_ISREG(st->st_mode) && (st->st_mode & 022) != 0) {
		strbuf_printf(why,
		              "%s: others can write to it; chmod 600 "
		              "'%s'\n",
		              path, path);
		return -EPERM;
	}
	return 0;
}

int config_read(const char *path, const struct config_dirs *dirs,
                const char *version, struct config *config_out,
                struct strbuf *why)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		int err = -errno;
		strbuf_printf(why, "%s: %s\n", path, strerror(-err));
		return err;
	}
	struct stat st;
	int err = fstat(fileno(file), &st) < 0 ? -errno
	                                       : check_file(path, &st, why);
	if (err == 0) {
		struct reading rd = {
			.path = path,
			.dirs = dirs,
			.version = version,
			.is_private = (st.st_mode & 077) == 0,
		};
		err = read_all(&rd, file, why);
		if (err == 0) {
			*config_out = rd.config;
			rd.config = (struct config){ 0 };
		}
		reading_release(&rd);
	}
	(void)fclose(file);
	return err;
}

const char *config_keep(struct config *config, char *text)
{
	config->strings =
		xrealloc(config->strings,
	                 (config->string_count + 1) * sizeof(*config->strings));
	config->strings[config->string_count++] = text;
	return text;
}

void config_release(struct config *config)
{
	for (size_t i = 0; i < config->account_count; i++) {
		free((void *)(uintptr_t)config->accounts[i].folders);
		free((void *)(uintptr_t)config->accounts[i].domains);
	}
	for (size_t i = 0; i < config->string_count; i++) {
		wipe(config->strings[i], strlen(config->strings[i]));
		free(config->strings[i]);
	}
	free(config->strings);
	free(config->accounts);
	*config = (struct config){ 0 };
}

const struct config_account *config_account_find(const struct config *config,
                                                 const char *name)
{
	for (size_t i = 0; i < config->account_count; i++)
		if (strcmp(config->accounts[i].name, name) == 0)
			return &config->accounts[i];
	return NULL;
}
