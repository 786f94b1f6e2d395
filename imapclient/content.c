#include "imapclient/content.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)32 * 1024)

/* Append with each bare LF as CRLF; last is the byte before. */
static void add_lines(const char *bytes, size_t len, char last,
                      struct strbuf *out)
{
	const char *end = bytes + len;
	while (bytes < end) {
		const char *lf = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = lf == NULL ? end : lf;
		strbuf_add(out, bytes, (size_t)(stop - bytes));
		if (stop > bytes)
			last = stop[-1];
		if (lf == NULL)
			return;
		strbuf_puts(out, last == '\r' ? "\n" : "\r\n");
		last = '\n';
		bytes = lf + 1;
	}
}

int imap_content_next(struct imap_content *c, struct strbuf *out)
{
	char bytes[PIECE_SIZE];
	uint64_t left = c->size - c->at;
	if (c->is_ended)
		return 0;
	if (left == 0) {
		c->is_ended = true;
		if (c->last == '\n')
			return 0;
		strbuf_puts(out, "\r\n");
		return 1;
	}
	ssize_t n;
	do
		n = pread(c->fd, bytes, left < PIECE_SIZE ? left : PIECE_SIZE,
		          (off_t)c->at);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return -EIO;
	add_lines(bytes, (size_t)n, c->last, out);
	c->last = bytes[n - 1];
	c->at += (uint64_t)n;
	return 1;
}

int imap_content_measure(int fd, uint64_t size, uint64_t *wire_size_out)
{
	auto_strbuf struct strbuf piece = { 0 };
	struct imap_content c = { .fd = fd, .size = size };
	uint64_t wire_size = 0;
	int n;
	while ((n = imap_content_next(&c, &piece)) > 0) {
		if (memchr(piece.bytes, '\0', piece.len) != NULL)
			return -EILSEQ;
		wire_size += piece.len;
		strbuf_clear(&piece);
	}
	if (n == 0)
		*wire_size_out = wire_size;
	return n;
}
