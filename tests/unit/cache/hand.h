/*
 * A cache worked by hand: no session thread runs, the test's own does what one
 * would do, step by step, at times that the test says.
 */
#ifndef TESTS_UNIT_CACHE_HAND_H
#define TESTS_UNIT_CACHE_HAND_H

#include "cache/core.h"
#include "cache/journal.h"
#include "tests/unit/cache/rig.h"

struct hand {
	struct rig *rig;
	struct session session;
};

/* For cmocka: INBOX and Lists/c are known and listed. */
int hand_setup(void **state);
int hand_teardown(void **state);

/* Begin, and end, the work on rig->cache. */
void hand_take(struct hand *h, struct rig *rig);
void hand_drop(struct hand *h);

/*
 * What a session does when everything is due: connect, push, list, pull what
 * is to be pulled.  Returns 0, or what ended the session.
 */
int hand_round(struct hand *h);
/* The same, again and again, while so many seconds pass; lost sessions too. */
void hand_pass(struct hand *h, int seconds);
/* Only the push. */
int hand_push(struct hand *h);

/* By level, below the root; 0: there is none. */
int64_t hand_folder(struct hand *h, const char *level);
struct cache_entry hand_entry(struct hand *h, int64_t folder, const char *base);
/* All mail of a folder, and its rows in the journal. */
size_t hand_count(struct hand *h, int64_t folder);
size_t hand_rows(struct hand *h);

/* By tmp, as programs do.  0, or why not. */
int hand_deliver(struct hand *h, int64_t folder, const char *base,
                 const char *body);
int hand_unlink(struct hand *h, int64_t folder, const char *base);
/* To another name: folder, place and flags; the base stays. */
int hand_move(struct hand *h, int64_t folder, const char *base, int64_t to,
              enum cache_place place, unsigned flags);
int hand_link(struct hand *h, int64_t folder, const char *base, int64_t to,
              const char *new_base);
/* By tmp, and a rename over what has the name, as `sed -i` does. */
int hand_replace(struct hand *h, int64_t folder, const char *base,
                 const char *body);
/* Write another text over it. */
int hand_edit(struct hand *h, int64_t folder, const char *base,
              const char *body);

#endif
