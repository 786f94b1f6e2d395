#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define GOOD \
	"[account a]\n" \
	"server = imaps://h\n" \
	"user = me\n" \
	"password-command = p\n"

/* A file in a directory of its own, and what reading it gave. */
struct fixture {
	char dir[32];
	char *path;
	struct config_dirs dirs;
	struct config config;
	struct strbuf why;
};

static int set_up(void **state)
{
	struct fixture *f = xmalloc(sizeof(*f));
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-config-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->path = xasprintf("%s/config", f->dir);
	f->dirs = (struct config_dirs){
		.home = xstrdup("/home/me"),
		.state = xstrdup("/state"),
		.cache = xstrdup("/cache"),
	};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	config_release(&f->config);
	config_dirs_release(&f->dirs);
	strbuf_release(&f->why);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	free(f->path);
	free(f);
	return 0;
}

static int read_bytes(struct fixture *f, const void *bytes, size_t len,
                      mode_t mode)
{
	config_release(&f->config);
	strbuf_clear(&f->why);
	int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
	return config_read(f->path, &f->dirs, "1.0", &f->config, &f->why);
}

static int read_text(struct fixture *f, const char *text)
{
	return read_bytes(f, text, strlen(text), 0600);
}

/* The mistakes, without the file's name before each. */
static const char *mistakes(struct fixture *f)
{
	static char text[16384];
	size_t len = 0, skip = strlen(f->path) + 1;
	const char *line = strbuf_text(&f->why);
	while (*line != '\0') {
		assert_memory_equal(line, f->path, skip - 1);
		const char *end = strchr(line, '\n') + 1;
		size_t count = (size_t)(end - line) - skip;
		assert_true(len + count < sizeof(text));
		memcpy(text + len, line + skip, count);
		len += count;
		line = end;
	}
	text[len] = '\0';
	return text;
}

static void what_is_not_said_has_a_default(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, GOOD), 0);
	assert_int_equal(f->config.account_count, 1);
	const struct config_account *a = &f->config.accounts[0];
	assert_string_equal(a->name, "a");
	assert_string_equal(a->state_dir, "/state/a");
	assert_string_equal(a->cache_dir, "/cache/a");
	assert_string_equal(a->imap.version, "1.0");
	assert_int_equal(a->imap.conn.security, CONN_TLS);
	assert_int_equal(a->imap.conn.port, 0);
	assert_int_equal(a->imap.conn.timeout_ms, 30000);
	assert_int_equal(a->imap.conn.secret_kind,
	                 CONN_SECRET_PASSWORD_COMMAND);
	assert_int_equal(a->connections, 3);
	assert_int_equal(a->interval_ms, 60000);
	assert_int_equal(a->cache_size, 2ULL << 30);
	assert_int_equal(a->folder_count, 0);
	assert_int_equal(a->layout, FS_NESTED);
	assert_false(a->imap.compress);
	assert_false(a->imap.read_only);
	assert_int_equal(a->delete, CACHE_DELETE_AUTO);
	assert_null(a->imap.conn.auth);
	assert_null(a->imap.conn.tls_ca);
}

static void every_option_is_taken_in(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
		read_text(f, "[account a]\n"
	                     "server = imap://me%40x@h:143\n"
	                     "password-file = ~/secret\n"
	                     "auth = scram-sha-256\n"
	                     "tls = required\n"
	                     "tls-ca = /ca.pem\n"
	                     "tls-pin = sha256//"
	                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	                     "tls-cert = $HOME/cert.pem\n"
	                     "tls-key = ~/key.pem\n"
	                     "proxy = socks5h://localhost:9050\n"
	                     "connections = 8\n"
	                     "timeout = 10m\n"
	                     "interval = 24h\n"
	                     "folders = INBOX, \"Sent Items\" !Lists/*\n"
	                     "layout = maildir++\n"
	                     "cache-size = 500M\n"
	                     "max-size = 2M\n"
	                     "disable = qresync, MOVE\n"
	                     "compress = yes\n"
	                     "read-only = yes\n"
	                     "delete = Flag\n"
	                     "ack = Server\n"),
		0);
	const struct config_account *a = &f->config.accounts[0];
	const struct conn_config *conn = &a->imap.conn;
	assert_int_equal(conn->security, CONN_STARTTLS);
	assert_string_equal(conn->host, "h");
	assert_int_equal(conn->port, 143);
	assert_string_equal(conn->user, "me@x");
	assert_int_equal(conn->secret_kind, CONN_SECRET_PASSWORD_FILE);
	assert_string_equal(conn->secret, "/home/me/secret");
	assert_string_equal(conn->auth, "SCRAM-SHA-256");
	assert_string_equal(conn->tls_ca, "/ca.pem");
	assert_non_null(conn->tls_pin);
	assert_string_equal(conn->tls_cert, "/home/me/cert.pem");
	assert_string_equal(conn->tls_key, "/home/me/key.pem");
	assert_string_equal(conn->proxy, "socks5h://localhost:9050");
	assert_int_equal(a->connections, 8);
	assert_int_equal(conn->timeout_ms, 600000);
	assert_int_equal(a->interval_ms, 86400000);
	assert_int_equal(a->folder_count, 3);
	assert_string_equal(a->folders[0], "INBOX");
	assert_string_equal(a->folders[1], "Sent Items");
	assert_string_equal(a->folders[2], "!Lists/*");
	assert_int_equal(a->layout, FS_MAILDIRPP);
	assert_int_equal(a->cache_size, 500ULL << 20);
	assert_int_equal(a->ahead_max, 2 << 20);
	assert_string_equal(a->imap.disable, "QRESYNC,MOVE");
	assert_true(a->imap.compress);
	assert_true(a->imap.read_only);
	assert_int_equal(a->delete, CACHE_DELETE_FLAG);
	assert_int_equal(a->ack, CACHE_ACK_SERVER);
}

static void a_pop3_account_has_one_connection(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, "[defaults]\n"
	                              "connections = 4\n"
	                              "[account a]\n"
	                              "server = pop3s://me@h\n"
	                              "netrc = yes\n"
	                              "keep = 30D\n"),
	                 0);
	const struct config_account *a = &f->config.accounts[0];
	assert_int_equal(a->imap.conn.protocol, CONN_POP3);
	assert_int_equal(a->imap.conn.security, CONN_TLS);
	assert_int_equal(a->connections, 1);
	assert_true(a->is_taken);
	assert_int_equal(a->take_after_s, 30 * 24 * 3600);
}

static void inbox_can_be_split(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, "[defaults]\n"
	                              "domains = a.org, b.org\n" GOOD
	                              "split = X-Original-To\n"
	                              "domains = c.org\n"
	                              "[account b]\n"
	                              "server = imaps://h\n"
	                              "user = me\n"
	                              "netrc = yes\n"
	                              "split = received-for\n"),
	                 0);
	const struct config_account *a = &f->config.accounts[0];
	assert_string_equal(a->split, "X-Original-To");
	assert_int_equal(a->domain_count, 1);
	assert_string_equal(a->domains[0], "c.org");
	assert_string_equal(a[1].split, "received-for");
	assert_int_equal(a[1].domain_count, 2);
	assert_string_equal(a[1].domains[1], "b.org");
}

static void each_kind_of_secret(void **state)
{
	static const struct {
		const char *line;
		enum conn_secret kind;
		const char *secret;
	} rows[] = {
		{ "password = s e # c", CONN_SECRET_PASSWORD, "s e # c" },
		{ "password-command = a | b ; c", CONN_SECRET_PASSWORD_COMMAND,
		  "a | b ; c" },
		{ "netrc = yes", CONN_SECRET_NETRC, "/home/me/.netrc" },
		{ "netrc = /n", CONN_SECRET_NETRC, "/n" },
		{ "token-command = t", CONN_SECRET_TOKEN_COMMAND, "t" },
		{ "tls-cert = /c", CONN_SECRET_NONE, NULL },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *text = xasprintf("[account a]\n"
		                                 "server = imaps://me@h\n%s\n",
		                                 rows[i].line);
		assert_int_equal(read_text(f, text), 0);
		const struct conn_config *conn =
			&f->config.accounts[0].imap.conn;
		assert_int_equal(conn->secret_kind, rows[i].kind);
		if (rows[i].secret != NULL)
			assert_string_equal(conn->secret, rows[i].secret);
	}
}

static void defaults_fill_in_wherever_they_stand(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, "[account a]\n"
	                              "server = imap://h\n"
	                              "password = x\n"
	                              "tls = none\n"
	                              "timeout = 5s\n"
	                              "[account b]\n"
	                              "server = imaps://h\n"
	                              "user = you\n"
	                              "[defaults]\n"
	                              "user = me\n"
	                              "timeout = 7s\n"
	                              "folders = INBOX\n"
	                              "netrc = yes\n"),
	                 0);
	const struct config_account *a = config_account_find(&f->config, "a");
	const struct config_account *b = config_account_find(&f->config, "b");
	assert_null(config_account_find(&f->config, "c"));
	assert_string_equal(a->imap.conn.user, "me");
	assert_int_equal(a->imap.conn.timeout_ms, 5000);
	assert_int_equal(a->imap.conn.secret_kind, CONN_SECRET_PASSWORD);
	assert_int_equal(a->imap.conn.security, CONN_PLAIN);
	assert_string_equal(b->imap.conn.user, "you");
	assert_int_equal(b->imap.conn.timeout_ms, 7000);
	assert_int_equal(b->imap.conn.secret_kind, CONN_SECRET_NETRC);
	assert_string_equal(b->folders[0], "INBOX");
}

static void each_bad_value_is_told_with_its_line(void **state)
{
	static const struct {
		const char *line, *mistake;
	} rows[] = {
		{ "auth = PL/AIN",
		  "auth: \"PL/AIN\" is no SASL mechanism; write PLAIN or "
		  "SCRAM-SHA-256" },
		{ "tls = maybe",
		  "tls: \"maybe\" is neither required nor none" },
		{ "tls-ca = ca.pem",
		  "tls-ca: \"ca.pem\" is not a path that begins with / or ~/" },
		{ "tls-pin = abc",
		  "tls-pin: \"abc\" is no pin; write sha256// and 44 letters "
		  "of base64" },
		{ "tls-cert = ~x/c", "tls-cert: \"~x/c\" names another user's "
		                     "home; write the path out" },
		{ "tls-key = /k", NULL }, /* lacks tls-cert: below */
		{ "proxy = h:1", "proxy: is no proxy; write "
		                 "socks5h://HOST:PORT or http://HOST:PORT" },
		{ "connections = 9",
		  "connections: \"9\" is not a number from 1 to 8" },
		{ "timeout = 11m", "timeout: \"11m\" is too long" },
		{ "timeout = 0", "timeout: \"0\" is too short" },
		{ "interval = soon",
		  "interval: \"soon\" is not a time; write 30s, 5m or 1h" },
		{ "folders = ,", "folders: \",\" names no folder" },
		{ "layout = flat",
		  "layout: \"flat\" is neither nested nor maildir++" },
		{ "cache-size = 2X", "cache-size: \"2X\" has no known unit; "
		                     "write 500M or 2G" },
		{ "disable = ,", "disable: \",\" names no capability" },
		{ "delete = maybe",
		  "delete: \"maybe\" is none of trash, expunge and flag" },
		{ "ack = maybe",
		  "ack: \"maybe\" is neither journal nor server" },
		{ "read-only = maybe",
		  "read-only: \"maybe\" is neither yes nor no" },
		{ "user = you", "user: given twice; first in line 3" },
		{ "usr = x", "usr: no such option; did you mean user?" },
		{ "casche-size = 1G",
		  "casche-size: no such option; did you mean cache-size?" },
		{ "colour = x",
		  "colour: no such option; see mailmount.conf(5)" },
		{ "auth =", "auth: has no value" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *text = xasprintf(GOOD "%s\n", rows[i].line);
		assert_int_equal(read_text(f, text), -EINVAL);
		if (rows[i].mistake == NULL)
			continue;
		auto_free char *expected =
			xasprintf("5: [account a] %s\n", rows[i].mistake);
		assert_string_equal(mistakes(f), expected);
	}
}

static void what_is_wrong_as_a_whole_is_told(void **state)
{
	static const struct {
		const char *text, *mistakes;
	} rows[] = {
		{ "",
		  "1: there is no account; add a section [account NAME]\n" },
		{ "# x\n[account a]\n",
		  "2: [account a] has no server; add server = imaps://HOST\n"
		  "2: [account a] has no user; add user = NAME\n"
		  "2: [account a] has no secret; add password-command = "
		  "COMMAND (or password-file, netrc, token-command)\n" },
		{ "[account a]\nserver = imaps://h\nuser = me\n"
		  "password-command = x\ntoken-command = y\n",
		  "1: [account a] has more than one of password, "
		  "password-command, password-file, netrc, token-command; keep "
		  "one\n" },
		{ "[account a]\nserver = imaps://you@h\nuser = me\n"
		  "netrc = yes\n",
		  "3: [account a] user: stands in server as well; keep one\n" },
		{ "[account a]\nserver = imaps://me@h\nnetrc = yes\n"
		  "tls = none\n",
		  "1: [account a] tls: none goes only with imap:// and "
		  "pop3://; write that or leave tls out\n" },
		{ GOOD "tls-key = /k\n",
		  "1: [account a] tls-key: goes with tls-cert; add it\n" },
		{ GOOD "split = Delivered To\n",
		  "5: [account a] split: \"Delivered To\" is no header field; "
		  "write delivered-to, x-original-to, envelope-to or "
		  "received-for\n" },
		{ GOOD "split = to\ndomains = a.org bob@b.org\n",
		  "6: [account a] domains: \"a.org bob@b.org\" has what is no "
		  "domain; write example.org\n" },
		{ GOOD "domains = a.org\n",
		  "5: [account a] domains: goes with split; add it\n" },
		{ GOOD "keep = no\n",
		  "5: [account a] keep: is for POP3; leave it out\n" },
		{ GOOD "keep = 0d\n",
		  "5: [account a] keep: \"0d\" is not a number of days from "
		  "1d to 36500d\n" },
		{ GOOD "keep = perhaps\n",
		  "5: [account a] keep: \"perhaps\" is none of yes, no and a "
		  "number of days; write 30d\n" },
		{ "[account a]\nserver = imaps://me:pw@h\nuser = me\n"
		  "netrc = yes\n",
		  "2: [account a] server: holds a password; use "
		  "password-command\n" },
		{ GOOD GOOD,
		  "5: [account a] the section stands twice; first in line 1\n" },
		{ "[defaults]\n[defaults]\n" GOOD,
		  "2: [defaults] the section stands twice; first in line 1\n" },
		{ "[defaults]\nserver = imaps://h\ntimeout = x\n" GOOD,
		  "2: [defaults] server: belongs to one account; move it "
		  "there\n"
		  "3: [defaults] timeout: \"x\" is not a time; write 30s, 5m "
		  "or 1h\n" },
		{ "user = me\n" GOOD,
		  "1: user: stands before any section; begin with [account "
		  "NAME]\n" },
		{ GOOD "[acount b]\nuser = x\n",
		  "5: [acount b] is no section; write [account NAME] or "
		  "[defaults]\n" },
		{ GOOD "[account ../x]\nuser = x\n",
		  "5: [account ../x] is no good name; use 1 to 64 letters, "
		  "digits, . _ - and begin with a letter or digit\n" },
		{ GOOD "hello\n", "5: expected \"key = value\"\n" },
		{ GOOD "user = a\001\n",
		  "5: a control byte; only tabs may stand in a line\n" },
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(read_text(f, rows[i].text), -EINVAL);
		assert_string_equal(mistakes(f), rows[i].mistakes);
	}
}

static void twenty_mistakes_are_shown(void **state)
{
	struct fixture *f = *state;
	auto_strbuf struct strbuf text = { 0 };
	strbuf_puts(&text, GOOD);
	for (int i = 0; i < 25; i++)
		strbuf_puts(&text, "hello\n");
	assert_int_equal(read_text(f, strbuf_text(&text)), -EINVAL);
	auto_free char *last = xasprintf("%s:24: expected \"key = value\"\n"
	                                 "%s: and 5 more\n",
	                                 f->path, f->path);
	const char *end = f->why.bytes + f->why.len - strlen(last);
	assert_string_equal(end, last);
}

static void a_password_wants_a_private_file(void **state)
{
	static const char text[] = "[account a]\nserver = imaps://me@h\n"
				   "password = x\n";
	struct fixture *f = *state;
	assert_int_equal(read_bytes(f, text, sizeof(text) - 1, 0600), 0);
	assert_int_equal(read_bytes(f, text, sizeof(text) - 1, 0400), 0);
	assert_int_equal(read_bytes(f, text, sizeof(text) - 1, 0640), -EINVAL);
	auto_free char *expected =
		xasprintf("3: [account a] password: others can read this "
	                  "file; chmod 600 '%s'\n",
	                  f->path);
	assert_string_equal(mistakes(f), expected);
	assert_int_equal(read_bytes(f, text, sizeof(text) - 1, 0604), -EINVAL);
	assert_int_equal(read_bytes(f, GOOD, strlen(GOOD), 0644), 0);
}

static void a_file_that_others_write_runs_no_commands(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_bytes(f, GOOD, strlen(GOOD), 0666), -EPERM);
	assert_int_equal(read_bytes(f, GOOD, strlen(GOOD), 0620), -EPERM);
	assert_non_null(strstr(strbuf_text(&f->why), "chmod 600"));
}

static void files_of_other_editors_are_read(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, "\xef\xbb\xbf[account a]\r\n"
	                              "server = imaps://h\r\n"
	                              "user = me\r\n"
	                              "password-command = p"),
	                 0);
	const struct conn_config *conn = &f->config.accounts[0].imap.conn;
	assert_string_equal(conn->user, "me");
	assert_string_equal(conn->secret, "p");
}

static void long_values_are_kept_whole(void **state)
{
	struct fixture *f = *state;
	char secret[10001];
	memset(secret, 'x', sizeof(secret));
	secret[10000] = '\0';
	auto_free char *text = xasprintf("[account a]\nserver = imaps://me@h\n"
	                                 "password-command = %s\n",
	                                 secret);
	assert_int_equal(read_text(f, text), 0);
	assert_string_equal(f->config.accounts[0].imap.conn.secret, secret);
}

static void nul_bytes_are_told(void **state)
{
	static const char text[] = GOOD "auth = PLAIN\0X\n";
	struct fixture *f = *state;
	assert_int_equal(read_bytes(f, text, sizeof(text) - 1, 0600), -EINVAL);
	assert_string_equal(mistakes(f),
	                    "5: a NUL byte; is this a text file?\n");
}

static void what_is_no_file_is_told(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(config_read("/nonexistent/config", &f->dirs, "1.0",
	                             &f->config, &f->why),
	                 -ENOENT);
	assert_string_equal(strbuf_text(&f->why),
	                    "/nonexistent/config: No such file or "
	                    "directory\n");
	strbuf_clear(&f->why);
	assert_int_equal(config_read(f->dir, &f->dirs, "1.0", &f->config,
	                             &f->why),
	                 -EISDIR);
	size_t size = 1024 * 1024 + 1;
	auto_free char *text = xmalloc(size);
	memset(text, '\n', size);
	assert_int_equal(read_bytes(f, text, size, 0600), -EFBIG);
}

static void the_example_is_a_configuration(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(read_text(f, config_example), 0);
}

static void directories_follow_the_xdg_rules(void **state)
{
	struct config_dirs dirs;
	assert_int_equal(setenv("HOME", "/home/me", 1), 0);
	assert_int_equal(setenv("XDG_STATE_HOME", "relative", 1), 0);
	assert_int_equal(setenv("XDG_CACHE_HOME", "/big", 1), 0);
	assert_int_equal(unsetenv("XDG_CONFIG_HOME"), 0);
	config_dirs_init(&dirs);
	assert_string_equal(dirs.home, "/home/me");
	assert_string_equal(dirs.config, "/home/me/.config/mailmount/config");
	assert_string_equal(dirs.state, "/home/me/.local/state/mailmount");
	assert_string_equal(dirs.cache, "/big/mailmount");
	config_dirs_release(&dirs);
}

#define CONFIG_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_TEST(what_is_not_said_has_a_default),
		CONFIG_TEST(every_option_is_taken_in),
		CONFIG_TEST(a_pop3_account_has_one_connection),
		CONFIG_TEST(inbox_can_be_split),
		CONFIG_TEST(each_kind_of_secret),
		CONFIG_TEST(defaults_fill_in_wherever_they_stand),
		CONFIG_TEST(each_bad_value_is_told_with_its_line),
		CONFIG_TEST(what_is_wrong_as_a_whole_is_told),
		CONFIG_TEST(twenty_mistakes_are_shown),
		CONFIG_TEST(a_password_wants_a_private_file),
		CONFIG_TEST(a_file_that_others_write_runs_no_commands),
		CONFIG_TEST(files_of_other_editors_are_read),
		CONFIG_TEST(long_values_are_kept_whole),
		CONFIG_TEST(nul_bytes_are_told),
		CONFIG_TEST(what_is_no_file_is_told),
		CONFIG_TEST(the_example_is_a_configuration),
		cmocka_unit_test(directories_follow_the_xdg_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
