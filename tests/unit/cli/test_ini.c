#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/ini.h"
#include "util/cleanup.h"
#include "util/mem.h"

static void lines_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		enum ini_kind kind;
		const char *name, *value;
	} rows[] = {
		{ "", INI_NOTHING },
		{ "\r\n", INI_NOTHING },
		{ " \t # x = y\n", INI_NOTHING },
		{ "; x = y\n", INI_NOTHING },
		{ "[account work]\n", INI_SECTION, "account work" },
		{ " [ account work ] \r\n", INI_SECTION, "account work" },
		{ "[]\n", INI_SECTION, "" },
		{ "user = me\n", INI_VALUE, "user", "me" },
		{ "user=me", INI_VALUE, "user", "me" },
		{ "\tuser\t=\tme \t\r\n", INI_VALUE, "user", "me" },
		{ "user =\n", INI_VALUE, "user", "" },
		{ "k = a=b=c\n", INI_VALUE, "k", "a=b=c" },
		/* What other readers take for a comment is a command here. */
		{ "k = sh -c 'a ; b' # c\n", INI_VALUE, "k",
		  "sh -c 'a ; b' # c" },
		{ "k = \"quoted\"\n", INI_VALUE, "k", "\"quoted\"" },
		{ "user: me\n", INI_WRONG },
		{ "user\n", INI_WRONG },
		{ "= me\n", INI_WRONG },
		{ "[account work\n", INI_WRONG },
		{ "[account work] # x\n", INI_WRONG },
		{ "user = a\rb\n", INI_WRONG },
		{ "user = a\033b\n", INI_WRONG },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *text = xstrdup(rows[i].text);
		struct ini_line line;
		enum ini_kind kind = ini_parse_line(text, strlen(text), &line);
		assert_int_equal(kind, rows[i].kind);
		if (rows[i].name != NULL)
			assert_string_equal(line.name, rows[i].name);
		if (rows[i].value != NULL)
			assert_string_equal(line.value, rows[i].value);
		assert_int_equal(line.wrong != NULL, kind == INI_WRONG);
	}
}

static void a_nul_byte_is_no_line_end(void **state)
{
	char text[] = "user = a\0b\n";
	struct ini_line line;
	assert_int_equal(ini_parse_line(text, sizeof(text) - 1, &line),
	                 INI_WRONG);
}

static void long_lines_are_whole_or_refused(void **state)
{
	auto_free char *text = xmalloc(INI_LINE_MAX + 3);
	memset(text, 'x', INI_LINE_MAX + 1);
	memcpy(text, "k=", 2);
	text[INI_LINE_MAX] = '\n';
	struct ini_line line;
	assert_int_equal(ini_parse_line(text, INI_LINE_MAX + 1, &line),
	                 INI_VALUE);
	assert_int_equal(strlen(line.value), INI_LINE_MAX - 2);

	memset(text, 'x', INI_LINE_MAX + 1);
	memcpy(text, "k=", 2);
	text[INI_LINE_MAX + 1] = '\n';
	assert_int_equal(ini_parse_line(text, INI_LINE_MAX + 2, &line),
	                 INI_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_taken_apart),
		cmocka_unit_test(a_nul_byte_is_no_line_end),
		cmocka_unit_test(long_lines_are_whole_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
