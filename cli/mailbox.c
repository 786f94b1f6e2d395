#include "cli/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/files.h"
#include "util/cleanup.h"
#include "util/mem.h"

#define HOST_MAX 64

static const char *const place_names[MAILBOX_PLACES] = {
	[MAILBOX_NEW] = "new",
	[MAILBOX_CUR] = "cur",
	[MAILBOX_TMP] = "tmp",
};

/* In the order of the letters, as Maildir wants them. */
static const struct {
	unsigned flag;
	char letter;
} LETTERS[] = {
	{ MAIL_DRAFT, 'D' },    { MAIL_FLAGGED, 'F' }, { MAIL_FORWARDED, 'P' },
	{ MAIL_ANSWERED, 'R' }, { MAIL_SEEN, 'S' },    { MAIL_DELETED, 'T' },
};
#define LETTER_COUNT (sizeof(LETTERS) / sizeof(LETTERS[0]))

/* TIME.MMICROSECONDSPPID, and after a number the host: see maildir(5). */
static void make_stem(char *stem, size_t size)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(stem, size, "%lld.M%ldP%ld", (long long)now.tv_sec,
	               now.tv_nsec / 1000, (long)getpid());
}

static void put_host(char *host, size_t size)
{
	char name[HOST_MAX + 1] = "localhost";
	(void)gethostname(name, sizeof(name) - 1);
	name[HOST_MAX] = '\0';
	/* Neither may be in it, whatever the host is called. */
	for (char *at = name; *at != '\0'; at++)
		if (*at == '/' || *at == ':')
			*at = '_';
	(void)snprintf(host, size, "%s", name);
}

int mailbox_open(struct mailbox *m, const char *path)
{
	*m = (struct mailbox){ .places = { -1, -1, -1 } };
	auto_fd int top = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return -errno;
	for (int i = 0; i < MAILBOX_PLACES; i++) {
		m->places[i] = openat(top, place_names[i],
		                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (m->places[i] < 0)
			return -errno;
	}
	make_stem(m->stem, sizeof(m->stem));
	return 0;
}

void mailbox_close(struct mailbox *m)
{
	for (int i = 0; i < MAILBOX_PLACES; i++)
		if (m->places[i] >= 0)
			(void)close(take_fd(&m->places[i]));
}

int mailbox_make(const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	for (int i = 0; i < MAILBOX_PLACES; i++) {
		auto_free char *place =
			xasprintf("%s/%s", path, place_names[i]);
		if (mkdir(place, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int mailbox_create(struct mailbox *m, struct mailbox_draft *draft_out)
{
	char host[HOST_MAX + 1];
	put_host(host, sizeof(host));
	(void)snprintf(draft_out->name, sizeof(draft_out->name),
	               "%sQ%" PRIu64 ".%s", m->stem, m->name_count, host);
	draft_out->fd = openat(m->places[MAILBOX_TMP], draft_out->name,
	                       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (draft_out->fd < 0)
		return -errno;
	m->name_count++;
	return 0;
}

int mailbox_deliver(struct mailbox *m, struct mailbox_draft *draft,
                    int64_t received_at, enum mailbox_place place,
                    unsigned flags)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_NOW },
		{ .tv_sec = (time_t)received_at },
	};
	if (futimens(draft->fd, times) < 0 || fsync(draft->fd) < 0)
		return -errno;
	char info[LETTER_COUNT + 1] = "";
	size_t len = 0;
	for (size_t i = 0; i < LETTER_COUNT; i++)
		if (flags & LETTERS[i].flag)
			info[len++] = LETTERS[i].letter;
	info[len] = '\0';
	auto_free char *name =
		xasprintf("%s%s%s", draft->name,
	                  place == MAILBOX_CUR ? ":2," : "", info);
	int err = files_move(m->places[MAILBOX_TMP], draft->name,
	                     m->places[place], name);
	if (err < 0)
		return err;
	m->delivered++;
	return close(take_fd(&draft->fd)) < 0 ? -errno : 0;
}

void mailbox_discard(struct mailbox *m, struct mailbox_draft *draft)
{
	if (draft->fd < 0)
		return;
	(void)close(take_fd(&draft->fd));
	(void)unlinkat(m->places[MAILBOX_TMP], draft->name, 0);
}

int mailbox_sync(struct mailbox *m)
{
	/* EINVAL: a file system that has nothing to do for a directory. */
	for (int i = 0; i < MAILBOX_TMP; i++)
		if (fsync(m->places[i]) < 0 && errno != EINVAL)
			return -errno;
	return 0;
}

static int list_place(const struct mailbox *m, enum mailbox_place place,
                      struct mailbox_list *list)
{
	/* Opened anew: each listing has an offset of its own. */
	int fd = openat(m->places[place], ".",
	                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		int err = -errno;
		if (fd >= 0)
			(void)close(fd);
		return err;
	}
	size_t capacity = list->count;
	for (;;) {
		errno = 0;
		const struct dirent *file = readdir(dir);
		if (file == NULL)
			break;
		if (file->d_name[0] == '.')
			continue;
		if (list->count == capacity) {
			capacity = capacity * 2 + 64;
			list->entries =
				xrealloc(list->entries,
			                 capacity * sizeof(*list->entries));
		}
		list->entries[list->count++] =
			(struct mailbox_entry){ place, xstrdup(file->d_name) };
	}
	int err = -errno;
	(void)closedir(dir);
	return err;
}

/* Numbers in names by their value: Q9 before Q10. */
static int by_name(const void *a, const void *b)
{
	const struct mailbox_entry *left = a, *right = b;
	return strverscmp(left->name, right->name);
}

int mailbox_list(const struct mailbox *m, struct mailbox_list *list_out)
{
	struct mailbox_list list = { 0 };
	int err = list_place(m, MAILBOX_NEW, &list);
	if (err == 0)
		err = list_place(m, MAILBOX_CUR, &list);
	if (err < 0) {
		mailbox_list_release(&list);
		return err;
	}
	if (list.count > 0)
		qsort(list.entries, list.count, sizeof(*list.entries), by_name);
	*list_out = list;
	return 0;
}

void mailbox_list_release(struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].name);
	free(list->entries);
	*list = (struct mailbox_list){ 0 };
}

static size_t base_len(const char *name)
{
	return strcspn(name, ":");
}

/* The same message under another name, or in cur now. */
static int find_again(const struct mailbox *m, struct mailbox_entry *e)
{
	struct mailbox_list list;
	int err = mailbox_list(m, &list);
	if (err < 0)
		return err;
	size_t len = base_len(e->name);
	err = -ENOENT;
	for (size_t i = 0; err < 0 && i < list.count; i++) {
		char *name = list.entries[i].name;
		if (base_len(name) != len || memcmp(name, e->name, len) != 0)
			continue;
		e->place = list.entries[i].place;
		free(e->name);
		e->name = take(list.entries[i].name);
		err = 0;
	}
	mailbox_list_release(&list);
	return err;
}

static int open_entry(const struct mailbox *m, const struct mailbox_entry *e)
{
	int fd = openat(m->places[e->place], e->name,
	                O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int mailbox_read(const struct mailbox *m, struct mailbox_entry *e)
{
	int fd = open_entry(m, e);
	if (fd != -ENOENT)
		return fd;
	int err = find_again(m, e);
	return err < 0 ? err : open_entry(m, e);
}

unsigned mailbox_flags(const char *name)
{
	const char *info = strstr(name, ":2,");
	unsigned flags = 0;
	for (const char *at = info != NULL ? info + 3 : ""; *at != '\0'; at++)
		for (size_t i = 0; i < LETTER_COUNT; i++)
			if (*at == LETTERS[i].letter)
				flags |= LETTERS[i].flag;
	return flags;
}
