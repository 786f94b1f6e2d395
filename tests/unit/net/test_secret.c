#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "net/secret.h"
#include "util/cleanup.h"
#include "util/clock.h"

static int get(enum conn_secret kind, const char *secret, int timeout_ms,
               struct strbuf *out, char why[160])
{
	const struct conn_config config = { .host = "mail.example",
		                            .user = "bob",
		                            .secret_kind = kind,
		                            .secret = secret,
		                            .timeout_ms = timeout_ms };
	struct wake wake;
	assert_int_equal(wake_init(&wake), 0);
	why[0] = '\0';
	int err = secret_get(&config, &wake, out, why, 160);
	wake_release(&wake);
	return err;
}

static const struct {
	const char *command;
	const char *secret; /* NULL: refused */
	const char *why;
} commands[] = {
	{ "echo s3cret", "s3cret", NULL },
	{ "printf s3cret", "s3cret", NULL },
	{ "printf 's3cret\\r\\n'", "s3cret", NULL },
	{ "printf 'one\\ntwo\\n'", "one", NULL },
	{ "printf ' a b '", " a b ", NULL },
	/* More than a pipe holds, behind the line that counts. */
	{ "echo one; head -c 300000 /dev/zero", "one", NULL },
	{ "echo s3cret; cat", "s3cret", NULL }, /* stdin is empty */
	/* An agent that keeps the pipe must not keep us. */
	{ "echo s3cret; sleep 5 2>/dev/null &", "s3cret", NULL },
	{ "echo s3cret; exit 3", NULL, "failed with exit status 3" },
	{ "echo s3cret; kill -9 $$", NULL, "killed by signal 9" },
	{ "true", NULL, "printed nothing" },
	{ "echo; echo s3cret", NULL, "first line is empty" },
	{ "printf 's3\\0cret'", NULL, "NUL" },
	{ "no-such-command-s3cret 2>/dev/null", NULL, "exit status 127" },
	{ "head -c 65537 /dev/zero | tr '\\0' x", NULL, "longer than 65536" },
};

static void a_command_gives_its_first_line_or_a_reason(void **state)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		struct strbuf sb = { 0 };
		char why[160];
		int err = get(CONN_SECRET_PASSWORD_COMMAND, commands[i].command,
		              4000, &sb, why);
		if (commands[i].secret != NULL) {
			assert_int_equal(err, 0);
			assert_string_equal(strbuf_text(&sb),
			                    commands[i].secret);
		} else {
			assert_int_equal(err, -ENOKEY);
			assert_non_null(strstr(why, "password-command: "));
			assert_non_null(strstr(why, commands[i].why));
			assert_null(strstr(why, "s3cret"));
			assert_int_equal(sb.len, 0);
		}
		strbuf_wipe(&sb);
	}
}

static void the_longest_secret_is_taken(void **state)
{
	struct strbuf sb = { 0 };
	char why[160];
	assert_int_equal(get(CONN_SECRET_TOKEN_COMMAND,
	                     "head -c 65536 /dev/zero | tr '\\0' x", 4000, &sb,
	                     why),
	                 0);
	assert_int_equal(sb.len, SECRET_MAX);
	strbuf_wipe(&sb);
}

/* The second time we have had the secret, and might have passed it on. */
static void a_command_is_not_told_the_secret(void **state)
{
	static const char command[] =
		"printf 's3'; echo cret; exec >&2; "
		"{ tr '\\0' '\\n' </proc/$$/cmdline; env; ls /proc/$$/fd; }";
	char path[] = "/tmp/test-secret-XXXXXX", why[160], seen[65536];
	auto_fd int fd = mkstemp(path);
	auto_fd int kept = dup(STDERR_FILENO);
	auto_fd int leak = open("/dev/null", O_RDONLY);
	assert_true(fd >= 0 && kept >= 0 && leak >= 3);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	for (size_t i = 0; i < 2; i++) {
		struct strbuf sb = { 0 };
		int err = get(CONN_SECRET_PASSWORD_COMMAND, command, 10000, &sb,
		              why);
		assert_int_equal(err, 0);
		assert_string_equal(strbuf_text(&sb), "s3cret");
		strbuf_wipe(&sb);
	}
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	(void)unlink(path);
	ssize_t n = pread(fd, seen, sizeof(seen) - 1, 0);
	assert_true(n > 0);
	seen[n] = '\0';
	assert_non_null(strstr(seen, "/bin/sh\n-c\n"));
	assert_null(strstr(seen, "s3cret"));
	/* The descriptors end the list, and nothing of ours is among them. */
	assert_string_equal(seen + n - 6, "0\n1\n2\n");
}

/* A FIFO ends for its reader when the last process that has it is gone. */
static void a_command_that_hangs_is_killed_with_its_children(void **state)
{
	char path[] = "/tmp/test-secret-XXXXXX";
	assert_non_null(mkdtemp(path));
	char fifo[64], command[200], why[160], byte;
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	auto_fd int fd = open(fifo, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	(void)snprintf(command, sizeof(command),
	               "exec >%s; echo x; sleep 60 & sleep 60", fifo);
	struct strbuf sb = { 0 };
	assert_int_equal(get(CONN_SECRET_PASSWORD_COMMAND, command, 300, &sb,
	                     why),
	                 -ETIMEDOUT);
	assert_non_null(strstr(why, "did not end in time"));
	int64_t killed = clock_now_ms();
	while (read(fd, &byte, 1) > 0)
		;
	assert_true(clock_now_ms() - killed < 10000);
	(void)unlink(fifo);
	(void)rmdir(path);
}

static void an_abort_ends_a_command_at_once(void **state)
{
	const struct conn_config config = {
		.secret_kind = CONN_SECRET_PASSWORD_COMMAND,
		.secret = "sleep 60",
		.timeout_ms = 60000,
	};
	struct strbuf sb = { 0 };
	struct wake wake;
	char why[160];
	assert_int_equal(wake_init(&wake), 0);
	wake_signal(&wake);
	assert_int_equal(secret_get(&config, &wake, &sb, why, sizeof(why)),
	                 -ECANCELED);
	wake_release(&wake);
}

/* ---- Files ---- */

static void write_file(char *path, const char *text, mode_t mode)
{
	(void)strcpy(path, "/tmp/test-secret-XXXXXX");
	auto_fd int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static const struct {
	const char *text;
	mode_t mode;
	const char *secret; /* NULL: refused */
	const char *why;
} files[] = {
	{ "s3cret\n", 0600, "s3cret", NULL },
	{ "s3cret", 0400, "s3cret", NULL },
	{ "one\ntwo\n", 0600, "one", NULL },
	{ "s3cret\n", 0640, NULL, "chmod 600" },
	{ "s3cret\n", 0604, NULL, "chmod 600" },
	{ "s3cret\n", 0620, NULL, "chmod 600" },
	{ "", 0600, NULL, "first line is empty" },
};

static void a_file_must_be_private(void **state)
{
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		char path[32], why[160];
		struct strbuf sb = { 0 };
		write_file(path, files[i].text, files[i].mode);
		int err = get(CONN_SECRET_PASSWORD_FILE, path, 1000, &sb, why);
		(void)unlink(path);
		if (files[i].secret != NULL) {
			assert_int_equal(err, 0);
			assert_string_equal(strbuf_text(&sb), files[i].secret);
		} else {
			assert_int_equal(err, -ENOKEY);
			assert_non_null(strstr(why, path));
			assert_non_null(strstr(why, files[i].why));
		}
		strbuf_wipe(&sb);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	struct strbuf sb = { 0 };
	char why[160];
	assert_int_equal(get(CONN_SECRET_PASSWORD_FILE, "/tmp", 1000, &sb, why),
	                 -ENOKEY);
	assert_non_null(strstr(why, "not a regular file"));
	assert_int_equal(get(CONN_SECRET_PASSWORD_FILE, "/nowhere/at-all", 1000,
	                     &sb, why),
	                 -ENOKEY);
	assert_non_null(strstr(why, "No such file"));
}

static const struct {
	const char *text;
	const char *secret;
} netrcs[] = {
	{ "machine mail.example login bob password s3cret", "s3cret" },
	{ "machine MAIL.example\n\tlogin bob\n\tpassword s3cret\n", "s3cret" },
	{ "machine mail.example password s3cret login bob", "s3cret" },
	{ "machine mail.example password s3cret\n", "s3cret" },
	{ "machine other login bob password no\n"
	  "machine mail.example login eve password no\n"
	  "machine mail.example login bob password s3cret\n"
	  "machine mail.example login bob password late\n",
	  "s3cret" },
	{ "machine other password no default login bob password s3cret",
	  "s3cret" },
	{ "machine mail.example login bob password \"a b\\\"c\"\n", "a b\"c" },
	{ "machine other macdef init\nmachine mail.example\npassword no\n\n"
	  "machine mail.example login bob password s3cret\n",
	  "s3cret" },
	{ "machine mail.example login bob account x password s3cret",
	  "s3cret" },
	{ "machine mail.example login eve password no", NULL },
	{ "machine mail.example login bob password", NULL },
	{ "machine mail.example.org login bob password no", NULL },
	{ "password no", NULL },
	{ "machine", NULL },
	{ "", NULL },
};

static void a_netrc_has_a_password_for_a_host_and_user(void **state)
{
	for (size_t i = 0; i < COUNT_OF(netrcs); i++) {
		char path[32], why[160];
		struct strbuf sb = { 0 };
		write_file(path, netrcs[i].text, 0600);
		int err = get(CONN_SECRET_NETRC, path, 1000, &sb, why);
		(void)unlink(path);
		if (netrcs[i].secret != NULL) {
			assert_int_equal(err, 0);
			assert_string_equal(strbuf_text(&sb), netrcs[i].secret);
		} else {
			assert_int_equal(err, -ENOKEY);
			assert_non_null(strstr(why, "no password for bob"));
		}
		strbuf_wipe(&sb);
	}
}

static void given_or_none(void **state)
{
	struct strbuf sb = { 0 };
	char why[160];
	assert_int_equal(get(CONN_SECRET_PASSWORD, "s3cret", 1000, &sb, why),
	                 0);
	assert_string_equal(strbuf_text(&sb), "s3cret");
	strbuf_wipe(&sb);
	assert_int_equal(get(CONN_SECRET_NONE, NULL, 1000, &sb, why), 0);
	assert_string_equal(strbuf_text(&sb), "");
	strbuf_wipe(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_gives_its_first_line_or_a_reason),
		cmocka_unit_test(the_longest_secret_is_taken),
		cmocka_unit_test(a_command_is_not_told_the_secret),
		cmocka_unit_test(
			a_command_that_hangs_is_killed_with_its_children),
		cmocka_unit_test(an_abort_ends_a_command_at_once),
		cmocka_unit_test(a_file_must_be_private),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_netrc_has_a_password_for_a_host_and_user),
		cmocka_unit_test(given_or_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
