/*
 * Straight-line and blocking.  Answers come in the order of the commands, so
 * there is nothing to match.
 */
#include "popclient/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "popclient/head.h"
#include "popclient/unstuff.h"
#include "util/clock.h"
#include "util/log.h"

#define PORTION ((size_t)16 * 1024)

/*
 * A message may be over although its end did not come: see
 * take_missing_end().  So long the server may still send.
 */
#define SILENCE_MS 1000

static ssize_t source(void *arg, void *bytes, size_t size, int64_t deadline)
{
	struct pop_session *s = arg;
	return conn_read(s->conn, bytes, size, deadline);
}

static int64_t next_deadline(const struct pop_session *s)
{
	return deadline_in(s->config->timeout_ms);
}

void pop_session_init(struct pop_session *s, const struct conn_config *config,
                      struct wake *abort)
{
	*s = (struct pop_session){ .config = config, .abort = abort };
}

void pop_session_close(struct pop_session *s)
{
	if (s->conn == NULL)
		return;
	conn_close(s->conn);
	s->conn = NULL;
	reader_release(&s->reader);
	strbuf_release(&s->capability_text);
	s->owed = 0;
	s->capabilities = 0;
	s->has_capabilities = false;
}

bool pop_session_may(const struct pop_session *s,
                     enum pop_capability capability)
{
	return !s->has_capabilities || (s->capabilities & capability) != 0;
}

size_t pop_session_window(const struct pop_session *s)
{
	return (s->capabilities & POP_CAP_PIPELINING) != 0 ? POP_WINDOW : 1;
}

int pop_session_send(struct pop_session *s, const char *commands, size_t count)
{
	s->owed += count;
	return conn_write(s->conn, commands, strlen(commands),
	                  next_deadline(s));
}

int pop_session_answer(struct pop_session *s, struct pop_answer *out)
{
	const char *line;
	size_t len;
	int err = reader_line(&s->reader, POP_LINE_MAX, next_deadline(s), &line,
	                      &len);
	if (err < 0)
		return err;
	err = pop_answer_parse(line, len, out);
	if (err < 0) {
		log_warn("the server sent nonsense: %.*s",
		         (int)(len < 200 ? len : 200), line);
		return err;
	}
	s->owed -= s->owed > 0;
	return 0;
}

int pop_session_error(const struct pop_answer *refusal, const char *what,
                      int otherwise)
{
	log_warn("%s: %.*s", what,
	         (int)(refusal->len < 500 ? refusal->len : 500),
	         refusal->len > 0 ? refusal->text : "(no words)");
	switch (refusal->code) {
	case POP_CODE_IN_USE:
	case POP_CODE_LOGIN_DELAY:
	case POP_CODE_SYS_TEMP:
		return -EHOSTUNREACH;
	case POP_CODE_AUTH:
	case POP_CODE_SYS_PERM:
		return -EKEYREJECTED;
	case POP_CODE_NONE:
	case POP_CODE_OTHER:
		break;
	}
	return otherwise;
}

int pop_session_line(struct pop_session *s, const char **line_out,
                     size_t *len_out)
{
	const char *line;
	size_t len;
	int err = reader_line(&s->reader, POP_LINE_MAX, next_deadline(s), &line,
	                      &len);
	if (err < 0)
		return err;
	if (len == 1 && line[0] == '.')
		return 0;
	size_t dot = len > 0 && line[0] == '.';
	*line_out = line + dot;
	*len_out = len - dot;
	return 1;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill_sink(struct pop_sink *sink, const char *bytes, size_t len)
{
	sink->size += len;
	if (sink->head != NULL && sink->head->len < POP_HEAD_MAX) {
		size_t room = POP_HEAD_MAX - sink->head->len;
		strbuf_add(sink->head, bytes, len < room ? len : room);
	}
	return sink->fd < 0 ? 0 : write_all(sink->fd, bytes, len);
}

/*
 * Exchange 5 leaves out the line end of a last line that has none, so that
 * the dot of the end is behind its text.  Is the message over, if nothing
 * comes any more?  With other commands under way something always would.
 */
static bool may_lack_end(const struct pop_session *s, const struct unstuff *u,
                         const struct pop_sink *sink)
{
	return u->state == UNSTUFF_LINE && u->is_dot && s->owed == 0 &&
	       u->wire_size == sink->claimed + 3;
}

/* Take the dot and the line end behind it back out. */
static int take_missing_end(const struct unstuff *u, struct pop_sink *sink)
{
	sink->size -= 2;
	sink->wire_size = u->wire_size - 3;
	if (sink->fd < 0)
		return 0;
	if (ftruncate(sink->fd, (off_t)sink->size) < 0 ||
	    lseek(sink->fd, 0, SEEK_END) < 0)
		return -errno;
	return 0;
}

int pop_session_copy(struct pop_session *s, struct pop_sink *sink)
{
	struct unstuff u = { 0 };
	char out[PORTION + UNSTUFF_EXTRA];
	uint64_t mark = s->reader.received;
	int64_t deadline = next_deadline(s);
	sink->size = 0;
	while (u.state != UNSTUFF_END) {
		const char *bytes;
		size_t len, kept;
		bool may_end = may_lack_end(s, &u, sink);
		int err = reader_peek(&s->reader,
		                      may_end ? deadline_in(SILENCE_MS)
		                              : deadline,
		                      &bytes, &len);
		if (err == -ETIMEDOUT && may_end)
			return take_missing_end(&u, sink);
		if (err < 0)
			return err;
		reader_skip(&s->reader,
		            unstuff_take(&u, bytes,
		                         len < PORTION ? len : PORTION, out,
		                         &kept));
		err = u.wire_size > POP_BODY_MAX ? -EPROTO
		                                 : fill_sink(sink, out, kept);
		if (err < 0)
			return err;
		if (s->reader.received - mark >= READER_PROGRESS) {
			mark = s->reader.received;
			deadline = next_deadline(s);
		}
	}
	sink->wire_size = u.wire_size;
	return 0;
}

/* RFC 2449 5.  After the login, for it may change what there is. */
static int learn(struct pop_session *s)
{
	struct pop_answer answer;
	const char *line;
	size_t len;
	int n = pop_session_send(s, "CAPA\r\n", 1);
	if (n == 0)
		n = pop_session_answer(s, &answer);
	if (n != 0 || !answer.is_ok)
		return n;
	s->has_capabilities = true;
	while ((n = pop_session_line(s, &line, &len)) == 1) {
		s->capabilities |= pop_capability_parse(line, len);
		if (s->capability_text.len > POP_LINE_MAX)
			return -EPROTO;
		strbuf_printf(&s->capability_text, "%s%.*s",
		              s->capability_text.len > 0 ? ", " : "", (int)len,
		              line);
	}
	return n;
}

int pop_session_open(struct pop_session *s)
{
	int err = conn_open(s->config, s->abort, &s->conn, &s->report);
	if (err < 0)
		return err;
	reader_init(&s->reader, source, s);
	err = learn(s);
	if (err == 0)
		return 0;
	snprintf(s->report.text, sizeof(s->report.text),
	         "logged in, but the server then failed: %s", strerror(-err));
	s->report.failed = CONN_STEP_LOGIN;
	pop_session_close(s);
	return err;
}

int pop_session_quit(struct pop_session *s)
{
	struct pop_answer answer = { .is_ok = false };
	int err = pop_session_send(s, "QUIT\r\n", 1);
	while (err == 0 && s->owed > 0)
		err = pop_session_answer(s, &answer);
	if (err == 0 && !answer.is_ok)
		err = pop_session_error(&answer, "QUIT", -EPROTO);
	pop_session_close(s);
	return err;
}
