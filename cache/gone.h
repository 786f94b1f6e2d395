/*
 * Inside cache/ only: messages that went a moment ago, in memory.  Where the
 * server tells which messages are the same everywhere, one that others move
 * goes from one folder and comes to another: there it gets its number, body
 * and name again.  Pure; it belongs to the thread that pulls.
 */
#ifndef CACHE_GONE_H
#define CACHE_GONE_H

#include "cache/cache.h"

#define GONE_MAX 1024
/* Both mailboxes were looked at by then, if they are looked at at all. */
#define GONE_MS (10 * 60 * 1000)

/* A message as it was; its body stays until it is given back, or expires. */
struct gone {
	int64_t at; /* wall time in ms; 0: none */
	uint64_t identity;
	struct cache_message message;
	char *base, *info; /* the name that a program gave it; NULL: none */
	unsigned shown;
};

struct gone_list {
	bool is_used; /* the server tells which are the same */
	struct gone list[GONE_MAX];
	size_t next, count;
};

/* Keep it; *expired_out is the one that has to go for it: 0 if none has. */
void gone_add(struct gone_list *l, int64_t now, const struct cache_entry *entry,
              int64_t *expired_out);

bool gone_has(const struct gone_list *l, uint64_t identity,
              int64_t received_at);
/* Take out the one with this identity and date, to be released; or false. */
bool gone_take(struct gone_list *l, uint64_t identity, int64_t received_at,
               struct gone *out);

/* The number of one that came before then and did not come back; 0: none. */
int64_t gone_expire(struct gone_list *l, int64_t before);

void gone_release(struct gone *g);

#endif
