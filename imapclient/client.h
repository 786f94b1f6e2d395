/*
 * What the parts of the IMAP remote share: the remote itself, and the
 * operations that fill its table.
 */
#ifndef IMAPCLIENT_CLIENT_H
#define IMAPCLIENT_CLIENT_H

#include "imapclient/session.h"
#include "mail/remote.h"

/* A mailbox that was listed. */
struct imap_folder {
	char *name; /* of mail/remote.h */
	char *wire; /* the server's */
	unsigned attributes;
	int64_t count;
	char *state;
	char *id;           /* MAILBOXID; NULL: not told */
	unsigned has_items; /* 1 << enum imap_status_item */
	uint64_t items[IMAP_STATUS_ITEMS];
	bool has_status; /* it was asked for, or answered */
	bool has_news;   /* NOTIFY told of it */
};

struct imap_folders {
	struct imap_folder *list;
	size_t count, capacity;
	size_t at;    /* the next to be given */
	size_t hint;  /* where the last STATUS belonged */
	size_t marks; /* those with has_news */
	bool has_bad_id;
};

enum imap_pull_step {
	IMAP_PULL_NONE,
	IMAP_PULL_RESET, /* REMOTE_RESET is owed */
	IMAP_PULL_OLD,   /* flags and disappearances of known messages */
	IMAP_PULL_NEW,   /* messages from next on */
	IMAP_PULL_AUDIT, /* which known messages are still there */
	IMAP_PULL_DONE,
};

/* What a cursor says. */
struct imap_cursor {
	uint32_t uid_validity;
	uint32_t next;   /* all below it are known */
	uint64_t modseq; /* 0: none */
	uint64_t count;  /* known messages */
	bool is_listing; /* there are more above next */
};

struct imap_pull {
	enum imap_pull_step step;
	struct imap_cursor cursor;
	unsigned tag;          /* of the command under way; 0: none */
	unsigned ahead_tag;    /* of NEW's, sent behind OLD's; 0: none */
	bool is_ahead_done;    /* and answered before it */
	uint32_t known_next;   /* below it: known before this pull */
	uint32_t window_last;  /* of NEW and AUDIT; UINT32_MAX: '*' */
	uint64_t window_width; /* of NEW's last window, in UIDs */
	uint32_t seen_next;    /* the largest UID met in NEW, and 1 */
	uint64_t given;        /* messages in this pull */
	uint64_t counted;      /* known ones met in OLD and AUDIT */
	bool is_plain;         /* OLD names every message */
	bool is_audit;         /* OLD stands in for AUDIT */
	bool is_complete;
	bool wants_audit;
	bool is_since; /* only what is new, and no cursor */
	/* UIDs owed, one by one, as GONE (OLD) or PRESENT (AUDIT). */
	struct strbuf owed;
	struct imap_text owed_rest;   /* borrowed from owed */
	uint64_t owed_next, owed_end; /* the range being given */
	enum remote_change_kind owed_kind;
	struct strbuf keywords;
	uint64_t identities; /* what those of the folder have in common */
	char key[32];
	size_t key_prefix; /* its length up to the UID */
};

enum imap_want_state {
	IMAP_WANT_OWED,    /* its command is under way */
	IMAP_WANT_SUSPECT, /* what came cannot be trusted yet */
	IMAP_WANT_SETTLED, /* err is its fate, to be told */
};

struct imap_want {
	uint32_t uid;
	unsigned tag; /* of its command */
	enum imap_want_state state;
	int err;
	unsigned tries;
	uint64_t claimed_size;
	uint64_t seen_size; /* bytes of the body dropped; UINT64_MAX: none */
	char key[32];
};

/* "UID BODY.PEEK[HEADER.FIELDS (X)]" */
#define IMAP_ITEMS_MAX 160

struct imap_fetches {
	struct imap_want *wants;
	size_t count, capacity;
	size_t commands; /* under way */
	/* What is asked for of each: a head, of any size, or the body. */
	bool is_heads;
	char items[IMAP_ITEMS_MAX];
	char key[REMOTE_KEY_MAX + 1]; /* of the body given last */
};

/* What STATUS told when a mark was made. */
struct imap_mark {
	char *folder; /* NULL: none was */
	uint32_t uid_validity, uid_next;
};

struct imap_remote {
	struct remote remote; /* first: see mail/remote.h */
	struct imap_session session;
	struct imap_folders folders;
	struct imap_pull pull;
	struct imap_fetches fetches;
	struct imap_mark mark;
};

static inline struct imap_remote *imap_remote_of(struct remote *r)
{
	return (struct imap_remote *)r;
}

int imap_folder_list(struct imap_remote *c);
int imap_folder_next(struct imap_remote *c, struct remote_folder *out);
/*
 * A LIST or STATUS that came by NOTIFY: mark the folder if it changed.  False:
 * what it tells is no matter of one known folder.
 */
bool imap_folder_hear(struct imap_folders *all, const struct imap_response *r);
/* A marked folder: 1, and the mark is taken off; 0: none is. */
int imap_folder_take_news(struct imap_folders *all, const char **folder_out);
void imap_folders_release(struct imap_folders *folders);

int imap_pull_begin(struct imap_remote *c, const char *folder,
                    const char *cursor);
int imap_pull_next(struct imap_remote *c, struct remote_change *change_out,
                   struct remote_cursor *cursor_out);
int imap_pull_since(struct imap_remote *c, const char *folder,
                    const char *mark);
void imap_pull_release(struct imap_pull *pull);

int imap_message_fetch(struct imap_remote *c, const char *folder,
                       const struct remote_want *wants, size_t count);
int imap_message_fetch_heads(struct imap_remote *c, const char *folder,
                             const char *field, const struct remote_want *wants,
                             size_t count);
int imap_message_fetched(struct imap_remote *c, int fd,
                         struct remote_body *body_out);
void imap_fetches_release(struct imap_fetches *fetches);

/* 0 where the server does not tell. */
int imap_mark_ask(struct imap_session *s, const char *folder,
                  uint32_t *uid_validity_out, uint32_t *uid_next_out);
int imap_mark_make(struct imap_remote *c, const char *folder,
                   char mark_out[REMOTE_CURSOR_MAX + 1]);
void imap_mark_release(struct imap_mark *mark);

/*
 * Select a folder unless it is.  -EROFS: it is now, but cannot be changed.
 */
int imap_open_for_change(struct imap_remote *c, const char *folder);

/* As those of remote.h. */
int imap_store_flags(struct imap_remote *c, const char *folder,
                     struct remote_wish *wishes, size_t count);
int imap_append(struct imap_remote *c, const char *folder,
                struct remote_wish *wishes, size_t count);
int imap_transfer_copy(struct imap_remote *c, const char *folder,
                       const char *target, struct remote_wish *wishes,
                       size_t count);
int imap_transfer_move(struct imap_remote *c, const char *folder,
                       const char *target, struct remote_wish *wishes,
                       size_t count);
int imap_transfer_remove(struct imap_remote *c, const char *folder,
                         struct remote_wish *wishes, size_t count);
/*
 * A refusal without a code (-EIO): was it because the mailbox is there, or is
 * not?  is_there is what would explain it, and explained the error for that.
 */
int imap_manage_explain(struct imap_session *s, int err, const char *wire,
                        bool is_there, int explained);
int imap_manage_create(struct imap_remote *c, const char *folder);
int imap_manage_delete(struct imap_remote *c, const char *folder);
int imap_manage_rename(struct imap_remote *c, const char *from, const char *to);
int imap_manage_subscribe(struct imap_remote *c, const char *folder,
                          bool is_wanted);

/* As remote_check() and remote_wait(). */
int imap_check_answers(struct imap_remote *c);
int imap_wait(struct imap_remote *c, int64_t deadline, const char **folder_out);

#endif
