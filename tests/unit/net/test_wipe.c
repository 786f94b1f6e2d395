/* What libcurl allocates for us is seen through what it hands out. */
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <curl/mprintf.h>

#include "net/wipe.h"

static const struct {
	const char *text;
	const char *secret; /* NULL: the login failed */
	bool is_wiped;
} strings[] = {
	{ "s3cret", "s3cret", true },
	{ "s3%2bcr%2Fet", "s3+cr/et", true },
	{ "%c3%bc", "\xc3\xbc", true },
	{ "100%", "100%", true },
	{ "100%25", "100%", true },
	{ "%41bc", "%41bc", true },
	{ "a", "a", true },
	{ "s3cret", NULL, false },
	{ "s3cret", "", false },
	{ "", "", false },
	{ "", "s3cret", false },
	{ "s3cre", "s3cret", false },
	{ "s3crets", "s3cret", false },
	{ "s3cret%00", "s3cret", false },
	{ "s3cret%0", "s3cret", false },
	{ "user=s3cret", "s3cret", false },
};

static void strings_that_are_the_secret_are_wiped(void **state)
{
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		wipe_begin();
		char *copy = curl_maprintf("%s", strings[i].text);
		wipe_end(strings[i].secret);
		assert_string_equal(copy,
		                    strings[i].is_wiped ? "" : strings[i].text);
		curl_free(copy);
	}
}

/* A short secret at the start of something large that is no string. */
static void a_structure_is_no_string(void **state)
{
	wipe_begin();
	char *large = curl_maprintf("%200s", "x");
	large[0] = 'a';
	large[1] = '\0';
	wipe_end("a");
	assert_int_equal(large[0], 'a');
	curl_free(large);
}

static void what_is_marked_is_wiped_whole(void **state)
{
	wipe_begin();
	char *command = curl_maprintf("AUTH PLAIN %s", "c2VjcmV0");
	char *other = curl_maprintf("CAPA");
	wipe_mark(command + 5);
	wipe_mark("not ours");
	wipe_end("no such");
	for (size_t i = 0; i < sizeof("AUTH PLAIN c2VjcmV0"); i++)
		assert_int_equal(command[i], '\0');
	assert_string_equal(other, "CAPA");
	curl_free(command);
	curl_free(other);
}

static void what_was_allocated_before_or_after_is_left(void **state)
{
	char *before = curl_maprintf("s3cret");
	wipe_begin();
	wipe_end("s3cret");
	char *after = curl_maprintf("s3cret");
	wipe_begin();
	curl_free(curl_maprintf("s3cret"));
	wipe_end("s3cret");
	assert_string_equal(before, "s3cret");
	assert_string_equal(after, "s3cret");
	curl_free(before);
	curl_free(after);
}

/* ---- Threads ---- */

struct other {
	pthread_barrier_t begun, over;
	char *mine, *given;
	char found[2][8]; /* mine, before and after its own login's end */
};

static void *log_in_too(void *arg)
{
	struct other *o = arg;
	wipe_begin();
	o->mine = curl_maprintf("s3cret");
	o->given = curl_maprintf("s3cret");
	(void)pthread_barrier_wait(&o->begun);
	(void)pthread_barrier_wait(&o->over);
	(void)snprintf(o->found[0], sizeof(o->found[0]), "%s", o->mine);
	wipe_end("s3cret");
	(void)snprintf(o->found[1], sizeof(o->found[1]), "%s", o->mine);
	curl_free(o->mine);
	return NULL;
}

static void another_threads_login_is_left_alone(void **state)
{
	struct other o;
	pthread_t thread;
	assert_int_equal(pthread_barrier_init(&o.begun, NULL, 2), 0);
	assert_int_equal(pthread_barrier_init(&o.over, NULL, 2), 0);
	wipe_begin();
	assert_int_equal(pthread_create(&thread, NULL, log_in_too, &o), 0);
	(void)pthread_barrier_wait(&o.begun);
	wipe_end("s3cret");
	/* As the resolver's thread frees what was allocated for it. */
	curl_free(o.given);
	(void)pthread_barrier_wait(&o.over);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_string_equal(o.found[0], "s3cret");
	assert_string_equal(o.found[1], "");
	(void)pthread_barrier_destroy(&o.begun);
	(void)pthread_barrier_destroy(&o.over);
}

static void *log_in_often(void *arg)
{
	char long_text[300] = "";
	memset(long_text, 'y', sizeof(long_text) - 1);
	char *kept[8] = { NULL };
	for (size_t i = 0; i < 2000; i++) {
		wipe_begin();
		for (size_t j = 0; j < COUNT_OF(kept); j++) {
			curl_free(kept[j]);
			kept[j] = curl_maprintf("%s",
			                        i % 3 == 1 ? long_text : "x");
		}
		wipe_end(i % 3 == 0 ? NULL : "x");
	}
	for (size_t j = 0; j < COUNT_OF(kept); j++)
		curl_free(kept[j]);
	return NULL;
}

static void many_threads_log_in_at_once(void **state)
{
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_in_often,
		                                NULL),
		                 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static int init_curl(void **state)
{
	wipe_init_curl();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_that_are_the_secret_are_wiped),
		cmocka_unit_test(a_structure_is_no_string),
		cmocka_unit_test(what_is_marked_is_wiped_whole),
		cmocka_unit_test(what_was_allocated_before_or_after_is_left),
		cmocka_unit_test(another_threads_login_is_left_alone),
		cmocka_unit_test(many_threads_log_in_at_once),
	};
	return cmocka_run_group_tests(tests, init_curl, NULL);
}
