/*
 * One easy handle in a multi handle of its own: the multi lets us wait for
 * the login, the abort descriptor and the deadline at once.  The easy handle
 * stays in it to the end, for curl_easy_send() and curl_easy_recv() find the
 * connection through it.  No other transfer ever runs in it, so no connection
 * is ever used twice (CVE-2026-4873, CVE-2026-8286); CURLOPT_FORBID_REUSE must
 * not be set, for it closes the connection as soon as it is logged in.
 *
 * The secret is in memory until the login is over, and not after: see wipe.c.
 */
#include "net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "net/deflate.h"
#include "net/failure.h"
#include "net/login.h"
#include "net/secret.h"
#include "net/wipe.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/digest.h"
#include "util/mem.h"

#define KEEPALIVE_IDLE_S     60
#define KEEPALIVE_INTERVAL_S 15

/* Of a line of the login we read so much: lists of capabilities are long. */
#define LINE_SIZE 4096

struct conn {
	CURLM *multi;
	CURL *easy;
	struct wake *abort; /* borrowed: outlives us by contract */
	int fd;             /* libcurl's, the last it opened; -1: none */
	bool is_logged_in;
	int timeout_ms;
	struct login login;
	struct deflate *deflate; /* NULL: what is sent is what is said */
	char error[CURL_ERROR_SIZE];
};

/* ---- What libcurl calls back ---- */

/* RFC 5482: unanswered bytes end a connection after the same timeout. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
	struct conn *c = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
	                address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	unsigned timeout_ms = (unsigned)c->timeout_ms;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms,
	                 sizeof(timeout_ms));
	c->fd = fd;
	return fd;
}

/*
 * Follow what is said; the lines with secrets (CURLINFO_HEADER_OUT) are looked
 * at for the name of the mechanism only, where they are.
 */
static int follow(CURL *easy, curl_infotype type, char *bytes, size_t len,
                  void *arg)
{
	struct conn *c = arg;
	char line[LINE_SIZE];
	if (type != CURLINFO_HEADER_IN && type != CURLINFO_HEADER_OUT)
		return 0;
	(void)snprintf(line, sizeof(line), "%.*s", (int)len, bytes);
	for (char *s = line; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	}
	if (type == CURLINFO_HEADER_OUT)
		wipe_mark(bytes);
	if (type == CURLINFO_HEADER_IN)
		login_heard(&c->login, line);
	else
		login_said(&c->login, line);
	wipe(line, sizeof(line));
	return 0;
}

/* ---- Setting up ---- */

static const char *scheme(const struct conn_config *config)
{
	bool is_tls = config->security == CONN_TLS;
	switch (config->protocol) {
	case CONN_IMAP:
		return is_tls ? "imaps" : "imap";
	case CONN_POP3:
		return is_tls ? "pop3s" : "pop3";
	}
	return "";
}

unsigned conn_port(const struct conn_config *config)
{
	if (config->port != 0)
		return config->port;
	bool is_tls = config->security == CONN_TLS;
	if (config->protocol == CONN_IMAP)
		return is_tls ? 993 : 143;
	return is_tls ? 995 : 110;
}

/*
 * setopt() of what we give can fail only for want of memory or for a libcurl
 * without TLS; the connection then fails as well, and says why.
 */
static void set_tls(CURL *easy, const struct conn_config *config)
{
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	                       (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (config->security != CONN_PLAIN)
		(void)curl_easy_setopt(easy, CURLOPT_USE_SSL,
		                       (long)CURLUSESSL_ALL);
	if (config->tls_ca != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, config->tls_ca);
		/* Else the system's would be trusted too. */
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (config->tls_pin != NULL)
		(void)curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY,
		                       config->tls_pin);
	if (config->tls_cert != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, config->tls_cert);
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY,
		                       config->tls_key != NULL
		                               ? config->tls_key
		                               : config->tls_cert);
	}
}

static void set_login(CURL *easy, const struct conn_config *config,
                      const struct strbuf *secret)
{
	(void)curl_easy_setopt(easy, CURLOPT_USERNAME, config->user);
	if (config->secret_kind == CONN_SECRET_TOKEN_COMMAND)
		(void)curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER,
		                       strbuf_text(secret));
	else if (config->secret_kind != CONN_SECRET_NONE)
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD,
		                       strbuf_text(secret));
	auto_free char *options = login_options(config);
	(void)curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, options);
}

static void set_transport(struct conn *c, const struct conn_config *config)
{
	CURL *easy = c->easy;
	bool is_bare_v6 =
		strchr(config->host, ':') != NULL && config->host[0] != '[';
	auto_free char *url =
		xasprintf(is_bare_v6 ? "%s://[%s]:%u/" : "%s://%s:%u/",
	                  scheme(config), config->host, conn_port(config));
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* An abort must not wait for the resolver's thread. */
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	/* An empty one keeps it from the environment's. */
	(void)curl_easy_setopt(easy, CURLOPT_PROXY,
	                       config->proxy != NULL ? config->proxy : "");
	(void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE,
	                       (long)KEEPALIVE_IDLE_S);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL,
	                       (long)KEEPALIVE_INTERVAL_S);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, c);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error);
	(void)curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, follow);
	(void)curl_easy_setopt(easy, CURLOPT_DEBUGDATA, c);
	(void)curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

static struct conn *conn_new(const struct conn_config *config,
                             struct wake *wake)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, wipe_init_curl);
	wipe_begin();
	struct conn *c = xmalloc(sizeof(*c));
	c->abort = wake;
	c->fd = -1;
	c->timeout_ms = config->timeout_ms;
	c->login.protocol = config->protocol;
	/* Like any small allocation, these fail only without memory. */
	c->multi = curl_multi_init();
	c->easy = curl_easy_init();
	if (c->multi == NULL || c->easy == NULL)
		abort();
	return c;
}

/* ---- Connecting ---- */

/* Milliseconds until a step was done, -1 if it never was. */
static int64_t time_of(CURL *easy, CURLINFO which)
{
	curl_off_t us = 0;
	(void)curl_easy_getinfo(easy, which, &us);
	return us > 0 ? us / 1000 : -1;
}

static void take_times(const struct conn *c, struct conn_report *r)
{
	r->resolved_ms = time_of(c->easy, CURLINFO_NAMELOOKUP_TIME_T);
	r->connected_ms = time_of(c->easy, CURLINFO_CONNECT_TIME_T);
	r->tls_ms = time_of(c->easy, CURLINFO_APPCONNECT_TIME_T);
	r->has_tls = r->tls_ms >= 0;
}

/*
 * The step that it ended in.  libcurl tells the time of the
 * connection only when TLS stands as well, so ask the socket.
 */
static enum conn_step step_now(const struct conn *c,
                               const struct conn_report *r,
                               const struct conn_config *config)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	if (r->has_tls ||
	    (c->login.has_greeting && config->security == CONN_PLAIN))
		return CONN_STEP_LOGIN;
	if (c->login.has_greeting)
		return CONN_STEP_TLS;
	if (c->fd < 0)
		return CONN_STEP_RESOLVE;
	if (c->login.is_at_proxy ||
	    getpeername(c->fd, (struct sockaddr *)&peer, &len) < 0)
		return CONN_STEP_CONNECT;
	return config->security == CONN_PLAIN ? CONN_STEP_LOGIN : CONN_STEP_TLS;
}

/* Run libcurl until it is done.  Returns 0 and its code, or -errno. */
static int drive(struct conn *c, int64_t deadline, CURLcode *code_out)
{
	struct curl_waitfd wake = { .fd = wake_fd(c->abort),
		                    .events = CURL_WAIT_POLLIN };
	for (;;) {
		int running, queued;
		if (curl_multi_perform(c->multi, &running) != CURLM_OK)
			return -EHOSTUNREACH;
		if (c->login.is_foreign) {
			*code_out = CURLE_WEIRD_SERVER_REPLY;
			return 0;
		}
		CURLMsg *done = curl_multi_info_read(c->multi, &queued);
		if (done != NULL) {
			*code_out = done->data.result;
			return 0;
		}
		int left = deadline_left(deadline);
		if (left == 0)
			return -ETIMEDOUT;
		wake.revents = 0;
		if (curl_multi_poll(c->multi, &wake, 1, left, NULL) != CURLM_OK)
			return -EHOSTUNREACH;
		if (wake.revents != 0)
			return -ECANCELED;
	}
}

/* Logged in: forget the secret, and make sure of what we promised. */
static int settle(struct conn *c, const struct conn_config *config,
                  struct conn_report *r)
{
	(void)curl_easy_setopt(c->easy, CURLOPT_VERBOSE, 0L);
	(void)curl_easy_setopt(c->easy, CURLOPT_PASSWORD, NULL);
	(void)curl_easy_setopt(c->easy, CURLOPT_XOAUTH2_BEARER, NULL);
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code = curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (code != CURLE_OK || fd == CURL_SOCKET_BAD)
		return failure_say(config, CONN_STEP_LOGIN, -EHOSTUNREACH,
		                   "the connection was lost after the login",
		                   r);
	c->fd = fd;
	c->is_logged_in = true;
	if (config->security != CONN_PLAIN && !r->has_tls)
		return failure_say(config, CONN_STEP_TLS, -ENOKEY,
		                   "the connection has no TLS", r);
	r->failed = CONN_STEP_DONE;
	return 0;
}

/* Once more, with other ways to log in; what was said is forgotten. */
static int drive_again(struct conn *c, const struct conn_config *config,
                       const char *options, int64_t deadline,
                       CURLcode *code_out)
{
	(void)curl_multi_remove_handle(c->multi, c->easy);
	c->login = (struct login){ .protocol = config->protocol };
	c->error[0] = '\0';
	c->fd = -1;
	(void)curl_easy_setopt(c->easy, CURLOPT_LOGIN_OPTIONS, options);
	(void)curl_multi_add_handle(c->multi, c->easy);
	return drive(c, deadline, code_out);
}

/* A line of an answer, without its end.  Nothing comes behind it unasked. */
static int hear(struct conn *c, int64_t deadline, char line[LINE_SIZE])
{
	size_t len = 0;
	while (len == 0 || line[len - 1] != '\n') {
		if (len == LINE_SIZE - 1)
			return -EPROTO;
		ssize_t n =
			conn_read(c, line + len, LINE_SIZE - 1 - len, deadline);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
	}
	line[len - 1] = '\0';
	if (len > 1 && line[len - 2] == '\r')
		line[len - 2] = '\0';
	return 0;
}

static int say_and_hear(struct conn *c, const char *command, const char *what,
                        int64_t deadline)
{
	char line[LINE_SIZE] = "";
	struct strbuf text = { 0 };
	strbuf_printf(&text, "%s %s\r\n", command, what);
	int err = conn_write(c, text.bytes, text.len, deadline);
	strbuf_wipe(&text);
	if (err == 0)
		err = hear(c, deadline, line);
	if (err < 0)
		return err;
	login_heard(&c->login, line);
	return line[0] == '+' ? 0 : -EKEYREJECTED;
}

/* On a connection that libcurl made and did not log in on. */
static int log_in_by_user(struct conn *c, const struct conn_config *config,
                          const char *secret, int64_t deadline,
                          struct conn_report *r)
{
	const struct failure f = { .code = CURLE_LOGIN_DENIED,
		                   .error = "",
		                   .login = &c->login };
	int err = say_and_hear(c, "USER", config->user, deadline);
	if (err == 0)
		err = say_and_hear(c, "PASS", secret, deadline);
	if (err == 0)
		return 0;
	if (err == -EKEYREJECTED)
		return failure_say_code(config, &f, r);
	return failure_say(config, CONN_STEP_LOGIN, err,
	                   "the connection was lost during the login", r);
}

static int log_in(struct conn *c, const struct conn_config *config,
                  const char *secret, struct conn_report *r)
{
	bool is_by_user = false;
	CURLcode code = CURLE_OK;
	int64_t deadline = deadline_in(config->timeout_ms);
	(void)curl_multi_add_handle(c->multi, c->easy);
	int err = drive(c, deadline, &code);
	/* Once only: each refused login may count towards a lock-out. */
	if (err == 0 && code == CURLE_LOGIN_DENIED &&
	    !failure_is_passing(c->login.words)) {
		const char *options = login_options_after(&c->login, config);
		is_by_user = login_is_by_user(&c->login, config);
		if (is_by_user) {
			(void)curl_easy_setopt(c->easy, CURLOPT_USERNAME, NULL);
			(void)curl_easy_setopt(c->easy, CURLOPT_PASSWORD, NULL);
		}
		if (options != NULL)
			err = drive_again(c, config, options, deadline, &code);
	}
	take_times(c, r);
	const struct failure f = { .code = code,
		                   .step = step_now(c, r, config),
		                   .error = c->error,
		                   .login = &c->login };
	if (err == -ETIMEDOUT)
		return failure_say_timeout(config, f.step, r);
	if (err == -ECANCELED)
		return failure_say(config, f.step, err, "canceled", r);
	if (err < 0)
		return failure_say(config, f.step, err, "libcurl gave up", r);
	if (code != CURLE_OK)
		return failure_say_code(config, &f, r);
	err = settle(c, config, r);
	return err == 0 && is_by_user
	               ? log_in_by_user(c, config, secret, deadline, r)
	               : err;
}

int conn_open(const struct conn_config *config, struct wake *abort,
              struct conn **conn_out, struct conn_report *report_out)
{
	struct conn_report *r = report_out;
	char why[160];
	*r = (struct conn_report){ .failed = CONN_STEP_SECRET,
		                   .resolved_ms = -1,
		                   .connected_ms = -1,
		                   .tls_ms = -1,
		                   .login_ms = -1 };
	struct strbuf secret = { 0 };
	int err = secret_get(config, abort, &secret, why, sizeof(why));
	if (err < 0)
		return failure_say(config, CONN_STEP_SECRET, err, why, r);
	int64_t started = clock_now_ms();
	struct conn *c = conn_new(config, abort);
	set_transport(c, config);
	set_tls(c->easy, config);
	set_login(c->easy, config, &secret);
	err = log_in(c, config, strbuf_text(&secret), r);
	if (err < 0)
		conn_close(c);
	wipe_end(err < 0 ? NULL : strbuf_text(&secret));
	strbuf_wipe(&secret);
	if (err < 0)
		return err;
	r->login_ms = clock_now_ms() - started;
	*conn_out = c;
	return 0;
}

/* ---- Moving bytes ---- */

static int await(struct conn *c, short events, int64_t deadline)
{
	struct pollfd p[] = {
		{ .fd = wake_fd(c->abort), .events = POLLIN },
		{ .fd = c->fd, .events = events },
	};
	int n;
	while ((n = poll(p, 2, deadline_left(deadline))) < 0 && errno == EINTR)
		;
	if (p[0].revents != 0)
		return -ECANCELED;
	return n > 0 ? 0 : -ETIMEDOUT;
}

static ssize_t receive(void *arg, void *bytes, size_t size, int64_t deadline)
{
	struct conn *c = arg;
	for (;;) {
		size_t n = 0;
		CURLcode code = curl_easy_recv(c->easy, bytes, size, &n);
		if (code == CURLE_OK && n > 0)
			return (ssize_t)n;
		if (code != CURLE_AGAIN)
			return -EHOSTUNREACH;
		int err = await(c, POLLIN, deadline);
		if (err < 0)
			return err;
	}
}

ssize_t conn_read(struct conn *c, void *bytes, size_t size, int64_t deadline)
{
	if (c->deflate == NULL)
		return receive(c, bytes, size, deadline);
	return deflate_read(c->deflate, receive, c, bytes, size, deadline);
}

static int send_all(struct conn *c, const void *bytes, size_t len,
                    int64_t deadline)
{
	const char *at = bytes;
	while (len > 0) {
		size_t n = 0;
		CURLcode code = curl_easy_send(c->easy, at, len, &n);
		if (code != CURLE_OK && code != CURLE_AGAIN)
			return -EHOSTUNREACH;
		at += n;
		len -= n;
		int err = n > 0 ? 0 : await(c, POLLOUT, deadline);
		if (err < 0)
			return err;
	}
	return 0;
}

int conn_write(struct conn *c, const void *bytes, size_t len, int64_t deadline)
{
	auto_strbuf struct strbuf small = { 0 };
	if (c->deflate == NULL)
		return send_all(c, bytes, len, deadline);
	deflate_write(c->deflate, bytes, len, &small);
	return send_all(c, small.bytes, small.len, deadline);
}

void conn_compress(struct conn *c, const void *bytes, size_t len)
{
	c->deflate = deflate_new(bytes, len);
}

int conn_fd(const struct conn *c)
{
	return c->fd;
}

size_t conn_buffered(const struct conn *c)
{
	int count = 0;
	size_t here = c->deflate != NULL ? deflate_buffered(c->deflate) : 0;
	return ioctl(c->fd, FIONREAD, &count) < 0 ? here : here + (size_t)count;
}

void conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	/* Else libcurl may say goodbye and wait for an answer. */
	if (c->is_logged_in)
		(void)shutdown(c->fd, SHUT_RDWR);
	(void)curl_multi_remove_handle(c->multi, c->easy);
	curl_easy_cleanup(c->easy);
	(void)curl_multi_cleanup(c->multi);
	deflate_free(c->deflate);
	free(c);
}

const char *conn_step_name(enum conn_step step)
{
	switch (step) {
	case CONN_STEP_SECRET:
		return "secret";
	case CONN_STEP_RESOLVE:
		return "resolve";
	case CONN_STEP_CONNECT:
		return "connect";
	case CONN_STEP_TLS:
		return "TLS";
	case CONN_STEP_LOGIN:
		return "login";
	case CONN_STEP_DONE:
		return "done";
	}
	return "";
}
