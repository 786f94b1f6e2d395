#include "tests/unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/import.h"
#include "cli/mailbox.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

#define FROM  "From MAILER-DAEMON Mon Nov 13 22:13:20 2023\n"
#define LATER "From MAILER-DAEMON Mon Nov 13 22:13:21 2023\n"

/* A directory with a Maildir; what the commands say goes to "said". */
struct fixture {
	char dir[32];
	char *box, *in, *out, *said;
	int terminal; /* standard error, kept */
};

static char *path_in(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->dir, name);
}

static int set_up(void **state)
{
	struct fixture *f = xmalloc(sizeof(*f));
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/test-import-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->box = path_in(f, "box");
	f->in = path_in(f, "in.mbox");
	f->out = path_in(f, "out.mbox");
	f->said = path_in(f, "said");
	assert_int_equal(mkdir(f->box, 0700), 0);
	static const char *const places[] = { "cur", "new", "tmp" };
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		auto_free char *path = xasprintf("%s/%s", f->box, places[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	f->terminal = dup(STDERR_FILENO);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	(void)close(f->terminal);
	auto_free char *command = xasprintf("rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f->box);
	free(f->in);
	free(f->out);
	free(f->said);
	free(f);
	return 0;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	(void)close(fd);
}

static char *read_file(const char *path, size_t *len_out)
{
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	char *bytes = xmalloc((size_t)st.st_size + 1);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	(void)close(fd);
	*len_out = (size_t)st.st_size;
	return bytes;
}

static void hear(struct fixture *f)
{
	int fd = open(f->said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	(void)close(fd);
}

static void assert_said(struct fixture *f, const char *expected)
{
	(void)fflush(stderr);
	assert_true(dup2(f->terminal, STDERR_FILENO) >= 0);
	size_t len;
	auto_free char *said = read_file(f->said, &len);
	assert_string_equal(said, expected);
}

static int run_import(struct fixture *f, const char *file)
{
	hear(f);
	return import_run(file, f->box);
}

static int run_export(struct fixture *f, const char *file)
{
	hear(f);
	return export_run(f->box, file);
}

static struct mailbox_list list(const struct fixture *f)
{
	struct mailbox m;
	struct mailbox_list list;
	assert_int_equal(mailbox_open(&m, f->box), 0);
	assert_int_equal(mailbox_list(&m, &list), 0);
	mailbox_close(&m);
	return list;
}

static size_t count_tmp(const struct fixture *f)
{
	auto_free char *path = xasprintf("%s/tmp", f->box);
	DIR *dir = opendir(path);
	size_t count = 0;
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 2;
}

#define BYTES(s) (s), sizeof(s) - 1

static void a_mailbox_goes_there_and_back(void **state)
{
	struct fixture *f = *state;
	static const char mbox[] =
		FROM "Status: RO\na: b\n\nc\n\n" LATER "\n" FROM
		     "Status: O\nX-Status: F\n\0\0\n>From >From\n\n" FROM
		     "\nno header\r\n" LATER "Status: O\n\n" FROM "no end";
	write_file(f->in, BYTES(mbox));
	assert_int_equal(run_import(f, f->in), EX_OK);
	auto_free char *imported =
		xasprintf("%s: 6 messages imported\n", f->box);
	assert_said(f, imported);
	assert_int_equal(count_tmp(f), 0);

	struct mailbox_list found = list(f);
	static const struct {
		enum mailbox_place place;
		const char *info;
		size_t size;
		time_t mtime;
	} expected[] = {
		{ MAILBOX_CUR, ":2,S", 8, 1699913600 },
		{ MAILBOX_NEW, NULL, 0, 1699913601 },
		{ MAILBOX_CUR, ":2,F", 14, 1699913600 },
		{ MAILBOX_NEW, NULL, 11, 1699913600 },
		{ MAILBOX_CUR, ":2,", 0, 1699913601 },
		{ MAILBOX_NEW, NULL, 6, 1699913600 },
	};
	assert_int_equal(found.count, COUNT_OF(expected));
	for (size_t i = 0; i < found.count; i++) {
		const struct mailbox_entry *e = &found.entries[i];
		assert_int_equal(e->place, expected[i].place);
		const char *info = strchr(e->name, ':');
		if (expected[i].info == NULL)
			assert_null(info);
		else
			assert_string_equal(info, expected[i].info);
		auto_free char *path =
			xasprintf("%s/%s/%s", f->box,
		                  e->place == MAILBOX_CUR ? "cur" : "new",
		                  e->name);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, expected[i].size);
		assert_int_equal(st.st_mtime, expected[i].mtime);
	}
	mailbox_list_release(&found);

	assert_int_equal(run_export(f, f->out), EX_OK);
	auto_free char *exported =
		xasprintf("%s: 6 messages exported\n", f->box);
	assert_said(f, exported);
	size_t len;
	auto_free char *bytes = read_file(f->out, &len);
	assert_int_equal(len, sizeof(mbox) - 1);
	assert_memory_equal(bytes, mbox, len);
}

/* More than ten, so that Q10 comes after Q9. */
static void the_order_is_kept(void **state)
{
	struct fixture *f = *state;
	auto_strbuf struct strbuf mbox = { 0 };
	for (int i = 0; i < 250; i++)
		strbuf_printf(&mbox, FROM "%d\n\n", i);
	write_file(f->in, mbox.bytes, mbox.len);
	assert_int_equal(run_import(f, f->in), EX_OK);
	assert_int_equal(run_export(f, f->out), EX_OK);
	assert_true(dup2(f->terminal, STDERR_FILENO) >= 0);
	size_t len;
	auto_free char *bytes = read_file(f->out, &len);
	assert_string_equal(bytes, strbuf_text(&mbox));
}

static void an_empty_mailbox_is_an_empty_file(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(run_export(f, f->out), EX_OK);
	assert_int_equal(run_import(f, f->out), EX_OK);
	auto_free char *said = xasprintf("%s: 0 messages imported\n", f->box);
	assert_said(f, said);
}

static void standard_input_and_output_are_files(void **state)
{
	struct fixture *f = *state;
	static const char mbox[] = FROM "a\n\n";
	write_file(f->in, BYTES(mbox));
	int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO);
	int from = open(f->in, O_RDONLY);
	int to = open(f->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	(void)fflush(stdout);
	assert_true(dup2(from, STDIN_FILENO) >= 0);
	assert_true(dup2(to, STDOUT_FILENO) >= 0);
	int imported = run_import(f, "-");
	int exported = run_export(f, "-");
	assert_true(dup2(in, STDIN_FILENO) >= 0);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	assert_true(dup2(f->terminal, STDERR_FILENO) >= 0);
	(void)close(in);
	(void)close(out);
	(void)close(from);
	(void)close(to);
	assert_int_equal(imported, EX_OK);
	assert_int_equal(exported, EX_OK);
	size_t len;
	auto_free char *bytes = read_file(f->out, &len);
	assert_string_equal(bytes, mbox);
}

static void what_is_no_mbox_is_told_with_its_line(void **state)
{
	struct fixture *f = *state;
	write_file(f->in, BYTES("\nSubject: x\n"));
	assert_int_equal(run_import(f, f->in), EX_DATAERR);
	auto_free char *said =
		xasprintf("mailmount: %s:2: at byte 1: is no mbox file: "
	                  "expected a line \"From SENDER DATE\"\n",
	                  f->in);
	assert_said(f, said);
}

static void mistakes_are_told(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(run_import(f, "/nonexistent"), EX_NOINPUT);
	assert_said(f, "mailmount: /nonexistent: No such file or directory\n");

	write_file(f->in, BYTES(FROM "a\n\n"));
	hear(f);
	assert_int_equal(import_run(f->in, f->dir), EX_NOINPUT);
	auto_free char *no_maildir =
		xasprintf("mailmount: %s: is no Maildir (with cur, new and "
	                  "tmp): No such file or directory\n",
	                  f->dir);
	assert_said(f, no_maildir);

	assert_int_equal(run_export(f, f->in), EX_CANTCREAT);
	auto_free char *exists =
		xasprintf("mailmount: %s: File exists\n", f->in);
	assert_said(f, exists);
}

/* What cannot be delivered stops the import where it is, and leaves no tmp. */
static void a_failed_delivery_is_told_with_its_message(void **state)
{
	struct fixture *f = *state;
	auto_free char *cur = xasprintf("%s/cur", f->box);
	auto_free char *gone = path_in(f, "cur");
	static const char mbox[] = FROM "a\n\n" FROM "Status: O\nb\n\n";
	write_file(f->in, BYTES(mbox));
	/* No file is renamed to another file system. */
	assert_int_equal(rename(cur, gone), 0);
	assert_int_equal(symlink("/proc/self/fdinfo", cur), 0);
	int code = run_import(f, f->in);
	auto_free char *start =
		xasprintf("mailmount: %s:4: message at byte 47", f->in);
	(void)fflush(stderr);
	assert_true(dup2(f->terminal, STDERR_FILENO) >= 0);
	size_t len;
	auto_free char *said = read_file(f->said, &len);
	assert_memory_equal(said, start, strlen(start));
	assert_non_null(strstr(said, "mailmount: the 1 before it are in "));
	assert_int_not_equal(code, EX_OK);
	assert_int_equal(count_tmp(f), 0);
	assert_int_equal(unlink(cur), 0);
	assert_int_equal(rename(gone, cur), 0);
	struct mailbox_list found = list(f);
	assert_int_equal(found.count, 1);
	mailbox_list_release(&found);
}

/* Its reader was quicker: the flags are others, or it is gone. */
static void a_message_that_moves_is_found(void **state)
{
	struct fixture *f = *state;
	write_file(f->in, BYTES(FROM "a\n\n"));
	assert_int_equal(run_import(f, f->in), EX_OK);
	assert_true(dup2(f->terminal, STDERR_FILENO) >= 0);
	struct mailbox_list found = list(f);
	struct mailbox_entry *e = &found.entries[0];
	assert_int_equal(e->place, MAILBOX_NEW);
	auto_free char *from = xasprintf("%s/new/%s", f->box, e->name);
	auto_free char *to = xasprintf("%s/cur/%s:2,RS", f->box, e->name);
	assert_int_equal(rename(from, to), 0);
	struct mailbox m;
	assert_int_equal(mailbox_open(&m, f->box), 0);
	int fd = mailbox_read(&m, e);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(e->place, MAILBOX_CUR);
	assert_int_equal(mailbox_flags(e->name), MAIL_ANSWERED | MAIL_SEEN);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(mailbox_read(&m, e), -ENOENT);
	mailbox_close(&m);
	mailbox_list_release(&found);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_mailbox_goes_there_and_back),
		CASE(the_order_is_kept),
		CASE(an_empty_mailbox_is_an_empty_file),
		CASE(standard_input_and_output_are_files),
		CASE(what_is_no_mbox_is_told_with_its_line),
		CASE(mistakes_are_told),
		CASE(a_failed_delivery_is_told_with_its_message),
		CASE(a_message_that_moves_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
