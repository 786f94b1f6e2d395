/*
 * Inside cache/ only: what its parts share.
 */
#ifndef CACHE_CORE_H
#define CACHE_CORE_H

#include <pthread.h>

#include "cache/body.h"
#include "cache/cache.h"
#include "cache/db.h"
#include "cache/file.h"
#include "cache/jobs.h"
#include "cache/recent.h"
#include "cache/scan.h"
#include "cache/spare.h"

struct session {
	struct cache *cache; /* borrowed: it holds this */
	size_t index;
	struct remote *remote;
	pthread_t thread;
	int failures;         /* in a row */
	bool was_useful;      /* something was done since it connected */
	struct recent recent; /* of push_journal() */
};

struct gone_list;

struct cache {
	char *account;
	int interval_ms;
	bool is_read_only;
	bool can_append; /* the server takes mail */
	bool is_taken;   /* see cache_config */
	int64_t take_after_s;
	bool is_take_left; /* keep_due() left some; the first session's */
	char *split;       /* see cache_config; NULL: not */
	char **domains;
	size_t domain_count;
	bool is_split_full; /* it was told; the first session's */
	enum cache_delete delete;
	enum cache_ack ack;
	bool is_inbox_root;
	char **patterns;
	size_t pattern_count;
	int lock_fd;
	struct db *db;
	struct body_store *bodies;
	struct file_store *files;
	struct spares *spares;
	struct keeper *keeper;
	struct announces *announces;
	uint64_t announce_bytes;
	struct gone_list *gone; /* the first session's */
	uint64_t daily_limit;   /* 0: none */
	struct jobs *jobs;
	struct scans scans;
	bool is_scan_of_names;
	struct cache_listener listener;
	void *listener_arg;
	struct session sessions[JOBS_SESSIONS];
	size_t session_count; /* whose thread runs */
	size_t remote_count;

	pthread_mutex_t status_lock;
	/* All below is guarded by status_lock. */
	bool is_online;
	char failure[256];
	int rejections; /* of our credentials, in a row */
	char listing[256];
	int64_t listing_done, listing_total;
};

/* sync.c: the life of a session. */
void *session_run(void *session);

/*
 * The work of one remote, beneath: each returns 0, or the error of the remote
 * or the disk that ended it.
 */
int folders_list(struct cache *c, struct remote *r);
/* The remote has news of a folder, or of it knows not which (NULL). */
int folders_hear(struct cache *c, const char *name);
int pull_folder(struct cache *c, struct remote *r, const struct jobs_pull *job,
                bool *more_out);
int fetch_bodies(struct session *s);
/* push.c: send what the journal has; *sent_out: rows. */
int push_journal(struct session *s, int64_t *sent_out);
/*
 * settle.c: find out what became of what was sent to a folder.  is_blocked:
 * that is not known yet of some.
 */
int settle_folder(struct session *s, int64_t folder, bool *is_blocked_out);

/*
 * keep.c: what is to be only here.  keep_due() asks for the bodies of mail that
 * is to be taken off the server; keep_arrived() takes it, if fd, which reads
 * its body, is of such; keep_cached() keeps a message whose body is here,
 * else -EXDEV.
 */
int keep_due(struct cache *c);
void keep_arrived(struct cache *c, int64_t message, int fd);
int keep_cached(struct cache *c, int64_t message);

/* pull.c: remove all entries of a folder that went, in steps. */
int pull_empty(struct cache *c, int64_t folder);
/* Bodies of messages that went before then, wall time in ms, go as well. */
void pull_forget_gone(struct cache *c, int64_t before);

/* Tell the listener; no lock is held. */
void tell_entries(struct cache *c, int64_t folder);
void tell_moved(struct cache *c, const struct cache_entry *old,
                const struct cache_entry *now);
/* Of tell_moved(), what is not delayed: for announce.c. */
void tell_arrived(struct cache *c, const struct cache_entry *now);
void tell_folders(struct cache *c, int64_t parent, const char *gone);
void tell_folder(struct cache *c, const struct cache_folder *old,
                 const struct cache_folder *now);
void tell_size(struct cache *c, int64_t message);

#endif
