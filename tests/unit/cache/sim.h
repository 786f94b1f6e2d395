/*
 * A world at random: what a user does to an account here, what other clients
 * and the server do meanwhile, and what must be there in the end.
 */
#ifndef TESTS_UNIT_CACHE_SIM_H
#define TESTS_UNIT_CACHE_SIM_H

#include "tests/unit/cache/hand.h"

#define SIM_ITEMS   64
#define SIM_TOKENS  96
#define SIM_FOLDERS 3
#define SIM_BODY    1024

extern const char *const sim_folders[SIM_FOLDERS];

/* A name that the user gave. */
struct sim_item {
	bool is_used;
	char base[24];
	int token;
	int folder;
};

enum sim_deed {
	SIM_NONE,
	SIM_DELIVER,
	SIM_MOVE,
	SIM_UNLINK,
	SIM_LINK,
};

/* What outlives a crash. */
struct sim {
	uint64_t seed, random;
	int step, crashes;
	int64_t advanced_ms;
	bool may_reset, may_be_late;
	struct sim_item items[SIM_ITEMS];
	int copies[SIM_TOKENS]; /* that the server is to have in the end */
	int late[SIM_TOKENS]; /* that it may have besides, where it may be late */
	int torn; /* the same of any token, of moves that were cut in two */
	int given[SIM_TOKENS]; /* deliveries of that text */
	int tokens;
	bool is_adopted[SIM_TOKENS]; /* another's message that the user has */
	/* Under way: whether it was done shows on the disk. */
	enum sim_deed deed;
	struct sim_item before, after;
	int slot;
	struct fake_account *account;
	char dir[64];
	char why[512];
};

/* Of one process. */
struct sim_run {
	struct sim *sim;
	struct rig rig;
	struct hand hand;
};

/* The next random number, less than below. */
uint64_t sim_draw(struct sim *s, uint64_t below);

/* End the process, which leaves behind why. */
__attribute__((format(printf, 2, 3), noreturn)) void
sim_fail(struct sim *s, const char *format, ...);

/* No two tokens are of one size, so that facts tell them apart. */
void sim_body(int token, char out[SIM_BODY]);
/* The id here of sim_folders[folder]. */
int64_t sim_folder(struct sim_run *r, int folder);
/* Time passes; the next process begins there. */
void sim_advance(struct sim_run *r, int64_t ms);

/* After a crash: was what was under way done? */
void sim_recover(struct sim_run *r);
/* Somebody does something; then some time passes, and mostly a round. */
void sim_step(struct sim_run *r);

#endif
