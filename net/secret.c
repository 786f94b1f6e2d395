/*
 * Nothing here quotes what it read, nor the command: people do write
 * "password-command = echo hunter2", and messages end up in bug reports.
 */
#include "net/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/digest.h"

/* Between two looks whether a command has ended. */
#define LOOK_MS 10

/* Where a message for the user goes. */
struct why {
	char *text;
	size_t size;
};

static int refuse(const struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct why *why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(why->text, why->size, format, args);
	va_end(args);
	return -ENOKEY;
}

/*
 * Read once into sb, which was made large enough to hold SECRET_MAX bytes and
 * one more: it never moves, so that no copy is left behind.  What does not
 * fit is read and dropped.  Returns the count, 0 at the end, or -errno.
 */
static ssize_t read_some(int fd, struct strbuf *sb)
{
	char rest[512];
	bool is_full = sb->len > SECRET_MAX;
	ssize_t n = is_full ? read(fd, rest, sizeof(rest))
	                    : read(fd, sb->bytes + sb->len,
	                           SECRET_MAX + 1 - sb->len);
	if (n < 0)
		return -errno;
	if (is_full)
		wipe(rest, sizeof(rest));
	else
		sb->len += (size_t)n;
	return n;
}

/* Leave the first line only, and refuse it if it cannot be a secret. */
static int keep_first_line(struct strbuf *sb, const char *what,
                           const struct why *why)
{
	const char *lf = memchr(sb->bytes, '\n', sb->len);
	if (lf == NULL && sb->len > SECRET_MAX)
		return refuse(why, "%s: longer than %d bytes", what,
		              SECRET_MAX);
	if (lf != NULL)
		sb->len = (size_t)(lf - sb->bytes);
	if (sb->len > 0 && sb->bytes[sb->len - 1] == '\r')
		sb->len--;
	sb->bytes[sb->len] = '\0';
	if (sb->len == 0)
		return refuse(why, "%s: its first line is empty", what);
	if (strlen(sb->bytes) != sb->len)
		return refuse(why, "%s: has a NUL byte in it", what);
	return 0;
}

/* ---- Commands ---- */

static int spawn(const char *command, int out, pid_t *pid_out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;
	char sh[] = "/bin/sh", dash_c[] = "-c";
	char *line = strdup(command);
	char *argv[] = { sh, dash_c, line, NULL };
	sigemptyset(&none);
	sigemptyset(&defaults);
	/* Ignored by daemons; a shell expects the default. */
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
	                                 O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
	                                              POSIX_SPAWN_SETSIGMASK |
	                                              POSIX_SPAWN_SETSIGDEF);
	int err =
		posix_spawn(pid_out, sh, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(line);
	return -err;
}

/* Ended, and still a zombie, so that its id is not another's. */
static bool has_ended(pid_t pid)
{
	siginfo_t child = { 0 };
	return waitid(P_PID, (id_t)pid, &child, WEXITED | WNOHANG | WNOWAIT) <
	               0 ||
	       child.si_pid != 0;
}

/*
 * Read what the command prints until it has ended.  Its output may stay open
 * after that, for a command may start an agent that inherits it; or close
 * before.  So look every few milliseconds.
 */
static int collect(int out, pid_t pid, struct wake *abort, int64_t deadline,
                   struct strbuf *sb)
{
	struct pollfd p[] = {
		{ .fd = wake_fd(abort), .events = POLLIN },
		{ .fd = out, .events = POLLIN },
	};
	for (;;) {
		int left = deadline_left(deadline);
		bool is_short = left >= 0 && left < LOOK_MS;
		p[1].revents = 0;
		(void)poll(p, 2, is_short ? left : LOOK_MS);
		if (p[0].revents != 0)
			return -ECANCELED;
		if (left == 0)
			return -ETIMEDOUT;
		ssize_t n = p[1].revents != 0 ? read_some(out, sb) : -EAGAIN;
		if (n == 0)
			p[1].fd = -1;
		if (n <= 0 && has_ended(pid))
			return 0;
	}
}

static int run(const char *command, struct wake *abort, int64_t deadline,
               struct strbuf *sb, int *status_out)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	auto_fd int out = ends[0];
	auto_fd int in = ends[1];
	/* The command's end is an ordinary, blocking one. */
	(void)fcntl(in, F_SETFL, 0);
	pid_t pid;
	int err = spawn(command, in, &pid);
	if (err < 0)
		return err;
	(void)close(take_fd(&in));
	err = collect(out, pid, abort, deadline, sb);
	if (err < 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, status_out, 0) < 0 && errno == EINTR)
		;
	return err;
}

static int from_command(const char *command, const char *what,
                        struct wake *abort, int64_t deadline, struct strbuf *sb,
                        const struct why *why)
{
	int status = 0;
	int err = run(command, abort, deadline, sb, &status);
	if (err == -ETIMEDOUT)
		(void)refuse(why, "%s: did not end in time", what);
	if (err == -ECANCELED)
		(void)refuse(why, "%s: canceled", what);
	if (err == -ETIMEDOUT || err == -ECANCELED)
		return err;
	if (err < 0)
		return refuse(why, "%s: cannot be run: %s", what,
		              strerror(-err));
	if (WIFSIGNALED(status))
		return refuse(why, "%s: killed by signal %d", what,
		              WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return refuse(why, "%s: failed with exit status %d", what,
		              WEXITSTATUS(status));
	if (sb->len == 0)
		return refuse(why, "%s: printed nothing", what);
	return keep_first_line(sb, what, why);
}

/* ---- Files ---- */

static int open_private(const char *path, const struct why *why, int *fd_out)
{
	/* A FIFO must not hang us before it is refused. */
	auto_fd int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(why, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(why, "%s: not a regular file", path);
	if (st.st_uid != geteuid())
		return refuse(why, "%s: belongs to another user", path);
	if ((st.st_mode & 077) != 0)
		return refuse(why,
		              "%s: others may read it; run chmod 600 on it",
		              path);
	*fd_out = take_fd(&fd);
	return 0;
}

static int from_file(const char *path, struct strbuf *sb, const struct why *why)
{
	auto_fd int fd = -1;
	int err = open_private(path, why, &fd);
	if (err < 0)
		return err;
	ssize_t n;
	while (sb->len <= SECRET_MAX && (n = read_some(fd, sb)) != 0) {
		if (n < 0)
			return refuse(why, "%s: %s", path, strerror((int)-n));
	}
	return 0;
}

/*
 * The next word of a netrc file, cut out of it in place; NULL at the end.  A
 * word may stand in quotes, where a backslash takes the next byte as it is.
 */
static char *next_word(char **at)
{
	char *from = *at + strspn(*at, " \t\r\n");
	bool is_quoted = *from == '"';
	if (*from == '\0')
		return NULL;
	if (is_quoted)
		from++;
	const char *stops = is_quoted ? "\"" : " \t\r\n";
	char *to = from;
	char *word = from;
	while (*from != '\0' && strchr(stops, *from) == NULL) {
		if (is_quoted && *from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from++;
	}
	*at = *from == '\0' ? from : from + 1;
	*to = '\0';
	return word;
}

/* What a netrc file says of one machine; the words are borrowed. */
struct netrc_entry {
	bool is_host;     /* it is for our host, or for any */
	const char *user; /* NULL: for any */
	char *password;
};

static bool is_entry_for(const struct netrc_entry *e,
                         const struct conn_config *config)
{
	return e->is_host && e->password != NULL && *e->password != '\0' &&
	       (e->user == NULL || strcmp(e->user, config->user) == 0);
}

/* A macro has no words: it ends with the first empty line. */
static void skip_macro(char **at)
{
	char *end = strstr(*at, "\n\n");
	*at = end == NULL ? *at + strlen(*at) : end + 2;
}

/* Leave the password that a netrc text has for the host and user. */
static int find_in_netrc(const struct conn_config *config, struct strbuf *sb,
                         const struct why *why)
{
	char *at = sb->bytes;
	char *word;
	struct netrc_entry e = { 0 };
	while ((word = next_word(&at)) != NULL) {
		bool is_default = strcmp(word, "default") == 0;
		if (is_default || strcmp(word, "machine") == 0) {
			if (is_entry_for(&e, config))
				break;
			const char *host =
				is_default ? config->host : next_word(&at);
			e = (struct netrc_entry){
				.is_host = host != NULL &&
				           strcasecmp(host, config->host) == 0
			};
		} else if (strcmp(word, "login") == 0) {
			e.user = next_word(&at);
		} else if (strcmp(word, "password") == 0) {
			e.password = next_word(&at);
		} else if (strcmp(word, "macdef") == 0) {
			skip_macro(&at);
		}
	}
	if (!is_entry_for(&e, config))
		return refuse(why, "%s: has no password for %s at %s",
		              config->secret, config->user, config->host);
	sb->len = strlen(e.password);
	memmove(sb->bytes, e.password, sb->len + 1);
	return 0;
}

static int from_netrc(const struct conn_config *config, struct strbuf *sb,
                      const struct why *why)
{
	int err = from_file(config->secret, sb, why);
	if (err < 0)
		return err;
	if (sb->len > SECRET_MAX)
		return refuse(why, "%s: longer than %d bytes", config->secret,
		              SECRET_MAX);
	sb->bytes[sb->len] = '\0';
	return find_in_netrc(config, sb, why);
}

static int from_password_file(const char *path, struct strbuf *sb,
                              const struct why *why)
{
	int err = from_file(path, sb, why);
	return err < 0 ? err : keep_first_line(sb, path, why);
}

int secret_get(const struct conn_config *config, struct wake *abort,
               struct strbuf *secret_out, char *why, size_t size)
{
	const struct why w = { why, size };
	int64_t deadline = deadline_in(config->timeout_ms);
	struct strbuf sb = { 0 };
	strbuf_reserve(&sb, SECRET_MAX + 1);
	strbuf_puts(&sb, "");
	int err = 0;
	switch (config->secret_kind) {
	case CONN_SECRET_NONE:
		break;
	case CONN_SECRET_PASSWORD:
		strbuf_puts(&sb, config->secret);
		break;
	case CONN_SECRET_PASSWORD_COMMAND:
		err = from_command(config->secret, "password-command", abort,
		                   deadline, &sb, &w);
		break;
	case CONN_SECRET_TOKEN_COMMAND:
		err = from_command(config->secret, "token-command", abort,
		                   deadline, &sb, &w);
		break;
	case CONN_SECRET_PASSWORD_FILE:
		err = from_password_file(config->secret, &sb, &w);
		break;
	case CONN_SECRET_NETRC:
		err = from_netrc(config, &sb, &w);
		break;
	}
	if (err < 0) {
		strbuf_wipe(&sb);
		return err;
	}
	*secret_out = sb;
	return 0;
}
