#include "cli/events.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/answer.h"
#include "cli/control.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* Read at once by `mailmount events`; a line has two paths and little else. */
#define READ_SIZE ((size_t)64 * 1024)

void events_init(struct events *e, const char *account, const char *mountpoint)
{
	*e = (struct events){ .account = account, .mountpoint = mountpoint };
	(void)pthread_mutex_init(&e->lock, NULL);
}

void events_release(struct events *e)
{
	for (size_t i = 0; i < e->count; i++)
		(void)close(e->readers[i].fd);
	hook_news_release(&e->news);
	(void)pthread_mutex_destroy(&e->lock);
}

static char *path_below(const struct events *e, const char *path)
{
	return path != NULL ? xasprintf("%s/%s", e->mountpoint, path) : NULL;
}

/* path and old may be NULL.  To be freed; with its line end. */
static char *line_of(const struct events *e, const char *event,
                     const char *path, const char *old)
{
	json_t *json =
		json_pack("{s:s, s:s}", "event", event, "account", e->account);
	if (path != NULL)
		(void)json_object_set_new(json, "path", answer_string(path));
	if (old != NULL)
		(void)json_object_set_new(json, "old", answer_string(old));
	auto_free char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		abort();
	return xasprintf("%s\n", text);
}

/*
 * 0; -EAGAIN: it does not read; or it has gone.  A line is one packet of the
 * socket's, so that it is taken whole or not at all; one that was not is the
 * end of the connection.
 */
static int say(int fd, const char *line)
{
	ssize_t len = (ssize_t)strlen(line);
	ssize_t n = send(fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return n == len ? 0 : -EPIPE;
}

/* line NULL: only what it does not know yet. */
static int tell_reader(const struct events *e, struct events_reader *reader,
                       const char *line)
{
	int err = 0;
	if (reader->is_lost) {
		auto_free char *lost = line_of(e, "lost", NULL, NULL);
		err = say(reader->fd, lost);
		reader->is_lost = err == -EAGAIN;
	}
	if (err == 0 && line != NULL)
		err = say(reader->fd, line);
	if (err == -EAGAIN)
		reader->is_lost = true;
	return err == -EAGAIN ? 0 : err;
}

static void tell_all_locked(struct events *e, const char *line)
{
	size_t kept = 0;
	for (size_t i = 0; i < e->count; i++) {
		struct events_reader *reader = &e->readers[i];
		if (tell_reader(e, reader, line) == 0)
			e->readers[kept++] = *reader;
		else
			(void)close(reader->fd);
	}
	e->count = kept;
}

void events_add(struct events *e, int fd)
{
	auto_fd int taken = fd;
	auto_free char *line = line_of(e, "watching", e->mountpoint, NULL);
	(void)pthread_mutex_lock(&e->lock);
	if (e->count < EVENTS_READERS_MAX && say(taken, line) == 0)
		e->readers[e->count++] =
			(struct events_reader){ .fd = take_fd(&taken) };
	(void)pthread_mutex_unlock(&e->lock);
}

void events_tell(struct events *e, const struct fs_event *event)
{
	static const char *const names[] = {
		[FS_ARRIVED] = "arrived",
		[FS_CHANGED] = "changed",
		[FS_REMOVED] = "removed",
		[FS_LOST] = "lost",
	};
	/* One that is gone is told of by its last path. */
	bool is_gone = event->kind == FS_REMOVED;
	auto_free char *path =
		path_below(e, is_gone ? event->old : event->path);
	auto_free char *old = path_below(e, is_gone ? NULL : event->old);
	auto_free char *line = line_of(e, names[event->kind], path, old);
	(void)pthread_mutex_lock(&e->lock);
	tell_all_locked(e, line);
	hook_news_add(&e->news, event->kind, path);
	(void)pthread_mutex_unlock(&e->lock);
}

/* A reader says nothing: what there is to read is its end. */
static bool is_gone(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

void events_tick(struct events *e)
{
	(void)pthread_mutex_lock(&e->lock);
	size_t kept = 0;
	for (size_t i = 0; i < e->count; i++) {
		if (is_gone(e->readers[i].fd))
			(void)close(e->readers[i].fd);
		else
			e->readers[kept++] = e->readers[i];
	}
	e->count = kept;
	tell_all_locked(e, NULL);
	(void)pthread_mutex_unlock(&e->lock);
}

struct hook_news events_take_news(struct events *e)
{
	(void)pthread_mutex_lock(&e->lock);
	struct hook_news news = e->news;
	e->news = (struct hook_news){ 0 };
	(void)pthread_mutex_unlock(&e->lock);
	return news;
}

/* Print the whole lines that came; 0, or -errno: there will be no more. */
static int copy_lines(int fd, struct strbuf *rest)
{
	strbuf_reserve(rest, READ_SIZE);
	ssize_t n = read(fd, rest->bytes + rest->len, READ_SIZE);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	rest->len += (size_t)n;
	const char *end = memrchr(rest->bytes, '\n', rest->len);
	size_t len = end != NULL ? (size_t)(end + 1 - rest->bytes) : 0;
	if (fwrite(rest->bytes, 1, len, stdout) != len || fflush(stdout) != 0)
		return -EIO;
	memmove(rest->bytes, rest->bytes + len, rest->len - len);
	rest->len -= len;
	return 0;
}

/* Until all have ended; standard output among them. */
static void copy_all(struct pollfd *fds, struct strbuf *rests, size_t count)
{
	for (size_t left = count; left > 0;) {
		if (poll(fds, (nfds_t)count + 1, -1) < 0 && errno != EINTR)
			return;
		if (fds[count].revents != 0)
			return;
		left = 0;
		for (size_t i = 0; i < count; i++) {
			if (fds[i].revents != 0 &&
			    copy_lines(fds[i].fd, &rests[i]) < 0)
				(void)close(take_fd(&fds[i].fd));
			left += fds[i].fd >= 0;
		}
	}
}

int events_show(const struct config_account *const *accounts, size_t count)
{
	auto_free struct pollfd *fds = xcalloc(count + 1, sizeof(*fds));
	auto_free struct strbuf *rests = xcalloc(count, sizeof(*rests));
	size_t mounted = 0;
	for (size_t i = 0; i < count; i++) {
		int fd = control_open(accounts[i]->state_dir, "events");
		fds[i] = (struct pollfd){ fd, POLLIN, 0 };
		mounted += fd >= 0;
		if (fd < 0)
			(void)fprintf(stderr, "mailmount: %s: is not mounted\n",
			              accounts[i]->name);
	}
	/* When nobody reads what we print, that is the end of it. */
	fds[count] = (struct pollfd){ STDOUT_FILENO, 0, 0 };
	if (mounted > 0)
		copy_all(fds, rests, count);
	for (size_t i = 0; i < count; i++) {
		if (fds[i].fd >= 0)
			(void)close(fds[i].fd);
		strbuf_release(&rests[i]);
	}
	/* It goes on for ever, unless the mount does not. */
	return EX_UNAVAILABLE;
}
