/*
 * What a server is asked when it has let us in: what it can, and then all that
 * follows from that at once, for each answer waited for is a round trip.
 */
#include <errno.h>

#include "imapclient/client.h"
#include "util/cleanup.h"

struct question {
	const char *name;
	unsigned tag; /* 0: not asked, or answered */
};

/* A refusal of what we can do without is no failure. */
static int hear_all(struct imap_session *s, struct question *questions,
                    size_t count)
{
	struct imap_response r;
	for (size_t i = 0; i < count; i++) {
		while (questions[i].tag != 0) {
			int err = imap_session_read(s, NULL, &r);
			for (size_t k = i; k < count && err == 0; k++) {
				if (!imap_session_is_end(&r, questions[k].tag))
					continue;
				err = imap_session_error(&r, questions[k].name);
				questions[k].tag = 0;
			}
			if (err < 0 && err != -EACCES && err != -ENOENT)
				return err;
		}
	}
	return 0;
}

static int run_text(struct imap_session *s, const char *text)
{
	auto_command struct imap_command c;
	imap_command_init(&c, true, text);
	return imap_session_run(s, &c, text);
}

static int learn_more(struct imap_session *s)
{
	enum { ID, NAMESPACE, ENABLE, COUNT };
	struct question all[COUNT] = { { "ID", 0 },
		                       { "NAMESPACE", 0 },
		                       { "ENABLE", 0 } };
	auto_strbuf struct strbuf out = { 0 }, id = { 0 };
	/* Coremail (163, QQ) lets nobody select who did not do this first. */
	strbuf_printf(&id, "ID (\"name\" \"mailmount\" \"version\" \"%s\")",
	              s->config->version);
	if (imap_session_has(s, IMAP_CAP_ID))
		imap_session_add(s, id.bytes, &out, &all[ID].tag);
	if (imap_session_has(s, IMAP_CAP_NAMESPACE))
		imap_session_add(s, "NAMESPACE", &out, &all[NAMESPACE].tag);
	if (imap_session_has(s, IMAP_CAP_ENABLE | IMAP_CAP_QRESYNC))
		imap_session_add(s, "ENABLE QRESYNC", &out, &all[ENABLE].tag);
	else if (imap_session_has(s, IMAP_CAP_ENABLE | IMAP_CAP_CONDSTORE))
		imap_session_add(s, "ENABLE CONDSTORE", &out, &all[ENABLE].tag);
	int err = out.len > 0 ? imap_session_write(s, out.bytes, out.len) : 0;
	return err < 0 ? err : hear_all(s, all, COUNT);
}

/*
 * RFC 4978 3: what follows the OK is compressed, and some of it may be in the
 * reader's buffer.
 */
static int compress(struct imap_session *s)
{
	auto_command struct imap_command c;
	struct imap_response r;
	unsigned tag;
	imap_command_init(&c, true, "COMPRESS DEFLATE");
	int err = imap_session_send(s, &c, &tag);
	do {
		if (err == 0)
			err = imap_session_read(s, NULL, &r);
		if (err < 0)
			return err;
	} while (!imap_session_is_end(&r, tag));
	/* It may say NO or BAD: then it goes without. */
	if (imap_session_error(&r, "COMPRESS") == 0) {
		conn_compress(s->conn, s->reader.buffer + s->reader.start,
		              reader_buffered(&s->reader));
		reader_skip(&s->reader, reader_buffered(&s->reader));
	}
	return 0;
}

static bool wants_compression(const struct imap_session *s)
{
	return s->config->compress && !s->is_compression_bad &&
	       imap_session_has(s, IMAP_CAP_COMPRESS);
}

int imap_session_learn(struct imap_session *s)
{
	/* What libcurl was told before and behind the login is not trusted. */
	int err = run_text(s, "CAPABILITY");
	if (err == 0 && wants_compression(s))
		err = compress(s);
	if (err == 0)
		err = learn_more(s);
	if (err < 0 || s->names.prefix != NULL)
		return err;
	err = run_text(s, "LIST \"\" \"\"");
	return err == -EACCES || err == -ENOENT ? 0 : err;
}
