/*
 * The seam above the cache: what the file system may ask.  One cache is one
 * account; it owns the account's remotes and the threads that use them.
 *
 * "Reading" calls below never wait for the network or for a writer, and belong
 * to one thread (they share a database connection).  Calls that may have to
 * wait take a completion; it runs once, in some other thread, with no lock
 * held, and may not call the cache.  The rest may be called from any thread.
 *
 * Ids are positive, are never reused, and survive restarts.  The account's own
 * root is folder CACHE_ROOT.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"
#include "mail/remote.h"

#define CACHE_ROOT 0

/* Where an entry stands in its folder. */
enum cache_place {
	CACHE_NEW, /* no reader has taken note of it */
	CACHE_CUR,
};
#define CACHE_PLACES 2

struct cache_folder {
	int64_t id;
	int64_t parent;
	char level[1024];    /* its name below parent; see mail/remote.h */
	unsigned attributes; /* enum mail_folder_attribute */
	bool is_listed;      /* its messages are known, if not all up to date */
	int64_t messages;
	int64_t children; /* folders directly below */
	/* Rise with every change of what they name; nanoseconds, wall time. */
	int64_t changed_ns;                       /* the folders below it */
	int64_t entries_changed_ns[CACHE_PLACES]; /* its entries */
};

struct cache_message {
	int64_t id;
	int64_t received_at; /* seconds since 1970, UTC */
	uint64_t size;       /* bytes with LF line ends */
	bool is_size_exact;  /* else it is the server's claim: not less */
	bool is_cached;      /* the body is here */
};

/*
 * A message by its place in a folder.  Entries are in the order of their ids;
 * an id stays the same whatever happens to flags and place.
 */
struct cache_entry {
	int64_t id;
	int64_t folder;
	enum cache_place place;
	uint64_t identity; /* unique in the folder; for making names */
	unsigned flags;    /* enum mail_flag */
	struct cache_message message;
};

struct cache_body {
	/*
	 * To read, with pread(2): those who waited for one fetch share their
	 * offset.  The receiver closes it.
	 */
	int fd;
	uint64_t size; /* exact */
};

/*
 * Told after a change is committed, from the cache's own threads, with no lock
 * held.  None may call the cache.
 */
struct cache_listener {
	/* Entries of a folder came, went or changed. */
	void (*entries_changed)(void *arg, int64_t folder);
	/* An entry is no longer at its old place, or has other flags. */
	void (*entry_moved)(void *arg, const struct cache_entry *old);
	/* Folders below parent came or went.  gone: its level, or NULL. */
	void (*folders_changed)(void *arg, int64_t parent, const char *gone);
	/* A message's exact size is known, and differs from the claim. */
	void (*size_known)(void *arg, int64_t message);
};

struct cache_config {
	const char *account;
	const char *state_dir; /* what the server cannot give again */
	const char *cache_dir; /* what it can */
	uint64_t size_limit;   /* bytes of bodies to keep */
	int timeout_ms;        /* longest wait of a caller for the server */
	int interval_ms;       /* between looks for news */
	/*
	 * Which folders: fnmatch(3) patterns, "!" before one takes out; the
	 * last that matches counts.  None: all.
	 */
	const char *const *folders;
	size_t folder_count;
};

struct cache;

/*
 * Open an account's cache, making it if need be.  No thread starts.
 *
 * Returns 0; -EBUSY: another process has it, *why says which; -EPERM: a
 * directory is not ours or open to others; else -errno.  *why_out is one line
 * for the user, to be freed, on any error.
 */
int cache_open(const struct cache_config *config, struct cache **cache_out,
               char **why_out);

/* Before cache_start(). */
void cache_listen(struct cache *c, const struct cache_listener *listener,
                  void *arg);

/*
 * Start the sessions.  The cache takes the remotes, in order of preference:
 * the first does everything, further ones serve readers first.
 */
int cache_start(struct cache *c, struct remote **remotes, size_t count);

/*
 * End the sessions: every completion still owed runs with -ECANCELED, and new
 * waits fail so.  Returns within a second.
 */
void cache_stop(struct cache *c);

/* After cache_stop(), when no reading call can come any more. */
void cache_close(struct cache *c);

/* Reading: folders.  0 and *folder_out, or -ENOENT. */
int cache_folder_get(struct cache *c, int64_t folder,
                     struct cache_folder *folder_out);
int cache_folder_find(struct cache *c, int64_t parent, const char *level,
                      struct cache_folder *folder_out);
/* The child of parent with the smallest id above after. */
int cache_folder_next(struct cache *c, int64_t parent, int64_t after,
                      struct cache_folder *folder_out);

/* Reading: messages.  0, or -ENOENT. */
int cache_message_get(struct cache *c, int64_t message,
                      struct cache_message *message_out);
int cache_entry_find(struct cache *c, int64_t folder, uint64_t identity,
                     struct cache_entry *entry_out);

/*
 * Reading: the entries at a place, with ids above after, in order.  One scan
 * at a time; scan_next() returns 1, or 0 at the end; scan_end() always.  With
 * names_only, of entry.message only id and received_at are given: three times
 * as fast.
 */
int cache_scan_begin(struct cache *c, int64_t folder, enum cache_place place,
                     int64_t after, bool names_only);
int cache_scan_next(struct cache *c, struct cache_entry *entry_out);
void cache_scan_end(struct cache *c);

/* How many entries are at a place.  Never waits; exact. */
int64_t cache_entry_count(struct cache *c, int64_t folder,
                          enum cache_place place);

struct cache_wait;

/* body is NULL unless err is 0 and a body was asked for. */
typedef void cache_done(void *arg, int err, const struct cache_body *body);

/*
 * Reading: wait until a folder was listed once (CACHE_ROOT: until the folders
 * are known).  Returns 1: it was; 0: done will run, and *wait_out can cancel
 * it; or -errno.  done's errors: -EHOSTUNREACH, -ETIMEDOUT, -EKEYREJECTED,
 * -ECANCELED, -ENOENT.
 */
int cache_listing_await(struct cache *c, int64_t folder, cache_done *done,
                        void *arg, struct cache_wait **wait_out);

/*
 * Reading: open a message's body.  Returns 1 and *body_out: it is here; 0:
 * done will run; or -errno.  done's errors are those above, -ESTALE (gone on
 * the server), -EIO (the server cannot give it), -ENOSPC, -EDQUOT.
 *
 * Opens in the order of the entries make the cache fetch ahead.
 */
int cache_body_open(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_body *body_out,
                    struct cache_wait **wait_out);

/*
 * Withdraw: true if done will not run; false if it has run or is running, and
 * *wait may be gone.  Safe with a wait that is done, as long as the same
 * cache lives.
 */
bool cache_wait_cancel(struct cache *c, struct cache_wait *wait);

/* Once a second: ends waits that are overdue. */
void cache_tick(struct cache *c);

struct cache_status {
	bool is_online;
	char failure[256]; /* why not */
	int64_t folders, folders_listed;
	int64_t messages;
	char listing[256]; /* the folder now being listed; "" */
	int64_t listing_done, listing_total;
	uint64_t cached_bytes, size_limit;
	int64_t bodies_waiting; /* programs that wait for a body */
};
void cache_status(struct cache *c, struct cache_status *status_out);

#endif
