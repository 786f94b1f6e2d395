#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "cli/options.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define ARGS_MAX 16

/* Parse words set apart by blanks; options borrows them until the next. */
static int parse(const char *text, struct options *options, struct strbuf *why,
                 char **copy_out)
{
	static char *argv[ARGS_MAX];
	static char program[] = "mailmount";
	memset(argv, 0, sizeof(argv));
	argv[0] = program;
	int argc = 1;
	char *rest = *copy_out = xstrdup(text), *word;
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			argv[argc++] = word;
	return options_parse(argc, argv, options, why);
}

static void assert_text(const char *text, const char *expected)
{
	if (expected == NULL)
		assert_null(text);
	else
		assert_string_equal(text, expected);
}

static void assert_words(const struct options *options, const char *expected)
{
	auto_strbuf struct strbuf words = { 0 };
	for (size_t i = 0; i < options->word_count; i++)
		strbuf_printf(&words, "%s%s", i > 0 ? " " : "",
		              options->words[i]);
	assert_string_equal(strbuf_text(&words),
	                    expected != NULL ? expected : "");
}

static void commands_are_understood(void **state)
{
	static const struct {
		const char *text;
		struct options options;
		const char *config, *kernel, *words;
		bool has_timeout; /* of 0 */
	} rows[] = {
		{ "Mail", { .dir = "Mail" } },
		{ "work Mail", { .dir = "Mail" }, .words = "work" },
		{ "work Mail -o rw,nofail", { .dir = "Mail" }, .words = "work" },
		{ "-f -v -v Mail",
		  { .dir = "Mail", .is_foreground = true, .verbosity = 2 } },
		{ "-fvv Mail",
		  { .dir = "Mail", .is_foreground = true, .verbosity = 2 } },
		{ "-o allow_other,ro,auto_unmount -o allow_root Mail",
		  { .dir = "Mail" },
		  NULL,
		  "allow_other,ro,auto_unmount,allow_root" },
		{ "-o config=/c,x-systemd.automount,_netdev,user,noauto Mail",
		  { .dir = "Mail" },
		  "/c" },
		{ "--config /a -o config=/b Mail", { .dir = "Mail" }, "/b" },
		{ "--config=/a Mail", { .dir = "Mail" }, "/a" },
		{ "-u Mail", { .command = COMMAND_UNMOUNT, .dir = "Mail" } },
		{ "Mail -u", { .command = COMMAND_UNMOUNT, .dir = "Mail" } },
		{ "-u check", { .command = COMMAND_UNMOUNT, .dir = "check" } },
		{ "check", { .command = COMMAND_CHECK } },
		{ "check work", { .command = COMMAND_CHECK }, .words = "work" },
		{ "./check", { .dir = "./check" } },
		{ "status", { .command = COMMAND_STATUS } },
		{ "status --json work",
		  { .command = COMMAND_STATUS, .is_json = true },
		  .words = "work" },
		{ "sync", { .command = COMMAND_SYNC } },
		{ "sync --timeout 5m work home",
		  { .command = COMMAND_SYNC, .timeout_ms = 300000 },
		  .words = "work home" },
		{ "sync --timeout 0",
		  { .command = COMMAND_SYNC, .timeout_ms = 0 },
		  .has_timeout = true },
		{ "queue --json",
		  { .command = COMMAND_QUEUE, .is_json = true } },
		{ "queue --export copy work",
		  { .command = COMMAND_QUEUE, .export_dir = "copy" },
		  .words = "work" },
		{ "confirm work",
		  { .command = COMMAND_CONFIRM },
		  .words = "work" },
		{ "undo", { .command = COMMAND_UNDO } },
		{ "retry", { .command = COMMAND_RETRY } },
		{ "import - Mail/INBOX",
		  { .command = COMMAND_IMPORT },
		  .words = "- Mail/INBOX" },
		{ "export Mail/INBOX x.mbox",
		  { .command = COMMAND_EXPORT },
		  .words = "Mail/INBOX x.mbox" },
		{ "--version", { .command = COMMAND_VERSION } },
		{ "--help x y z", { .command = COMMAND_HELP } },
		{ "-- -odd", { .dir = "-odd" } },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct options options;
		auto_strbuf struct strbuf why = { 0 };
		auto_free char *copy = NULL;
		assert_int_equal(parse(rows[i].text, &options, &why, &copy), 0);
		const struct options *expected = &rows[i].options;
		assert_int_equal(options.command, expected->command);
		assert_words(&options, rows[i].words);
		assert_text(options.dir, expected->dir);
		assert_int_equal(options.is_foreground,
		                 expected->is_foreground);
		assert_int_equal(options.is_json, expected->is_json);
		assert_text(options.export_dir, expected->export_dir);
		int no_timeout = rows[i].has_timeout ? 0 : -1;
		assert_int_equal(options.timeout_ms,
		                 expected->timeout_ms != 0
		                         ? expected->timeout_ms
		                         : no_timeout);
		assert_int_equal(options.verbosity, expected->verbosity);
		assert_text(options.config, rows[i].config);
		assert_string_equal(strbuf_text(&options.kernel),
		                    rows[i].kernel != NULL ? rows[i].kernel
		                                           : "");
		options_release(&options);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "which directory?" },
		{ "-u", "which directory?" },
		{ "a b c", "c: one argument too many" },
		{ "-u a b", "b: one argument too many" },
		{ "check a b", "b: one argument too many" },
		{ "import x", "import needs MBOX MAILDIR" },
		{ "export", "export needs MAILDIR MBOX" },
		{ "export a b c", "c: one argument too many" },
		{ "-x Mail", "-x: no such option" },
		{ "--jsn Mail", "--jsn: no such option" },
		{ "Mail -o", "-o needs an argument" },
		{ "Mail --config", "--config needs an argument" },
		{ "-o foo Mail", "-o foo: no such mount option" },
		{ "-o ro,config= Mail", "-o config=: no such mount option" },
		{ "--json Mail", "--json goes with status and queue" },
		{ "--json check", "--json goes with status and queue" },
		{ "status --export x", "--export goes with queue" },
		{ "queue --export x --json",
		  "--export and --json: give one of them" },
		{ "queue --timeout 1", "--timeout goes with sync" },
		{ "sync --timeout soon",
		  "--timeout: \"soon\" is not a time; write 30s, 5m or 1h" },
		{ "confirm a b", "b: one argument too many" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct options options;
		auto_strbuf struct strbuf why = { 0 };
		auto_free char *copy = NULL;
		assert_int_equal(parse(rows[i].text, &options, &why, &copy),
		                 -EINVAL);
		assert_string_equal(strbuf_text(&why), rows[i].why);
		options_release(&options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_understood),
		cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
