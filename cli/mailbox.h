/*
 * A Maildir, of the mount or any other, as a program sees it: deliver into it,
 * list it, read it.
 */
#ifndef CLI_MAILBOX_H
#define CLI_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"

enum mailbox_place { MAILBOX_NEW, MAILBOX_CUR, MAILBOX_TMP, MAILBOX_PLACES };

#define MAILBOX_NAME_MAX 255

struct mailbox {
	int places[MAILBOX_PLACES]; /* descriptors; -1 */
	char stem[128];             /* of the names of what we deliver */
	uint64_t name_count;        /* so many were used */
	uint64_t delivered;
};

/*
 * path must hold cur, new and tmp: else -ENOENT or -ENOTDIR; or -errno.
 * Close in either case.
 */
int mailbox_open(struct mailbox *m, const char *path);
void mailbox_close(struct mailbox *m);
/* Make the directories that are not there.  0 or -errno. */
int mailbox_make(const char *path);

/* A message that is being written. */
struct mailbox_draft {
	int fd; /* to write to */
	char name[MAILBOX_NAME_MAX + 1];
};

/*
 * Deliver a message: create, write to draft.fd, and deliver or discard, which
 * close it.  deliver returns when the message is on the disk under its last
 * name; if it fails the message is in tmp, to be discarded.  0 or -errno.
 */
int mailbox_create(struct mailbox *m, struct mailbox_draft *draft_out);
int mailbox_deliver(struct mailbox *m, struct mailbox_draft *draft,
                    int64_t received_at, enum mailbox_place place,
                    unsigned flags);
void mailbox_discard(struct mailbox *m, struct mailbox_draft *draft);
/* That the names survive a power cut too.  0 or -errno. */
int mailbox_sync(struct mailbox *m);

struct mailbox_entry {
	enum mailbox_place place;
	char *name;
};

struct mailbox_list {
	struct mailbox_entry *entries; /* by name: the order of delivery */
	size_t count;
};

/* What is in new and cur.  Returns 0 or -errno. */
int mailbox_list(const struct mailbox *m, struct mailbox_list *list_out);
void mailbox_list_release(struct mailbox_list *list);

/*
 * Open for reading; what has got other flags since it was listed is found, and
 * *e tells its place and name.  Returns a descriptor; -ENOENT: it is gone; or
 * -errno.
 */
int mailbox_read(const struct mailbox *m, struct mailbox_entry *e);

/* The flags in a name. */
unsigned mailbox_flags(const char *name);

#endif
