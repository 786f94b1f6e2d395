/*
 * What `mailmount queue` shows: the changes that the server has not got.
 */
#ifndef CLI_QUEUE_H
#define CLI_QUEUE_H

#include <stdio.h>

#include "cli/config.h"
#include "util/strbuf.h"

/* More than this is not told one by one; only how many there are. */
#define QUEUE_TEXT_MAX ((size_t)4 * 1024 * 1024)

/* Append a change to a struct strbuf of JSON objects; for cache_queue(). */
void queue_add(void *rows, const struct cache_pending *p);

/*
 * One line of JSON, to be freed.  directory: where the account's mailboxes
 * are; rows: what queue_add() made; total: of changes, or -errno.
 */
char *queue_to_json(const char *account, const char *directory,
                    const struct strbuf *rows, int64_t total);

/*
 * Show the queues of count accounts: a line for each change, or a JSON array
 * with an object for each account.  Returns an exit code: EX_OK, or
 * EX_UNAVAILABLE when one of them is not mounted.
 */
int queue_show(const struct config_account *const *accounts, size_t count,
               bool is_json, FILE *out);

/*
 * Copy the messages that servers refused to take from the mounts to a Maildir,
 * which is made if need be.  Returns an exit code.
 */
int queue_export(const struct config_account *const *accounts, size_t count,
                 const char *dir);

#endif
