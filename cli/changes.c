#include "cli/changes.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/answer.h"
#include "cli/progress.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Between two looks at how far it is: soon at first, for what is quick. */
#define LOOK_MIN_MS 10
#define LOOK_MAX_MS 50

/* How an account stands. */
struct waiting {
	const struct config_account *account;
	json_t *status; /* as last told */
	struct changes_progress progress;
	bool is_over;
};

bool changes_look(struct changes_progress *p, int64_t now_ms, int64_t pending,
                  bool is_offline)
{
	if (pending < p->pending)
		p->sent += p->pending - pending;
	if (pending != p->pending)
		p->moved_ms = now_ms;
	p->pending = pending;
	if (!is_offline)
		p->online_ms = now_ms;
	return pending > 0 && now_ms - p->online_ms < CHANGES_OFFLINE_MS &&
	       now_ms - p->moved_ms < CHANGES_STALLED_MS;
}

static void look(struct waiting *w, bool is_patient)
{
	json_decref(w->status);
	w->status = answer_get(w->account, "status");
	if (!answer_is(w->status, "mounted")) {
		w->is_over = true;
		return;
	}
	/* Without a failure, it is connecting for the first time. */
	bool is_offline = !answer_is(w->status, "online") &&
	                  *answer_text(w->status, "failure") != '\0';
	bool is_hopeful =
		changes_look(&w->progress, clock_now_ms(),
	                     answer_number(w->status, "pending"), is_offline);
	w->is_over = !is_hopeful && (!is_patient || w->progress.pending == 0);
}

/* Returns how many accounts are not over. */
static size_t look_at_all(struct waiting *all, size_t count, bool is_patient,
                          struct progress *progress)
{
	size_t left = 0;
	int64_t sent = 0, pending = 0;
	for (size_t i = 0; i < count; i++) {
		if (!all[i].is_over)
			look(&all[i], is_patient);
		left += all[i].is_over ? 0 : 1;
		sent += all[i].progress.sent;
		pending += all[i].progress.pending;
	}
	progress_show(progress, "%" PRId64 " of %" PRId64 " sent", sent,
	              sent + pending);
	return left;
}

static void wait_for_all(struct waiting *all, size_t count, int64_t timeout_ms)
{
	struct progress progress;
	progress_init(&progress);
	bool is_patient = timeout_ms >= 0;
	int64_t end = is_patient ? deadline_in(timeout_ms) : DEADLINE_NEVER;
	int look_ms = LOOK_MIN_MS;
	while (look_at_all(all, count, is_patient, &progress) > 0) {
		int left = deadline_left(end);
		if (left == 0)
			break;
		(void)poll(NULL, 0,
		           left > 0 && left < look_ms ? left : look_ms);
		look_ms = look_ms < LOOK_MAX_MS / 2 ? look_ms * 2 : LOOK_MAX_MS;
	}
	progress_clear(&progress);
}

/* What an account's changes came to; its exit code. */
static int tell(const struct waiting *w)
{
	const char *name = w->account->name;
	const struct changes_progress *p = &w->progress;
	int64_t held = answer_number(w->status, "held");
	int64_t refused = answer_number(w->status, "refused");
	if (!answer_is(w->status, "mounted")) {
		answer_complain(w->status);
		return EX_UNAVAILABLE;
	}
	if (p->sent > 0)
		(void)printf("%s: %" PRId64 " changes sent\n", name, p->sent);
	if (p->pending > 0) {
		const char *why = answer_text(w->status, "failure");
		(void)fprintf(stderr, "mailmount: %s: %" PRId64 " changes wait",
		              name, p->pending);
		if (!answer_is(w->status, "online") && *why != '\0') {
			(void)fputs(": ", stderr);
			answer_print(stderr, why);
		}
		(void)fputc('\n', stderr);
	}
	if (held > 0)
		(void)fprintf(stderr,
		              "mailmount: %s: %" PRId64 " deletions are held; "
		              "`mailmount confirm` lets them go on, "
		              "`mailmount undo` takes them back\n",
		              name, held);
	if (refused > 0)
		(void)fprintf(stderr,
		              "mailmount: %s: %" PRId64 " changes were "
		              "refused; `mailmount queue` says why, "
		              "`mailmount retry` sends them again\n",
		              name, refused);
	if (held > 0 || refused > 0)
		return EX_UNAVAILABLE;
	return p->pending > 0 ? EX_TEMPFAIL : EX_OK;
}

int changes_sync(const struct config_account *const *accounts, size_t count,
                 int64_t timeout_ms)
{
	auto_free struct waiting *all = xcalloc(count, sizeof(*all));
	int64_t now = clock_now_ms();
	for (size_t i = 0; i < count; i++) {
		json_t *answer = answer_get(accounts[i], "flush");
		all[i] = (struct waiting){
			.account = accounts[i],
			.progress = { .pending = answer_number(answer, "count"),
			              .moved_ms = now,
			              .online_ms = now },
		};
		json_decref(answer);
	}
	wait_for_all(all, count, timeout_ms);
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		int one = tell(&all[i]);
		if (one == EX_UNAVAILABLE || code == EX_OK)
			code = one;
		json_decref(all[i].status);
	}
	return code;
}

int changes_order(const struct config_account *const *accounts, size_t count,
                  enum changes_order order)
{
	static const struct {
		const char *request, *done;
	} orders[] = {
		[CHANGES_CONFIRM] = { "confirm", "held deletions go on" },
		[CHANGES_UNDO] = { "undo", "held deletions are taken back" },
		[CHANGES_RETRY] = { "retry", "refused changes are sent again" },
	};
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		json_t *json = answer_get(accounts[i], orders[order].request);
		if (answer_is(json, "mounted") &&
		    *answer_text(json, "failure") == '\0') {
			(void)printf("%s: %" PRId64 " %s\n", accounts[i]->name,
			             answer_number(json, "count"),
			             orders[order].done);
		} else {
			answer_complain(json);
			code = EX_UNAVAILABLE;
		}
		json_decref(json);
	}
	return code;
}

void changes_waiting(const struct config_account *account,
                     const char *mountpoint, struct strbuf *text)
{
	json_t *json = answer_get(account, "status");
	int64_t count = answer_number(json, "pending") +
	                answer_number(json, "held") +
	                answer_number(json, "refused");
	if (count > 0 &&
	    strcmp(answer_text(json, "mountpoint"), mountpoint) == 0)
		strbuf_printf(text,
		              "%s: %" PRId64 " changes wait until it is "
		              "mounted again\n",
		              account->name, count);
	json_decref(json);
}
