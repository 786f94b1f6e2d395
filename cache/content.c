/*
 * One pass over a message.  Line ends are held back until a byte follows, so
 * that those at the end never count; two or more of them end the headers.
 */
#include "cache/content.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cache/file.h"
#include "util/cleanup.h"

#define ID_FIELD "message-id:"
/* Longer Message-IDs are told apart by their beginning. */
#define ID_MAX 1000

struct reading {
	struct content *out;
	struct digest *whole, *body;
	char block[8192]; /* of the normal form, not yet digested */
	size_t len;
	size_t body_at; /* where in block the body begins */
	bool has_body, has_cr;
	uint64_t line_ends; /* held back */
	uint8_t last;
	/* The header field under way, without blanks. */
	char field[sizeof(ID_FIELD) + ID_MAX];
	size_t field_len;
};

static void flush_block(struct reading *r)
{
	digest_add(r->whole, r->block, r->len);
	if (r->has_body)
		digest_add(r->body, r->block + r->body_at, r->len - r->body_at);
	r->len = 0;
	r->body_at = 0;
}

static void put(struct reading *r, char byte)
{
	if (r->len == sizeof(r->block))
		flush_block(r);
	r->block[r->len++] = byte;
}

static void put_all(struct reading *r, const char *bytes, size_t len)
{
	while (len > 0) {
		if (r->len == sizeof(r->block))
			flush_block(r);
		size_t room = sizeof(r->block) - r->len;
		size_t n = len < room ? len : room;
		memcpy(r->block + r->len, bytes, n);
		r->len += n;
		bytes += n;
		len -= n;
	}
}

static void end_field(struct reading *r)
{
	size_t name = strlen(ID_FIELD);
	if (r->out->id == 0 && r->field_len > name &&
	    strncasecmp(r->field, ID_FIELD, name) == 0)
		r->out->id = digest_u64(r->field + name, r->field_len - name);
	r->field_len = 0;
}

/* A byte that is no line end. */
static void take_byte(struct reading *r, char byte)
{
	bool is_first = r->line_ends > 0;
	bool is_blank = byte == ' ' || byte == '\t';
	if (!r->has_body && is_first && (r->line_ends > 1 || !is_blank))
		end_field(r);
	bool begins_body = !r->has_body && r->line_ends > 1;
	for (; r->line_ends > 0; r->line_ends--)
		put(r, '\n');
	if (begins_body) {
		if (r->len == sizeof(r->block))
			flush_block(r);
		r->has_body = true;
		r->body_at = r->len;
	}
	if (!r->has_body && !is_blank && r->field_len < sizeof(r->field))
		r->field[r->field_len++] = byte;
	put(r, byte);
}

/* How many bytes there are before what may be a line end. */
static size_t run_of(const char *bytes, size_t len)
{
	size_t n = 0;
	while (n < len && bytes[n] != '\n' && bytes[n] != '\r')
		n++;
	return n;
}

/* Bytes of which none is a line end; in the body, where most are, at once. */
static void take_run(struct reading *r, const char *bytes, size_t len)
{
	if (r->has_cr)
		take_byte(r, '\r');
	r->has_cr = false;
	while (len > 0 && (!r->has_body || r->line_ends > 0)) {
		take_byte(r, *bytes++);
		len--;
	}
	put_all(r, bytes, len);
}

static void take_line_end(struct reading *r, char byte)
{
	if (byte == '\n') {
		r->out->wire_size += r->has_cr ? 0 : 1;
		r->has_cr = false;
		r->line_ends++;
		return;
	}
	if (r->has_cr)
		take_byte(r, '\r');
	r->has_cr = true;
}

static void take_bytes(struct reading *r, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t run = run_of(bytes + i, len - i);
		if (run > 0)
			take_run(r, bytes + i, run);
		else
			take_line_end(r, bytes[i]);
		i += run > 0 ? run : 1;
	}
	if (len > 0)
		r->last = (uint8_t)bytes[len - 1];
	r->out->size += len;
	r->out->wire_size += len;
}

static int read_all(int fd, struct reading *r)
{
	char bytes[16 * 1024];
	for (off_t at = 0;;) {
		ssize_t n = pread(fd, bytes, sizeof(bytes), at);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		take_bytes(r, bytes, (size_t)n);
		at += n;
	}
}

int content_read(int fd, struct content *out)
{
	struct reading r = { .out = out };
	*out = (struct content){ 0 };
	r.whole = digest_begin();
	r.body = digest_begin();
	int err = read_all(fd, &r);
	if (r.has_cr)
		take_byte(&r, '\r');
	if (!r.has_body)
		end_field(&r);
	if (r.last != '\n')
		out->wire_size += 2;
	flush_block(&r);
	digest_end(r.whole, out->digest);
	digest_end(r.body, out->body_digest);
	return err;
}

int content_open(struct cache *c, const struct cache_message *message)
{
	if (message->is_kept)
		return file_open(c->files, message->id, O_RDONLY);
	if (!message->is_cached)
		return -ENOENT;
	return body_open(c->bodies, message->id, message->size);
}
