/*
 * What the parts of the POP3 remote share: the remote itself, and the
 * operations that fill its table.
 */
#ifndef POPCLIENT_CLIENT_H
#define POPCLIENT_CLIENT_H

#include "mail/remote.h"
#include "popclient/drop.h"
#include "popclient/popclient.h"
#include "popclient/session.h"

/* What an earlier pull of this process told, and the cursor that it gave. */
struct pop_known {
	char cursor[REMOTE_CURSOR_MAX + 1]; /* "": nothing */
	uint64_t *identities;               /* ascending */
	size_t count;
};

struct pop_pull {
	bool is_begun;
	size_t at;      /* the next message to be given */
	size_t asked;   /* up to here heads were asked for */
	size_t given;   /* new messages in this pull */
	bool *is_known; /* of each message of the drop */
	struct pop_known known;
};

/* A body that was asked for; key is our own copy. */
struct pop_want {
	char *key;
	uint32_t number; /* 0: it is gone */
	uint64_t claimed;
};

/* Given up to at, asked for up to asked, in order. */
struct pop_fetches {
	struct pop_want *wants;
	size_t count, capacity;
	size_t at, asked;
	bool is_heads;                /* TOP, where there is such */
	char key[REMOTE_KEY_MAX + 1]; /* of the body given last */
};

struct pop_remote {
	struct remote remote; /* first: see mail/remote.h */
	struct pop_session session;
	struct pop_drop drop;
	struct pop_pull pull;
	struct pop_fetches fetches;
	bool is_listing;    /* INBOX is owed to list_next */
	int64_t learned_at; /* when the session's messages were learned */
	int64_t used_at;    /* when a call last used the session */
};

static inline struct pop_remote *pop_remote_of(struct remote *r)
{
	return (struct pop_remote *)r;
}

int pop_pull_begin(struct pop_remote *c, const char *cursor);
int pop_pull_next(struct pop_remote *c, struct remote_change *change_out,
                  struct remote_cursor *cursor_out);
/* End the pull; what is known stays. */
void pop_pull_end(struct pop_pull *pull);
void pop_pull_release(struct pop_pull *pull);

int pop_message_fetch(struct pop_remote *c, const struct remote_want *wants,
                      size_t count, bool is_heads);
int pop_message_fetched(struct pop_remote *c, int fd,
                        struct remote_body *body_out);
void pop_fetches_release(struct pop_fetches *fetches);

int pop_message_remove(struct pop_remote *c, struct remote_wish *wishes,
                       size_t count);

#endif
