#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/events.h"

/* A reader's end; the other is the events'. */
static int add_reader(struct events *e)
{
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	                            ends),
	                 0);
	events_add(e, ends[0]);
	return ends[1];
}

/* What has come; how many bytes. */
static size_t drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;
	while ((n = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return len;
}

static const struct fs_event ARRIVED = {
	.kind = FS_ARRIVED,
	.path = "INBOX/new/1",
};

static void events_are_lines_of_json(void **state)
{
	static const struct fs_event events[] = {
		{ FS_ARRIVED, 0, "INBOX/new/1", NULL },
		{ FS_CHANGED, 0, "INBOX/cur/1:2,S", "INBOX/new/1" },
		{ FS_REMOVED, 0, NULL, "INBOX/cur/\377" },
		{ FS_LOST, 0, NULL, NULL },
	};
	struct events e;
	char text[4096];
	events_init(&e, "work", "/m");
	int fd = add_reader(&e);
	for (size_t i = 0; i < COUNT_OF(events); i++)
		events_tell(&e, &events[i]);
	(void)drain(fd, text, sizeof(text));
	assert_string_equal(
		text,
		"{\"event\":\"watching\",\"account\":\"work\","
		"\"path\":\"/m\"}\n"
		"{\"event\":\"arrived\",\"account\":\"work\","
		"\"path\":\"/m/INBOX/new/1\"}\n"
		"{\"event\":\"changed\",\"account\":\"work\","
		"\"path\":\"/m/INBOX/cur/1:2,S\",\"old\":\"/m/INBOX/new/1\"}\n"
		"{\"event\":\"removed\",\"account\":\"work\","
		"\"path\":\"/m/INBOX/cur/?\"}\n"
		"{\"event\":\"lost\",\"account\":\"work\"}\n");
	(void)close(fd);
	events_release(&e);
}

static void a_slow_reader_is_told_that_it_lost(void **state)
{
	static char text[1 << 22];
	struct events e;
	events_init(&e, "work", "/m");
	int slow = add_reader(&e), quick = add_reader(&e);
	for (int i = 0; i < 20000; i++) {
		events_tell(&e, &ARRIVED);
		(void)drain(quick, text, sizeof(text));
		assert_null(strstr(text, "lost"));
	}
	size_t len = drain(slow, text, sizeof(text));
	assert_true(len > 0 && len < sizeof(text) / 2);
	assert_int_equal(text[len - 1], '\n');
	assert_null(strstr(text, "lost"));
	/* Now that there is room; once. */
	events_tick(&e);
	events_tick(&e);
	(void)drain(slow, text, sizeof(text));
	assert_string_equal(text,
	                    "{\"event\":\"lost\",\"account\":\"work\"}\n");
	(void)close(slow);
	(void)close(quick);
	events_release(&e);
}

static void who_has_gone_is_forgotten(void **state)
{
	struct events e;
	events_init(&e, "work", "/m");
	(void)close(add_reader(&e));
	int kept = add_reader(&e);
	assert_int_equal(e.count, 2);
	events_tick(&e);
	assert_int_equal(e.count, 1);
	(void)close(kept);
	events_tell(&e, &ARRIVED);
	assert_int_equal(e.count, 0);
	events_release(&e);
}

static void readers_are_bounded(void **state)
{
	struct events e;
	int fds[EVENTS_READERS_MAX + 1];
	char byte;
	events_init(&e, "work", "/m");
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		fds[i] = add_reader(&e);
	assert_int_equal(e.count, EVENTS_READERS_MAX);
	assert_int_equal(recv(fds[EVENTS_READERS_MAX], &byte, 1, 0), 0);
	for (size_t i = 0; i < COUNT_OF(fds); i++)
		(void)close(fds[i]);
	events_release(&e);
}

static void news_for_the_hook_keep_the_last_paths(void **state)
{
	struct hook_news news = { 0 }, later = { 0 };
	char path[16];
	for (unsigned i = 0; i < HOOK_PATHS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "old %u", i);
		hook_news_add(&news, FS_ARRIVED, path);
		(void)snprintf(path, sizeof(path), "new %u", i);
		if (i > 0)
			hook_news_add(&later, FS_ARRIVED, path);
	}
	hook_news_add(&later, FS_CHANGED, "x");
	hook_news_add(&later, FS_REMOVED, NULL);
	hook_news_join(&news, &later);
	assert_int_equal(news.arrived, 2 * HOOK_PATHS_MAX - 1);
	assert_int_equal(news.changed, 1);
	assert_int_equal(news.removed, 1);
	assert_false(later.is_any);
	for (size_t i = 0; i < HOOK_PATHS_MAX; i++) {
		size_t number = news.path_count - HOOK_PATHS_MAX + i;
		if (i == 0)
			(void)snprintf(path, sizeof(path), "old %d",
			               HOOK_PATHS_MAX - 1);
		else
			(void)snprintf(path, sizeof(path), "new %zu", i);
		assert_string_equal(news.paths[number % HOOK_PATHS_MAX], path);
	}
	hook_news_release(&news);
}

static void a_hook_waits_until_it_may_run(void **state)
{
	struct hook h = { .command = "exit 0", .account = "work" };
	struct hook_news news = { 0 };
	hook_news_add(&news, FS_LOST, NULL);
	hook_step(&h, news, false);
	assert_int_equal(h.pid, 0);
	assert_true(h.news.is_any);
	hook_step(&h, (struct hook_news){ 0 }, true);
	assert_true(h.pid > 0);
	assert_false(h.news.is_any);
	hook_release(&h);
	assert_int_equal(h.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_lines_of_json),
		cmocka_unit_test(a_slow_reader_is_told_that_it_lost),
		cmocka_unit_test(who_has_gone_is_forgotten),
		cmocka_unit_test(readers_are_bounded),
		cmocka_unit_test(news_for_the_hook_keep_the_last_paths),
		cmocka_unit_test(a_hook_waits_until_it_may_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
