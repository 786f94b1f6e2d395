/*
 * Plays: what a user and a server do to an account, step by step, and what is
 * to come of it.  Each step is one call of the cache that is acknowledged or
 * not, or something the server does.
 *
 * Whoever dies in step n leaves what n or n + 1 steps make: play_make() tells
 * both, play_check() looks whether the server and the cache have one of them.
 */
#ifndef TESTS_UNIT_CACHE_PLAY_H
#define TESTS_UNIT_CACHE_PLAY_H

#include "tests/unit/cache/hand.h"

#define PLAY_STEPS   32
#define PLAY_MAILS   24
#define PLAY_FOLDERS 8
#define PLAY_WHY     512

enum play_deed {
	PLAY_END,
	/* The user: in folder, to the message called name. */
	PLAY_DELIVER, /* by tmp, into new */
	PLAY_FLAG,    /* into cur, with the flags number */
	PLAY_MOVE,    /* to the folder to */
	PLAY_COPY,    /* a link in the folder to, called name and "c" */
	PLAY_REPLACE, /* rename another text over it */
	PLAY_UNLINK,  /* one that the server has */
	PLAY_MKDIR,   /* folder, a directory without cur, new and tmp */
	PLAY_PLACE,   /* the place number in it */
	PLAY_RENAME,  /* folder, to */
	/* The world. */
	PLAY_PASS,   /* three seconds, with a round of the session */
	PLAY_CUT,    /* the next call of op loses its answer, as loss says */
	PLAY_REFUSE, /* writing to folder gives the error number; 0: no more */
	PLAY_RESET,  /* folder is numbered anew */
};

struct play_step {
	enum play_deed deed;
	const char *folder, *name, *to;
	int number;
	enum fake_op op;
	enum fake_loss loss;
};

struct play {
	const char *name;
	bool has_trash;
	struct play_step steps[PLAY_STEPS];
	enum cache_ack ack;
};

/* One message, and the name it has here; "": the user gave it none. */
struct play_mail {
	char folder[16], name[16];
	int token; /* which text */
	unsigned flags;
};

struct play_model {
	struct play_mail mails[PLAY_MAILS];
	size_t mail_count;
	struct play_folder {
		char name[16];
		int places; /* how many it has; with three it is a mailbox */
	} folders[PLAY_FOLDERS];
	size_t folder_count;
};

int play_length(const struct play *p);

/* The server before the first step: folders, and mail of other people. */
void play_prepare(const struct play *p, struct fake_account *a);

/* What is there after so many steps. */
void play_make(const struct play *p, int steps, struct play_model *out);

/* Do one step: 0 if it was acknowledged, or -errno. */
int play_do(struct hand *h, const struct play *p, int step);

/*
 * Is it so, on the server and here?  Else why tells what is not; PLAY_WHY
 * bytes.
 */
bool play_check(struct hand *h, const struct play_model *model, char *why);
/* The same of what is here alone: names, flags, and texts that are kept. */
bool play_check_here(struct hand *h, const struct play_model *model, char *why);

#endif
