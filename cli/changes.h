/*
 * The commands about the changes that wait: `mailmount sync`, `confirm`, `undo`
 * and `retry`.  What they achieved is told on standard output, what is wrong on
 * standard error; each returns an exit code.
 */
#ifndef CLI_CHANGES_H
#define CLI_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/config.h"
#include "util/strbuf.h"

/*
 * Have everything sent, and wait for that.  timeout_ms: at most so long, even
 * if an account is off line; -1: as long as it goes on.
 *
 * EX_OK: the server has it all.  EX_TEMPFAIL: some waits, which will be sent
 * later.  EX_UNAVAILABLE: some is refused or held, or an account is not
 * mounted.
 */
int changes_sync(const struct config_account *const *accounts, size_t count,
                 int64_t timeout_ms);

/* Who does not say how long to wait: off line so long... */
#define CHANGES_OFFLINE_MS (5 * 1000)
/* ... or sending nothing so long; a large message takes its time. */
#define CHANGES_STALLED_MS (120 * 1000)

/* How far the sending is. */
struct changes_progress {
	int64_t pending, sent;
	int64_t moved_ms;  /* when pending was last another */
	int64_t online_ms; /* when the account was last on line */
};

/*
 * Take in what a daemon says.  False: there is nothing to wait for, or it
 * would be in vain.  Pure.
 */
bool changes_look(struct changes_progress *p, int64_t now_ms, int64_t pending,
                  bool is_offline);

/* Have each daemon do one of these. */
enum changes_order { CHANGES_CONFIRM, CHANGES_UNDO, CHANGES_RETRY };
int changes_order(const struct config_account *const *accounts, size_t count,
                  enum changes_order order);

/*
 * Append a line if changes of an account wait that is mounted there, for who
 * unmounts it.
 */
void changes_waiting(const struct config_account *account,
                     const char *mountpoint, struct strbuf *text);

#endif
