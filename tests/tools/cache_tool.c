/*
 * A cache on a real IMAP server, without a mount, in a time of its own: what
 * the cache would wait for is skipped, so that minutes of looking for what a
 * lost connection left behind take milliseconds.
 *
 *   cache_tool DIRECTORY PORT USER PASSWORD AUTH FOLDER...
 *
 * Plain TCP to 127.0.0.1, a mechanism ("-": the best), the folders' names at
 * the top, in DIRECTORY all files.  Each line of standard input is done, and answered by one line:
 *
 *	deliver FOLDER NAME FILE	ok, or the error
 *	rename FOLDER NAME FOLDER FLAGS	the same; letters of mail.h, "-": none
 *	unlink FOLDER NAME		the same
 *	pass MS		let so much time pass, or until nothing is to be sent
 *	wait MS		the same, also when nothing is to be sent
 *	rest		no time: return when there is nothing to do now
 *
 * of which the last three tell: pending, held, refused, milliseconds passed.
 * "names FOLDER" answers with the names there, separated by blanks.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/core.h"
#include "cache/jobs_queue.h"
#include "imapclient/imapclient.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* No answer of a server is waited for so long, whatever time passes here. */
#define TIMEOUT_MS (1000 * 1000 * 1000)
/* Of real time, for one command. */
#define PATIENCE_S 200

struct tool {
	struct cache *cache;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_done; /* with err: what is waited for */
	int err;
};

static void done(void *arg, int err, const struct cache_body *body)
{
	struct tool *t = arg;
	(void)body;
	(void)pthread_mutex_lock(&t->lock);
	t->is_done = true;
	t->err = err;
	(void)pthread_cond_signal(&t->changed);
	(void)pthread_mutex_unlock(&t->lock);
}

/* What a call that may be waited for gave in the end. */
static int outcome(struct tool *t, int n)
{
	if (n != 0)
		return n < 0 ? n : 0;
	(void)pthread_mutex_lock(&t->lock);
	while (!t->is_done)
		(void)pthread_cond_wait(&t->changed, &t->lock);
	t->is_done = false;
	int err = t->err;
	(void)pthread_mutex_unlock(&t->lock);
	return err;
}

static int find_folder(struct tool *t, const char *level, int64_t *id_out)
{
	struct cache_folder folder;
	int err = cache_folder_find(t->cache, CACHE_ROOT, level, &folder);
	*id_out = folder.id;
	return err;
}

static int find_entry(struct tool *t, const char *level, const char *base,
                      struct cache_entry *out)
{
	int64_t id;
	int err = find_folder(t, level, &id);
	if (err < 0)
		return err;
	err = cache_name_find(t->cache, id, CACHE_NEW, base, 0, out);
	if (err == -ENOENT)
		err = cache_name_find(t->cache, id, CACHE_CUR, base, 0, out);
	return err;
}

/* ---- The commands ---- */

static int copy_file(const char *path, int to)
{
	char bytes[65536];
	auto_fd int from = open(path, O_RDONLY | O_CLOEXEC);
	off_t at = 0;
	ssize_t n = -1;
	while (from >= 0 && (n = read(from, bytes, sizeof(bytes))) > 0) {
		if (pwrite(to, bytes, (size_t)n, at) != n)
			return -EIO;
		at += n;
	}
	return n < 0 ? -EIO : 0;
}

static int deliver(struct tool *t, char **words)
{
	struct cache_name tmp = { 0, CACHE_TMP, words[1], "", 0 };
	struct cache_name new = { 0, CACHE_NEW, words[1], "", 0 };
	struct cache_entry entry;
	struct cache_wait *wait;
	int fd;
	int err = find_folder(t, words[0], &tmp.folder);
	if (err < 0)
		return err;
	new.folder = tmp.folder;
	err = cache_file_create(t->cache, &tmp, 0600, getuid(), getgid(),
	                        &entry, &fd);
	if (err < 0)
		return err;
	err = copy_file(words[2], fd);
	(void)close(fd);
	cache_file_release(t->cache, entry.message.id);
	if (err < 0)
		return err;
	return outcome(t, cache_rename(t->cache, &entry, &new, NULL, done, t,
	                               &wait));
}

static unsigned flags_of(const char *text)
{
	static const char letters[] = "DFPRST";
	unsigned flags = 0;
	for (; *text != '\0'; text++) {
		const char *at = strchr(letters, *text);
		if (at != NULL)
			flags |= 1U << (at - letters);
	}
	return flags;
}

static int rename_it(struct tool *t, char **words)
{
	struct cache_entry entry;
	struct cache_wait *wait;
	unsigned flags = flags_of(words[3]);
	auto_free char *info = xasprintf(":2,%s", flags == 0 ? "" : words[3]);
	struct cache_name to = { 0, CACHE_CUR, words[1], info, flags };
	int err = find_entry(t, words[0], words[1], &entry);
	if (err == 0)
		err = find_folder(t, words[2], &to.folder);
	if (err < 0)
		return err;
	return outcome(t, cache_rename(t->cache, &entry, &to, NULL, done, t,
	                               &wait));
}

static int unlink_it(struct tool *t, char **words)
{
	struct cache_entry entry;
	int err = find_entry(t, words[0], words[1], &entry);
	return err < 0 ? err : cache_unlink(t->cache, &entry);
}

static void tell_names(struct tool *t, const char *level, int64_t folder)
{
	struct cache_entry entry;
	for (int place = 0; place < CACHE_MAIL_PLACES; place++) {
		if (cache_scan_begin(t->cache, folder, (enum cache_place)place,
		                     0, false) < 0)
			break;
		while (cache_scan_next(t->cache, &entry) == 1)
			printf("%016" PRIx64 "/%s%s ", entry.identity,
			       entry.base, entry.info);
		cache_scan_end(t->cache);
	}
	printf("%s\n", level);
}

/* ---- Time ---- */

/* Until when the session has nothing to do; 0: it has. */
static int64_t asleep_until(struct tool *t)
{
	struct jobs *jobs = t->cache->jobs;
	(void)pthread_mutex_lock(&jobs->lock);
	const struct served *s = &jobs->served[0];
	int64_t until = s->is_asleep ? s->sleeps_until : 0;
	(void)pthread_mutex_unlock(&jobs->lock);
	return until > clock_now_ms() ? until : 0;
}

static int64_t pending(struct tool *t)
{
	struct cache_status status;
	cache_status(t->cache, &status);
	return status.pending;
}

/*
 * Whenever the session sleeps, let the time pass till it wakes: at most ms in
 * all; none when nothing is pending any more, if may_end.  Returns what passed.
 */
static int64_t pass(struct tool *t, int64_t ms, bool may_end)
{
	static const struct timespec pause = { .tv_nsec = 500000 };
	time_t end = time(NULL) + PATIENCE_S;
	int64_t passed = 0;
	(void)cache_flush(t->cache, false);
	while (time(NULL) < end) {
		int64_t until = asleep_until(t);
		if (until == 0) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		if (passed >= ms || (may_end && pending(t) == 0))
			return passed;
		int64_t step = until - clock_now_ms();
		if (step > ms - passed)
			step = ms - passed;
		if (step < 1)
			step = 1;
		clock_advance_ms(step);
		passed += step;
		cache_tick(t->cache);
	}
	log_error("it does not come to rest");
	return passed;
}

static void tell_status(struct tool *t, int64_t passed)
{
	struct cache_status s;
	cache_status(t->cache, &s);
	printf("%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\n", s.pending,
	       s.held, s.refused, passed);
}

/* ---- */

static void do_line(struct tool *t, char *line)
{
	static const struct {
		const char *word;
		int count;
		int (*run)(struct tool *t, char **words);
	} commands[] = {
		{ "deliver", 3, deliver },
		{ "rename", 4, rename_it },
		{ "unlink", 2, unlink_it },
	};
	char none[] = "";
	char *words[5];
	int64_t folder = 0;
	for (int i = 0; i < 5; i++)
		words[i] = line != NULL ? strsep(&line, " ") : none;
	bool is_wait = strcmp(words[0], "wait") == 0;
	if (is_wait || strcmp(words[0], "pass") == 0) {
		int64_t ms = strtoll(words[1], NULL, 10);
		tell_status(t, pass(t, ms, !is_wait));
		return;
	}
	if (strcmp(words[0], "rest") == 0) {
		tell_status(t, pass(t, 0, true));
		return;
	}
	int err = -EINVAL;
	if (strcmp(words[0], "names") == 0) {
		err = find_folder(t, words[1], &folder);
		if (err == 0) {
			tell_names(t, words[1], folder);
			return;
		}
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(words[0], commands[i].word) == 0)
			err = commands[i].run(t, words + 1);
	printf("%s\n", err == 0 ? "ok" : strerror(-err));
}

static int begin(struct tool *t, struct remote *remote, char **folders)
{
	struct cache_wait *wait;
	int64_t id;
	int err = cache_start(t->cache, &remote, 1);
	if (err == 0)
		err = outcome(t, cache_listing_await(t->cache, CACHE_ROOT, done,
		                                     t, &wait));
	for (; err == 0 && *folders != NULL; folders++) {
		err = find_folder(t, *folders, &id);
		if (err == 0)
			err = outcome(t, cache_listing_await(t->cache, id, done,
			                                     t, &wait));
	}
	return err;
}

int main(int argc, char **argv)
{
	struct imap_config imap = {
		.conn = { .protocol = CONN_IMAP,
		          .security = CONN_PLAIN,
		          .host = "127.0.0.1",
		          .secret_kind = CONN_SECRET_PASSWORD,
		          .timeout_ms = TIMEOUT_MS },
		.compress = true, /* where it is offered */
		.version = "1.0",
	};
	struct tool t = { .lock = PTHREAD_MUTEX_INITIALIZER,
		          .changed = PTHREAD_COND_INITIALIZER };
	struct remote *remote;
	auto_free char *why = NULL;
	auto_free char *line = NULL;
	size_t capacity = 0;
	ssize_t len;
	if (argc < 7) {
		(void)fprintf(stderr, "usage: cache_tool DIRECTORY PORT USER "
		                      "PASSWORD AUTH FOLDER...\n");
		return 2;
	}
	auto_free char *state = xasprintf("%s/state", argv[1]);
	auto_free char *bodies = xasprintf("%s/cache", argv[1]);
	struct cache_config config = {
		.account = "test",
		.state_dir = state,
		.cache_dir = bodies,
		.size_limit = 1 << 30,
		.timeout_ms = TIMEOUT_MS,
		.interval_ms = 60000,
		.delete = CACHE_DELETE_EXPUNGE,
		.folders = (const char *const *)argv + 6,
		.folder_count = (size_t)argc - 6,
	};
	log_open(LOG_LEVEL_DEBUG, false);
	imap.conn.port = (unsigned)strtoul(argv[2], NULL, 10);
	imap.conn.user = argv[3];
	imap.conn.secret = argv[4];
	imap.conn.auth = strcmp(argv[5], "-") == 0 ? NULL : argv[5];
	int err = cache_open(&config, &t.cache, &why);
	if (err == 0)
		err = imap_remote_new(&imap, &remote);
	if (err == 0)
		err = begin(&t, remote, argv + 6);
	printf("%s\n", err == 0 ? "ok" : strerror(-err));
	(void)fflush(stdout);
	while (err == 0 && (len = getline(&line, &capacity, stdin)) > 0) {
		line[len - 1] = '\0';
		do_line(&t, line);
		(void)fflush(stdout);
	}
	if (t.cache != NULL) {
		cache_stop(t.cache);
		cache_close(t.cache);
	}
	return err < 0;
}
