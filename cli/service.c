#include "cli/service.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/status.h"
#include "popclient/popclient.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/mem.h"

int service_open(struct service *s, const struct config_account *account,
                 char **why_out)
{
	*s = (struct service){ .account = account, .control_fd = -1 };
	struct cache_config config = {
		.account = account->name,
		.state_dir = account->state_dir,
		.cache_dir = account->cache_dir,
		.size_limit = account->cache_size,
		.timeout_ms = account->imap.conn.timeout_ms,
		.interval_ms = account->interval_ms,
		.is_read_only = account->imap.read_only,
		.delete = account->delete,
		.is_ack_server = account->is_ack_server,
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
		                        .keep = account->keep ||
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
}

void service_answer(struct service *s)
{
	char request[CONTROL_REQUEST_MAX + 1];
	auto_fd int fd = control_accept(s->control_fd, request);
	if (fd < 0)
		return;
	if (strcmp(request, "status") != 0) {
		control_answer(fd, "{\"error\": \"no such request\"}\n");
		return;
	}
	struct cache_status status;
	cache_status(s->cache, &status);
	auto_free char *text = status_to_json(s->account->name, s->mountpoint,
	                                      getpid(), &status);
	control_answer(fd, text);
}
