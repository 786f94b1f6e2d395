/*
 * A stream compressed by one end and read by another, whatever comes between.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "net/deflate.h"
#include "util/cleanup.h"
#include "util/mem.h"

/* Gives bytes in pieces, then the error. */
struct stream {
	struct strbuf bytes;
	size_t at, piece; /* 0: as many as asked for */
	int err;
};

static ssize_t stream_read(void *arg, void *bytes, size_t size,
                           int64_t deadline)
{
	struct stream *s = arg;
	size_t n = s->bytes.len - s->at;
	if (n > size)
		n = size;
	if (s->piece > 0 && n > s->piece)
		n = s->piece;
	if (n == 0)
		return s->err;
	memcpy(bytes, s->bytes.bytes + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static void stream_release(struct stream *s)
{
	strbuf_release(&s->bytes);
}

#define auto_stream __attribute__((cleanup(stream_release)))

/* All that can be had, size bytes a call; returns the error that ends it. */
static int read_all(struct deflate *d, struct stream *s, size_t size,
                    struct strbuf *out)
{
	auto_free char *bytes = xmalloc(size);
	for (;;) {
		ssize_t n = deflate_read(d, stream_read, s, bytes, size, 0);
		if (n < 0)
			return (int)n;
		assert_in_range(n, 1, size);
		strbuf_add(out, bytes, (size_t)n);
	}
}

/* Some that compress well, and some that do not. */
static void make_mail(size_t len, struct strbuf *out)
{
	uint32_t state = 1;
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		strbuf_putc(out, i % 1000 < 500 ? (char)('a' + i % 10)
		                                : (char)(state >> 24));
	}
}

/* Written in three parts: each can be read before the next is sent. */
static void compress(const struct strbuf *text, struct strbuf *out)
{
	struct deflate *d = deflate_new("", 0);
	size_t third = text->len / 3;
	deflate_write(d, text->bytes, third, out);
	deflate_write(d, text->bytes + third, third, out);
	deflate_write(d, text->bytes + 2 * third, text->len - 2 * third, out);
	deflate_free(d);
}

static void what_is_written_is_read(void **state)
{
	static const size_t pieces[] = { 0, 1, 2, 3, 7, 4096 };
	static const size_t sizes[] = { 1, 2, 100, 65536 };
	auto_strbuf struct strbuf text = { 0 };
	auto_stream struct stream s = { .err = -ETIMEDOUT };
	make_mail(50000, &text);
	compress(&text, &s.bytes);
	assert_true(s.bytes.len < text.len * 2 / 3);
	for (size_t i = 0; i < COUNT_OF(pieces) * COUNT_OF(sizes); i++) {
		auto_strbuf struct strbuf out = { 0 };
		/* The first bytes came before. */
		size_t first = i % 2 == 0 ? 0 : 11;
		struct deflate *d = deflate_new(s.bytes.bytes, first);
		s.at = first;
		s.piece = pieces[i / COUNT_OF(sizes)];
		assert_int_equal(read_all(d, &s, sizes[i % COUNT_OF(sizes)],
		                          &out),
		                 -ETIMEDOUT);
		assert_int_equal(out.len, text.len);
		assert_memory_equal(out.bytes, text.bytes, text.len);
		assert_int_equal(deflate_buffered(d), 0);
		deflate_free(d);
	}
}

static void what_is_cut_is_true_as_far_as_it_goes(void **state)
{
	auto_strbuf struct strbuf text = { 0 };
	auto_stream struct stream s = { .err = -EHOSTUNREACH };
	make_mail(3000, &text);
	compress(&text, &s.bytes);
	size_t last = 0;
	for (size_t len = s.bytes.len; len > 0; len--) {
		auto_strbuf struct strbuf out = { 0 };
		struct deflate *d = deflate_new("", 0);
		s.bytes.len = len;
		s.at = 0;
		assert_int_equal(read_all(d, &s, 512, &out), -EHOSTUNREACH);
		assert_true(out.len <= text.len);
		assert_true(last == 0 || out.len <= last);
		last = out.len;
		assert_memory_equal(strbuf_text(&out), text.bytes, out.len);
		deflate_free(d);
	}
}

static void a_wait_that_ends_early_loses_nothing(void **state)
{
	auto_strbuf struct strbuf text = { 0 }, out = { 0 };
	auto_stream struct stream s = { .err = -ETIMEDOUT };
	make_mail(300, &text);
	compress(&text, &s.bytes);
	struct deflate *d = deflate_new("", 0);
	size_t all = s.bytes.len;
	for (s.bytes.len = 1; s.bytes.len <= all; s.bytes.len++)
		assert_int_equal(read_all(d, &s, 64, &out), -ETIMEDOUT);
	assert_int_equal(out.len, text.len);
	assert_memory_equal(out.bytes, text.bytes, text.len);
	deflate_free(d);
}

static void nonsense_is_an_error(void **state)
{
	static const char *const texts[] = { "\x07", "* OK [CLOSED] bye\r\n" };
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		auto_strbuf struct strbuf out = { 0 };
		auto_stream struct stream s = { .err = -EHOSTUNREACH };
		struct deflate *d = deflate_new("", 0);
		strbuf_puts(&s.bytes, texts[i]);
		assert_int_equal(read_all(d, &s, 64, &out), -EPROTO);
		deflate_free(d);
	}
}

static void a_changed_byte_harms_only_what_is_read(void **state)
{
	auto_strbuf struct strbuf text = { 0 };
	auto_stream struct stream s = { .err = -EHOSTUNREACH };
	make_mail(2000, &text);
	compress(&text, &s.bytes);
	/* Each of them is logged. */
	for (size_t i = 0; i < s.bytes.len; i += 37) {
		auto_strbuf struct strbuf out = { 0 };
		struct deflate *d = deflate_new("", 0);
		s.bytes.bytes[i] ^= 0x55;
		s.at = 0;
		int err = read_all(d, &s, 512, &out);
		assert_true(err == -EPROTO || err == -EHOSTUNREACH);
		s.bytes.bytes[i] ^= 0x55;
		deflate_free(d);
	}
}

static void a_stream_that_ends_is_a_connection_that_was_lost(void **state)
{
	auto_strbuf struct strbuf out = { 0 };
	/* The last block, empty (RFC 1951 3.2.3); and one more byte. */
	auto_stream struct stream s = { .err = -ETIMEDOUT };
	struct deflate *d = deflate_new("", 0);
	strbuf_add(&s.bytes, "\x03\0x", 3);
	assert_int_equal(read_all(d, &s, 64, &out), -EHOSTUNREACH);
	assert_int_equal(out.len, 0);
	deflate_free(d);
}

/* After so much that is no bomb, how much of one is read? */
static size_t read_bomb(size_t before)
{
	auto_strbuf struct strbuf text = { 0 }, out = { 0 };
	auto_stream struct stream s = { .err = -ETIMEDOUT };
	struct deflate *writer = deflate_new("", 0);
	struct deflate *d = deflate_new("", 0);
	make_mail(before, &text);
	deflate_write(writer, text.bytes, text.len, &s.bytes);
	size_t harmless = s.bytes.len;
	auto_free char *zero = xmalloc(64 << 20);
	deflate_write(writer, zero, 64 << 20, &s.bytes);
	size_t bomb = s.bytes.len - harmless;
	assert_in_range((64 << 20) / bomb, 900, 1100);
	assert_int_equal(read_all(d, &s, 65536, &out), -EPROTO);
	deflate_free(writer);
	deflate_free(d);
	return out.len - before;
}

static void a_bomb_is_not_let_off(void **state)
{
	size_t most = (64 << 20) / 900 * DEFLATE_RATIO + DEFLATE_SLACK;
	assert_in_range(read_bomb(0), DEFLATE_SLACK / 2, most);
	/* What came before is no excuse. */
	assert_in_range(read_bomb(8 << 20), DEFLATE_SLACK / 2, most);
}

static void short_stretches_may_be_as_they_like(void **state)
{
	auto_strbuf struct strbuf text = { 0 }, out = { 0 };
	auto_stream struct stream s = { .err = -ETIMEDOUT };
	auto_free char *zero = xmalloc(DEFLATE_SLACK);
	struct deflate *writer = deflate_new("", 0);
	struct deflate *d = deflate_new("", 0);
	make_mail(100000, &text);
	for (int i = 0; i < 5; i++) {
		deflate_write(writer, zero, DEFLATE_SLACK, &s.bytes);
		deflate_write(writer, text.bytes, text.len, &s.bytes);
	}
	assert_int_equal(read_all(d, &s, 65536, &out), -ETIMEDOUT);
	assert_int_equal(out.len, 5 * (DEFLATE_SLACK + text.len));
	deflate_free(writer);
	deflate_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_cut_is_true_as_far_as_it_goes),
		cmocka_unit_test(a_wait_that_ends_early_loses_nothing),
		cmocka_unit_test(nonsense_is_an_error),
		cmocka_unit_test(a_changed_byte_harms_only_what_is_read),
		cmocka_unit_test(
			a_stream_that_ends_is_a_connection_that_was_lost),
		cmocka_unit_test(a_bomb_is_not_let_off),
		cmocka_unit_test(short_stretches_may_be_as_they_like),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
