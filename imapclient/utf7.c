#include "imapclient/utf7.h"

#include <stdint.h>
#include <string.h>

/* RFC 3501 5.1.3; no NUL behind it. */
static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789+,";

static void add_utf8(struct strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		strbuf_putc(out, (char)c);
	} else if (c < 0x800) {
		strbuf_putc(out, (char)(0xc0 | c >> 6));
		strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		strbuf_putc(out, (char)(0xe0 | c >> 12));
		strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		strbuf_putc(out, (char)(0xf0 | c >> 18));
		strbuf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		strbuf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* The next character; false if the bytes are no UTF-8 (RFC 3629 3). */
static bool next_utf8(const char **p, const char *end, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t) * (*p)++;
	unsigned more = first < 0x80   ? 0
	                : first < 0xc0 ? 4
	                : first < 0xe0 ? 1
	                : first < 0xf0 ? 2
	                : first < 0xf8 ? 3
	                               : 4;
	if (more > 3 || (size_t)(end - *p) < more)
		return false;
	uint32_t c = more == 0 ? first : first & (0x3fU >> more);
	for (unsigned i = 0; i < more; i++) {
		uint8_t next = (uint8_t) * (*p)++;
		if ((next & 0xc0) != 0x80)
			return false;
		c = c << 6 | (next & 0x3f);
	}
	*out = c;
	return c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static bool is_low_surrogate(uint32_t unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

/* What is between & and -: UTF-16 in base64.  Says nothing of its form. */
static bool decode_shifted(const char *p, const char *end, struct strbuf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned bit_count = 0;
	for (; p < end; p++) {
		const char *at = memchr(alphabet, *p, sizeof(alphabet));
		if (at == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		bit_count += 6;
		if (bit_count < 16)
			continue;
		bit_count -= 16;
		uint32_t unit = bits >> bit_count & 0xffff;
		if (high != 0) {
			if (!is_low_surrogate(unit))
				return false;
			add_utf8(out, 0x10000 + ((high - 0xd800) << 10) +
			                      (unit - 0xdc00));
			high = 0;
		} else if (unit >= 0xd800 && unit < 0xdc00) {
			high = unit;
		} else if (is_low_surrogate(unit) || is_control(unit)) {
			return false;
		} else {
			add_utf8(out, unit);
		}
	}
	return high == 0;
}

bool imap_utf7_decode(const char *bytes, size_t len, struct strbuf *out)
{
	const char *end = bytes + len;
	size_t start = out->len;
	for (const char *p = bytes; p < end; p++) {
		if ((uint8_t)*p >= 0x80 || is_control((uint8_t)*p))
			return false;
		if (*p != '&') {
			strbuf_putc(out, *p);
			continue;
		}
		const char *close = memchr(p, '-', (size_t)(end - p));
		if (close == NULL)
			return false;
		if (close == p + 1)
			strbuf_putc(out, '&');
		else if (!decode_shifted(p + 1, close, out))
			return false;
		p = close;
	}
	/* Only the one canonical form can be given back. */
	auto_strbuf struct strbuf again = { 0 };
	return imap_utf7_encode(strbuf_text(out) + start, out->len - start,
	                        &again) &&
	       again.len == len && memcmp(strbuf_text(&again), bytes, len) == 0;
}

/* Base64 in the making; bits are those not yet written. */
struct shift {
	bool is_on;
	uint32_t bits;
	unsigned bit_count;
};

static void shift_add(struct shift *s, uint32_t unit, struct strbuf *out)
{
	if (!s->is_on)
		strbuf_putc(out, '&');
	s->is_on = true;
	s->bits = s->bits << 16 | unit;
	s->bit_count += 16;
	while (s->bit_count >= 6) {
		s->bit_count -= 6;
		strbuf_putc(out, alphabet[s->bits >> s->bit_count & 0x3f]);
	}
}

static void shift_end(struct shift *s, struct strbuf *out)
{
	if (!s->is_on)
		return;
	if (s->bit_count > 0)
		strbuf_putc(out,
		            alphabet[s->bits << (6 - s->bit_count) & 0x3f]);
	strbuf_putc(out, '-');
	*s = (struct shift){ 0 };
}

bool imap_utf7_encode(const char *text, size_t len, struct strbuf *out)
{
	struct shift shift = { 0 };
	const char *end = text + len;
	for (const char *p = text; p < end;) {
		uint32_t c;
		if (!next_utf8(&p, end, &c))
			return false;
		if (c >= 0x20 && c < 0x7f) {
			shift_end(&shift, out);
			strbuf_putc(out, (char)c);
			if (c == '&')
				strbuf_putc(out, '-');
		} else if (c < 0x10000) {
			shift_add(&shift, c, out);
		} else {
			c -= 0x10000;
			shift_add(&shift, 0xd800 + (c >> 10), out);
			shift_add(&shift, 0xdc00 + (c & 0x3ff), out);
		}
	}
	shift_end(&shift, out);
	return true;
}
