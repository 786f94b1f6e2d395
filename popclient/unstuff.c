#include "popclient/unstuff.h"

#include <string.h>

/* The next state for a byte within a line; what is certain goes to *out. */
static enum unstuff_state take_text(struct unstuff *u, char c, char **out)
{
	if (c == '\r')
		return UNSTUFF_CR;
	*(*out)++ = c;
	u->wire_size++;
	u->is_dot = c == '.';
	return UNSTUFF_TEXT;
}

static enum unstuff_state take_held_cr(struct unstuff *u, char c, char **out)
{
	*(*out)++ = '\r';
	u->wire_size++;
	u->is_dot = false;
	return take_text(u, c, out);
}

static enum unstuff_state take_byte(struct unstuff *u, char c, char **out)
{
	switch (u->state) {
	case UNSTUFF_LINE:
		if (c == '.')
			return UNSTUFF_DOT;
		u->is_dot = false;
		return take_text(u, c, out);
	case UNSTUFF_DOT:
		u->is_dot = false;
		return c == '\r' ? UNSTUFF_DOT_CR : take_text(u, c, out);
	case UNSTUFF_DOT_CR:
		return c == '\n' ? UNSTUFF_END : take_held_cr(u, c, out);
	case UNSTUFF_TEXT:
		return take_text(u, c, out);
	case UNSTUFF_CR:
		if (c != '\n')
			return take_held_cr(u, c, out);
		*(*out)++ = '\n';
		u->wire_size += 2;
		return UNSTUFF_LINE;
	case UNSTUFF_END:
		break;
	}
	return UNSTUFF_END;
}

/* The most of a message by far: the rest of a line, up to its CR. */
static size_t take_span(struct unstuff *u, const char *bytes, size_t len,
                        char **out)
{
	const char *cr = memchr(bytes, '\r', len);
	size_t span = cr == NULL ? len : (size_t)(cr - bytes);
	if (span == 0)
		return 0;
	memcpy(*out, bytes, span);
	*out += span;
	u->wire_size += span;
	u->is_dot = bytes[span - 1] == '.';
	return span;
}

size_t unstuff_take(struct unstuff *u, const char *bytes, size_t len, char *out,
                    size_t *len_out)
{
	char *to = out;
	size_t taken = 0;
	while (taken < len && u->state != UNSTUFF_END) {
		if (u->state == UNSTUFF_TEXT)
			taken += take_span(u, bytes + taken, len - taken, &to);
		if (taken < len)
			u->state = take_byte(u, bytes[taken++], &to);
	}
	*len_out = (size_t)(to - out);
	return taken;
}
