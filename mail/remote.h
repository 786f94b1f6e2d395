/*
 * The seam below the cache: what a mail server can do for us, whatever it
 * speaks.
 *
 * A remote is one connection to one account.  All calls but remote_wake() and
 * remote_abort() belong to the one thread that owns it; they block, and every
 * wait in them ends at a deadline.
 *
 * A folder is named by its levels, separated by '/'.  A level is UTF-8; bytes
 * of the server's name that are no text, a '/' or '%' inside a level, and
 * control bytes are written %HH, and an empty level is a lone '%'.  So every
 * name a server can have is written in just one way and can be given back.
 * "INBOX" is always spelled so.
 *
 * A message is named by its folder and a key: a string that only its remote
 * understands, unique in the folder while the folder is not RESET.
 *
 * Strings and arrays in results are borrowed until the next call.
 *
 * Errors (all negative), and how far each reaches, remote_error_scope():
 *
 *	-ESTALE		the message is gone		message
 *	-EIO		the server cannot give it	message
 *	-ENOENT		no such folder			folder
 *	-EACCES		the server forbids it		folder
 *	-EPROTO		the server talks nonsense	session
 *	-EHOSTUNREACH	no connection, or it was lost	session
 *	-ETIMEDOUT	the server stopped answering	session
 *	-ECANCELED	remote_abort() was called	session
 *	-ENOKEY		no trust in the server, or no
 *			secret for it, as yet		session
 *	-EKEYREJECTED	credentials refused;
 *			only the user can mend it	account
 *
 * and of what writes, all of the scope of what was to be written:
 *
 *	-EDQUOT		over quota
 *	-EFBIG		larger than the server takes
 *	-EILSEQ		content that the server cannot hold (NUL)
 *	-EEXIST		a folder of that name is there
 *	-EINVAL		a folder name that the server cannot have
 *	-EROFS		the folder cannot be written
 *	-EBUSY		not now; later perhaps
 *	-EOPNOTSUPP	this server never can
 *
 * After an error of session scope the remote is disconnected: results still
 * owed are lost, and connect comes next.
 */
#ifndef MAIL_REMOTE_H
#define MAIL_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"
#include "util/wake.h"

#define REMOTE_KEY_MAX    512  /* longest key, without its NUL */
#define REMOTE_CURSOR_MAX 255  /* longest cursor, without its NUL */
#define REMOTE_NAME_MAX   4096 /* longest folder name, without its NUL */

enum remote_scope {
	REMOTE_SCOPE_MESSAGE,
	REMOTE_SCOPE_FOLDER,
	REMOTE_SCOPE_SESSION,
	REMOTE_SCOPE_ACCOUNT,
};

struct remote_folder {
	const char *name;
	unsigned attributes; /* enum mail_folder_attribute */
	int64_t count;       /* messages; -1: not told */
	/*
	 * Equal to that of an earlier list only if nothing in the folder
	 * changed between the two.  "": not told.
	 */
	const char *state;
	/* The same for the same folder, whatever it is called; "": not told. */
	const char *id;
};

enum remote_change_kind {
	REMOTE_RESET,   /* all keys of the folder before this one are void */
	REMOTE_MESSAGE, /* a message, all its facts given */
	REMOTE_FLAGS,   /* a known key: flags and keywords as they are now */
	REMOTE_PRESENT, /* a known key is still there */
	REMOTE_GONE,    /* a key that was there at the cursor is so no longer */
};

struct remote_change {
	enum remote_change_kind kind;
	const char *key;
	unsigned flags;       /* enum mail_flag: MESSAGE, FLAGS */
	const char *keywords; /* the same; separated by blanks, "" for none */
	/* Only in MESSAGE: */
	int64_t received_at;   /* seconds since 1970, UTC */
	uint64_t claimed_size; /* the server's; true only by luck */
	/*
	 * The same for the same message as long as the server lives, so that
	 * names made from it outlive a lost cache.  Two copies in one folder
	 * may share it.
	 */
	uint64_t identity;
	/* Copies in other folders have the same, and nothing else has. */
	bool is_identity_everywhere;
};

/* How far a folder is known. */
struct remote_cursor {
	char text[REMOTE_CURSOR_MAX + 1]; /* read only by its remote */
	/*
	 * Keys known before the pull and named in no MESSAGE, FLAGS or PRESENT
	 * of it are gone.
	 */
	bool complete;
	bool more; /* the server has more: pull again from this cursor */
};

struct remote_want {
	const char *key;
	uint64_t claimed_size; /* from the message's REMOTE_MESSAGE */
};

struct remote_body {
	const char *key;
	int err;            /* 0, -ESTALE or -EIO: then the file is empty */
	uint64_t size;      /* bytes written, line ends as LF */
	uint64_t wire_size; /* bytes as the server holds them */
};

/* What became of one wish. */
enum remote_fate {
	REMOTE_UNSENT,  /* nothing of it reached the server */
	REMOTE_UNKNOWN, /* sent, but the answer was lost: done, or done later */
	REMOTE_DONE,
	REMOTE_REFUSED, /* and nothing was changed: err, why */
};

/*
 * A wish about one message.  The call fills in what stands below fate; strings
 * above it are the caller's.
 */
struct remote_wish {
	const char *key;      /* but in append */
	unsigned flags;       /* set_flags: to add; append: all */
	unsigned removed;     /* set_flags: to remove */
	const char *keywords; /* the same; separated by blanks, "" for none */
	const char *removed_keywords;
	/* append: */
	int fd;              /* the message with LF line ends, by pread(2) */
	uint64_t size;       /* bytes in fd */
	int64_t received_at; /* seconds since 1970, UTC */

	enum remote_fate fate;
	int err;       /* why it was refused; -ESTALE: the message is gone */
	char why[160]; /* the server's own words; "" */
	/* append, copy, move: the key it got; "": done, but not told. */
	char new_key[REMOTE_KEY_MAX + 1];
};

/* What a remote can do; else its calls give -EOPNOTSUPP. */
enum remote_ability {
	REMOTE_CAN_REMOVE = 1 << 0,
	REMOTE_CAN_FLAG = 1 << 1,
	REMOTE_CAN_APPEND = 1 << 2,  /* and copy and move */
	REMOTE_CAN_FOLDERS = 1 << 3, /* create, delete, rename, subscribe */
	/* Not an ability: a MESSAGE tells no flags, and changes none. */
	REMOTE_HAS_NO_FLAGS = 1 << 4,
};

struct remote;

struct remote_ops {
	int (*connect)(struct remote *r);
	void (*disconnect)(struct remote *r);
	int (*check)(struct remote *r); /* may be NULL */
	int (*list)(struct remote *r);
	int (*list_next)(struct remote *r, struct remote_folder *folder_out);
	int (*pull)(struct remote *r, const char *folder, const char *cursor);
	int (*next)(struct remote *r, struct remote_change *change_out,
	            struct remote_cursor *cursor_out);
	int (*fetch)(struct remote *r, const char *folder,
	             const struct remote_want *wants, size_t count);
	int (*fetch_heads)(struct remote *r, const char *folder,
	                   const char *field, const struct remote_want *wants,
	                   size_t count);
	int (*fetched)(struct remote *r, int fd, struct remote_body *body_out);
	size_t (*buffered)(struct remote *r); /* may be NULL: none */
	int (*wait)(struct remote *r, int64_t deadline,
	            const char **folder_out); /* may be NULL */
	/* NULL: what the remote cannot do. */
	int (*set_flags)(struct remote *r, const char *folder,
	                 struct remote_wish *wishes, size_t count);
	int (*append)(struct remote *r, const char *folder,
	              struct remote_wish *wishes, size_t count);
	int (*copy)(struct remote *r, const char *folder, const char *target,
	            struct remote_wish *wishes, size_t count);
	int (*move)(struct remote *r, const char *folder, const char *target,
	            struct remote_wish *wishes, size_t count);
	int (*remove)(struct remote *r, const char *folder,
	              struct remote_wish *wishes, size_t count);
	int (*mark)(struct remote *r, const char *folder,
	            char mark_out[REMOTE_CURSOR_MAX + 1]);
	int (*since)(struct remote *r, const char *folder, const char *mark);
	int (*create)(struct remote *r, const char *folder);
	int (*delete)(struct remote *r, const char *folder);
	int (*rename)(struct remote *r, const char *from, const char *to);
	int (*subscribe)(struct remote *r, const char *folder, bool is_wanted);
	void (*free)(struct remote *r);
};

/* Every implementation's struct begins with this one. */
struct remote {
	const struct remote_ops *ops;
	unsigned abilities; /* enum remote_ability; never changes */
	struct wake wake;   /* ends remote_wait() */
	struct wake abort;  /* ends every wait */
	/* Since connect: what is appended may get another date than was told. */
	bool may_redate;
	/* Why the last connect failed, one line for the user; "" if it did not. */
	char failure[256];
	/* The server's words when it last refused a call about a folder, a mark. */
	char refusal[160];
};

/* For implementations: fill in the shared part.  Returns 0 or -errno. */
int remote_init(struct remote *r, const struct remote_ops *ops);

/* For implementations: the counterpart of remote_init(). */
void remote_release(struct remote *r);

/* NULL is fine. */
void remote_free(struct remote *r);

/*
 * Connect and log in.  Does nothing when connected.  On failure r->failure
 * says why.
 */
int remote_connect(struct remote *r);

/* Safe in any state. */
void remote_disconnect(struct remote *r);

/*
 * Does the server still answer?  For when the connection may have died unseen:
 * the answer is not awaited for long.  Results still owed are lost.
 */
int remote_check(struct remote *r);

/*
 * Begin to list the folders; every folder comes once, parents need not.
 * Levels that hold no mail may be given as NOSELECT or left out.
 */
int remote_list(struct remote *r);

/* The next folder: 1, or 0 at the end.  Read it to the end. */
int remote_list_next(struct remote *r, struct remote_folder *folder_out);

/*
 * Begin to learn what changed in a folder since cursor; "" for all of it.
 * What came since is named in a MESSAGE if it is still there, and else in
 * nothing: also if it is known by what append, copy or move told.
 * One pull gives at most some ten thousand messages, so that others get their
 * turn: see remote_cursor.more.
 */
int remote_pull(struct remote *r, const char *folder, const char *cursor);

/*
 * Read the next change of the pull begun last.
 *
 * Returns 1 and fills *change_out, or 0 and fills *cursor_out: there are no
 * more, and the next pull starts there.  Save the cursor in the transaction
 * that saves the last change.  Errors are those of remote_pull(); the changes
 * read before one are true, but not all.
 */
int remote_next(struct remote *r, struct remote_change *change_out,
                struct remote_cursor *cursor_out);

/*
 * Ask for bodies.  Returns once the request is under way.  May be called
 * again, for the same folder, while results are still owed: then several
 * requests are in flight.
 */
int remote_fetch(struct remote *r, const char *folder,
                 const struct remote_want *wants, size_t count);

/*
 * The same for no more of each than one field of its head: what comes is that
 * field, as often as it is there, or more of the head, or all of the message.
 * Not while bodies are owed; nor the reverse.
 */
int remote_fetch_heads(struct remote *r, const char *folder, const char *field,
                       const struct remote_want *wants, size_t count);

/*
 * Receive the next body into fd, an empty file, with LF line ends.  Returns 1
 * and fills *body_out, or 0 when nothing is owed.  Each key asked for comes
 * exactly once, in any order.  A body whose size is not the claimed one is
 * given only after the server confirmed that the message still exists.
 */
int remote_fetched(struct remote *r, int fd, struct remote_body *body_out);

/* Bytes that came and were not read yet: so much can be had with no wait. */
size_t remote_buffered(struct remote *r);

/*
 * The calls below write.  They return 0 when every wish was done or refused;
 * else the error that ended them, and each wish's fate says how far they got.
 * They send many messages with one command and keep several on their way: give
 * them as many wishes as there are, some thousand at most.  An -ENOENT,
 * -EACCES or -EROFS of the whole folder is each wish's err.
 */

/* Add and remove flags and keywords. */
int remote_set_flags(struct remote *r, const char *folder,
                     struct remote_wish *wishes, size_t count);

/*
 * Add messages, in order, with CRLF line ends and a last one.  A content that
 * the server cannot hold is refused before it is sent.
 */
int remote_append(struct remote *r, const char *folder,
                  struct remote_wish *wishes, size_t count);

/* A key that is gone is refused with -ESTALE, where the server tells. */
int remote_copy(struct remote *r, const char *folder, const char *target,
                struct remote_wish *wishes, size_t count);
int remote_move(struct remote *r, const char *folder, const char *target,
                struct remote_wish *wishes, size_t count);

/*
 * Remove messages for good; one that is gone already is DONE.  -EBUSY: on a
 * server that can only remove all that is marked \Deleted, others are marked;
 * these are marked now, too.
 */
int remote_remove(struct remote *r, const char *folder,
                  struct remote_wish *wishes, size_t count);

/*
 * Where a folder is now: what comes later is after the mark.  A refusal is told
 * in r->refusal as well.
 */
int remote_mark(struct remote *r, const char *folder,
                char mark_out[REMOTE_CURSOR_MAX + 1]);

/*
 * Begin to learn what came after a mark: remote_next() gives MESSAGE for each
 * that is there, and an empty cursor; after "" that is all.  -ESTALE: the mark
 * is void, the server numbers its messages anew.
 */
int remote_since(struct remote *r, const char *folder, const char *mark);

/* A folder's refusal is told in r->refusal as well. */
int remote_create(struct remote *r, const char *folder);
int remote_delete(struct remote *r, const char *folder);
/* With all that is below it. */
int remote_rename(struct remote *r, const char *from, const char *to);
int remote_subscribe(struct remote *r, const char *folder, bool is_wanted);

/*
 * Wait till the server has news, remote_wake() is called, or the deadline
 * passes.  Returns 1 for news: *folder_out is the folder to pull, or NULL when
 * any may have changed, and the list of them too.  Else 0, or an error of
 * session scope.
 */
int remote_wait(struct remote *r, int64_t deadline, const char **folder_out);

/* From any thread: end the current or next remote_wait(). */
void remote_wake(struct remote *r);

/* From any thread: every call from now on fails with -ECANCELED. */
void remote_abort(struct remote *r);

enum remote_scope remote_error_scope(int err);

#endif
