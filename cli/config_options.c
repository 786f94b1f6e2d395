#include "cli/config_options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/value.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define MIB (1024ULL * 1024)

#define WORDS_MAX 1000

void option_target_init(struct option_target *target, struct config *config,
                        const char *home)
{
	*target = (struct option_target){
		.account = {
			.imap = { .conn = { .protocol = CONN_IMAP,
			                    .timeout_ms = 30 * 1000 } },
			.connections = 3,
			.interval_ms = 60 * 1000,
			.cache_size = 2048 * MIB,
			.announce_size = 256 * 1024,
			.layout = FS_NESTED,
		},
		.config = config,
		.home = home,
	};
}

static const char *keep_copy(struct option_target *target, const char *text)
{
	return config_keep(target->config, xstrdup(text));
}

static const char *parse_path(const char *text, struct option_target *target,
                              const char **path_out)
{
	char *path;
	const char *why = value_path(text, target->home, &path);
	if (why == NULL)
		*path_out = config_keep(target->config, path);
	return why;
}

static const char *parse_server(const char *text, struct option_target *target)
{
	struct value_url url;
	const char *why = value_url(text, &url);
	if (why != NULL)
		return why;
	struct conn_config *conn = &target->account.imap.conn;
	conn->protocol = url.is_imap ? CONN_IMAP : CONN_POP3;
	conn->host = config_keep(target->config, take(url.host));
	conn->port = url.port;
	target->has_tls_scheme = url.has_tls;
	if (url.user != NULL)
		target->url_user = config_keep(target->config, take(url.user));
	return NULL;
}

static const char *parse_user(const char *text, struct option_target *target)
{
	target->account.imap.conn.user = keep_copy(target, text);
	return NULL;
}

static const char *set_secret(struct option_target *target,
                              enum conn_secret kind, const char *text)
{
	target->account.imap.conn.secret_kind = kind;
	target->account.imap.conn.secret = text;
	target->secret_count++;
	return NULL;
}

static const char *parse_password(const char *text,
                                  struct option_target *target)
{
	return set_secret(target, CONN_SECRET_PASSWORD,
	                  keep_copy(target, text));
}

static const char *parse_password_command(const char *text,
                                          struct option_target *target)
{
	return set_secret(target, CONN_SECRET_PASSWORD_COMMAND,
	                  keep_copy(target, text));
}

static const char *parse_token_command(const char *text,
                                       struct option_target *target)
{
	return set_secret(target, CONN_SECRET_TOKEN_COMMAND,
	                  keep_copy(target, text));
}

static const char *parse_password_file(const char *text,
                                       struct option_target *target)
{
	const char *path;
	const char *why = parse_path(text, target, &path);
	if (why != NULL)
		return why;
	return set_secret(target, CONN_SECRET_PASSWORD_FILE, path);
}

static const char *parse_netrc(const char *text, struct option_target *target)
{
	bool is_default = strcasecmp(text, "yes") == 0;
	const char *path;
	const char *why =
		parse_path(is_default ? "~/.netrc" : text, target, &path);
	if (why != NULL)
		return "is neither yes nor a path that begins with / or ~/";
	return set_secret(target, CONN_SECRET_NETRC, path);
}

static const char *parse_auth(const char *text, struct option_target *target)
{
	char *name = xstrdup(text);
	for (char *at = name; *at != '\0'; at++)
		*at = (char)toupper((unsigned char)*at);
	target->account.imap.conn.auth = config_keep(target->config, name);
	/* RFC 4422 3.1 */
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	return len <= 20 && name[len] == '\0'
	               ? NULL
	               : "is no SASL mechanism; write PLAIN or SCRAM-SHA-256";
}

static const char *parse_tls(const char *text, struct option_target *target)
{
	target->is_tls_none = strcasecmp(text, "none") == 0;
	if (target->is_tls_none || strcasecmp(text, "required") == 0)
		return NULL;
	return "is neither required nor none";
}

static const char *parse_tls_ca(const char *text, struct option_target *target)
{
	return parse_path(text, target, &target->account.imap.conn.tls_ca);
}

static const char *parse_tls_cert(const char *text,
                                  struct option_target *target)
{
	return parse_path(text, target, &target->account.imap.conn.tls_cert);
}

static const char *parse_tls_key(const char *text, struct option_target *target)
{
	return parse_path(text, target, &target->account.imap.conn.tls_key);
}

static const char *parse_tls_pin(const char *text, struct option_target *target)
{
	static const char prefix[] = "sha256//";
	size_t skip = sizeof(prefix) - 1;
	/* A SHA-256 in base64 is 43 letters and one '='. */
	if (strncmp(text, prefix, skip) != 0 || strlen(text) != skip + 44 ||
	    text[skip + 43] != '=')
		return "is no pin; write sha256// and 44 letters of base64";
	target->account.imap.conn.tls_pin = keep_copy(target, text);
	return NULL;
}

static const char *parse_proxy(const char *text, struct option_target *target)
{
	static const char *const schemes[] = { "socks5h://", "socks5://",
		                               "socks4a://", "socks4://",
		                               "http://",    "https://" };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], len) == 0 &&
		    text[len] != '\0') {
			target->account.imap.conn.proxy =
				keep_copy(target, text);
			return NULL;
		}
	}
	return "is no proxy; write socks5h://HOST:PORT or http://HOST:PORT";
}

static const char *parse_connections(const char *text,
                                     struct option_target *target)
{
	return value_count(text, 1, 8, &target->account.connections) == NULL
	               ? NULL
	               : "is not a number from 1 to 8";
}

static const char *parse_timeout(const char *text, struct option_target *target)
{
	return value_duration(text, 1, 600,
	                      &target->account.imap.conn.timeout_ms);
}

static const char *parse_interval(const char *text,
                                  struct option_target *target)
{
	return value_duration(text, 1, 24 * 3600, &target->account.interval_ms);
}

/* The words of a list; the array is the caller's. */
static const char *const *
parse_words(const char *text, struct option_target *target, size_t *count_out)
{
	const char **words = xcalloc(WORDS_MAX, sizeof(*words));
	size_t count = 0;
	char *word;
	while (count < WORDS_MAX && (word = value_word(&text)) != NULL)
		words[count++] = config_keep(target->config, word);
	size_t size = count * sizeof(*words);
	*count_out = count;
	return xrealloc(words, size > 0 ? size : 1);
}

static const char *parse_folders(const char *text, struct option_target *target)
{
	struct config_account *account = &target->account;
	account->folders = parse_words(text, target, &account->folder_count);
	return account->folder_count > 0 ? NULL : "names no folder";
}

/* A field's name goes into a command as it is. */
static const char *parse_split(const char *text, struct option_target *target)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-";
	size_t len = strlen(text);
	target->account.split = keep_copy(target, text);
	if (len <= 64 && strspn(text, letters) == len)
		return NULL;
	return "is no header field; write delivered-to, x-original-to, "
	       "envelope-to or received-for";
}

static const char *parse_domains(const char *text, struct option_target *target)
{
	struct config_account *account = &target->account;
	account->domains = parse_words(text, target, &account->domain_count);
	for (size_t i = 0; i < account->domain_count; i++)
		if (strpbrk(account->domains[i], "@/*") != NULL)
			return "has what is no domain; write example.org";
	return account->domain_count > 0 ? NULL : "names no domain";
}

static const char *parse_layout(const char *text, struct option_target *target)
{
	bool is_nested = strcasecmp(text, "nested") == 0;
	target->account.layout = is_nested ? FS_NESTED : FS_MAILDIRPP;
	if (is_nested || strcasecmp(text, "maildir++") == 0)
		return NULL;
	return "is neither nested nor maildir++";
}

static const char *parse_cache_size(const char *text,
                                    struct option_target *target)
{
	return value_size(text, MIB, &target->account.cache_size);
}

static const char *parse_announce_complete(const char *text,
                                           struct option_target *target)
{
	return value_size(text, 0, &target->account.announce_size);
}

static const char *parse_hook(const char *text, struct option_target *target)
{
	target->account.hook = keep_copy(target, text);
	return NULL;
}

static const char *parse_max_size(const char *text,
                                  struct option_target *target)
{
	return value_size(text, 1, &target->account.ahead_max);
}

static const char *parse_daily_limit(const char *text,
                                     struct option_target *target)
{
	return value_size(text, 1, &target->account.daily_limit);
}

/* "qresync, move" becomes "QRESYNC,MOVE". */
static const char *parse_disable(const char *text, struct option_target *target)
{
	auto_strbuf struct strbuf list = { 0 };
	char *word;
	while ((word = value_word(&text)) != NULL) {
		if (list.len > 0)
			strbuf_putc(&list, ',');
		for (const char *at = word; *at != '\0'; at++)
			strbuf_putc(&list, (char)toupper((unsigned char)*at));
		free(word);
	}
	if (list.len == 0)
		return "names no capability";
	target->account.imap.disable =
		config_keep(target->config, strbuf_take(&list));
	return NULL;
}

static const char *parse_compress(const char *text,
                                  struct option_target *target)
{
	return value_bool(text, &target->account.imap.compress);
}

static const char *parse_read_only(const char *text,
                                   struct option_target *target)
{
	return value_bool(text, &target->account.imap.read_only);
}

/* yes, no, or for how many days. */
static const char *parse_keep(const char *text, struct option_target *target)
{
	struct config_account *account = &target->account;
	bool is_kept = false;
	unsigned days = 0;
	size_t len = strlen(text);
	account->take_after_s = 0;
	if (len > 1 && tolower((unsigned char)text[len - 1]) == 'd') {
		auto_free char *number = xstrndup(text, len - 1);
		account->is_taken = true;
		if (value_count(number, 1, 36500, &days) != NULL)
			return "is not a number of days from 1d to 36500d";
		account->take_after_s = (int64_t)days * 24 * 3600;
		return NULL;
	}
	if (value_bool(text, &is_kept) != NULL)
		return "is none of yes, no and a number of days; write 30d";
	account->is_taken = !is_kept;
	return NULL;
}

static const char *parse_delete(const char *text, struct option_target *target)
{
	static const struct {
		const char *word;
		enum cache_delete delete;
	} words[] = {
		{ "trash", CACHE_DELETE_TRASH },
		{ "expunge", CACHE_DELETE_EXPUNGE },
		{ "flag", CACHE_DELETE_FLAG },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			target->account.delete = words[i].delete;
			return NULL;
		}
	}
	return "is none of trash, expunge and flag";
}

static const char *parse_ack(const char *text, struct option_target *target)
{
	bool is_server = strcasecmp(text, "server") == 0;
	target->account.ack = is_server ? CACHE_ACK_SERVER : CACHE_ACK_JOURNAL;
	if (is_server || strcasecmp(text, "journal") == 0)
		return NULL;
	return "is neither journal nor server";
}

const struct config_option_entry config_options[OPTION_COUNT] = {
	[OPTION_SERVER] = { "server", false, false, parse_server },
	[OPTION_USER] = { "user", true, false, parse_user },
	[OPTION_PASSWORD] = { "password", false, true, parse_password },
	[OPTION_PASSWORD_COMMAND] = { "password-command", true, true,
	                              parse_password_command },
	[OPTION_PASSWORD_FILE] = { "password-file", true, true,
	                           parse_password_file },
	[OPTION_NETRC] = { "netrc", true, true, parse_netrc },
	[OPTION_TOKEN_COMMAND] = { "token-command", true, true,
	                           parse_token_command },
	[OPTION_AUTH] = { "auth", true, false, parse_auth },
	[OPTION_TLS] = { "tls", true, false, parse_tls },
	[OPTION_TLS_CA] = { "tls-ca", true, false, parse_tls_ca },
	[OPTION_TLS_PIN] = { "tls-pin", false, false, parse_tls_pin },
	[OPTION_TLS_CERT] = { "tls-cert", true, false, parse_tls_cert },
	[OPTION_TLS_KEY] = { "tls-key", true, false, parse_tls_key },
	[OPTION_PROXY] = { "proxy", true, false, parse_proxy },
	[OPTION_CONNECTIONS] = { "connections", true, false,
	                         parse_connections },
	[OPTION_TIMEOUT] = { "timeout", true, false, parse_timeout },
	[OPTION_INTERVAL] = { "interval", true, false, parse_interval },
	[OPTION_FOLDERS] = { "folders", true, false, parse_folders },
	[OPTION_LAYOUT] = { "layout", true, false, parse_layout },
	[OPTION_CACHE_SIZE] = { "cache-size", true, false, parse_cache_size },
	[OPTION_ANNOUNCE_COMPLETE] = { "announce-complete", true, false,
	                               parse_announce_complete },
	[OPTION_HOOK] = { "hook", true, false, parse_hook },
	[OPTION_MAX_SIZE] = { "max-size", true, false, parse_max_size },
	[OPTION_DAILY_LIMIT] = { "daily-limit", true, false,
	                         parse_daily_limit },
	[OPTION_DISABLE] = { "disable", true, false, parse_disable },
	[OPTION_COMPRESS] = { "compress", true, false, parse_compress },
	[OPTION_READ_ONLY] = { "read-only", true, false, parse_read_only },
	[OPTION_KEEP] = { "keep", true, false, parse_keep },
	[OPTION_DELETE] = { "delete", true, false, parse_delete },
	[OPTION_ACK] = { "ack", true, false, parse_ack },
	[OPTION_SPLIT] = { "split", true, false, parse_split },
	[OPTION_DOMAINS] = { "domains", true, false, parse_domains },
};

int config_option_find(const char *key)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (strcmp(config_options[i].key, key) == 0)
			return i;
	return -1;
}
