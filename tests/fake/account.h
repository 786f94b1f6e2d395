/*
 * Inside tests/fake/ only: the account in memory and a connection to it.
 */
#ifndef TESTS_FAKE_ACCOUNT_H
#define TESTS_FAKE_ACCOUNT_H

#include <pthread.h>

#include "tests/fake/remote.h"

#define FAKE_FOLDERS_MAX 64
#define FAKE_OWED_MAX    1024
#define FAKE_LATE_MAX    4096

struct fake_message {
	uint64_t number;
	uint64_t identity; /* the same when it is moved */
	uint64_t size;     /* with LF */
	uint64_t wire_size;
	char *body; /* NULL: made from the number */
	unsigned flags;
	char *keywords; /* NULL: none */
	int64_t received_at;
	uint64_t added, changed; /* the folder's clock then */
	bool is_gone, is_lost;
};

struct fake_folder {
	char *name; /* NULL: unused */
	unsigned attributes;
	int refusal; /* what writing to it gives */
	struct fake_message *messages;
	size_t count, capacity;
	uint64_t next;     /* number; rises over resets too */
	uint64_t validity; /* changes with a reset */
	uint64_t clock;    /* rises with every change */
	uint64_t id;       /* the same for ever; told if the account tells */
};

/* One change by a writing call, with its own copies of everything. */
struct fake_deed {
	enum fake_op op;
	char *folder, *target;
	uint64_t number;
	unsigned flags, removed;
	char *keywords, *removed_keywords;
	char *body;
	uint64_t size;
	int64_t received_at;
};

struct fake_account {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below is guarded by lock. */
	struct fake_folder folders[FAKE_FOLDERS_MAX];
	uint64_t validity; /* last given */
	size_t chunk;
	int64_t date; /* of all that is appended; 0: what was told */
	bool is_plain, is_held, is_untold, is_unlisted, has_ids;
	uint64_t size_limit; /* 0: none */
	int calls[FAKE_OPS];
	int wishes[FAKE_OPS];
	int wants, wants_most;
	/* Calls of op to let pass, and then to fail. */
	int pass[FAKE_OPS], fail[FAKE_OPS], err[FAKE_OPS];
	/* The same, and then to cut; see fake_cut(). */
	int cut[FAKE_OPS];
	size_t answered[FAKE_OPS], sent[FAKE_OPS];
	enum fake_loss loss[FAKE_OPS];
	struct fake_deed late[FAKE_LATE_MAX];
	size_t late_count;
};

struct fake_remote {
	struct remote remote; /* first */
	struct fake_account *account;
	bool is_connected;
	size_t list_at;
	char text[REMOTE_NAME_MAX + 1]; /* lent to the caller */
	char keywords[1024];
	char state[64], id[24];
	/* The pull: messages from at on, changed after since. */
	struct fake_folder *folder;
	size_t at, given;
	uint64_t since, until;
	bool is_reset_due, is_first, is_complete;
	bool is_since; /* not a pull: messages numbered from since on */
	uint64_t owed[FAKE_OWED_MAX];
	uint64_t owed_validity;
	struct fake_folder *owed_folder;
	size_t owed_count;
	bool owes_heads; /* else bodies */
};

/* account.c: all that the account holds comes from here. */
void *fake_alloc(size_t size);
char *fake_strdup(const char *s);
void fake_release(void *p);

struct fake_folder *fake_find_locked(struct fake_account *a, const char *name);
struct fake_message *fake_message_locked(struct fake_folder *f,
                                         uint64_t number);
struct fake_folder *fake_folder_add_locked(struct fake_account *a,
                                           const char *name,
                                           unsigned attributes);
void fake_folder_remove_locked(struct fake_folder *f);
/* Its number, added and changed are set. */
struct fake_message *fake_message_add_locked(struct fake_folder *f);
/* The number of a key, or 0: not of this folder as it is numbered now. */
uint64_t fake_number(const struct fake_folder *f, const char *key);
void fake_key(const struct fake_folder *f, uint64_t number, char *out,
              size_t size);

/* Count a call; the error it is to fail with, or 0. */
int fake_called_locked(struct fake_remote *r, enum fake_op op);
/* The connection is lost. */
int fake_lose_locked(struct fake_remote *r, int err);

/* writes.c */
void fake_deed_release(struct fake_deed *deed);
int fake_set_flags(struct remote *r, const char *folder,
                   struct remote_wish *wishes, size_t count);
int fake_append(struct remote *r, const char *folder,
                struct remote_wish *wishes, size_t count);
int fake_copy(struct remote *r, const char *folder, const char *target,
              struct remote_wish *wishes, size_t count);
int fake_move(struct remote *r, const char *folder, const char *target,
              struct remote_wish *wishes, size_t count);
int fake_remove(struct remote *r, const char *folder,
                struct remote_wish *wishes, size_t count);
int fake_mark(struct remote *r, const char *folder,
              char mark_out[REMOTE_CURSOR_MAX + 1]);
int fake_since(struct remote *r, const char *folder, const char *mark);
int fake_create(struct remote *r, const char *folder);
int fake_delete(struct remote *r, const char *folder);
int fake_rename(struct remote *r, const char *from, const char *to);
int fake_subscribe(struct remote *r, const char *folder, bool is_wanted);

#endif
