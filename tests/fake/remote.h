/*
 * An account in memory, and struct remotes that serve it: for tests of the
 * cache.  All functions may be called from any thread.
 */
#ifndef TESTS_FAKE_REMOTE_H
#define TESTS_FAKE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/remote.h"

enum fake_op {
	FAKE_CONNECT,
	FAKE_CHECK,
	FAKE_LIST,
	FAKE_LIST_NEXT,
	FAKE_PULL,
	FAKE_NEXT,
	FAKE_FETCH,
	FAKE_FETCHED,
	FAKE_FLAGS,
	FAKE_APPEND,
	FAKE_COPY,
	FAKE_MOVE,
	FAKE_REMOVE,
	FAKE_MARK,
	FAKE_SINCE,
	FAKE_CREATE,
	FAKE_DELETE,
	FAKE_RENAME,
	FAKE_SUBSCRIBE,
	FAKE_HEADS,
	FAKE_OPS, /* how many */
};

/* What the server did with a wish whose answer was lost. */
enum fake_loss {
	FAKE_LOST_UNDONE,
	FAKE_LOST_DONE,
	FAKE_LOST_LATE,  /* it does so at fake_commit_late() */
	FAKE_LOST_HALF,  /* of a move: copied, and not removed */
	FAKE_LOST_MIXED, /* undone, done and late in turn */
};

struct fake_account;

/* An account without folders. */
struct fake_account *fake_account_new(void);
/*
 * One in memory that processes share: it outlives one that is killed.  The
 * next calls revive first.  There can be one such at a time.
 */
struct fake_account *fake_account_new_shared(void *memory, size_t size);
void fake_account_revive(struct fake_account *a);
/* After all its remotes. */
void fake_account_free(struct fake_account *a);

/* One more connection. */
struct remote *fake_remote_new(struct fake_account *a);

void fake_folder_add(struct fake_account *a, const char *name,
                     unsigned attributes);
void fake_folder_remove(struct fake_account *a, const char *name);
/* With all that is below. */
void fake_folder_rename(struct fake_account *a, const char *from,
                        const char *to);
/* From now on it tells which folders and messages are the same. */
void fake_has_ids(struct fake_account *a);
/* All folders get other ones. */
void fake_folder_ids(struct fake_account *a);

/*
 * Add count messages with keys counting up; each body is its key, then 'x' up
 * to size.  The claim is one byte more than the truth.  Returns the first's
 * number; its key is that in decimal.
 */
uint64_t fake_message_add(struct fake_account *a, const char *folder,
                          size_t count, uint64_t size, unsigned flags);
void fake_message_flag(struct fake_account *a, const char *folder,
                       uint64_t number, unsigned flags);
void fake_message_keywords(struct fake_account *a, const char *folder,
                           uint64_t number, const char *keywords);
void fake_message_remove(struct fake_account *a, const char *folder,
                         uint64_t number);
/* Another client moves it. */
void fake_message_move(struct fake_account *a, const char *folder,
                       uint64_t number, const char *target);
/* A body that is gone although it is listed. */
void fake_message_lose(struct fake_account *a, const char *folder,
                       uint64_t number);

/*
 * A message of other clients: LF line ends.  Returns its number.
 */
uint64_t fake_deliver(struct fake_account *a, const char *folder,
                      const char *body, int64_t received_at, unsigned flags);

/* A message as the server has it; strings are borrowed until it changes. */
struct fake_view {
	uint64_t number;
	const char *body; /* LF line ends; NULL: made from the number */
	unsigned flags;
	const char *keywords;
	int64_t received_at;
};
/* The nth message there (from 0); false: there are not so many. */
bool fake_view(struct fake_account *a, const char *folder, size_t n,
               struct fake_view *out);
size_t fake_count(struct fake_account *a, const char *folder);
/* Messages with this body in a folder, or in all (NULL). */
size_t fake_copies(struct fake_account *a, const char *folder,
                   const char *body);
bool fake_folder_is(struct fake_account *a, const char *name);

/* Every message gets another key; cursors given before are void. */
void fake_folder_reset(struct fake_account *a, const char *folder);

/*
 * From now on the server cannot tell what went: each pull names all that was
 * known, as FLAGS or PRESENT, and is complete.
 */
void fake_plain(struct fake_account *a);

/* What is appended has this date, whatever was told; 0: what was told. */
void fake_date(struct fake_account *a, int64_t received_at);

/* New messages one pull gives at most; 0: all. */
void fake_chunk(struct fake_account *a, size_t count);

/* The nth call of op from now on (1: the next), and repeat - 1 more, fail. */
void fake_fail(struct fake_account *a, enum fake_op op, int nth, int repeat,
               int err);

/*
 * In the nth call of op from now on the connection is lost: the first answered
 * wishes are answered, those before sent got the loss, the rest never came.
 */
void fake_cut(struct fake_account *a, enum fake_op op, int nth, size_t answered,
              size_t sent, enum fake_loss loss);
/* No call is failed or cut any more; what is late stays so. */
void fake_heal(struct fake_account *a);
/* What was to be done late is done now, if it can be; how much. */
size_t fake_commit_late(struct fake_account *a);

/* From now on, or no more, the server lists nothing but INBOX. */
void fake_unlisted(struct fake_account *a, bool is_unlisted);

/* From now on the server tells no key of what it took. */
void fake_untold(struct fake_account *a);

/* Whatever writes to a folder is refused with err; 0: no more. */
void fake_refuse(struct fake_account *a, const char *folder, int err);

/* Larger messages are refused. */
void fake_size_limit(struct fake_account *a, uint64_t bytes);

/* While held, bodies do not come: fetched waits for release or abort. */
void fake_hold(struct fake_account *a, bool is_held);

/* Wait until op was called count times in all, or 20 s passed: then false. */
bool fake_await(struct fake_account *a, enum fake_op op, int count);
int fake_calls(struct fake_account *a, enum fake_op op);
/* How often any body was asked for; and the most wants in one fetch. */
int fake_wants(struct fake_account *a);
int fake_wants_most(struct fake_account *a);
/* Wishes of all calls of op. */
int fake_wishes(struct fake_account *a, enum fake_op op);

#endif
