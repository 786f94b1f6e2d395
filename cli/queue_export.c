/*
 * By the mount, not from the state directory: a running daemon owns that.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/exit_code.h"
#include "cli/files.h"
#include "cli/mailbox.h"
#include "cli/queue.h"
#include "util/cleanup.h"
#include "util/mem.h"

static int copy_bytes(int from, int to)
{
	auto_free char *bytes = xmalloc(FILES_CHUNK);
	ssize_t n;
	while ((n = files_read(from, bytes, FILES_CHUNK)) > 0) {
		int err = files_write(to, bytes, (size_t)n);
		if (err < 0)
			return err;
	}
	return (int)n;
}

static int copy_message(const struct mailbox *from, struct mailbox_entry *e,
                        struct mailbox *to)
{
	auto_fd int fd = mailbox_read(from, e);
	struct stat st;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	struct mailbox_draft draft = { .fd = -1 };
	int err = mailbox_create(to, &draft);
	if (err < 0)
		return err;
	err = copy_bytes(fd, draft.fd);
	if (err == 0)
		err = mailbox_deliver(to, &draft, (int64_t)st.st_mtime,
		                      e->place, mailbox_flags(e->name));
	mailbox_discard(to, &draft);
	return err;
}

static int copy_refused(const struct config_account *account,
                        const char *directory, const json_t *change,
                        struct mailbox *to)
{
	const char *folder = answer_text(change, "target");
	if (*folder == '\0')
		folder = answer_text(change, "folder");
	auto_free char *below = fs_folder_path(account->layout, folder);
	auto_free char *path = xasprintf("%s/%s", directory, below);
	struct mailbox from;
	int err = mailbox_open(&from, path);
	if (err == 0) {
		struct mailbox_entry e = {
			.place = MAILBOX_NEW,
			.name = xstrdup(answer_text(change, "name")),
		};
		err = copy_message(&from, &e, to);
		free(e.name);
	}
	mailbox_close(&from);
	if (err < 0)
		(void)fprintf(stderr, "mailmount: %s: %s: %s\n", path,
		              answer_text(change, "name"), strerror(-err));
	return err;
}

/* What of it is mail that is nowhere else. */
static bool is_wanted(const json_t *change)
{
	return strcmp(answer_text(change, "state"), "refused") == 0 &&
	       strcmp(answer_text(change, "what"), "append") == 0 &&
	       *answer_text(change, "name") != '\0';
}

/* The first error, after all were tried. */
static int copy_account(const struct config_account *account,
                        struct mailbox *to)
{
	json_t *json = answer_get(account, "queue");
	int first = answer_is(json, "mounted") ? 0 : -EHOSTUNREACH;
	if (first < 0)
		answer_complain(json);
	size_t i;
	json_t *change;
	json_array_foreach(json_object_get(json, "changes"), i, change)
	{
		if (!is_wanted(change))
			continue;
		int err = copy_refused(account, answer_text(json, "directory"),
		                       change, to);
		if (first == 0)
			first = err;
	}
	json_decref(json);
	return first;
}

int queue_export(const struct config_account *const *accounts, size_t count,
                 const char *dir)
{
	struct mailbox to = { .places = { -1, -1, -1 } };
	int err = mailbox_make(dir);
	if (err == 0)
		err = mailbox_open(&to, dir);
	if (err < 0)
		(void)fprintf(stderr, "mailmount: %s: %s\n", dir,
		              strerror(-err));
	for (size_t i = 0; i < count && to.places[MAILBOX_TMP] >= 0; i++) {
		int failed = copy_account(accounts[i], &to);
		if (err == 0)
			err = failed;
	}
	if (err == 0)
		err = mailbox_sync(&to);
	mailbox_close(&to);
	if (to.stem[0] != '\0')
		(void)fprintf(stderr, "%s: %" PRIu64 " messages exported\n",
		              dir, to.delivered);
	return exit_code(err);
}
