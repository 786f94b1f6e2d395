#include "tests/unit/test.h"

#include <string.h>
#include <unistd.h>

#include "util/log.h"
#include "util/mem.h"

/* What fn() writes to standard error. */
static const char *captured(void (*fn)(void))
{
	static char text[4096];
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	int saved = dup(STDERR_FILENO);
	(void)dup2(ends[1], STDERR_FILENO);
	fn();
	(void)dup2(saved, STDERR_FILENO);
	(void)close(ends[1]);
	(void)close(saved);
	ssize_t n = read(ends[0], text, sizeof(text) - 1);
	(void)close(ends[0]);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void log_hostile(void)
{
	log_context("work", "INBOX");
	log_warn("server said: %s", "a\r\n\033]0;x\007b");
}

static void log_long(void)
{
	char text[5000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_context(NULL, NULL);
	log_warn("%s", text);
	log_info("not shown by default");
}

static void control_bytes_cannot_reach_the_terminal(void **state)
{
	assert_string_equal(captured(log_hostile),
	                    "mailmount: work: INBOX: server said: "
	                    "a\\x0d\\x0a\\x1b]0;x\\x07b\n");
}

static void lines_are_capped(void **state)
{
	assert_in_range(strlen(captured(log_long)), 900, LOG_LINE_MAX + 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_bytes_cannot_reach_the_terminal),
		cmocka_unit_test(lines_are_capped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
