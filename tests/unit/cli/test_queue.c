#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/mailbox.h"
#include "cli/queue.h"
#include "tests/unit/cli/rig.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

static const struct cache_pending refused = {
	.id = 7,
	.what = "append",
	.state = "refused",
	.folder = "Lists/cur",
	.target = "",
	.name = "1.M2P3.host",
	.tries = 2,
	.why = "mailbox \xff is full\n",
};
static const struct cache_pending moved = {
	.id = 8,
	.what = "move",
	.state = "waiting",
	.folder = "INBOX",
	.target = "Trash",
	.name = "",
	.why = "",
};

/* What a daemon says whose mailboxes are in directory. */
static char *queue_of_two(const char *directory)
{
	auto_strbuf struct strbuf rows = { 0 };
	struct cache_pending p = refused;
	p.created_at = clock_wall_ns() / 1000000000 - 3 * 60;
	queue_add(&rows, &p);
	p = moved;
	p.created_at = clock_wall_ns() / 1000000000 - 50 * 3600;
	queue_add(&rows, &p);
	return queue_to_json("work", directory, &rows, 4);
}

static void changes_become_json(void **state)
{
	auto_free char *text = queue_of_two("/m\xff");
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_int_equal(json_integer_value(json_object_get(json, "total")), 4);
	assert_string_equal(json_string_value(
				    json_object_get(json, "directory")),
	                    "/m?");
	const json_t *changes = json_object_get(json, "changes");
	assert_int_equal(json_array_size(changes), 2);
	const json_t *first = json_array_get(changes, 0);
	assert_string_equal(json_string_value(json_object_get(first, "why")),
	                    "mailbox ? is full\n");
	assert_int_equal(json_integer_value(json_object_get(first, "tries")),
	                 2);
	json_decref(json);
}

static void an_empty_queue_is_json_too(void **state)
{
	const struct strbuf none = { 0 };
	auto_free char *text = queue_to_json("work", "/m", &none, -EIO);
	json_t *json = json_loads(text, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(json, "changes")), 0);
	assert_string_equal(json_string_value(json_object_get(json, "failure")),
	                    strerror(EIO));
	json_decref(json);
}

static void a_long_queue_is_cut(void **state)
{
	auto_strbuf struct strbuf rows = { 0 };
	for (int i = 0; i < 40000; i++)
		queue_add(&rows, &refused);
	assert_true(rows.len > QUEUE_TEXT_MAX);
	assert_true(rows.len < QUEUE_TEXT_MAX + 1024);
}

static char *show(struct rig *rig, bool is_json, int *code_out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	*code_out = queue_show(rig->accounts, 1, is_json, out);
	(void)fclose(out);
	return text;
}

static void a_line_tells_a_change(void **state)
{
	auto_free char *answer = queue_of_two("/m");
	const struct rig_step step = { "queue", answer };
	struct rig rig;
	rig_start(&rig, &step, 1);
	int code;
	auto_free char *text = show(&rig, false, &code);
	assert_int_equal(code, EX_OK);
	assert_string_equal(
		text,
		"   3m work         refused  append  1.M2P3.host Lists/cur: "
		"mailbox ? is full?\n"
		"   2d work         waiting  move    INBOX -> Trash\n"
		"      work         and 2 more\n");
	auto_free char *all = show(&rig, true, &code);
	assert_int_equal(code, EX_OK);
	rig_stop(&rig);
	json_t *json = json_loads(all, 0, NULL);
	assert_int_equal(json_array_size(json), 1);
	json_decref(json);
}

static void who_does_not_answer_is_told(void **state)
{
	static const struct rig_step step = { "queue", "nonsense" };
	struct rig rig;
	rig_start(&rig, &step, 1);
	struct ear err;
	ear_open(&err, STDERR_FILENO);
	int code;
	auto_free char *text = show(&rig, false, &code);
	auto_free char *complained = ear_close(&err);
	rig_stop(&rig);
	assert_int_equal(code, EX_UNAVAILABLE);
	assert_string_equal(text, "");
	assert_string_equal(complained,
	                    "mailmount: work: its daemon does not answer\n");
}

/* The mount, of which one Maildir is enough. */
static void make_mount(const char *top, const char *folder)
{
	auto_free char *lists = xasprintf("%s/Lists", top);
	auto_free char *box = xasprintf("%s/%s", top, folder);
	assert_int_equal(mkdir(lists, 0700), 0);
	assert_int_equal(mailbox_make(box), 0);
	auto_free char *name = xasprintf("%s/cur/%s:2,FS", box, refused.name);
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, "a\0b", 3), 3);
	const struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };
	assert_int_equal(futimens(fd, times), 0);
	(void)close(fd);
}

static void export_from(enum fs_layout layout, const char *folder)
{
	char top[] = "/tmp/test-queue-XXXXXX";
	assert_non_null(mkdtemp(top));
	make_mount(top, folder);
	auto_free char *answer = queue_of_two(top);
	const struct rig_step step = { "queue", answer };
	struct rig rig;
	rig_start(&rig, &step, 1);
	rig.account.layout = layout;
	auto_free char *to = xasprintf("%s/copy", top);
	struct ear err;
	ear_open(&err, STDERR_FILENO);
	int code = queue_export(rig.accounts, 1, to);
	auto_free char *said = ear_close(&err);
	rig_stop(&rig);
	auto_free char *expected = xasprintf("%s: 1 messages exported\n", to);
	assert_string_equal(said, expected);
	assert_int_equal(code, EX_OK);
	struct mailbox m;
	struct mailbox_list list;
	assert_int_equal(mailbox_open(&m, to), 0);
	assert_int_equal(mailbox_list(&m, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(mailbox_flags(list.entries[0].name),
	                 MAIL_FLAGGED | MAIL_SEEN);
	auto_fd int fd = mailbox_read(&m, &list.entries[0]);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mtime, 5);
	mailbox_list_release(&list);
	mailbox_close(&m);
	auto_free char *command = xasprintf("rm -rf %s", top);
	assert_int_equal(system(command), 0);
}

static void what_was_refused_is_exported(void **state)
{
	export_from(FS_NESTED, "Lists/%63ur");
	export_from(FS_MAILDIRPP, ".Lists.cur");
}

static void what_is_not_there_is_told(void **state)
{
	char top[] = "/tmp/test-queue-XXXXXX";
	assert_non_null(mkdtemp(top));
	auto_free char *answer = queue_of_two(top);
	const struct rig_step step = { "queue", answer };
	struct rig rig;
	rig_start(&rig, &step, 1);
	auto_free char *to = xasprintf("%s/copy", top);
	struct ear err;
	ear_open(&err, STDERR_FILENO);
	int code = queue_export(rig.accounts, 1, to);
	auto_free char *said = ear_close(&err);
	rig_stop(&rig);
	auto_free char *expected =
		xasprintf("mailmount: %s/Lists/%%63ur: 1.M2P3.host: No such "
	                  "file or directory\n"
	                  "%s: 0 messages exported\n",
	                  top, to);
	assert_string_equal(said, expected);
	assert_int_equal(code, EX_NOINPUT);
	auto_free char *command = xasprintf("rm -rf %s", top);
	assert_int_equal(system(command), 0);
}

static void folders_have_paths(void **state)
{
	static const struct {
		enum fs_layout layout;
		const char *folder, *path;
	} rows[] = {
		{ FS_NESTED, "INBOX", "INBOX" },
		{ FS_NESTED, "Lists/new/x", "Lists/%6Eew/x" },
		{ FS_MAILDIRPP, "INBOX", "." },
		{ FS_MAILDIRPP, "INBOX/a.b", ".INBOX.a%2Eb" },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_free char *path =
			fs_folder_path(rows[i].layout, rows[i].folder);
		assert_string_equal(path, rows[i].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_become_json),
		cmocka_unit_test(an_empty_queue_is_json_too),
		cmocka_unit_test(a_long_queue_is_cut),
		cmocka_unit_test(a_line_tells_a_change),
		cmocka_unit_test(who_does_not_answer_is_told),
		cmocka_unit_test(what_was_refused_is_exported),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(folders_have_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
