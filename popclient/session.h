/*
 * One POP3 session: login, commands out, answers in.  Belongs to one thread.
 *
 * Commands may be under way together where the server has PIPELINING; owed
 * counts the answers that were not read.
 */
#ifndef POPCLIENT_SESSION_H
#define POPCLIENT_SESSION_H

#include "net/conn.h"
#include "net/reader.h"
#include "popclient/response.h"
#include "util/strbuf.h"

/* RFC 2449 4 has 512; UIDL and CAPA of some servers are longer. */
#define POP_LINE_MAX 8192
/* Commands that may be under way. */
#define POP_WINDOW 256

#define POP_BODY_MAX (UINT64_C(1) << 30)

struct pop_session {
	const struct conn_config *config; /* borrowed from the caller */
	struct wake *abort;               /* borrowed from the remote */
	struct conn *conn;                /* NULL: there is no session */
	struct conn_report report;        /* of the last attempt */
	struct reader reader;
	size_t owed;
	bool has_capabilities; /* else nothing is known, and all is tried */
	unsigned capabilities; /* enum pop_capability */
	struct strbuf capability_text;
};

void pop_session_init(struct pop_session *s, const struct conn_config *config,
                      struct wake *abort);

/* Connect, log in, ask for capabilities.  Errors: remote_connect()'s. */
int pop_session_open(struct pop_session *s);

/* At once: what was to be deleted stays. */
void pop_session_close(struct pop_session *s);

/* QUIT, and close in any case.  0: the server has done all it was told to. */
int pop_session_quit(struct pop_session *s);

/* Does the server have it, as far as it says? */
bool pop_session_may(const struct pop_session *s,
                     enum pop_capability capability);

/* How many commands may be under way. */
size_t pop_session_window(const struct pop_session *s);

/* Send count commands, each with its CRLF. */
int pop_session_send(struct pop_session *s, const char *commands, size_t count);

/* The next answer, borrowed until the next call. */
int pop_session_answer(struct pop_session *s, struct pop_answer *out);

/*
 * What a refusal means: an error of session or account scope where its code
 * says so, else otherwise.  The server's words are logged, what names the
 * command.
 */
int pop_session_error(const struct pop_answer *refusal, const char *what,
                      int otherwise);

/* The next line behind an answer of several: 1, or 0 at the end. */
int pop_session_line(struct pop_session *s, const char **line_out,
                     size_t *len_out);

/* Where a message goes. */
struct pop_sink {
	int fd;              /* < 0: nowhere */
	struct strbuf *head; /* its first POP_HEAD_MAX bytes; NULL: nowhere */
	uint64_t claimed;    /* bytes by LIST */
	uint64_t size;       /* bytes written */
	uint64_t wire_size;  /* bytes as the server holds them */
};

/* Read the message behind an answer. */
int pop_session_copy(struct pop_session *s, struct pop_sink *sink);

#endif
