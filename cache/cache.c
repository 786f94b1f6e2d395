/*
 * The door: opens and closes the parts, and answers the file system.
 */
#include "cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/ack.h"
#include "cache/announce.h"
#include "cache/core.h"
#include "cache/gone.h"
#include "cache/home.h"
#include "cache/journal.h"
#include "cache/logged.h"
#include "cache/write.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/mem.h"

/* What waited for its time need not any more; what was spent today is. */
static int restart(struct cache *c)
{

	struct db_conn *conn;
	int err = db_begin(c->db, &conn);
	if (err < 0)
		return err;
	err = journal_restart(conn);
	if (err == 0)
		err = jobs_budget_load(c->jobs, conn);
	if (err < 0) {
		db_rollback(conn);
		return err;
	}
	err = db_commit(conn);
	return err < 0 ? err : ack_restart(c);
}

static int open_parts(struct cache *c, const struct cache_config *config,
                      char **why_out)
{
	int err = home_make(config->state_dir, true, why_out);
	if (err == 0)
		err = home_make(config->cache_dir, false, why_out);
	if (err == 0)
		err = home_lock(config->state_dir, config->account, &c->lock_fd,
		                why_out);
	if (err == 0)
		err = db_open(config->state_dir, config->account, &c->db,
		              why_out);
	if (err < 0)
		return err;
	err = body_store_open(config->cache_dir, config->size_limit, c->db,
	                      &c->bodies);
	if (err == 0)
		err = file_store_open(config->state_dir, c->db, &c->files);
	if (err == 0)
		err = logged_restart(c, why_out);
	if (err == 0)
		err = restart(c);
	if (err == 0)
		err = spares_new(c->files, c->db, &c->spares);
	if (err == 0)
		err = keeper_new(c, &c->keeper);
	if (err < 0 && *why_out == NULL)
		*why_out =
			xasprintf("cannot read the index: %s", strerror(-err));
	return err;
}

int cache_open(const struct cache_config *config, struct cache **cache_out,
               char **why_out)
{
	struct cache *c = xmalloc(sizeof(*c));
	*why_out = NULL;
	c->account = xstrdup(config->account);
	c->interval_ms = config->interval_ms;
	c->is_read_only = config->is_read_only;
	c->delete = config->delete;
	c->ack = config->ack;
	c->is_inbox_root = config->is_inbox_root;
	c->can_append = true;
	c->is_taken = config->is_taken && !config->is_read_only;
	c->take_after_s = config->take_after_s;
	c->lock_fd = -1;
	c->patterns = xcalloc(config->folder_count, sizeof(*c->patterns));
	for (size_t i = 0; i < config->folder_count; i++)
		c->patterns[c->pattern_count++] = xstrdup(config->folders[i]);
	c->split = xstrdup(config->split);
	c->domains = xcalloc(config->domain_count, sizeof(*c->domains));
	for (size_t i = 0; i < config->domain_count; i++)
		c->domains[c->domain_count++] = xstrdup(config->domains[i]);
	c->scans.bytes_max = config->size_limit / 4 < SCAN_BYTES_MAX
	                             ? config->size_limit / 4
	                             : SCAN_BYTES_MAX;
	c->gone = xmalloc(sizeof(*c->gone));
	c->jobs = jobs_new(config->timeout_ms, config->ahead_max,
	                   config->daily_limit);
	c->daily_limit = config->daily_limit;
	c->announces = announce_new();
	c->announce_bytes = config->announce_bytes;
	(void)pthread_mutex_init(&c->status_lock, NULL);
	int err = open_parts(c, config, why_out);
	if (err < 0) {
		cache_close(c);
		return err;
	}
	*cache_out = c;
	return 0;
}

void cache_listen(struct cache *c, const struct cache_listener *listener,
                  void *arg)
{
	c->listener = *listener;
	c->listener_arg = arg;
}

void tell_entries(struct cache *c, int64_t folder)
{
	if (c->listener.entries_changed != NULL)
		c->listener.entries_changed(c->listener_arg, folder);
}

void tell_arrived(struct cache *c, const struct cache_entry *now)
{
	if (c->listener.entry_moved != NULL)
		c->listener.entry_moved(c->listener_arg, NULL, now);
}

void tell_moved(struct cache *c, const struct cache_entry *old,
                const struct cache_entry *now)
{
	if (old == NULL) {
		announce_arrival(c, now);
		return;
	}
	announce_before(c, old->id);
	if (c->listener.entry_moved != NULL)
		c->listener.entry_moved(c->listener_arg, old, now);
}

void tell_folders(struct cache *c, int64_t parent, const char *gone)
{
	if (c->listener.folders_changed != NULL)
		c->listener.folders_changed(c->listener_arg, parent, gone);
}

void tell_folder(struct cache *c, const struct cache_folder *old,
                 const struct cache_folder *now)
{
	if (c->listener.folder_moved != NULL)
		c->listener.folder_moved(c->listener_arg, old, now);
}

void tell_size(struct cache *c, int64_t message)
{
	if (c->listener.size_known != NULL)
		c->listener.size_known(c->listener_arg, message);
}

int cache_start(struct cache *c, struct remote **remotes, size_t count)
{
	size_t served = count < JOBS_SESSIONS ? count : JOBS_SESSIONS;
	for (size_t i = served; i < count; i++)
		remote_free(remotes[i]);
	for (size_t i = 0; i < served; i++) {
		c->sessions[i].cache = c;
		c->sessions[i].index = i;
		c->sessions[i].remote = remotes[i];
	}
	c->remote_count = served;
	/* What a run before this left. */
	jobs_push_by(c->jobs, clock_now_ms());
	jobs_split(c->jobs, c->split != NULL);
	c->can_append = (remotes[0]->abilities & REMOTE_CAN_APPEND) != 0;
	jobs_serve(c->jobs, remotes, served);
	for (size_t i = 0; i < served; i++) {
		struct session *s = &c->sessions[i];
		int err = pthread_create(&s->thread, NULL, session_run, s);
		if (err != 0) {
			log_error("cannot start a thread: %s", strerror(err));
			cache_stop(c);
			return -err;
		}
		c->session_count++;
	}
	return 0;
}

void cache_stop(struct cache *c)
{
	keeper_stop(c->keeper);
	jobs_stop(c->jobs);
	for (size_t i = 0; i < c->session_count; i++)
		remote_abort(c->sessions[i].remote);
	for (size_t i = 0; i < c->session_count; i++)
		(void)pthread_join(c->sessions[i].thread, NULL);
	c->session_count = 0;
}

void cache_close(struct cache *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->remote_count; i++)
		remote_free(c->sessions[i].remote);
	keeper_free(c->keeper);
	if (c->gone != NULL)
		pull_forget_gone(c, INT64_MAX);
	free(c->gone);
	jobs_free(c->jobs);
	announce_free(c->announces);
	spares_free(c->spares);
	file_store_close(c->files);
	body_store_close(c->bodies);
	db_close(c->db);
	if (c->lock_fd >= 0)
		(void)close(c->lock_fd);
	for (size_t i = 0; i < c->pattern_count; i++)
		free(c->patterns[i]);
	free(c->patterns);
	for (size_t i = 0; i < c->domain_count; i++)
		free(c->domains[i]);
	free(c->domains);
	free(c->split);
	(void)pthread_mutex_destroy(&c->status_lock);
	free(c->account);
	free(c);
}

int cache_folder_get(struct cache *c, int64_t folder,
                     struct cache_folder *folder_out)
{
	return db_folder_get(db_reader(c->db), folder, folder_out);
}

int cache_folder_find(struct cache *c, int64_t parent, const char *level,
                      struct cache_folder *folder_out)
{
	return db_folder_find(db_reader(c->db), parent, level, folder_out);
}

int cache_folder_next(struct cache *c, int64_t parent, int64_t after,
                      struct cache_folder *folder_out)
{
	return db_folder_next(db_reader(c->db), parent, after, folder_out);
}

/* What is kept says of itself what it is. */
static int look(struct cache *c, struct cache_message *message)
{
	return message->is_kept ? file_stat(c->files, message) : 0;
}

static int look_at_entry(struct cache *c, struct cache_entry *entry, int err)
{
	return err < 0 ? err : look(c, &entry->message);
}

int cache_message_get(struct cache *c, int64_t message,
                      struct cache_message *message_out)
{
	int err = db_message_get(db_reader(c->db), message, message_out);
	return err < 0 ? err : look(c, message_out);
}

int cache_entry_find(struct cache *c, int64_t folder, uint64_t identity,
                     struct cache_entry *entry_out)
{
	return look_at_entry(c, entry_out,
	                     db_entry_find(db_reader(c->db), folder, identity,
	                                   entry_out));
}

int cache_entry_of(struct cache *c, int64_t message,
                   struct cache_entry *entry_out)
{
	return look_at_entry(c, entry_out,
	                     db_entry_by_message(db_reader(c->db), message,
	                                         entry_out));
}

int cache_name_find(struct cache *c, int64_t folder, enum cache_place place,
                    const char *base, int64_t after,
                    struct cache_entry *entry_out)
{
	return look_at_entry(c, entry_out,
	                     db_entry_by_base(db_reader(c->db), folder, place,
	                                      base, after, entry_out));
}

int cache_scan_begin(struct cache *c, int64_t folder, enum cache_place place,
                     int64_t after, bool names_only)
{
	c->is_scan_of_names = names_only;
	return db_scan_begin(db_reader(c->db), folder, place, after,
	                     names_only);
}

int cache_scan_next(struct cache *c, struct cache_entry *entry_out)
{
	int n = db_scan_next(db_reader(c->db), entry_out);
	if (n == 1 && !c->is_scan_of_names)
		(void)look(c, &entry_out->message);
	return n;
}

void cache_scan_end(struct cache *c)
{
	db_scan_end(db_reader(c->db));
}

int64_t cache_entry_count(struct cache *c, int64_t folder,
                          enum cache_place place)
{
	return db_entry_count(db_reader(c->db), folder, place);
}

/* 1: nothing to wait for; 0: there is; -ENOENT. */
static int is_listed(struct cache *c, int64_t folder, bool *is_inbox_out)
{
	struct cache_folder f;
	int err = db_folder_get(db_reader(c->db), folder, &f);
	if (err < 0)
		return err;
	*is_inbox_out = f.parent == CACHE_ROOT && strcmp(f.level, "INBOX") == 0;
	if (folder == CACHE_ROOT)
		return f.is_listed;
	return f.is_listed || (f.attributes & MAIL_FOLDER_NOSELECT) != 0;
}

int cache_listing_await(struct cache *c, int64_t folder, cache_done *done,
                        void *arg, struct cache_wait **wait_out)
{
	bool is_inbox;
	int n = is_listed(c, folder, &is_inbox);
	if (n != 0)
		return n;
	struct cache_wait *wait;
	n = jobs_await_listing(c->jobs, folder, is_inbox, done, arg, &wait);
	if (n < 0)
		return n;
	*wait_out = wait;
	/* It may have ended between the look and the wait. */
	n = is_listed(c, folder, &is_inbox);
	if (n != 0 && jobs_cancel(c->jobs, wait))
		return n;
	return 0;
}

int cache_body_open(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_body *body_out,
                    struct cache_wait **wait_out)
{
	struct db_conn *reader = db_reader(c->db);
	struct cache_entry entry;
	struct db_source source;
	int err = db_entry_by_message(reader, message, &entry);
	if (err < 0)
		return err;
	auto_fd int fd = -1;
	if (entry.message.is_kept) {
		fd = file_open(c->files, message, O_RDONLY);
		if (fd < 0)
			return fd;
		err = look(c, &entry.message);
		if (err < 0)
			return err;
		body_out->fd = take_fd(&fd);
		body_out->size = entry.message.size;
		return 1;
	}
	/*
	 * While its job has not ended, a body may be in the index but its size
	 * not yet told to the listener: then join the job.
	 */
	if (entry.message.is_cached && !jobs_is_under_way(c->jobs, message))
		fd = body_open(c->bodies, message, entry.message.size);
	if (fd >= 0) {
		body_touch(c->bodies, message);
	} else {
		/* A message that is being moved is still elsewhere there. */
		err = db_source_get(reader, message, &source);
		if (err == 0)
			err = jobs_await_body(c->jobs, message, source.folder,
			                      done, arg, wait_out);
		if (err < 0)
			return err;
	}
	scan_note(&c->scans, reader, c->jobs, &entry);
	if (fd < 0)
		return 0;
	body_out->fd = take_fd(&fd);
	body_out->size = entry.message.size;
	return 1;
}

bool cache_wait_cancel(struct cache *c, struct cache_wait *wait)
{
	return jobs_cancel(c->jobs, wait);
}

void cache_push_soon(struct cache *c)
{
	jobs_push_soon(c->jobs, deadline_in(WRITE_DUST_MS + WRITE_SPAN_MS));
	if (db_has_long_log(c->db))
		keeper_tidy(c->keeper);
}

void cache_tick(struct cache *c)
{
	jobs_tick(c->jobs);
	announce_tick(c);
	(void)body_flush(c->bodies);
}

void cache_network_changed(struct cache *c)
{
	jobs_say(c->jobs, JOBS_CHECK);
}

void cache_status(struct cache *c, struct cache_status *status_out)
{
	struct cache_status status = { .cached_bytes = body_total(c->bodies) };
	struct db_totals totals = { 0 };
	struct db_conn *conn;
	struct journal_counts counts = { 0 };
	if (db_begin(c->db, &conn) == 0) {
		(void)db_totals_get(conn, &totals);
		(void)journal_counts_get(conn, &counts);
		db_rollback(conn);
	}
	status.pending = counts.pending;
	status.held = counts.held;
	status.refused = counts.refused;
	status.folders = totals.folders;
	status.folders_listed = totals.folders_listed;
	status.messages = totals.messages;
	status.size_limit = body_limit(c->bodies);
	status.bodies_waiting = jobs_bodies_waiting(c->jobs);
	status.daily_limit = c->daily_limit;
	status.is_limit_reached = jobs_is_spent(c->jobs, &status.fetched_today);
	(void)pthread_mutex_lock(&c->status_lock);
	status.is_online = c->is_online;
	memcpy(status.failure, c->failure, sizeof(status.failure));
	memcpy(status.listing, c->listing, sizeof(status.listing));
	status.listing_done = c->listing_done;
	status.listing_total = c->listing_total;
	(void)pthread_mutex_unlock(&c->status_lock);
	*status_out = status;
}
