/*
 * Names that split made (split.h): they follow the message's own name.  They
 * have its flags, whoever changes them through which name; they go when the
 * server's message does; and when the own name goes, one of them stands for it
 * in the journal, so that the message leaves the server with its last name.
 *
 * The own name is the first that is not split; or while one stands for it, that
 * one.  Every function is part of its caller's transaction.
 */
#ifndef CACHE_FOLLOW_H
#define CACHE_FOLLOW_H

#include "cache/db.h"

/* What a name was, and is; NULL: it went.  To be told after the commit. */
typedef void follow_told(void *arg, const struct cache_entry *old,
                         const struct cache_entry *now);

/* The own name of a message, or -ENOENT. */
int follow_leader(struct db_conn *conn, int64_t message,
                  struct cache_entry *out);
/* Is it the own name of a message that has others? */
bool follow_leads(struct db_conn *conn, const struct cache_entry *entry);

/* A name that follows, other than entry, or -ENOENT. */
int follow_find(struct db_conn *conn, const struct cache_entry *entry,
                struct cache_entry *out);

/* Has the message one in this folder? */
bool follow_is_in(struct db_conn *conn, int64_t message, int64_t folder);

/*
 * Flags and keywords of a name changed, and are saved: all that follow, or this
 * one, get them.  A keyword is shown where its mailbox has a number for it.
 */
int follow_flags(struct db_conn *conn, const struct cache_entry *changed,
                 follow_told *told, void *arg);
int follow_one(struct db_conn *conn, const struct cache_entry *changed,
               struct cache_entry *name_io, follow_told *told, void *arg);

/* The message is gone: so are all that follow. */
int follow_gone(struct db_conn *conn, int64_t message, follow_told *told,
                void *arg);

#endif
