#include "tests/unit/test.h"

#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/status.h"
#include "util/cleanup.h"

static const struct cache_status offline = {
	.failure = "no \033[31mroute\xff",
	.folders = 25,
	.folders_listed = 3,
	.messages = 1000000,
	.listing = "Lists/a",
	.listing_done = 7,
	.listing_total = 9,
	.cached_bytes = 1536,
	.size_limit = 2ULL << 30,
	.bodies_waiting = 2,
	.pending = 12,
	.held = 60,
	.refused = 3,
	.fetched_today = 5000,
	.daily_limit = 4096,
	.is_limit_reached = true,
};

static void any_text_becomes_json(void **state)
{
	auto_free char *text = status_to_json("work", "/m\xff", 42, &offline);
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "messages")),
	                 1000000);
	assert_true(json_is_false(json_object_get(json, "online")));
	assert_string_equal(json_string_value(
				    json_object_get(json, "mountpoint")),
	                    "/m?");
	assert_string_equal(json_string_value(json_object_get(json, "failure")),
	                    "no \033[31mroute?");
	const json_t *listing = json_object_get(json, "listing");
	assert_int_equal(json_integer_value(json_object_get(listing, "done")),
	                 7);
	assert_int_equal(json_integer_value(json_object_get(json, "pending")),
	                 12);
	assert_int_equal(json_integer_value(json_object_get(json, "held")), 60);
	assert_int_equal(json_integer_value(json_object_get(json, "refused")),
	                 3);
	assert_int_equal(json_integer_value(
				 json_object_get(json, "fetched_today")),
	                 5000);
	json_decref(json);
}

/* Answers one caller as the daemon would. */
static void *answer_one(void *arg)
{
	int listener = *(int *)arg;
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	char request[CONTROL_REQUEST_MAX + 1];
	if (poll(&poll_fd, 1, 5000) != 1)
		return NULL;
	auto_fd int fd = control_accept(listener, request);
	auto_free char *text = status_to_json("work", "/m", 42, &offline);
	if (fd >= 0)
		control_answer(fd, text);
	return NULL;
}

static void the_table_shows_who_is_mounted(void **state)
{
	char dir[] = "/tmp/test-status-XXXXXX";
	assert_non_null(mkdtemp(dir));
	int listener = control_listen(dir);
	assert_true(listener >= 0);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, answer_one, &listener),
	                 0);
	const struct config_account work = { .name = "work", .state_dir = dir };
	const struct config_account home = { .name = "home",
		                             .state_dir = "/nonexistent" };
	const struct config_account *const accounts[] = { &work, &home };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int code = status_show(accounts, 2, false, out);
	(void)fclose(out);
	(void)pthread_join(thread, NULL);
	(void)close(listener);
	control_unlink(dir);
	(void)rmdir(dir);
	assert_int_equal(code, EX_UNAVAILABLE);
	assert_string_equal(
		text,
		"ACCOUNT          STATE         FOLDERS   MESSAGES        "
		"CACHED  MOUNTED AT\n"
		"work             offline          3/25    1000000    1.5K/2.0G"
		"   /m\n"
		"    no ?[31mroute?\n"
		"    listing Lists/a: 7 of 9\n"
		"    2 opens wait for the server\n"
		"    fetched today: 4.9K of 4.0K; only what is opened comes\n"
		"    12 changes wait to be sent\n"
		"    60 deletions are held: `mailmount confirm` or `mailmount "
		"undo`\n"
		"    3 changes were refused: see `mailmount queue`, then "
		"`mailmount retry`\n"
		"home             not mounted\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_text_becomes_json),
		cmocka_unit_test(the_table_shows_who_is_mounted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
