/*
 * Inside push*.c and settle.c only: telling the server what the journal holds.
 */
#ifndef CACHE_PUSH_H
#define CACHE_PUSH_H

#include "cache/core.h"
#include "cache/journal.h"
#include "util/digest.h"

/* Rows that go with one call; and those of them that bring an open file. */
#define PUSH_GROUP   1000
#define PUSH_APPENDS 500

enum push_what {
	PUSH_NOTHING, /* there is no difference any more */
	PUSH_APPEND,
	PUSH_COPY,
	PUSH_MOVE,
	PUSH_FLAGS,
	PUSH_TRASH,   /* a removal: moved to the folder for that */
	PUSH_EXPUNGE, /* for good */
	PUSH_MARK,    /* \Deleted, and no more */
};

/* What is to be done about a row, as things are now. */
struct push_intent {
	enum push_what what;
	int64_t folder; /* where the command works */
	int64_t target; /* the same, or where it brings the message */
	char key[REMOTE_KEY_MAX + 1];
	unsigned flags, removed;
	char keywords[JOURNAL_KEYWORDS_MAX + 1];
	char removed_keywords[JOURNAL_KEYWORDS_MAX + 1];
	int64_t received_at;
	struct cache_message message;
	/* What the server's copy is to have then. */
	unsigned flags_then;
	char keywords_then[JOURNAL_KEYWORDS_MAX + 1];
};

/*
 * What journal_row.mark says of what was sent: all that is needed to know it
 * again, whatever became of the row and the file meanwhile.
 */
struct push_trace {
	int64_t folder; /* where it went */
	int64_t received_at;
	/* Which it was; perhaps it is no more.  0: not told, in old rows. */
	int64_t message;
	bool has_digest;             /* else the body is not here */
	uint8_t digest[DIGEST_SIZE]; /* of the normal form: content.h */
	uint64_t wire_size;
	char mark[REMOTE_CURSOR_MAX + 1]; /* remote_mark() before; "": all */
};
void push_trace_write(const struct push_trace *trace, struct journal_row *row);
/* False: there is none. */
bool push_trace_read(const struct journal_row *row, struct push_trace *out);

/* One row on its way. */
struct push_item {
	int64_t id;
	struct journal_row row;
	struct push_intent intent;
	int fd; /* -1: none */
	uint64_t size;
	uint64_t id_digest; /* of the content, for recent.h */
	uint8_t body_digest[DIGEST_SIZE];
	struct push_trace trace;
};

struct push_group {
	enum push_what what;
	bool is_moved; /* removals: the messages are elsewhere */
	int64_t folder, target;
	char *folder_name, *target_name;
	struct push_item *items[PUSH_GROUP];
	size_t count;
};

/* The server has what a row was for (0), or refused it. */
struct push_answer {
	int64_t row;
	int err;
};

/* What a transaction's end sets off. */
struct push_after {
	struct cache_entry *moved;
	size_t moved_count, moved_capacity;
	struct cache_message *dead; /* nothing names them any more */
	size_t dead_count, dead_capacity;
	struct push_answer *answers; /* of births */
	size_t answer_count, answer_capacity;
};

struct push {
	struct session *session;
	struct cache *cache;
	struct remote *remote;
	int64_t now;   /* clock_now_ms(), read once a round */
	int64_t trash; /* the folder; 0: none */
	/* The mark had last: a lower bound as long as this push lasts. */
	int64_t marked;
	char mark[REMOTE_CURSOR_MAX + 1];
	int64_t counts[PUSH_MARK + 1]; /* of what was done, for the log */
	int64_t refused;
};

/* push_pick.c: the next group whose time has come, or -ENOENT. */
int push_pick(struct push *p, struct push_group *group_out);
void push_group_drop(struct push_group *group, size_t i);
void push_group_release(struct push_group *group);
/* What row asks for now; -EAGAIN: it must wait. */
int push_intend(struct push *p, struct db_conn *conn,
                const struct journal_row *row, struct push_intent *out);
/* Those of rows that are ready may not go before then. */
int push_postpone(struct push *p, const int64_t *ids, size_t count,
                  int64_t until);
/*
 * push_moved.c: if some removals of the group are of what was copied elsewhere
 * lately, only they stay in it, to be removed for good.
 */
void push_moved(struct push *p, struct push_group *group);
/*
 * push_brake.c: removals that are too many at once are held: how many, or
 * -errno.
 */
int push_brake(struct push *p, int64_t folder);

/* push_send.c: send a group; 0, or the error that ended the session. */
int push_send(struct push *p, struct push_group *group);

/* push_folder.c: what is to be done about folders themselves. */
int push_folders(struct push *p);

/* push_after.c */
void push_after_run(struct cache *c, struct push_after *after);
void push_after_release(struct push_after *after);
/*
 * The server has row's message in row->folder under row->key, with row->flags
 * and row->keywords.
 */
int push_took(struct db_conn *conn, struct journal_row *row,
              struct push_after *after);
/* The server has it no more. */
int push_gone(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after);
int push_drop(struct db_conn *conn, const struct journal_row *row,
              struct push_after *after);
/* Who waits for a delivery is told: the server has it, or err. */
void push_answer(const struct journal_row *row, int err,
                 struct push_after *after);
/* Is it a delivery, which somebody may wait for? */
bool push_is_birth(const struct journal_row *row);

#endif
