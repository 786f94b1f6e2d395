/*
 * The messages of a session.  A number names a message within the session
 * only; a key, always.
 *
 * A key is made of the message's UIDL, or without one of a digest of its head;
 * and of how many messages before it have the same (popa3d gives copies of a
 * message one UIDL).
 */
#ifndef POPCLIENT_DROP_H
#define POPCLIENT_DROP_H

#include "popclient/session.h"
#include "util/digest.h"

/* More than any server has; a hostile one is left. */
#define POP_MESSAGES_MAX 4000000

struct pop_message {
	uint32_t number;
	uint64_t size; /* by LIST */
	char *key;     /* NULL: not known yet */
	uint64_t identity;
	bool has_head;       /* it was asked for */
	int64_t received_at; /* 0: unknown, or the head does not say */
};

struct pop_drop {
	bool is_known;
	bool lacks_uidl; /* the server has none */
	int refusal;     /* what its refusal means; 0: that it has none */
	struct pop_message *messages; /* by number, ascending */
	size_t count, capacity;
	struct pop_message **by_key;     /* ascending */
	char state[2 * DIGEST_SIZE + 1]; /* of all keys, in order */
};

/* Ask the server what there is; nothing is done if that is known. */
int pop_drop_learn(struct pop_drop *d, struct pop_session *s);

void pop_drop_release(struct pop_drop *d);

/* NULL: it is gone. */
const struct pop_message *pop_drop_find(const struct pop_drop *d,
                                        const char *key);

/* Read the head that was asked for by TOP or RETR.  A refusal leaves it out. */
int pop_drop_read_head(struct pop_session *s, struct pop_message *m,
                       struct strbuf *head);

#endif
