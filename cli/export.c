#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/exit_code.h"
#include "cli/files.h"
#include "cli/import.h"
#include "cli/mailbox.h"
#include "cli/mbox.h"
#include "cli/progress.h"
#include "util/cleanup.h"
#include "util/mem.h"

struct export
{
	const char *path, *file; /* borrowed from the caller */
	int fd;
	struct mailbox mailbox;
	struct mailbox_list list;
	struct mbox_writer writer;
	struct strbuf out;
	char *bytes; /* FILES_CHUNK of them */
	int64_t count, gone;
	const char *culprit; /* borrowed: whose error it is */
};

static int flush(struct export *ex)
{
	int err = files_write(ex->fd, strbuf_text(&ex->out), ex->out.len);
	if (err < 0)
		ex->culprit = ex->file;
	strbuf_clear(&ex->out);
	return err;
}

static int copy_text(struct export *ex, int fd)
{
	for (;;) {
		ssize_t n = files_read(fd, ex->bytes, FILES_CHUNK);
		if (n <= 0)
			return (int)n;
		mbox_writer_text(&ex->writer, ex->bytes, (size_t)n, &ex->out);
		if (ex->out.len < FILES_CHUNK)
			continue;
		int err = flush(ex);
		if (err < 0)
			return err;
	}
}

static int export_message(struct export *ex, struct mailbox_entry *e)
{
	auto_fd int fd = mailbox_read(&ex->mailbox, e);
	ex->culprit = e->name;
	if (fd == -ENOENT) {
		ex->gone++;
		return 0;
	}
	if (fd < 0)
		return fd;
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* A directory or a device is no message. */
	if (!S_ISREG(st.st_mode))
		return 0;
	struct mbox_marks marks = {
		.flags = mailbox_flags(e->name),
		.is_old = e->place == MAILBOX_CUR,
	};
	mbox_writer_begin(&ex->writer, (int64_t)st.st_mtime, marks, &ex->out);
	int err = copy_text(ex, fd);
	if (err < 0)
		return err;
	mbox_writer_end(&ex->writer, &ex->out);
	ex->count++;
	return 0;
}

static int export_all(struct export *ex)
{
	struct progress progress;
	progress_init(&progress);
	int err = 0;
	for (size_t i = 0; err == 0 && i < ex->list.count; i++) {
		err = export_message(ex, &ex->list.entries[i]);
		progress_show(&progress, "%zu of %zu messages", i + 1,
		              ex->list.count);
	}
	progress_clear(&progress);
	if (err < 0)
		return err;
	mbox_writer_finish(&ex->writer, &ex->out);
	return flush(ex);
}

/*
 * A file that is not all there has another name: whatever happens to us, it is
 * not taken for the mailbox.
 */
static int export_to_file(struct export *ex)
{
	if (access(ex->file, F_OK) == 0)
		return -EEXIST;
	auto_free char *part = xasprintf("%s.part", ex->file);
	ex->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (ex->fd < 0)
		return -errno;
	int err = export_all(ex);
	if (err < 0) {
		(void)unlink(part);
		return err;
	}
	ex->culprit = ex->file;
	if (fsync(ex->fd) < 0)
		return -errno;
	return files_move(AT_FDCWD, part, AT_FDCWD, ex->file);
}

static int run(struct export *ex)
{
	ex->culprit = ex->path;
	int err = mailbox_open(&ex->mailbox, ex->path);
	if (err == 0)
		err = mailbox_list(&ex->mailbox, &ex->list);
	if (err < 0)
		return err;
	ex->culprit = ex->file;
	if (strcmp(ex->file, "-") != 0)
		return export_to_file(ex);
	ex->fd = dup(STDOUT_FILENO);
	return ex->fd < 0 ? -errno : export_all(ex);
}

static void tell(const struct export *ex, int err)
{
	if (err < 0) {
		const char *at = ex->culprit;
		bool is_message = at != ex->path && at != ex->file;
		(void)fprintf(stderr, "mailmount: %s%s%s: %s\n",
		              is_message ? ex->path : "",
		              is_message ? ": " : "", at, strerror(-err));
		return;
	}
	(void)fprintf(stderr, "%s: %" PRId64 " messages exported", ex->path,
	              ex->count);
	if (ex->gone > 0)
		(void)fprintf(stderr, ", %" PRId64 " went away meanwhile",
		              ex->gone);
	(void)fputc('\n', stderr);
}

int export_run(const char *mailbox, const char *file)
{
	auto_free char *bytes = xmalloc(FILES_CHUNK);
	struct export ex = {
		.path = mailbox,
		.file = file,
		.fd = -1,
		.mailbox = { .places = { -1, -1, -1 } },
		.bytes = bytes,
	};
	int err = run(&ex);
	tell(&ex, err);
	if (ex.fd >= 0)
		(void)close(ex.fd);
	mailbox_list_release(&ex.list);
	mailbox_close(&ex.mailbox);
	strbuf_release(&ex.out);
	return exit_code(err);
}
