/*
 * The main thread.  It starts everything, then waits for signals, callers of
 * the control sockets, other addresses of this machine, the mount's end and the
 * second's tick.
 *
 * Starting is over ("told") when every account's folders are known: at once
 * if they are from an earlier run, else after the first LIST.  An account
 * whose first LIST fails is nothing to show; if no other account has more,
 * that ends the daemon.  On a terminal the parent stays for the progress of
 * the first listings too; whoever is tired of looking leaves with ^C.
 */
#include "cli/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/background.h"
#include "cli/exit_code.h"
#include "cli/service.h"
#include "net/network.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

#define TICK_MS     1000
#define PROGRESS_MS 250

/* Listings follow each other with gaps; so many looks without one: done. */
#define PROGRESS_IDLE_MAX 4

/* Descriptors before those of the control sockets. */
enum { POLL_SIGNAL, POLL_WAKE, POLL_END, POLL_NETWORK, POLL_CONTROL };

struct daemon {
	const struct daemon_config *config; /* borrowed from the caller */
	struct service *services;
	size_t service_count; /* opened so far */
	struct fs *fs;
	struct wake wake;
	int signal_fd;
	struct network network;
	bool is_told;
	bool has_progress; /* a line of it is on the terminal */
	int progress_idle;
};

static void complain(const char *account, const char *what)
{
	(void)dprintf(STDERR_FILENO, "mailmount: %s%s%s\n",
	              account != NULL ? account : "",
	              account != NULL ? ": " : "", what);
}

static int open_services(struct daemon *d)
{
	for (size_t i = 0; i < d->config->account_count; i++) {
		const struct config_account *account = d->config->accounts[i];
		auto_free char *why = NULL;
		int err = service_open(&d->services[i], account,
		                       d->config->mountpoint, &why);
		d->services[i].is_single = d->config->is_single;
		d->service_count++;
		if (err < 0) {
			/* The cache names the account. */
			complain(NULL, why != NULL ? why : strerror(-err));
			return err;
		}
	}
	return 0;
}

/* In a thread of the mount's. */
static void on_event(void *arg, const struct fs_event *event)
{
	struct daemon *d = arg;
	events_tell(&d->services[event->account].events, event);
}

static int open_mount(struct daemon *d, struct fs_account *accounts)
{
	for (size_t i = 0; i < d->service_count; i++)
		accounts[i] = (struct fs_account){
			.name = d->services[i].account->name,
			.cache = d->services[i].cache,
			.layout = d->services[i].account->layout,
		};
	struct fs_config config = {
		.mountpoint = d->config->mountpoint,
		.accounts = accounts,
		.account_count = d->service_count,
		.is_single = d->config->is_single,
		.options = d->config->options,
		.on_event = on_event,
		.event_arg = d,
	};
	auto_free char *why = NULL;
	int err = fs_open(&config, &d->fs, &why);
	if (err < 0)
		complain(NULL, why != NULL ? why : strerror(-err));
	return err;
}

static int start_all(struct daemon *d)
{
	for (size_t i = 0; i < d->service_count; i++) {
		int err = service_start(&d->services[i], &d->wake);
		if (err < 0) {
			complain(d->services[i].account->name, strerror(-err));
			return err;
		}
	}
	int err = fs_start(d->fs);
	if (err < 0)
		complain(NULL, strerror(-err));
	return err;
}

static void clear_progress(struct daemon *d)
{
	if (d->has_progress)
		(void)dprintf(STDERR_FILENO, "\r\033[K");
	d->has_progress = false;
}

static void tell_ready(struct daemon *d)
{
	clear_progress(d);
	d->is_told = true;
	background_tell(d->config->background, EX_OK);
}

/* Why an account's first listing failed, once. */
static void tell_failure(struct daemon *d, struct service *s, int err)
{
	if (s->is_failure_told)
		return;
	s->is_failure_told = true;
	struct cache_status status;
	cache_status(s->cache, &status);
	clear_progress(d);
	complain(s->account->name,
	         status.failure[0] != '\0' ? status.failure : strerror(-err));
}

/*
 * How the first lists stand: SERVICE_WAITING, SERVICE_KNOWN (at least one
 * account has something to show), or the last failure when all have failed.
 */
static int look_at_first_lists(struct daemon *d)
{
	int result = 0, known = 0, waiting = 0;
	for (size_t i = 0; i < d->service_count; i++) {
		struct service *s = &d->services[i];
		int state = atomic_load(&s->first_list);
		if (state < 0) {
			tell_failure(d, s, state);
			result = state;
		} else if (state == SERVICE_WAITING) {
			waiting++;
		} else {
			known++;
		}
	}
	if (waiting > 0)
		return SERVICE_WAITING;
	return known > 0 ? SERVICE_KNOWN : result;
}

/* One line; false: there is nothing (more) to wait for. */
static bool show_progress(struct daemon *d)
{
	for (size_t i = 0; i < d->service_count; i++) {
		struct cache_status status;
		cache_status(d->services[i].cache, &status);
		if (status.listing[0] == '\0')
			continue;
		d->progress_idle = 0;
		d->has_progress = true;
		(void)dprintf(STDERR_FILENO,
		              "\r\033[K%.20s: %.30s %" PRId64 "/%" PRId64
		              " (folder %" PRId64 " of %" PRId64 ")",
		              d->services[i].account->name, status.listing,
		              status.listing_done, status.listing_total,
		              status.folders_listed + 1, status.folders);
		return true;
	}
	int64_t unlisted = 0;
	for (size_t i = 0; i < d->service_count; i++) {
		struct cache_status status;
		cache_status(d->services[i].cache, &status);
		if (status.is_online)
			unlisted += status.folders - status.folders_listed;
	}
	return unlisted > 0 && ++d->progress_idle < PROGRESS_IDLE_MAX;
}

/* Returns 0, or the error that ends the daemon. */
static int watch_start(struct daemon *d)
{
	if (d->is_told)
		return 0;
	int state = look_at_first_lists(d);
	if (state < 0)
		return state;
	if (state == SERVICE_WAITING)
		return 0;
	bool is_watched = background_is_watched(*d->config->background) &&
	                  isatty(STDERR_FILENO);
	if (!is_watched || !show_progress(d))
		tell_ready(d);
	return 0;
}

static int poll_all(struct daemon *d, struct pollfd *fds, int64_t tick)
{
	fds[POLL_SIGNAL] = (struct pollfd){ d->signal_fd, POLLIN, 0 };
	fds[POLL_WAKE] = (struct pollfd){ wake_fd(&d->wake), POLLIN, 0 };
	fds[POLL_END] = (struct pollfd){ fs_end_fd(d->fs), POLLIN, 0 };
	fds[POLL_NETWORK] = (struct pollfd){ d->network.fd, POLLIN, 0 };
	for (size_t i = 0; i < d->service_count; i++)
		fds[POLL_CONTROL + i] =
			(struct pollfd){ d->services[i].control_fd, POLLIN, 0 };
	int left = deadline_left(tick);
	if (!d->is_told && left > PROGRESS_MS)
		left = PROGRESS_MS;
	int n = poll(fds, POLL_CONTROL + d->service_count, left);
	return n < 0 && errno != EINTR ? -errno : 0;
}

static void tick_all(struct daemon *d, bool is_network_new)
{
	for (size_t i = 0; i < d->service_count; i++) {
		if (is_network_new)
			cache_network_changed(d->services[i].cache);
		service_tick(&d->services[i]);
	}
}

static int loop(struct daemon *d)
{
	auto_free struct pollfd *fds =
		xcalloc(POLL_CONTROL + d->service_count, sizeof(*fds));
	int64_t tick = deadline_in(TICK_MS);
	bool is_network_new = false;
	for (;;) {
		int err = watch_start(d);
		if (err < 0)
			return err;
		err = poll_all(d, fds, tick);
		if (err < 0)
			return err;
		if (fds[POLL_SIGNAL].revents != 0)
			return 0;
		if (fds[POLL_END].revents != 0) {
			log_info("unmounted");
			return 0;
		}
		wake_clear(&d->wake);
		/* They seldom come alone: the tick tells of all at once. */
		if (fds[POLL_NETWORK].revents != 0)
			is_network_new |= network_is_changed(&d->network);
		for (size_t i = 0; i < d->service_count; i++)
			if (fds[POLL_CONTROL + i].revents != 0)
				service_answer(&d->services[i]);
		if (deadline_left(tick) > 0)
			continue;
		tick_all(d, is_network_new);
		is_network_new = false;
		tick = deadline_in(TICK_MS);
	}
}

static int open_signals(struct daemon *d)
{
	sigset_t set;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signal_fd < 0 ? -errno : 0;
}

static int run(struct daemon *d, struct fs_account *accounts)
{
	int err = open_signals(d);
	if (err < 0)
		return err;
	err = open_services(d);
	if (err < 0)
		return err;
	err = open_mount(d, accounts);
	if (err < 0)
		return err;
	err = start_all(d);
	if (err < 0)
		return err;
	return loop(d);
}

int daemon_run(const struct daemon_config *config)
{
	struct daemon d = { .config = config, .signal_fd = -1 };
	int err = wake_init(&d.wake);
	if (err < 0)
		return exit_code(err);
	network_open(&d.network);
	d.services = xcalloc(config->account_count, sizeof(*d.services));
	auto_free struct fs_account *accounts =
		xcalloc(config->account_count, sizeof(*accounts));
	err = run(&d, accounts);
	clear_progress(&d);
	services_stop(d.services, d.service_count);
	if (d.fs != NULL)
		fs_close(d.fs);
	for (size_t i = 0; i < d.service_count; i++)
		service_release(&d.services[i]);
	free(d.services);
	if (d.signal_fd >= 0)
		(void)close(d.signal_fd);
	network_close(&d.network);
	wake_release(&d.wake);
	return exit_code(err);
}
