/*
 * The thread reads the transcript line by line.  What it must send gathers in
 * out, and leaves when a step comes that waits for the client.  The first
 * mismatch is kept as text, ends the play, and fails the test in
 * server_finish(): cmocka must be told from the test's own thread.
 */
#include "tests/fake/server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <zlib.h>

#include "tests/unit/test.h"
#include "util/cleanup.h"
#include "util/mem.h"
#include "util/strbuf.h"

/* For what never comes; long, because valgrind is slow. */
#define PATIENCE_MS 20000
#define TAGS_MAX    1000

struct server {
	pthread_t thread;
	bool is_joined;
	bool is_tls;
	struct cert cert;
	unsigned port;
	int listen_fd;

	/* The thread's own until it is joined. */
	char *transcript;
	unsigned line_number;
	int fd;       /* the client; -1: none */
	SSL *ssl;     /* NULL: in the clear */
	bool is_gone; /* the client closed, or refused TLS */
	bool is_deflated;
	z_stream inflate, deflate; /* while it is */
	char *tags[TAGS_MAX];
	struct strbuf out; /* to send before the next wait */
	size_t split;      /* bytes a write; 0: all */
	struct strbuf in;  /* received and not yet matched */
	struct strbuf record;
	struct strbuf error; /* empty: all went as written */
};

static int mismatch(struct server *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int mismatch(struct server *s, const char *format, ...)
{
	char text[2000];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strbuf_printf(&s->error, "transcript line %u: %s", s->line_number,
	              text);
	return -EPROTO;
}

static void end_deflate(struct server *s)
{
	if (!s->is_deflated)
		return;
	(void)inflateEnd(&s->inflate);
	(void)deflateEnd(&s->deflate);
	s->is_deflated = false;
}

static int begin_deflate(struct server *s)
{
	s->inflate = s->deflate = (z_stream){ 0 };
	(void)inflateInit2(&s->inflate, -15);
	(void)deflateInit2(&s->deflate, 6, Z_DEFLATED, -15, 8, 0);
	s->is_deflated = true;
	return s->in.len == 0 ? 0 : mismatch(s, "the client did not wait");
}

/* What the bytes are when compressed. */
static void deflate_bytes(struct server *s, char *bytes, size_t len,
                          struct strbuf *sb)
{
	z_stream *z = &s->deflate;
	z->next_in = (Bytef *)bytes;
	z->avail_in = (uInt)len;
	do {
		strbuf_reserve(sb, 4096);
		z->next_out = (Bytef *)sb->bytes + sb->len;
		z->avail_out = 4096;
		(void)deflate(z, Z_SYNC_FLUSH);
		sb->len += 4096 - z->avail_out;
	} while (z->avail_out == 0);
}

/* What these compressed bytes are. */
static int inflate_bytes(struct server *s, char *bytes, size_t len,
                         struct strbuf *sb)
{
	z_stream *z = &s->inflate;
	z->next_in = (Bytef *)bytes;
	z->avail_in = (uInt)len;
	do {
		strbuf_reserve(sb, 4096);
		z->next_out = (Bytef *)sb->bytes + sb->len;
		z->avail_out = 4096;
		int rc = inflate(z, Z_SYNC_FLUSH);
		sb->len += 4096 - z->avail_out;
		if (rc != Z_OK && rc != Z_BUF_ERROR)
			return mismatch(s, "it is not compressed");
	} while (z->avail_out == 0);
	return 1;
}

static void disconnect(struct server *s)
{
	end_deflate(s);
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	strbuf_clear(&s->in);
}

/* A client that refuses our certificate has gone; that is no mismatch yet. */
static void handshake(struct server *s)
{
	s->ssl = SSL_new(s->cert.ctx);
	(void)SSL_set_fd(s->ssl, s->fd);
	s->is_gone = SSL_accept(s->ssl) != 1;
}

static int await_client(struct server *s)
{
	if (s->fd >= 0)
		return 0;
	struct pollfd p = { .fd = s->listen_fd, .events = POLLIN };
	if (poll(&p, 1, PATIENCE_MS) != 1)
		return mismatch(s, "no client came");
	s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (s->fd < 0)
		return mismatch(s, "accept: %s", strerror(errno));
	int on = 1;
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	                 sizeof(patience));
	(void)setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	                 sizeof(patience));
	s->is_gone = false;
	if (s->is_tls)
		handshake(s);
	return 0;
}

/* Returns 1, 0 when the client has closed, or an error: it says nothing. */
static int receive(struct server *s)
{
	char bytes[4096];
	if (s->is_gone)
		return 0;
	errno = 0;
	ssize_t n = s->ssl != NULL ? SSL_read(s->ssl, bytes, sizeof(bytes))
	                           : recv(s->fd, bytes, sizeof(bytes), 0);
	if (n <= 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return mismatch(s, "the client says nothing");
	if (n <= 0) {
		s->is_gone = true;
		return 0;
	}
	strbuf_add(&s->record, bytes, (size_t)n);
	if (s->is_deflated)
		return inflate_bytes(s, bytes, (size_t)n, &s->in);
	strbuf_add(&s->in, bytes, (size_t)n);
	return 1;
}

static void flush(struct server *s)
{
	size_t at = 0;
	auto_strbuf struct strbuf small = { 0 };
	if (s->is_deflated && s->out.len > 0)
		deflate_bytes(s, s->out.bytes, s->out.len, &small);
	const struct strbuf *out = s->is_deflated ? &small : &s->out;
	while (at < out->len && !s->is_gone) {
		size_t len = out->len - at;
		if (s->split > 0 && len > s->split)
			len = s->split;
		const char *bytes = out->bytes + at;
		ssize_t n = s->ssl != NULL ? SSL_write(s->ssl, bytes, (int)len)
		                           : send(s->fd, bytes, len, 0);
		if (n <= 0)
			s->is_gone = true;
		else
			at += (size_t)n;
	}
	strbuf_clear(&s->out);
}

/* The number of a tag "A12" that text begins with, and its length, else 0. */
static unsigned tag_number(const char *text, size_t *len_out)
{
	char *end;
	if (text[0] != 'A' || !isdigit((unsigned char)text[1]))
		return 0;
	unsigned long n = strtoul(text + 1, &end, 10);
	if ((*end != ' ' && *end != '\0') || n >= TAGS_MAX)
		return 0;
	*len_out = (size_t)(end - text);
	return (unsigned)n;
}

/* Add text with its escapes undone. */
static void unescape(const char *text, struct strbuf *sb)
{
	for (const char *t = text; *t != '\0'; t++) {
		unsigned value = 0;
		if (*t != '\\' || t[1] == '\0') {
			strbuf_putc(sb, *t);
			continue;
		}
		t++;
		if (*t == 'x' && sscanf(t + 1, "%2x", &value) == 1) {
			strbuf_putc(sb, (char)value);
			t += 2;
		} else {
			strbuf_putc(sb, *t == 'r'   ? '\r'
			                : *t == 'n' ? '\n'
			                : *t == 't' ? '\t'
			                            : *t);
		}
	}
}

static void add_hex(const char *text, struct strbuf *sb)
{
	unsigned value;
	int len;
	while (sscanf(text, " %2x%n", &value, &len) == 1) {
		strbuf_putc(sb, (char)value);
		text += len;
	}
}

static void add_literal(size_t len, struct strbuf *sb)
{
	for (size_t i = 0; i < len; i++)
		strbuf_putc(sb, server_literal_byte(i));
}

static void say(struct server *s, const char *text)
{
	size_t len = 0;
	unsigned tag = tag_number(text, &len);
	if (tag > 0 && s->tags[tag] != NULL) {
		strbuf_puts(&s->out, s->tags[tag]);
		text += len;
	}
	strbuf_puts(&s->out, text);
	strbuf_puts(&s->out, "\r\n");
}

static void consume(struct server *s, size_t len)
{
	s->in.len -= len;
	memmove(s->in.bytes, s->in.bytes + len, s->in.len);
}

static bool is_match(const char *pattern, const char *line)
{
	size_t len = strlen(pattern);
	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, line, len - 1) == 0;
	return strcmp(pattern, line) == 0;
}

static int match_line(struct server *s, const char *pattern, const char *line)
{
	size_t len = 0;
	unsigned tag = tag_number(pattern, &len);
	size_t given = strcspn(line, " ");
	if (tag > 0 && s->tags[tag] == NULL)
		s->tags[tag] = xstrndup(line, given);
	bool is_same = true;
	if (tag > 0) {
		is_same = strlen(s->tags[tag]) == given &&
		          strncmp(line, s->tags[tag], given) == 0;
		is_same = is_same && is_match(pattern + len, line + given);
	} else {
		is_same = is_match(pattern, line);
	}
	if (is_same)
		return 0;
	return mismatch(s, "\n  expected: %s\n  received: %s", pattern, line);
}

static int expect_line(struct server *s, const char *pattern)
{
	const char *end;
	while ((end = memmem(strbuf_text(&s->in), s->in.len, "\r\n", 2)) ==
	       NULL) {
		int n = receive(s);
		if (n < 0)
			return mismatch(s, "\n  expected: %s", pattern);
		if (n == 0)
			return mismatch(s,
			                "\n  expected: %s\n  received: %s[end]",
			                pattern, strbuf_text(&s->in));
	}
	size_t len = (size_t)(end - s->in.bytes);
	auto_free char *line = xstrndup(s->in.bytes, len);
	consume(s, len + 2);
	return match_line(s, pattern, line);
}

static int expect_bytes(struct server *s, const char *text)
{
	auto_strbuf struct strbuf want = { 0 };
	unescape(text, &want);
	while (s->in.len < want.len) {
		int n = receive(s);
		if (n <= 0)
			return mismatch(s,
			                "\n  expected bytes: %s\n  received: %s",
			                text, strbuf_text(&s->in));
	}
	if (want.len > 0 && memcmp(s->in.bytes, want.bytes, want.len) != 0)
		return mismatch(s, "\n  expected bytes: %s\n  received: %.*s",
		                text, (int)want.len, s->in.bytes);
	consume(s, want.len);
	return 0;
}

static int expect_end(struct server *s, bool is_talk_allowed)
{
	int n;
	while ((n = receive(s)) > 0)
		;
	if (n < 0)
		return mismatch(s, "\n  expected: [end]");
	if (s->in.len > 0 && !is_talk_allowed)
		return mismatch(s, "\n  expected: [end]\n  received: %s",
		                strbuf_text(&s->in));
	disconnect(s);
	return 0;
}

/* Steps that only add to what will be sent. */
static bool is_output(struct server *s, const char *line)
{
	if (strncmp(line, "S: ", 3) == 0)
		say(s, line + 3);
	else if (strncmp(line, "S| ", 3) == 0)
		unescape(line + 3, &s->out);
	else if (strncmp(line, "!bytes ", 7) == 0)
		add_hex(line + 7, &s->out);
	else if (strncmp(line, "!literal ", 9) == 0)
		add_literal(strtoul(line + 9, NULL, 10), &s->out);
	else
		return false;
	return true;
}

static int step(struct server *s, const char *line)
{
	if (line[0] == '\0' || line[0] == '#')
		return 0;
	int err = await_client(s);
	if (err < 0)
		return err;
	if (is_output(s, line))
		return 0;
	flush(s);
	if (strncmp(line, "C: ", 3) == 0)
		return expect_line(s, line + 3);
	if (strncmp(line, "C| ", 3) == 0)
		return expect_bytes(s, line + 3);
	if (strncmp(line, "!split ", 7) == 0)
		s->split = strtoul(line + 7, NULL, 10);
	else if (strcmp(line, "!starttls") == 0)
		handshake(s);
	else if (strcmp(line, "!deflate") == 0)
		return begin_deflate(s);
	else if (strcmp(line, "!close") == 0)
		disconnect(s);
	else if (strcmp(line, "!eof") == 0)
		return expect_end(s, false);
	else if (strcmp(line, "!stall") == 0)
		return expect_end(s, true);
	else
		return mismatch(s, "not a step: %s", line);
	return 0;
}

static void *play(void *arg)
{
	struct server *s = arg;
	/* OpenSSL writes without MSG_NOSIGNAL. */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	int err = 0;
	char *rest = s->transcript;
	char *line;
	while (err == 0 && (line = strsep(&rest, "\n")) != NULL) {
		s->line_number++;
		err = step(s, line);
	}
	if (err == 0 && s->fd >= 0) {
		flush(s);
		(void)expect_end(s, false);
	}
	disconnect(s);
	return NULL;
}

static char *read_script(const char *name)
{
	auto_free char *path = xasprintf("%s/%s", SCRIPTS_DIR, name);
	FILE *f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	struct strbuf text = { 0 };
	char bytes[4096];
	size_t n;
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		strbuf_add(&text, bytes, n);
	(void)fclose(f);
	return strbuf_take(&text);
}

static void listen_on_loopback(struct server *s)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	struct sockaddr *any = (struct sockaddr *)(void *)&address;
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listen_fd >= 0);
	assert_int_equal(bind(s->listen_fd, any, len), 0);
	assert_int_equal(listen(s->listen_fd, 8), 0);
	assert_int_equal(getsockname(s->listen_fd, any, &len), 0);
	s->port = ntohs(address.sin_port);
}

struct server *server_start(const char *transcript,
                            const struct server_options *options)
{
	struct server *s = xmalloc(sizeof(*s));
	s->fd = -1;
	s->is_tls = options != NULL && options->tls;
	s->transcript = strchr(transcript, '\n') != NULL
	                        ? xstrdup(transcript)
	                        : read_script(transcript);
	cert_init(&s->cert, options != NULL ? options->cert : CERT_GOOD);
	listen_on_loopback(s);
	assert_int_equal(pthread_create(&s->thread, NULL, play, s), 0);
	return s;
}

unsigned server_port(const struct server *s)
{
	return s->port;
}

const char *server_ca(const struct server *s)
{
	return s->cert.ca_path;
}

const char *server_pin(const struct server *s)
{
	return s->cert.pin;
}

static void join(struct server *s)
{
	if (!s->is_joined)
		(void)pthread_join(s->thread, NULL);
	s->is_joined = true;
}

/*
 * What base64 makes of secret with skip unknown bytes before it: the letters
 * that depend on it alone.
 */
static void encode(const char *secret, size_t skip, struct strbuf *sb)
{
	auto_strbuf struct strbuf bytes = { 0 };
	strbuf_add(&bytes, "\0\0", skip);
	strbuf_puts(&bytes, secret);
	strbuf_reserve(sb, bytes.len * 2 + 8);
	(void)EVP_EncodeBlock((unsigned char *)sb->bytes,
	                      (const unsigned char *)bytes.bytes,
	                      (int)bytes.len);
	size_t first = (skip * 8 + 5) / 6;
	sb->len = bytes.len * 8 / 6 - first;
	memmove(sb->bytes, sb->bytes + first, sb->len);
}

void server_assert_untold(struct server *s, const char *secret)
{
	join(s);
	const char *record = strbuf_text(&s->record);
	if (memmem(record, s->record.len, secret, strlen(secret)) != NULL)
		fail_msg("the client sent the secret");
	for (size_t skip = 0; skip < 3; skip++) {
		auto_strbuf struct strbuf sb = { 0 };
		encode(secret, skip, &sb);
		if (memmem(record, s->record.len, sb.bytes, sb.len) != NULL)
			fail_msg("the client sent the secret as base64");
	}
}

void server_finish(struct server *s)
{
	join(s);
	auto_free char *error =
		s->error.len > 0 ? strbuf_take(&s->error) : NULL;
	(void)close(s->listen_fd);
	cert_release(&s->cert);
	for (size_t i = 0; i < TAGS_MAX; i++)
		free(s->tags[i]);
	strbuf_release(&s->out);
	strbuf_release(&s->in);
	strbuf_release(&s->record);
	free(s->transcript);
	free(s);
	if (error != NULL)
		fail_msg("%s", error);
}
