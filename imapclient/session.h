/*
 * One IMAP connection: login, capabilities, commands out, responses in.
 * Belongs to one thread.
 *
 * Every response passes imap_session_read(), which keeps the state below true;
 * the caller looks at those it asked for.
 */
#ifndef IMAPCLIENT_SESSION_H
#define IMAPCLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "imapclient/capability.h"
#include "imapclient/command.h"
#include "imapclient/imapclient.h"
#include "imapclient/names.h"
#include "imapclient/response.h"
#include "net/reader.h"

#define IMAP_LINE_MAX    (1024 * 1024) /* ESEARCH and CAPABILITY are long */
#define IMAP_LITERAL_MAX (64 * 1024)   /* one that is no body */
#define IMAP_BODY_MAX    (UINT64_C(1) << 30)
#define IMAP_WORDS_SIZE  160

/* What SELECT tells of a mailbox; no padding: compared by memcmp(). */
struct imap_glimpse {
	uint64_t uid_validity, uid_next, highest_modseq, exists;
};

struct imap_session {
	const struct imap_config *config; /* borrowed from the remote */
	struct wake *abort;               /* borrowed from the remote */
	struct conn *conn;                /* NULL: not connected */
	struct conn_report report;        /* of the last attempt */
	struct reader reader;
	struct strbuf line; /* a response that has literals */
	bool is_hurried;    /* an answer is not awaited for long */
	unsigned last_tag;
	uint64_t last_alert; /* digest: an alert is logged once */
	unsigned capabilities;
	unsigned enabled;      /* by ENABLE: CONDSTORE, QRESYNC */
	uint64_t append_limit; /* UINT64_MAX: not told */
	/* What the server said when it last refused a command. */
	char words[IMAP_WORDS_SIZE];
	struct strbuf capability_text, server_id;
	struct imap_names names;

	/* The selected mailbox; 0 where the server did not tell. */
	char *selected; /* folder name; NULL: none */
	uint32_t uid_validity, uid_next;
	uint64_t highest_modseq, exists;
	bool is_read_only; /* the server said so */
	bool has_permanent_flags;
	struct strbuf permanent_flags; /* atoms */
	bool has_news; /* it was said that the selected mailbox changed */

	struct imap_glimpse inbox; /* when it was selected last */
	/* The server wants no connection before; outlives this one. */
	int64_t throttled_until;
	bool is_mailbox_id_bad; /* MAILBOXID is nonsense there */
	/* What it compressed could not be read; outlives this one. */
	bool is_compression_bad;
	/* What changed in others was told to someone who did not ask. */
	bool is_notified, has_other_news;
};

void imap_session_init(struct imap_session *s, const struct imap_config *config,
                       struct wake *abort);
void imap_session_close(struct imap_session *s);

/* Connect, log in, learn what the server can.  Errors: remote_connect()'s. */
int imap_session_open(struct imap_session *s);

static inline bool imap_session_has(const struct imap_session *s,
                                    unsigned capabilities)
{
	return (s->capabilities & capabilities) == capabilities;
}

/*
 * Send a command.  Its tag, a number, comes back in the tagged response.
 * Returns 0, an error of session scope, or the server's refusal of a literal
 * as imap_session_error() has it: then nothing more comes of the command.
 */
int imap_session_send(struct imap_session *s, const struct imap_command *c,
                      unsigned *tag_out);

/* The same of a command without literals: add it to out, for one write. */
void imap_session_add(struct imap_session *s, const char *text,
                      struct strbuf *out, unsigned *tag_out);

/* learn.c: the end of imap_session_open(), when logged in. */
int imap_session_learn(struct imap_session *s);

/* Send bytes of such commands, or of one that is sent piecemeal. */
int imap_session_write(struct imap_session *s, const char *bytes, size_t len);

/* A literal of BODY[] that was taken off the stream. */
struct imap_sink {
	int fd; /* < 0: the bytes are dropped */
	bool is_filled;
	uint64_t size;      /* bytes written */
	uint64_t wire_size; /* bytes received */
};

/*
 * Read the next response.  A body goes to sink.  Returns 0 or an error of
 * session scope.  The response is borrowed until the next call.
 */
int imap_session_read(struct imap_session *s, struct imap_sink *sink,
                      struct imap_response *out);

/* Is it the end of the command with this tag? */
bool imap_session_is_end(const struct imap_response *response, unsigned tag);

/*
 * What a tagged response means as an error of remote.h; 0 for OK.  The
 * server's words are logged; what names the command in the log.
 */
int imap_session_error(const struct imap_response *tagged, const char *what);

/* Send, and read up to the end; 0 or the error. */
int imap_session_run(struct imap_session *s, const struct imap_command *c,
                     const char *what);

/* NOOP: what the server has to say, and whether it answers. */
int imap_session_noop(struct imap_session *s);

/* Open a folder, anew even if it is selected: the state above is fresh. */
int imap_session_select(struct imap_session *s, const char *folder);

/*
 * Before STATUS: a server may tell of a selected folder what the session knew
 * when it last looked (Dovecot does).  So none is, or it looks now.
 */
int imap_session_refresh(struct imap_session *s);

#endif
