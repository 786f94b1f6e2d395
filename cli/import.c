#include "cli/import.h"

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
#include "cli/mailbox.h"
#include "cli/mbox.h"
#include "cli/progress.h"
#include "util/cleanup.h"
#include "util/mem.h"

struct import {
	const char *file, *path; /* borrowed from the caller */
	int fd;
	int64_t size; /* of the file; 0: not known */
	struct mailbox mailbox;
	struct mbox_reader reader;
	struct mailbox_draft draft;
	int64_t received_at;
	int64_t count;
	struct progress progress;
};

static int finish_message(struct import *im, struct mbox_marks marks)
{
	bool is_new = !marks.is_old && marks.flags == 0;
	int err = mailbox_deliver(&im->mailbox, &im->draft, im->received_at,
	                          is_new ? MAILBOX_NEW : MAILBOX_CUR,
	                          marks.flags);
	if (err < 0)
		return err;
	im->count++;
	if (im->size > 0)
		progress_show(&im->progress, "%" PRId64 " messages, %d%%",
		              im->count,
		              (int)(100 * im->reader.next_offset / im->size));
	else
		progress_show(&im->progress, "%" PRId64 " messages", im->count);
	return 0;
}

/* Returns 1: the file is over; 0: it is not; -EBADMSG: no mbox; or -errno. */
static int take_pieces(struct import *im)
{
	for (;;) {
		struct mbox_piece piece;
		int err = 0;
		switch (mbox_reader_next(&im->reader, &piece)) {
		case MBOX_MORE:
			return 0;
		case MBOX_DONE:
			return 1;
		case MBOX_WRONG:
			return -EBADMSG;
		case MBOX_BEGIN:
			im->received_at = piece.received_at;
			err = mailbox_create(&im->mailbox, &im->draft);
			break;
		case MBOX_TEXT:
			err = files_write(im->draft.fd, piece.bytes, piece.len);
			break;
		case MBOX_END:
			err = finish_message(im, piece.marks);
			break;
		}
		if (err < 0)
			return err;
	}
}

/* *has_read_failed: the error is the file's, not the mailbox's. */
static int import_all(struct import *im, bool *has_read_failed)
{
	auto_free char *bytes = xmalloc(FILES_CHUNK);
	for (;;) {
		ssize_t n = files_read(im->fd, bytes, FILES_CHUNK);
		*has_read_failed = n < 0;
		if (n < 0)
			return (int)n;
		if (n == 0)
			mbox_reader_finish(&im->reader);
		else
			mbox_reader_feed(&im->reader, bytes, (size_t)n);
		int err = take_pieces(im);
		if (err != 0)
			return err < 0 ? err : mailbox_sync(&im->mailbox);
	}
}

static int explain(struct import *im, int err, bool has_read_failed)
{
	const struct mbox_reader *r = &im->reader;
	if (err == -EBADMSG) {
		(void)fprintf(stderr,
		              "mailmount: %s:%" PRId64 ": at byte %" PRId64
		              ": is no mbox file: expected a line \"From "
		              "SENDER DATE\"\n",
		              im->file, r->line_number, r->offset);
		return EX_DATAERR;
	}
	if (has_read_failed)
		(void)fprintf(stderr, "mailmount: %s: %s\n", im->file,
		              strerror(-err));
	else
		(void)fprintf(stderr,
		              "mailmount: %s:%" PRId64
		              ": message at byte %" PRId64 ": %s: %s\n",
		              im->file, r->message_line, r->message_offset,
		              im->path, strerror(-err));
	if (im->count > 0)
		(void)fprintf(stderr,
		              "mailmount: the %" PRId64
		              " before it are in %s\n",
		              im->count, im->path);
	return exit_code(err);
}

static int open_file(struct import *im)
{
	bool is_stdin = strcmp(im->file, "-") == 0;
	im->fd = is_stdin ? dup(STDIN_FILENO)
	                  : open(im->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (im->fd < 0 || fstat(im->fd, &st) < 0)
		return -errno;
	im->size = S_ISREG(st.st_mode) ? (int64_t)st.st_size : 0;
	return 0;
}

static int run(struct import *im)
{
	int err = open_file(im);
	if (err < 0) {
		(void)fprintf(stderr, "mailmount: %s: %s\n", im->file,
		              strerror(-err));
		return exit_code(err);
	}
	err = mailbox_open(&im->mailbox, im->path);
	if (err < 0) {
		(void)fprintf(stderr,
		              "mailmount: %s: is no Maildir (with cur, new and "
		              "tmp): %s\n",
		              im->path, strerror(-err));
		return exit_code(err);
	}
	bool has_read_failed = false;
	err = import_all(im, &has_read_failed);
	mailbox_discard(&im->mailbox, &im->draft);
	progress_clear(&im->progress);
	if (err < 0)
		return explain(im, err, has_read_failed);
	(void)fprintf(stderr, "%s: %" PRId64 " messages imported\n", im->path,
	              im->count);
	return EX_OK;
}

int import_run(const char *file, const char *mailbox)
{
	struct import im = {
		.file = file,
		.path = mailbox,
		.fd = -1,
		.mailbox = { .places = { -1, -1, -1 } },
		.draft = { .fd = -1 },
	};
	mbox_reader_init(&im.reader);
	progress_init(&im.progress);
	int code = run(&im);
	mbox_reader_release(&im.reader);
	mailbox_close(&im.mailbox);
	if (im.fd >= 0)
		(void)close(im.fd);
	return code;
}
