#include "cli/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/control.h"
#include "cli/queue.h"
#include "cli/status.h"
#include "popclient/popclient.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

int service_open(struct service *s, const struct config_account *account,
                 const char *mountpoint, char **why_out)
{
	*s = (struct service){
		.account = account,
		.mountpoint = mountpoint,
		.control_fd = -1,
		.hook = { .command = account->hook, .account = account->name },
	};
	events_init(&s->events, account->name, mountpoint);
	struct cache_config config = {
		.account = account->name,
		.state_dir = account->state_dir,
		.cache_dir = account->cache_dir,
		.size_limit = account->cache_size,
		.ahead_max = account->ahead_max,
		.daily_limit = account->daily_limit,
		.timeout_ms = account->imap.conn.timeout_ms,
		.interval_ms = account->interval_ms,
		.announce_bytes = account->announce_size,
		.is_read_only = account->imap.read_only,
		.delete = account->delete,
		.ack = account->ack,
		.is_inbox_root = account->layout == FS_MAILDIRPP,
		.is_taken = account->is_taken &&
		            account->imap.conn.protocol == CONN_POP3,
		.take_after_s = account->take_after_s,
		.split = account->split,
		.domains = account->domains,
		.domain_count = account->domain_count,
		.folders = account->folders,
		.folder_count = account->folder_count,
	};
	int err = cache_open(&config, &s->cache, why_out);
	if (err < 0)
		return err;
	s->control_fd = control_listen(account->state_dir);
	if (s->control_fd < 0)
		*why_out = xasprintf("%s/control: %s", account->state_dir,
		                     strerror(-s->control_fd));
	return s->control_fd < 0 ? s->control_fd : 0;
}

/* In a thread of the cache. */
static void first_list_done(void *arg, int err, const struct cache_body *body)
{
	struct service *s = arg;
	atomic_store(&s->first_list, err < 0 ? err : SERVICE_KNOWN);
	wake_signal(s->wake);
}

static int make_remote(const struct config_account *account,
                       struct remote **remote_out)
{
	const struct pop_config pop = { .conn = &account->imap.conn,
		                        .is_read_only =
		                                account->imap.read_only };
	return account->imap.conn.protocol == CONN_POP3
	               ? pop_remote_new(&pop, remote_out)
	               : imap_remote_new(&account->imap, remote_out);
}

static int make_remotes(const struct config_account *account,
                        struct remote **remotes)
{
	for (unsigned i = 0; i < account->connections; i++) {
		int err = make_remote(account, &remotes[i]);
		if (err < 0) {
			while (i > 0)
				remote_free(remotes[--i]);
			return err;
		}
	}
	return 0;
}

int service_start(struct service *s, struct wake *wake)
{
	s->wake = wake;
	auto_free struct remote **remotes =
		xcalloc(s->account->connections, sizeof(struct remote *));
	int err = make_remotes(s->account, remotes);
	if (err < 0)
		return err;
	err = cache_start(s->cache, remotes, s->account->connections);
	if (err < 0)
		return err;
	atomic_store(&s->first_list, SERVICE_WAITING);
	struct cache_wait *wait;
	int n = cache_listing_await(s->cache, CACHE_ROOT, first_list_done, s,
	                            &wait);
	if (n != 0)
		atomic_store(&s->first_list, n < 0 ? n : SERVICE_KNOWN);
	return 0;
}

static void *stop_cache(void *cache)
{
	cache_stop(cache);
	return NULL;
}

void services_stop(struct service *services, size_t count)
{
	auto_free pthread_t *threads = xcalloc(count, sizeof(*threads));
	auto_free bool *is_started = xcalloc(count, sizeof(*is_started));
	for (size_t i = 0; i < count; i++) {
		if (services[i].cache == NULL)
			continue;
		is_started[i] = pthread_create(&threads[i], NULL, stop_cache,
		                               services[i].cache) == 0;
		if (!is_started[i])
			cache_stop(services[i].cache);
	}
	for (size_t i = 0; i < count; i++)
		if (is_started[i])
			(void)pthread_join(threads[i], NULL);
}

void service_release(struct service *s)
{
	if (s->control_fd >= 0) {
		(void)close(take_fd(&s->control_fd));
		control_unlink(s->account->state_dir);
	}
	if (s->cache != NULL)
		cache_close(take(s->cache));
	events_release(&s->events);
	hook_release(&s->hook);
}

void service_tick(struct service *s)
{
	struct cache_status status = { 0 };
	cache_tick(s->cache);
	events_tick(&s->events);
	struct hook_news news = events_take_news(&s->events);
	bool has_news = news.is_any || s->hook.news.is_any;
	if (has_news)
		cache_status(s->cache, &status);
	hook_step(&s->hook, news, has_news && status.is_online);
}

static char *answer_status(struct service *s)
{
	struct cache_status status;
	cache_status(s->cache, &status);
	return status_to_json(s->account->name, s->mountpoint, getpid(),
	                      &status);
}

static char *answer_queue(struct service *s)
{
	auto_strbuf struct strbuf rows = { 0 };
	int64_t total = cache_queue(s->cache, queue_add, &rows);
	auto_free char *directory =
		s->is_single
			? xstrdup(s->mountpoint)
			: xasprintf("%s/%s", s->mountpoint, s->account->name);
	return queue_to_json(s->account->name, directory, &rows, total);
}

/* Counted before: who asks wants to know what is sent because of it. */
static char *flush(struct service *s, bool is_again)
{
	struct cache_status status;
	cache_status(s->cache, &status);
	int err = cache_flush(s->cache, is_again);
	int64_t count = is_again ? status.refused : status.pending;
	return answer_count_to_json(s->account->name, err < 0 ? err : count);
}

static char *answer_flush(struct service *s)
{
	return flush(s, false);
}

static char *answer_retry(struct service *s)
{
	return flush(s, true);
}

static char *answer_confirm(struct service *s)
{
	return answer_count_to_json(s->account->name, cache_confirm(s->cache));
}

static char *answer_undo(struct service *s)
{
	return answer_count_to_json(s->account->name, cache_undo(s->cache));
}

void service_answer(struct service *s)
{
	static const struct {
		const char *request;
		char *(*answer)(struct service *s);
	} requests[] = {
		{ "status", answer_status },   { "queue", answer_queue },
		{ "flush", answer_flush },     { "retry", answer_retry },
		{ "confirm", answer_confirm }, { "undo", answer_undo },
	};
	char request[CONTROL_REQUEST_MAX + 1];
	auto_fd int fd = control_accept(s->control_fd, request);
	if (fd < 0)
		return;
	if (strcmp(request, "events") == 0) {
		events_add(&s->events, take_fd(&fd));
		return;
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(request, requests[i].request) == 0) {
			auto_free char *text = requests[i].answer(s);
			control_answer(fd, text);
			return;
		}
	}
	control_answer(fd, "{\"failure\": \"no such request\"}\n");
}
