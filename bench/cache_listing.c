/*
 * How long the first listing of COUNT messages takes, and what it leaves:
 * cache_listing COUNT DIRECTORY.  The server is in memory, so this is the
 * cost of the index.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cache/cache.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* A folder of count messages, given in chunks as a server's would be. */
struct source {
	struct remote remote; /* first */
	int64_t count, at, end;
	bool is_listed;
	char key[32];
};

#define CHUNK 25000

static int source_nothing(struct remote *remote)
{
	return 0;
}

static void source_disconnect(struct remote *remote)
{
}

static int source_list(struct remote *remote)
{
	((struct source *)remote)->is_listed = false;
	return 0;
}

static int source_list_next(struct remote *remote, struct remote_folder *out)
{
	struct source *s = (struct source *)remote;
	if (s->is_listed)
		return 0;
	s->is_listed = true;
	*out = (struct remote_folder){ "INBOX", 0, s->count, "1" };
	return 1;
}

static int source_pull(struct remote *remote, const char *folder,
                       const char *cursor)
{
	struct source *s = (struct source *)remote;
	s->at = strtoll(cursor, NULL, 10);
	s->end = s->at + CHUNK < s->count ? s->at + CHUNK : s->count;
	return 0;
}

static int source_next(struct remote *remote, struct remote_change *out,
                       struct remote_cursor *cursor)
{
	struct source *s = (struct source *)remote;
	if (s->at == s->end) {
		*cursor = (struct remote_cursor){ .more = s->at < s->count };
		(void)snprintf(cursor->text, sizeof(cursor->text), "%" PRId64,
		               s->at);
		return 0;
	}
	s->at++;
	(void)snprintf(s->key, sizeof(s->key), "%" PRId64, s->at);
	*out = (struct remote_change){
		.kind = REMOTE_MESSAGE,
		.key = s->key,
		.flags = s->at % 10 == 0 ? 0 : MAIL_SEEN,
		.keywords = "",
		.received_at = 1700000000 + s->at * 60,
		.claimed_size = 4000 + (uint64_t)(s->at * 7919 % 90000),
		.identity = 0x1234567800000000 + (uint64_t)s->at,
	};
	return 1;
}

static void source_free(struct remote *remote)
{
	remote_release(remote);
	free(remote);
}

static const struct remote_ops source_ops = {
	.connect = source_nothing,
	.disconnect = source_disconnect,
	.list = source_list,
	.list_next = source_list_next,
	.pull = source_pull,
	.next = source_next,
	.free = source_free,
};

struct latch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_done;
};

static void done(void *arg, int err, const struct cache_body *body)
{
	struct latch *l = arg;
	(void)pthread_mutex_lock(&l->lock);
	l->is_done = true;
	(void)pthread_cond_signal(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

static void await(struct cache *c, int64_t folder)
{
	struct latch l = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
		           false };
	struct cache_wait *wait;
	if (cache_listing_await(c, folder, done, &l, &wait) != 0)
		return;
	(void)pthread_mutex_lock(&l.lock);
	while (!l.is_done)
		(void)pthread_cond_wait(&l.changed, &l.lock);
	(void)pthread_mutex_unlock(&l.lock);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	auto_free char *state_dir = xasprintf("%s/state", argv[2]);
	auto_free char *cache_dir = xasprintf("%s/cache", argv[2]);
	auto_free char *index = xasprintf("%s/index.db", state_dir);
	auto_free char *why = NULL;
	struct cache_config config = {
		.account = "bench",
		.state_dir = state_dir,
		.cache_dir = cache_dir,
		.size_limit = 1 << 30,
		.timeout_ms = 600000,
		.interval_ms = 600000,
	};
	struct cache *c;
	struct source *s = xmalloc(sizeof(*s));
	s->count = strtoll(argv[1], NULL, 10);
	if (remote_init(&s->remote, &source_ops) < 0 ||
	    cache_open(&config, &c, &why) < 0) {
		(void)fprintf(stderr, "%s\n", why != NULL ? why : "failed");
		return 1;
	}
	struct remote *remote = &s->remote;
	struct cache_folder inbox;
	int64_t began = clock_now_ms();
	(void)cache_start(c, &remote, 1);
	await(c, CACHE_ROOT);
	(void)cache_folder_find(c, CACHE_ROOT, "INBOX", &inbox);
	await(c, inbox.id);
	int64_t took = clock_now_ms() - began;

	struct cache_entry entry;
	int64_t entries = 0;
	int64_t scan_began = clock_now_ms();
	(void)cache_scan_begin(c, inbox.id, CACHE_CUR, 0, false);
	while (cache_scan_next(c, &entry) == 1)
		entries++;
	cache_scan_end(c);
	int64_t scan_took = clock_now_ms() - scan_began;
	cache_stop(c);
	cache_close(c);

	struct stat st = { 0 };
	struct rusage usage;
	(void)stat(index, &st);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("%s messages: %" PRId64 " ms, %.0f bytes a message, "
	             "%ld KiB resident at most; scan of %" PRId64 ": %" PRId64
	             " ms\n",
	             argv[1], took,
	             (double)st.st_size / (double)strtoll(argv[1], NULL, 10),
	             usage.ru_maxrss, entries, scan_took);
	return 0;
}
