#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/changes.h"
#include "tests/unit/cli/rig.h"
#include "util/cleanup.h"

#define ANSWER(more) "{\"account\": \"work\", \"mounted\": true, " more "}"
#define ONLINE       "\"online\": true, \"failure\": \"\", "
#define OFFLINE      "\"online\": false, \"failure\": \"no \\u001broute\", "

static void sync_waits_for_the_server(void **state)
{
	static const struct {
		const char *name;
		struct rig_step steps[4];
		int timeout_ms;
		int code;
		const char *out, *err;
	} rows[] = {
		{ "all goes",
		  { { "flush", ANSWER("\"count\": 40") },
		    { "status", ANSWER(ONLINE "\"pending\": 28") },
		    { "status", ANSWER(ONLINE "\"pending\": 30") },
		    { "status", ANSWER(ONLINE "\"pending\": 0") } },
		  -1,
		  EX_OK,
		  "work: 42 changes sent\n",
		  "" },
		{ "nothing waits",
		  { { "flush", ANSWER("\"count\": 0") },
		    { "status", ANSWER(ONLINE "\"pending\": 0") } },
		  -1,
		  EX_OK,
		  "",
		  "" },
		{ "off line, and no time",
		  { { "flush", ANSWER("\"count\": 2") },
		    { "status", ANSWER(OFFLINE "\"pending\": 2") } },
		  0,
		  EX_TEMPFAIL,
		  "",
		  "mailmount: work: 2 changes wait: no ?route\n" },
		{ "on line, but too slow",
		  { { "flush", ANSWER("\"count\": 2") },
		    { "status", ANSWER(ONLINE "\"pending\": 2") },
		    { "status", ANSWER(ONLINE "\"pending\": 1") } },
		  50,
		  EX_TEMPFAIL,
		  "work: 1 changes sent\n",
		  "mailmount: work: 1 changes wait\n" },
		{ "held and refused",
		  { { "flush", ANSWER("\"count\": 1") },
		    { "status", ANSWER(ONLINE "\"pending\": 0, \"held\": 3, "
		                              "\"refused\": 4") } },
		  -1,
		  EX_UNAVAILABLE,
		  "work: 1 changes sent\n",
		  "mailmount: work: 3 deletions are held; `mailmount confirm` "
		  "lets them go on, `mailmount undo` takes them back\n"
		  "mailmount: work: 4 changes were refused; `mailmount queue` "
		  "says why, `mailmount retry` sends them again\n" },
		{ "its daemon ends",
		  { { "flush", ANSWER("\"count\": 1") }, { "status", "" } },
		  -1,
		  EX_UNAVAILABLE,
		  "",
		  "mailmount: work: its daemon does not answer\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t count = 0;
		while (count < 4 && rows[i].steps[count].request != NULL)
			count++;
		struct rig rig;
		struct ear out, err;
		rig_start(&rig, rows[i].steps, count);
		ear_open(&out, STDOUT_FILENO);
		ear_open(&err, STDERR_FILENO);
		int code = changes_sync(rig.accounts, 1, rows[i].timeout_ms);
		auto_free char *complained = ear_close(&err);
		auto_free char *said = ear_close(&out);
		rig_stop(&rig);
		assert_string_equal(complained, rows[i].err);
		assert_string_equal(said, rows[i].out);
		assert_int_equal(code, rows[i].code);
	}
}

/* Times in seconds. */
static void waiting_has_its_bounds(void **state)
{
	static const struct {
		struct {
			int64_t at, pending;
			bool is_offline, is_hopeful;
		} looks[5];
		int64_t sent;
	} rows[] = {
		{ { { 0, 2, false, true },
		    { 119, 2, false, true },
		    { 120, 2, false, false } },
		  0 },
		{ { { 0, 2, false, true },
		    { 100, 1, false, true },
		    { 219, 1, false, true },
		    { 220, 1, false, false } },
		  1 },
		/* More is to be sent: that is progress too. */
		{ { { 0, 2, false, true },
		    { 100, 5, false, true },
		    { 219, 4, false, true },
		    { 300, 0, false, false } },
		  5 },
		{ { { 1, 2, true, true },
		    { 4, 2, true, true },
		    { 5, 2, true, false } },
		  0 },
		{ { { 1, 2, true, true },
		    { 4, 2, false, true },
		    { 8, 2, true, true },
		    { 9, 1, true, false } },
		  1 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct changes_progress p = { .pending = 2 };
		for (size_t j = 0;
		     j < 5 &&
		     rows[i].looks[j].at + rows[i].looks[j].pending > 0;
		     j++)
			assert_int_equal(
				changes_look(&p, rows[i].looks[j].at * 1000,
			                     rows[i].looks[j].pending,
			                     rows[i].looks[j].is_offline),
				rows[i].looks[j].is_hopeful);
		assert_int_equal(p.sent, rows[i].sent);
	}
}

static void the_worst_account_counts(void **state)
{
	static const struct rig_step steps[] = {
		{ "flush", ANSWER("\"count\": 2") },
		{ "flush", ANSWER("\"count\": 2") },
		{ "status", ANSWER(ONLINE "\"pending\": 2") },
	};
	struct rig rig;
	rig_start(&rig, steps, COUNT_OF(steps));
	const struct config_account home = { .name = "home",
		                             .state_dir = "/nonexistent" };
	const struct config_account *const accounts[] = { &rig.account, &home,
		                                          &rig.account };
	struct ear err;
	ear_open(&err, STDERR_FILENO);
	int code = changes_sync(accounts, 3, 0);
	auto_free char *complained = ear_close(&err);
	rig_stop(&rig);
	assert_int_equal(code, EX_UNAVAILABLE);
	assert_string_equal(complained, "mailmount: work: 2 changes wait\n"
	                                "mailmount: home: is not mounted\n"
	                                "mailmount: work: 2 changes wait\n");
}

static void orders_are_passed_on(void **state)
{
	static const struct {
		enum changes_order order;
		struct rig_step step;
		int code;
		const char *out, *err;
	} rows[] = {
		{ CHANGES_CONFIRM,
		  { "confirm", ANSWER("\"count\": 60") },
		  EX_OK,
		  "work: 60 held deletions go on\n",
		  "" },
		{ CHANGES_UNDO,
		  { "undo", ANSWER("\"count\": 0") },
		  EX_OK,
		  "work: 0 held deletions are taken back\n",
		  "" },
		{ CHANGES_RETRY,
		  { "retry", ANSWER("\"count\": 2") },
		  EX_OK,
		  "work: 2 refused changes are sent again\n",
		  "" },
		{ CHANGES_RETRY,
		  { "retry", ANSWER("\"failure\": \"disk full\"") },
		  EX_UNAVAILABLE,
		  "",
		  "mailmount: work: disk full\n" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct rig rig;
		struct ear out, err;
		rig_start(&rig, &rows[i].step, 1);
		ear_open(&out, STDOUT_FILENO);
		ear_open(&err, STDERR_FILENO);
		int code = changes_order(rig.accounts, 1, rows[i].order);
		auto_free char *complained = ear_close(&err);
		auto_free char *said = ear_close(&out);
		rig_stop(&rig);
		assert_int_equal(code, rows[i].code);
		assert_string_equal(said, rows[i].out);
		assert_string_equal(complained, rows[i].err);
	}
}

/* Of this mount, and of no other. */
static void who_unmounts_hears_what_waits(void **state)
{
	static const struct rig_step step = {
		"status", ANSWER("\"mountpoint\": \"/m\", \"pending\": 1, "
		                 "\"held\": 2, \"refused\": 3")
	};
	struct rig rig;
	rig_start(&rig, &step, 1);
	auto_strbuf struct strbuf text = { 0 };
	changes_waiting(&rig.account, "/n", &text);
	assert_int_equal(text.len, 0);
	changes_waiting(&rig.account, "/m", &text);
	assert_string_equal(strbuf_text(&text),
	                    "work: 6 changes wait until it is mounted again\n");
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sync_waits_for_the_server),
		cmocka_unit_test(waiting_has_its_bounds),
		cmocka_unit_test(the_worst_account_counts),
		cmocka_unit_test(orders_are_passed_on),
		cmocka_unit_test(who_unmounts_hears_what_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
