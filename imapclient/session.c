/*
 * Straight-line and blocking: what is sent is remembered only by its tag, and
 * the one who sent it reads until that tag comes.  Several commands may be
 * under way; then the reader looks at each tag.
 */
#include "imapclient/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/refusal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/log.h"
#include "util/mem.h"

#define THROTTLED_MS     (60 * 1000)
#define THROTTLED_MAX_MS (15 * 60 * 1000)
#define LITERALS_MAX     64 /* in one response */
#define HURRIED_MS       (10 * 1000)

static ssize_t source(void *arg, void *bytes, size_t size, int64_t deadline)
{
	struct imap_session *s = arg;
	ssize_t n = conn_read(s->conn, bytes, size, deadline);
	/* A message may be a bomb by nature: it comes without, the next time. */
	s->is_compression_bad |= n == -EPROTO;
	return n;
}

static int64_t next_deadline(const struct imap_session *s)
{
	int ms = s->config->conn.timeout_ms;
	return deadline_in(s->is_hurried && ms > HURRIED_MS ? HURRIED_MS : ms);
}

void imap_session_init(struct imap_session *s, const struct imap_config *config,
                       struct wake *abort)
{
	*s = (struct imap_session){ .config = config, .abort = abort };
}

static void unselect(struct imap_session *s)
{
	free(take(s->selected));
	s->uid_validity = s->uid_next = 0;
	s->highest_modseq = s->exists = 0;
	s->is_read_only = s->has_permanent_flags = s->has_news = false;
	strbuf_release(&s->permanent_flags);
}

void imap_session_close(struct imap_session *s)
{
	if (s->conn == NULL)
		return;
	/* Politeness; nobody waits for the answer, or for a full socket. */
	(void)conn_write(s->conn, "Z LOGOUT\r\n", 10, deadline_in(0));
	conn_close(take(s->conn));
	reader_release(&s->reader);
	strbuf_release(&s->line);
	strbuf_release(&s->capability_text);
	strbuf_release(&s->server_id);
	imap_names_release(&s->names);
	unselect(s);
	s->capabilities = s->enabled = 0;
	s->inbox = (struct imap_glimpse){ 0 };
	s->is_notified = s->has_other_news = s->is_hurried = false;
	s->is_mailbox_id_bad = false;
}

static void log_words(const char *what, struct imap_text words)
{
	log_warn("%s: %.*s", what, (int)(words.len < 500 ? words.len : 500),
	         words.len > 0 ? words.bytes : "(no words)");
}

static void note_alert(struct imap_session *s, struct imap_text words)
{
	uint64_t digest = digest_u64(words.bytes, words.len);
	if (digest == s->last_alert)
		return;
	s->last_alert = digest;
	log_words("the server says", words);
}

static void note_capabilities(struct imap_session *s, struct imap_text atoms)
{
	s->capabilities = imap_capability_parse(atoms) &
	                  ~imap_capability_disabled(s->config->disable);
	s->append_limit = imap_capability_append_limit(atoms);
	strbuf_clear(&s->capability_text);
	strbuf_add(&s->capability_text, atoms.bytes, atoms.len);
}

/* What is between the parentheses; code_text has them. */
static void note_permanent_flags(struct imap_session *s, struct imap_text list)
{
	strbuf_clear(&s->permanent_flags);
	for (size_t i = 0; i < list.len; i++) {
		if (list.bytes[i] != '(' && list.bytes[i] != ')')
			strbuf_putc(&s->permanent_flags, list.bytes[i]);
	}
	s->has_permanent_flags = true;
}

static void note_code(struct imap_session *s, const struct imap_response *r)
{
	switch (r->code) {
	case IMAP_CODE_ALERT:
		note_alert(s, r->text);
		return;
	case IMAP_CODE_CAPABILITY:
		note_capabilities(s, r->code_text);
		return;
	case IMAP_CODE_CLOSED:
		/* RFC 7162 3.2.11: what comes now is of the next mailbox. */
		unselect(s);
		return;
	case IMAP_CODE_HIGHESTMODSEQ:
		s->highest_modseq = r->code_number;
		return;
	case IMAP_CODE_NOMODSEQ:
		s->highest_modseq = 0;
		return;
	case IMAP_CODE_PERMANENTFLAGS:
		note_permanent_flags(s, r->code_text);
		return;
	case IMAP_CODE_READ_ONLY:
	case IMAP_CODE_READ_WRITE:
		s->is_read_only = r->code == IMAP_CODE_READ_ONLY;
		return;
	case IMAP_CODE_UIDNEXT:
		if (r->code_number <= UINT32_MAX)
			s->uid_next = (uint32_t)r->code_number;
		return;
	case IMAP_CODE_UIDVALIDITY:
		s->uid_validity = (uint32_t)r->code_number;
		return;
	case IMAP_CODE_NONE:
	case IMAP_CODE_OTHER:
	case IMAP_CODE_APPENDUID:
	case IMAP_CODE_COPYUID:
	case IMAP_CODE_EXPUNGEISSUED:
	case IMAP_CODE_LIMIT:
	case IMAP_CODE_NONEXISTENT:
	case IMAP_CODE_NOPERM:
	case IMAP_CODE_OVERQUOTA:
	case IMAP_CODE_THROTTLED:
	case IMAP_CODE_TRYCREATE:
	case IMAP_CODE_UNAVAILABLE:
		return;
	}
}

/*
 * Too much was asked of it.  Exchange says for how long to stay away; Gmail
 * does not, and counts by the hour.
 */
static void note_throttling(struct imap_session *s,
                            const struct imap_response *r)
{
	static const char hint[] = "Suggested Backoff Time: ";
	auto_strbuf struct strbuf words = { 0 };
	imap_text_add(r->text, &words);
	const char *suggestion = strstr(strbuf_text(&words), hint);
	int64_t ms = THROTTLED_MS;
	if (suggestion != NULL)
		ms = strtoll(suggestion + sizeof(hint) - 1, NULL, 10);
	else if (r->code != IMAP_CODE_THROTTLED)
		return;
	if (ms < 0 || ms > THROTTLED_MAX_MS)
		ms = THROTTLED_MAX_MS;
	s->throttled_until = deadline_in(ms);
}

/* The messages of a VANISHED that was not asked for. */
static void note_vanished(struct imap_session *s, struct imap_text set)
{
	uint64_t count = 0;
	for (size_t i = 0; i < set.len; i++)
		count += set.bytes[i] == ',';
	/* Ranges make it a lower bound; exists only guides, see pull.c. */
	s->exists -= count + 1 < s->exists ? count + 1 : s->exists;
}

/* Does it tell that the mailbox changed?  What was asked for, has more in it. */
static bool is_news(const struct imap_session *s, const struct imap_response *r)
{
	unsigned asked = IMAP_FETCH_SIZE | IMAP_FETCH_BODY;
	switch (r->kind) {
	case IMAP_EXISTS:
		return r->number > s->exists;
	case IMAP_EXPUNGE:
		return true;
	case IMAP_VANISHED:
		return !r->is_earlier;
	case IMAP_FETCH:
		return (r->fetch.has & IMAP_FETCH_FLAGS) != 0 &&
		       (r->fetch.has & asked) == 0;
	default:
		return false;
	}
}

/* The one place every response passes. */
static int note(struct imap_session *s, const struct imap_response *r)
{
	s->has_news |= s->selected != NULL && is_news(s, r);
	switch (r->kind) {
	case IMAP_TAGGED:
		note_code(s, r);
		if (r->condition == IMAP_OK)
			return 0;
		imap_words_copy(r->text, s->words);
		note_throttling(s, r);
		return 0;
	case IMAP_CONDITION:
		note_code(s, r);
		if (r->condition != IMAP_BYE)
			return 0;
		note_throttling(s, r);
		log_words("the server ends the connection", r->text);
		return -EHOSTUNREACH;
	case IMAP_CAPABILITY:
		note_capabilities(s, r->text);
		return 0;
	case IMAP_ENABLED:
		s->enabled |= imap_capability_parse(r->text) & s->capabilities;
		return 0;
	case IMAP_ID:
		strbuf_clear(&s->server_id);
		strbuf_add(&s->server_id, r->text.bytes, r->text.len);
		return 0;
	case IMAP_NAMESPACE:
		imap_names_set(&s->names, r);
		return 0;
	case IMAP_EXISTS:
		s->exists = r->number;
		return 0;
	case IMAP_EXPUNGE:
		s->exists -= s->exists > 0;
		return 0;
	case IMAP_VANISHED:
		if (!r->is_earlier)
			note_vanished(s, r->text);
		return 0;
	case IMAP_LIST:
		/* Where there is no NAMESPACE, LIST "" "" tells it. */
		if (s->names.prefix == NULL && s->names.delimiter == '\0')
			s->names.delimiter = r->list.delimiter;
		s->has_other_news |= s->is_notified;
		return 0;
	case IMAP_STATUS:
		s->has_other_news |= s->is_notified;
		return 0;
	case IMAP_CONTINUATION:
	case IMAP_FLAGS:
	case IMAP_RECENT:
	case IMAP_FETCH:
	case IMAP_SEARCH:
	case IMAP_ESEARCH:
	case IMAP_OTHER:
		return 0;
	}
	return 0;
}

/* Receive the body whose {n} ends s->line. */
static int receive_body(struct imap_session *s, struct imap_sink *sink,
                        uint64_t size)
{
	int fd = sink->is_filled ? -1 : sink->fd;
	uint64_t written;
	if (size > IMAP_BODY_MAX)
		return -EPROTO;
	int err = reader_copy(&s->reader, size, s->config->conn.timeout_ms, fd,
	                      &written);
	if (err < 0)
		return err;
	sink->is_filled = true;
	sink->size = written;
	sink->wire_size = size;
	return 0;
}

/*
 * s->line holds a response up to a literal's {n}: get the rest of it.
 * *streamed_out is the offset of a body's literal.
 */
static int read_literals(struct imap_session *s, struct imap_sink *sink,
                         uint64_t size, size_t *streamed_out)
{
	for (unsigned count = 0; count < LITERALS_MAX; count++) {
		const char *text;
		size_t len;
		size_t brace =
			imap_literal_find(s->line.bytes, s->line.len, &size);
		if (brace == SIZE_MAX)
			return 0;
		bool is_body = *streamed_out == IMAP_NOT_STREAMED &&
		               imap_literal_is_body(s->line.bytes, brace);
		strbuf_puts(&s->line, "\r\n");
		int err = 0;
		if (is_body) {
			*streamed_out = s->line.len;
			err = receive_body(s, sink, size);
		} else if (size > IMAP_LITERAL_MAX) {
			log_warn("the server sent a literal of %llu bytes",
			         (unsigned long long)size);
			err = -EPROTO;
		} else {
			err = reader_add(&s->reader, size, next_deadline(s),
			                 &s->line);
		}
		if (err < 0)
			return err;
		size_t before = s->line.len;
		err = reader_line(&s->reader, IMAP_LINE_MAX, next_deadline(s),
		                  &text, &len);
		if (err < 0)
			return err;
		strbuf_add(&s->line, text, len);
		/* Do not take a literal's own last bytes for the next one. */
		if (imap_literal_find(s->line.bytes + before,
		                      s->line.len - before, &size) == SIZE_MAX)
			return 0;
	}
	return -EPROTO;
}

int imap_session_read(struct imap_session *s, struct imap_sink *sink,
                      struct imap_response *out)
{
	struct imap_sink none = { .fd = -1 };
	const char *text;
	size_t len, streamed = IMAP_NOT_STREAMED;
	uint64_t size;
	if (sink == NULL)
		sink = &none;
	sink->is_filled = false;
	int err = reader_line(&s->reader, IMAP_LINE_MAX, next_deadline(s),
	                      &text, &len);
	if (err < 0)
		return err;
	if (imap_literal_find(text, len, &size) != SIZE_MAX) {
		strbuf_clear(&s->line);
		strbuf_add(&s->line, text, len);
		err = read_literals(s, sink, size, &streamed);
		if (err < 0)
			return err;
		text = s->line.bytes;
		len = s->line.len;
	}
	/* An empty line is no response, but does no harm. */
	if (len == 0) {
		*out = (struct imap_response){ .kind = IMAP_OTHER };
		return 0;
	}
	err = imap_response_parse(text, len, streamed, out);
	if (err < 0) {
		log_warn("the server sent nonsense: %.*s",
		         (int)(len < 200 ? len : 200), text);
		return err;
	}
	return note(s, out);
}

bool imap_session_is_end(const struct imap_response *response, unsigned tag)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "M%u", tag);
	return response->kind == IMAP_TAGGED &&
	       response->tag.len == (size_t)len &&
	       memcmp(response->tag.bytes, text, (size_t)len) == 0;
}

/* Courier, which has no code for it. */
static bool is_missing(struct imap_text words)
{
	static const char missing[] = "Mailbox does not exist";
	return words.len >= sizeof(missing) - 1 &&
	       memcmp(words.bytes, missing, sizeof(missing) - 1) == 0;
}

int imap_session_error(const struct imap_response *tagged, const char *what)
{
	if (tagged->condition == IMAP_OK)
		return 0;
	log_words(what, tagged->text);
	if (tagged->condition != IMAP_NO)
		return -EPROTO;
	switch (tagged->code) {
	case IMAP_CODE_NONEXISTENT:
	case IMAP_CODE_TRYCREATE:
		return -ENOENT;
	case IMAP_CODE_LIMIT:
	case IMAP_CODE_OVERQUOTA:
	case IMAP_CODE_THROTTLED:
		/* Too much was asked: go away, and come back later. */
		return -EHOSTUNREACH;
	default:
		return is_missing(tagged->text) ? -ENOENT : -EACCES;
	}
}

/* Wait until the server asks for the literal of the command with this tag. */
static int await_continuation(struct imap_session *s, unsigned tag)
{
	struct imap_response r;
	for (;;) {
		int err = imap_session_read(s, NULL, &r);
		if (err < 0)
			return err;
		if (r.kind == IMAP_CONTINUATION)
			return 0;
		if (imap_session_is_end(&r, tag)) {
			err = imap_session_error(&r, "a literal");
			return err < 0 ? err : -EPROTO;
		}
	}
}

int imap_session_write(struct imap_session *s, const char *bytes, size_t len)
{
	return conn_write(s->conn, bytes, len, next_deadline(s));
}

int imap_session_send(struct imap_session *s, const struct imap_command *c,
                      unsigned *tag_out)
{
	auto_strbuf struct strbuf text = { 0 };
	unsigned tag = ++s->last_tag;
	size_t from = 0;
	strbuf_printf(&text, "M%u ", tag);
	for (size_t i = 0; i < c->break_count; i++) {
		strbuf_add(&text, c->text.bytes + from, c->breaks[i] - from);
		from = c->breaks[i];
		int err = imap_session_write(s, text.bytes, text.len);
		if (err == 0)
			err = await_continuation(s, tag);
		if (err < 0)
			return err;
		strbuf_clear(&text);
	}
	strbuf_add(&text, c->text.bytes + from, c->text.len - from);
	strbuf_puts(&text, "\r\n");
	*tag_out = tag;
	return imap_session_write(s, text.bytes, text.len);
}

void imap_session_add(struct imap_session *s, const char *text,
                      struct strbuf *out, unsigned *tag_out)
{
	*tag_out = ++s->last_tag;
	strbuf_printf(out, "M%u %s\r\n", *tag_out, text);
}

static int finish(struct imap_session *s, unsigned tag, const char *what)
{
	struct imap_response r;
	for (;;) {
		int err = imap_session_read(s, NULL, &r);
		if (err < 0)
			return err;
		if (imap_session_is_end(&r, tag))
			return imap_session_error(&r, what);
	}
}

int imap_session_run(struct imap_session *s, const struct imap_command *c,
                     const char *what)
{
	unsigned tag;
	int err = imap_session_send(s, c, &tag);
	return err < 0 ? err : finish(s, tag, what);
}

static int run_text(struct imap_session *s, const char *text, const char *what)
{
	auto_command struct imap_command c;
	imap_command_init(&c, true, text);
	return imap_session_run(s, &c, what);
}

int imap_session_noop(struct imap_session *s)
{
	return run_text(s, "NOOP", "NOOP");
}

int imap_session_open(struct imap_session *s)
{
	int err = conn_open(&s->config->conn, s->abort, &s->conn, &s->report);
	if (err < 0)
		return err;
	reader_init(&s->reader, source, s);
	err = imap_session_learn(s);
	if (err == 0)
		return 0;
	if (err == -EACCES || err == -ENOENT)
		err = -EPROTO;
	snprintf(s->report.text, sizeof(s->report.text),
	         "logged in, but the server then failed: %s", strerror(-err));
	s->report.failed = CONN_STEP_LOGIN;
	imap_session_close(s);
	return err;
}

int imap_session_select(struct imap_session *s, const char *folder)
{
	auto_strbuf struct strbuf wire = { 0 };
	auto_command struct imap_command c;
	int err = imap_names_encode(&s->names, folder, &wire);
	if (err < 0)
		return err;
	unselect(s);
	imap_command_init(&c, imap_session_has(s, IMAP_CAP_LITERAL),
	                  s->config->read_only ? "EXAMINE " : "SELECT ");
	imap_command_string(&c, wire.bytes, wire.len);
	/* Where nothing could be enabled, RFC 7162 3.1.8 asks this way. */
	if (imap_session_has(s, IMAP_CAP_CONDSTORE) && s->enabled == 0)
		strbuf_puts(&c.text, " (CONDSTORE)");
	err = imap_session_run(s, &c, "SELECT");
	if (err < 0)
		return err;
	s->selected = xstrdup(folder);
	if (strcmp(folder, "INBOX") == 0)
		s->inbox = (struct imap_glimpse){
			.uid_validity = s->uid_validity,
			.uid_next = s->uid_next,
			.highest_modseq = s->highest_modseq,
			.exists = s->exists,
		};
	return 0;
}

int imap_session_refresh(struct imap_session *s)
{
	if (s->selected == NULL)
		return 0;
	if (!imap_session_has(s, IMAP_CAP_UNSELECT))
		return imap_session_noop(s);
	int err = run_text(s, "UNSELECT", "UNSELECT");
	if (err == 0)
		unselect(s);
	return err;
}
