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
#include <sys/types.h>
#include <time.h>

#include "mail/mail.h"
#include "mail/remote.h"

#define CACHE_ROOT 0

/*
 * Where an entry stands in its folder's directory.  Mail is what stands in new
 * or cur of a mailbox under a name that does not begin with a dot; everything
 * else is a plain file that stays here.
 */
enum cache_place {
	CACHE_NEW, /* no reader has taken note of it */
	CACHE_CUR,
	CACHE_TMP,
	CACHE_TOP, /* beside new, cur and tmp */
};
#define CACHE_MAIL_PLACES 2 /* the first of them */
#define CACHE_PLACES      4

struct cache_folder {
	int64_t id;
	int64_t parent;
	char level[1024];    /* its name below parent; see mail/remote.h */
	unsigned attributes; /* enum mail_folder_attribute */
	bool is_listed;      /* its messages are known, if not all up to date */
	/*
	 * Which of new, cur and tmp it has, a bit for each enum cache_place.
	 * With all three it is a mailbox.
	 */
	unsigned places;
	bool is_local; /* a directory of the user's, not for the server */
	int64_t messages;
	int64_t children; /* folders directly below */
	/* Rise with every change of what they name; nanoseconds, wall time. */
	int64_t changed_ns; /* the folders below it, and what is at the top */
	int64_t entries_changed_ns[CACHE_PLACES]; /* but at the top */
};

/* A regular file, whether mail or not: an inode. */
struct cache_message {
	int64_t id;
	int64_t received_at; /* seconds since 1970, UTC */
	uint64_t size;       /* bytes with LF line ends */
	bool is_size_exact;  /* else it is the server's claim: not less */
	bool is_cached;      /* the body is here */
	bool is_kept;        /* it is here, and not for the cache to drop */
	int64_t links;       /* names it has */
	mode_t mode;         /* permissions only */
	uid_t uid;           /* (uid_t)-1: the mount's owner */
	gid_t gid;
	struct timespec mtime, ctime;
};

/*
 * Keywords that have a number in their folder, from 0, are bits of an entry's
 * flags beside enum mail_flag.  A file at the mailbox's top has a line
 * "NUMBER KEYWORD" for each.  Keywords of messages get the next number when
 * they come, and the file is written; others may write it, too, and so give
 * keywords their numbers.
 */
#define CACHE_KEYWORDS      26
#define CACHE_KEYWORD(n)    (64U << (n))
#define CACHE_KEYWORDS_FILE "dovecot-keywords"

/* As long as a name's part before ":2," may be, without its NUL. */
#define CACHE_NAME_MAX 255

/*
 * A message by its place in a folder.  Entries are in the order of their ids;
 * an id stays the same whatever happens to flags and place.
 */
struct cache_entry {
	int64_t id;
	int64_t folder;
	enum cache_place place;
	uint64_t identity; /* unique in the folder; for making names */
	/*
	 * Made by split: it has the flags of the message's own name, and goes
	 * when the server's message does; see follow.h.
	 */
	bool is_split;
	unsigned flags; /* enum mail_flag, CACHE_KEYWORD() */
	/*
	 * The name a program gave it: base, then info as long as the flags are
	 * those it shows, else what they say now.  An empty base: it has none,
	 * the name is made from its identity.
	 */
	char base[CACHE_NAME_MAX + 1];
	char info[CACHE_NAME_MAX + 1]; /* ":2,S"; "" */
	/*
	 * Flags that info shows, or stands for: numbers may be missing in it,
	 * and others in it that mean nothing here.
	 */
	unsigned shown;
	struct cache_message message;
};

/* A name to give, or to look for; see struct cache_entry. */
struct cache_name {
	int64_t folder;
	enum cache_place place;
	const char *base; /* NULL: keep the name made from the identity */
	const char *info;
	unsigned flags; /* that info shows */
	/*
	 * Numbers that the name before showed.  Those only in it are keywords
	 * to remove, those only in flags to add.  Keywords in neither stay.
	 */
	unsigned was;
	/* base and info are what is made from the identity and flags. */
	bool is_made;
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
 * Told after a change is committed, with no lock held: from the cache's own
 * threads, or where a change made another, by the call that made it.  None may
 * call the cache, or wait.
 */
struct cache_listener {
	/* Entries of a folder came, went or changed. */
	void (*entries_changed)(void *arg, int64_t folder);
	/*
	 * An entry has another name: another place, or other flags.  old is
	 * NULL if it came, now if it went.  In the order in which they happened.
	 */
	void (*entry_moved)(void *arg, const struct cache_entry *old,
	                    const struct cache_entry *now);
	/* Folders below parent came or went.  gone: its level, or NULL. */
	void (*folders_changed)(void *arg, int64_t parent, const char *gone);
	/*
	 * The same of one folder that came (old is NULL) or went (now is); told
	 * after folders_changed().
	 */
	void (*folder_moved)(void *arg, const struct cache_folder *old,
	                     const struct cache_folder *now);
	/* A message's exact size is known, and differs from the claim. */
	void (*size_known)(void *arg, int64_t message);
};

/* What becomes of a message on the server whose last name was unlinked. */
enum cache_delete {
	CACHE_DELETE_AUTO, /* TRASH where there is such a mailbox, else EXPUNGE */
	CACHE_DELETE_TRASH,
	CACHE_DELETE_EXPUNGE,
	CACHE_DELETE_FLAG, /* \Deleted, and another client expunges */
};

/* When a delivery is answered. */
enum cache_ack {
	CACHE_ACK_JOURNAL, /* it is in the journal, and survives a power cut */
	CACHE_ACK_SERVER,  /* the server has it */
};

struct cache_config {
	const char *account;
	const char *state_dir; /* what the server cannot give again */
	const char *cache_dir; /* what it can */
	uint64_t size_limit;   /* bytes of bodies to keep */
	uint64_t ahead_max;    /* larger bodies wait for a reader; 0: none do */
	/*
	 * Bytes of messages to fetch in a day (UTC); then only readers get
	 * theirs, till the next.  0: no limit.
	 */
	uint64_t daily_limit;
	int timeout_ms;  /* longest wait of a caller for the server */
	int interval_ms; /* between looks for news */
	/*
	 * A message that arrives and is no larger is fetched before
	 * entry_moved() tells of it, if that takes no more than a moment.
	 */
	uint64_t announce_bytes;
	bool is_read_only; /* every writing call gives -EROFS */
	enum cache_delete delete;
	enum cache_ack ack;
	bool is_inbox_root; /* what is beside INBOX's cur is at the root */
	/*
	 * Mail is taken off the server when it came so long ago and is safe
	 * here; it then is in state_dir.
	 */
	bool is_taken;
	int64_t take_after_s;
	/*
	 * INBOX gets a mailbox for each recipient: the field that names them,
	 * or "received-for"; NULL: it does not.  Only of these domains; none:
	 * of any.
	 */
	const char *split;
	const char *const *domains;
	size_t domain_count;
	/*
	 * Which folders: fnmatch(3) patterns, "!" before one takes out; the
	 * last that matches counts.  None: all.
	 */
	const char *const *folders;
	size_t folder_count;
};

struct cache;

/*
 * Open an account's cache, making it if need be.  No thread of a
 * remote's starts.
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
/* The first entry that names a message. */
int cache_entry_of(struct cache *c, int64_t message,
                   struct cache_entry *entry_out);

/*
 * The entries at a place whose base is given, with ids above after, in order.
 * 0, or -ENOENT.
 */
int cache_name_find(struct cache *c, int64_t folder, enum cache_place place,
                    const char *base, int64_t after,
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
 * it; or -errno.  done's errors: -EHOSTUNREACH, -ETIMEDOUT, -ENOKEY,
 * -EKEYREJECTED, -ECANCELED, -ENOENT.
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
 * Writing calls belong to the thread of the reading ones, never wait for the
 * network, and are in the journal when they return.  Those that take a
 * completion must survive a power cut before they are true: they return 1
 * when that is so already, 0 if done will run, or -errno.  Where *wait_out is
 * NULL that is soon, and cannot be withdrawn.  An entry that is
 * not as it was read gives -ENOENT.  Others: -EROFS (read-only account),
 * -ENOSPC, -EDQUOT, -EIO.
 *
 * With CACHE_ACK_SERVER a link or rename by which a kept file becomes a new
 * message of a mailbox that the server has, in nobody's place, is done when
 * the server has it.  An error then means that it was not made: why the server
 * refused it, -EHOSTUNREACH, -ETIMEDOUT or -EINTR when nothing of it was sent,
 * or the rest of what cache_body_open() gives.  If it was sent and no answer
 * comes in time, done's err is 0: it is in the journal.
 */

/*
 * Make an empty file.  *fd_out is for reading and writing, by pread and
 * pwrite; the receiver closes it, and then calls cache_file_release().
 * -EEXIST.
 */
int cache_file_create(struct cache *c, const struct cache_name *name,
                      mode_t mode, uid_t uid, gid_t gid,
                      struct cache_entry *entry_out, int *fd_out);

/*
 * Open a file for writing.  What is not kept must be here: body is what
 * cache_body_open() gave, and stays the caller's (NULL: it is kept, or is to
 * be truncated).  -EAGAIN: it is neither.  As above for *fd_out.
 */
int cache_file_edit(struct cache *c, int64_t message, bool is_truncated,
                    const struct cache_body *body, int *fd_out);
/*
 * May so many bytes be written through such a descriptor?  -ENOSPC: what is
 * left of the disk is for the journal.
 */
int cache_file_room(int fd, uint64_t bytes);
/* Data or size were, or are to be, changed through such a descriptor. */
int cache_file_touch(struct cache *c, int64_t message);
/* A descriptor of create or edit was closed. */
void cache_file_release(struct cache *c, int64_t message);
/*
 * A message's data, names and attributes; message 0: names, of the account.
 * Nothing of one that has but a name in tmp/: 1.
 */
int cache_file_sync(struct cache *c, int64_t message, cache_done *done,
                    void *arg, struct cache_wait **wait_out);

enum cache_set {
	CACHE_SET_MODE = 1 << 0,
	CACHE_SET_UID = 1 << 1,
	CACHE_SET_GID = 1 << 2,
	CACHE_SET_MTIME = 1 << 3,
};
/* Set those of what's attributes that are in which. */
int cache_file_set(struct cache *c, const struct cache_message *what,
                   unsigned which);

/*
 * One more name for a file.  -EEXIST; -EXDEV: its body is not here, and it
 * would be needed.
 */
int cache_link(struct cache *c, int64_t message, const struct cache_name *to,
               cache_done *done, void *arg, struct cache_wait **wait_out);
/*
 * Give an entry another name or place; whatever has that name goes, in the
 * same transaction, unless is_exclusive: then -EEXIST.  -EXDEV as above.
 */
int cache_rename(struct cache *c, const struct cache_entry *from,
                 const struct cache_name *to, const struct cache_entry *over,
                 cache_done *done, void *arg, struct cache_wait **wait_out);
int cache_unlink(struct cache *c, const struct cache_entry *entry);

/*
 * Directories.  One that is made is empty: no place in it.  When it has all
 * three it is a mailbox, and made on the server, unless its level begins with
 * a dot or the server has no such thing.
 */
int cache_folder_make(struct cache *c, int64_t parent, const char *level,
                      int64_t *folder_out);
int cache_place_make(struct cache *c, int64_t folder, enum cache_place place);
/* -ENOTEMPTY. */
int cache_place_remove(struct cache *c, int64_t folder, enum cache_place place);
/* -ENOTEMPTY: it has places, files or folders. */
int cache_folder_remove(struct cache *c, int64_t folder);
/* With all below it.  -EEXIST, -ENOTEMPTY, -EINVAL: into itself. */
int cache_folder_rename(struct cache *c, int64_t folder, int64_t parent,
                        const char *level);

/* What a message is to the server. */
struct cache_facts {
	char key[REMOTE_KEY_MAX + 1]; /* "": it has none there yet */
	unsigned flags;               /* enum mail_flag */
	char keywords[1024];          /* separated by blanks */
	const char *state; /* "synced", "pending", "refused", "held" */
	char why[256];     /* if refused */
};
/* Reading.  Of the first entry that names it. */
int cache_facts_get(struct cache *c, int64_t message,
                    struct cache_facts *facts_out);
int cache_keywords_set(struct cache *c, int64_t message, const char *keywords);

/*
 * Withdraw: true if done will not run; false if it has run or will, and *wait
 * may be gone.  Safe with a wait that is done, as long as the same cache lives,
 * and with NULL.
 */
bool cache_wait_cancel(struct cache *c, struct cache_wait *wait);

/*
 * The journal, from any thread.
 */
struct cache_pending {
	int64_t id;
	const char *what; /* "append", "flags", "move", "delete", "create", ... */
	const char *state; /* "settling", "waiting", "sent", "held", "refused" */
	const char *folder; /* full name */
	const char *target; /* the same, or "" */
	const char *name;   /* of the file; "" */
	int64_t created_at; /* seconds since 1970 */
	int tries;
	const char *why; /* "" */
};
/* Each, in order; returns how many there are, or -errno. */
int64_t cache_queue(struct cache *c,
                    void (*each)(void *arg, const struct cache_pending *p),
                    void *arg);
/*
 * Send everything now that waits for its time, and connect for that; if
 * is_again, what was refused too, and log in once more where that was.
 */
int cache_flush(struct cache *c, bool is_again);
/* Deletions that are held: go on, or take them back.  How many, or -errno. */
int64_t cache_confirm(struct cache *c);
int64_t cache_undo(struct cache *c);

/* Once a second: ends waits that are overdue. */
void cache_tick(struct cache *c);

/*
 * This machine has other addresses: connections are checked, or tried anew at
 * once.
 */
void cache_network_changed(struct cache *c);

struct cache_status {
	bool is_online;
	char failure[256]; /* why not */
	int64_t folders, folders_listed;
	int64_t messages;
	char listing[256]; /* the folder now being listed; "" */
	int64_t listing_done, listing_total;
	uint64_t cached_bytes, size_limit;
	uint64_t fetched_today, daily_limit; /* 0: none is counted */
	bool is_limit_reached;
	int64_t bodies_waiting;         /* programs that wait for a body */
	int64_t pending, held, refused; /* of the journal */
};
void cache_status(struct cache *c, struct cache_status *status_out);

#endif
