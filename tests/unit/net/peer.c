/*
 * The relay's thread copies until one side closes.  What must happen at a
 * certain point of the dialogue is done by it, when that point has passed:
 * tests need not guess how long a client takes to come there.
 */
#include "tests/unit/net/peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/strbuf.h"

/* For what never comes. */
#define PATIENCE_MS 20000

void peer_start(struct peer *p, const char *transcript,
                enum conn_security security, enum cert_kind cert)
{
	const struct server_options options = { .tls = security == CONN_TLS,
		                                .cert = cert };
	*p = (struct peer){ 0 };
	assert_int_equal(wake_init(&p->abort), 0);
	p->server = server_start(transcript, &options);
	p->config = (struct conn_config){
		.protocol = CONN_IMAP,
		.security = security,
		.host = "localhost",
		.port = server_port(p->server),
		.user = "bob",
		.secret_kind = CONN_SECRET_PASSWORD,
		.secret = CANARY,
		.tls_ca = server_ca(p->server),
		.timeout_ms = TIMEOUT_MS,
	};
}

int peer_open(struct peer *p)
{
	return conn_open(&p->config, &p->abort, &p->conn, &p->report);
}

void peer_finish(struct peer *p)
{
	conn_close(take(p->conn));
	server_finish(p->server);
	wake_release(&p->abort);
}

void peer_assert_mentions(const char *text, const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, text);
	assert_null(strstr(text, CANARY));
}

/* ---- The relay ---- */

struct relay {
	pthread_t thread;
	struct relay_plan plan;
	struct wake *abort; /* borrowed: the peer's */
	unsigned port;      /* the server's */
	int listen_fd;
	struct wake end; /* there is nothing more to come */
	char url[64];

	/* The thread's own until it is joined. */
	struct strbuf heard;
	bool is_done; /* the event */
	char target[64];
};

static int connect_to(unsigned port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (const struct sockaddr *)(const void *)&address,
	            sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void send_all(int fd, const void *bytes, size_t len)
{
	(void)send(fd, bytes, len, MSG_NOSIGNAL);
}

/* Returns the server's port. */
static unsigned be_http(struct relay *r, int client)
{
	static const char refusal[] = "HTTP/1.1 403 Forbidden\r\n"
				      "Content-Length: 0\r\n\r\n";
	static const char consent[] = "HTTP/1.1 200 OK\r\n\r\n";
	auto_strbuf struct strbuf head = { 0 };
	char c;
	while (strstr(strbuf_text(&head), "\r\n\r\n") == NULL &&
	       recv(client, &c, 1, 0) == 1)
		strbuf_putc(&head, c);
	if (sscanf(strbuf_text(&head), "CONNECT %63s HTTP/1.1", r->target) != 1)
		return 0;
	bool is_refused = r->plan.kind == RELAY_REFUSE;
	const char *answer = is_refused ? refusal : consent;
	send_all(client, answer, strlen(answer));
	return is_refused ? 0 : r->port;
}

static unsigned be_socks5(struct relay *r, int client)
{
	static const unsigned char no_login[] = { 5, 0 };
	static const unsigned char consent[] = { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	unsigned char methods[2 + 255], head[5], name[255 + 2];
	if (recv(client, methods, 2, MSG_WAITALL) != 2 ||
	    recv(client, methods + 2, methods[1], MSG_WAITALL) != methods[1])
		return 0;
	send_all(client, no_login, sizeof(no_login));
	if (recv(client, head, sizeof(head), MSG_WAITALL) != sizeof(head) ||
	    head[1] != 1 || head[3] != 3 || head[4] > 50 ||
	    recv(client, name, head[4] + 2U, MSG_WAITALL) != head[4] + 2)
		return 0;
	const unsigned char *port = name + head[4];
	(void)snprintf(r->target, sizeof(r->target), "%.*s:%d", head[4],
	               (const char *)name, port[0] << 8 | port[1]);
	send_all(client, consent, sizeof(consent));
	return r->port;
}

static unsigned begin(struct relay *r, int client)
{
	switch (r->plan.kind) {
	case RELAY_BARE:
		break;
	case RELAY_HTTP:
	case RELAY_REFUSE:
		return be_http(r, client);
	case RELAY_SOCKS5:
		return be_socks5(r, client);
	}
	return r->port;
}

/* The client has said something: is it time?  Returns whether to go on. */
static bool look_for_trigger(struct relay *r, int client)
{
	const struct relay_plan *plan = &r->plan;
	if (r->is_done || plan->event == RELAY_GOES_ON ||
	    memmem(strbuf_text(&r->heard), r->heard.len, plan->trigger,
	           strlen(plan->trigger)) == NULL)
		return true;
	r->is_done = true;
	switch (plan->event) {
	case RELAY_GOES_ON:
		break;
	case RELAY_EXPIRES:
		clock_advance_ms(TIMEOUT_MS);
		send_all(client, &plan->say, 1);
		break;
	case RELAY_ABORTS:
		wake_signal(r->abort);
		break;
	case RELAY_HOLDS:
		return false;
	}
	return true;
}

static void copy(struct relay *r, int client, int server)
{
	struct pollfd p[] = {
		{ .fd = client, .events = POLLIN },
		{ .fd = server, .events = POLLIN },
	};
	bool goes_on = look_for_trigger(r, client);
	while (goes_on && poll(p, 2, PATIENCE_MS) > 0) {
		for (size_t i = 0; i < 2 && goes_on; i++) {
			char bytes[4096];
			if (p[i].revents == 0)
				continue;
			ssize_t n = recv(p[i].fd, bytes, sizeof(bytes), 0);
			if (n <= 0)
				return;
			send_all(p[1 - i].fd, bytes, (size_t)n);
			if (i == 1)
				continue;
			strbuf_add(&r->heard, bytes, (size_t)n);
			goes_on = look_for_trigger(r, client);
		}
	}
	/* What the client sent and nobody reads keeps its end from coming. */
	p[0].events = POLLRDHUP;
	p[1] = (struct pollfd){ .fd = wake_fd(&r->end), .events = POLLIN };
	(void)poll(p, 2, PATIENCE_MS);
}

static void *relay_run(void *arg)
{
	struct relay *r = arg;
	struct pollfd p = { .fd = r->listen_fd, .events = POLLIN };
	if (poll(&p, 1, PATIENCE_MS) != 1)
		return NULL;
	auto_fd int client = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return NULL;
	unsigned port = begin(r, client);
	auto_fd int server = port == 0 ? -1 : connect_to(port);
	if (server >= 0)
		copy(r, client, server);
	return NULL;
}

struct relay *relay_start(struct peer *p, const struct relay_plan *plan)
{
	static const char *const schemes[] = {
		[RELAY_BARE] = "",
		[RELAY_HTTP] = "http",
		[RELAY_SOCKS5] = "socks5h",
		[RELAY_REFUSE] = "http",
	};
	struct relay *r = xmalloc(sizeof(*r));
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	struct sockaddr *any = (struct sockaddr *)(void *)&address;
	*r = (struct relay){ .plan = *plan,
		             .abort = &p->abort,
		             .port = p->config.port };
	assert_int_equal(wake_init(&r->end), 0);
	r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->listen_fd, any, len), 0);
	assert_int_equal(listen(r->listen_fd, 1), 0);
	assert_int_equal(getsockname(r->listen_fd, any, &len), 0);
	(void)snprintf(r->url, sizeof(r->url), "%s://127.0.0.1:%d",
	               schemes[plan->kind], ntohs(address.sin_port));
	if (plan->kind == RELAY_BARE)
		p->config.port = ntohs(address.sin_port);
	else
		p->config.proxy = r->url;
	assert_int_equal(pthread_create(&r->thread, NULL, relay_run, r), 0);
	return r;
}

void relay_finish(struct relay *r, struct peer *p, char target_out[64])
{
	conn_close(take(p->conn));
	wake_signal(&r->end);
	assert_int_equal(pthread_join(r->thread, NULL), 0);
	wake_release(&r->end);
	if (target_out != NULL)
		(void)snprintf(target_out, 64, "%s", r->target);
	(void)close(r->listen_fd);
	strbuf_release(&r->heard);
	free(r);
}
