#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "net/reader.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/mem.h"

/* Gives bytes in pieces, and the clock a push with each. */
struct stream {
	const char *bytes;
	size_t len, at;
	size_t piece;    /* bytes a call; 0: as many as asked for */
	int64_t tick_ms; /* how long each call takes */
};

static ssize_t stream_read(void *arg, void *bytes, size_t size,
                           int64_t deadline)
{
	struct stream *s = arg;
	clock_advance_ms(s->tick_ms);
	if (deadline_left(deadline) == 0)
		return -ETIMEDOUT;
	size_t n = s->len - s->at;
	if (n > size)
		n = size;
	if (s->piece > 0 && n > s->piece)
		n = s->piece;
	if (n == 0)
		return -EHOSTUNREACH;
	memcpy(bytes, s->bytes + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static const size_t pieces[] = { 0, 1, 2, 3, 7 };

static const struct {
	const char *bytes;
	size_t len;
	size_t limit;
	const char *lines[4]; /* then an error */
	int err;
} line_rows[] = {
#define BYTES(s) s, sizeof(s) - 1
	{ BYTES("one\r\ntwo\r\n"), 10, { "one", "two" }, -EHOSTUNREACH },
	{ BYTES("bare\nlf\n"), 10, { "bare", "lf" }, -EHOSTUNREACH },
	{ BYTES("\r\n\n\r\n"), 10, { "", "", "" }, -EHOSTUNREACH },
	{ BYTES("a\rb\r\r\n"), 10, { "a\rb\r" }, -EHOSTUNREACH },
	{ BYTES("1234\r\n"), 5, { "1234" }, -EHOSTUNREACH },
	{ BYTES("12345\r\n"), 5, { "12345" }, -EHOSTUNREACH },
	{ BYTES("12345\n"), 5, { "12345" }, -EHOSTUNREACH },
	{ BYTES("123456\r\n"), 5, { NULL }, -EPROTO },
	{ BYTES("123456\n"), 5, { NULL }, -EPROTO },
	{ BYTES("1234567"), 5, { NULL }, -EPROTO },
	{ BYTES("123456"), 5, { NULL }, -EHOSTUNREACH },
	{ BYTES("unfinished"), 10, { NULL }, -EHOSTUNREACH },
	{ BYTES(""), 10, { NULL }, -EHOSTUNREACH },
};

static void lines_end_at_crlf_or_lf_and_at_their_limit(void **state)
{
	for (size_t i = 0; i < COUNT_OF(line_rows) * COUNT_OF(pieces); i++) {
		size_t row = i / COUNT_OF(pieces);
		struct stream s = { .bytes = line_rows[row].bytes,
			            .len = line_rows[row].len,
			            .piece = pieces[i % COUNT_OF(pieces)] };
		struct reader r;
		const char *line;
		size_t len;
		reader_init(&r, stream_read, &s);
		for (size_t k = 0; line_rows[row].lines[k] != NULL; k++) {
			const char *want = line_rows[row].lines[k];
			assert_int_equal(reader_line(&r, line_rows[row].limit,
			                             DEADLINE_NEVER, &line,
			                             &len),
			                 0);
			assert_int_equal(len, strlen(want));
			assert_memory_equal(line, want, len);
		}
		assert_int_equal(reader_line(&r, line_rows[row].limit,
		                             DEADLINE_NEVER, &line, &len),
		                 line_rows[row].err);
		reader_release(&r);
	}
}

static void a_nul_is_part_of_a_line(void **state)
{
	struct stream s = { BYTES("a\0b\r\n") };
	struct reader r;
	const char *line;
	size_t len;
	reader_init(&r, stream_read, &s);
	assert_int_equal(reader_line(&r, 9, DEADLINE_NEVER, &line, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(line, "a\0b", 3);
	assert_int_equal(r.received, 5);
	reader_release(&r);
}

/* Lines of every length around the buffer's, each behind a short one. */
static void lines_cross_the_end_of_the_buffer(void **state)
{
	size_t size = 64 * 1024;
	for (size_t len = size - 8; len < size + 8; len++) {
		struct strbuf sb = { 0 };
		strbuf_puts(&sb, "short\r\n");
		for (size_t i = 0; i < len; i++)
			strbuf_putc(&sb, (char)('a' + i % 26));
		strbuf_puts(&sb, "\r\nend\r\n");
		struct stream s = { .bytes = sb.bytes, .len = sb.len };
		struct reader r;
		const char *line;
		size_t got;
		reader_init(&r, stream_read, &s);
		assert_int_equal(reader_line(&r, len, DEADLINE_NEVER, &line,
		                             &got),
		                 0);
		assert_int_equal(reader_line(&r, len, DEADLINE_NEVER, &line,
		                             &got),
		                 0);
		assert_int_equal(got, len);
		assert_memory_equal(line, sb.bytes + 7, len);
		assert_int_equal(reader_line(&r, len, DEADLINE_NEVER, &line,
		                             &got),
		                 0);
		assert_int_equal(got, 3);
		assert_true(r.capacity <= size + len);
		reader_release(&r);
		strbuf_release(&sb);
	}
}

static void counted_bytes_are_exact(void **state)
{
	struct strbuf sb = { 0 };
	for (size_t i = 0; i < COUNT_OF(pieces); i++) {
		struct stream s = { .bytes = "01234567x",
			            .len = 9,
			            .piece = pieces[i] };
		struct reader r;
		reader_init(&r, stream_read, &s);
		strbuf_clear(&sb);
		assert_int_equal(reader_add(&r, 3, DEADLINE_NEVER, &sb), 0);
		assert_int_equal(reader_add(&r, 0, DEADLINE_NEVER, &sb), 0);
		assert_int_equal(reader_add(&r, 5, DEADLINE_NEVER, &sb), 0);
		assert_string_equal(strbuf_text(&sb), "01234567");
		assert_int_equal(reader_add(&r, 2, DEADLINE_NEVER, &sb),
		                 -EHOSTUNREACH);
		reader_release(&r);
	}
	strbuf_release(&sb);
}

static const struct {
	const char *in;
	size_t len; /* what is copied; the rest stays */
	const char *out;
} copy_rows[] = {
	{ "a\r\nb\r\n", 6, "a\nb\n" },
	{ "a\rb\r\r\nc\n\r", 9, "a\rb\r\nc\n\r" },
	{ "\r\r\r\n", 4, "\r\r\n" },
	{ "a\r\n", 2, "a\r" }, /* the LF is not ours */
	{ "\r\n\r\n\r\n", 6, "\n\n\n" },
	{ "\r", 1, "\r" },
	{ "plain", 5, "plain" },
	{ "", 0, "" },
};

static void only_real_crlf_becomes_lf(void **state)
{
	for (size_t i = 0; i < COUNT_OF(copy_rows) * COUNT_OF(pieces); i++) {
		size_t row = i / COUNT_OF(pieces);
		struct stream s = { .bytes = copy_rows[row].in,
			            .len = strlen(copy_rows[row].in),
			            .piece = pieces[i % COUNT_OF(pieces)] };
		auto_fd int fd = memfd_create("copy", MFD_CLOEXEC);
		struct reader r;
		uint64_t written;
		char out[32] = "";
		reader_init(&r, stream_read, &s);
		assert_int_equal(reader_copy(&r, copy_rows[row].len, 1000, fd,
		                             &written),
		                 0);
		assert_int_equal(written, strlen(copy_rows[row].out));
		assert_int_equal(pread(fd, out, sizeof(out), 0), written);
		assert_string_equal(out, copy_rows[row].out);
		assert_int_equal(r.received - reader_buffered(&r),
		                 copy_rows[row].len);
		reader_release(&r);
	}
}

/* A CR as the last byte of the buffer, its LF as the first of the next. */
static void a_crlf_may_cross_the_buffer(void **state)
{
	size_t half = 64 * 1024 - 1;
	auto_free char *bytes = xmalloc(2 * half + 2);
	memset(bytes, 'x', 2 * half + 2);
	memcpy(bytes + half, "\r\n", 2);
	struct stream s = { .bytes = bytes, .len = 2 * half + 2 };
	auto_fd int fd = memfd_create("copy", MFD_CLOEXEC);
	struct reader r;
	uint64_t written;
	char around[3];
	reader_init(&r, stream_read, &s);
	assert_int_equal(reader_copy(&r, s.len, 1000, fd, &written), 0);
	assert_int_equal(written, s.len - 1);
	assert_int_equal(pread(fd, around, 3, (off_t)half - 1), 3);
	assert_memory_equal(around, "x\nx", 3);
	assert_int_equal(r.capacity, 64 * 1024);
	reader_release(&r);
}

static void bytes_nobody_wants_are_counted_too(void **state)
{
	struct stream s = { BYTES("a\r\nb\r\nnext\r\n") };
	struct reader r;
	uint64_t written;
	const char *line;
	size_t len;
	reader_init(&r, stream_read, &s);
	assert_int_equal(reader_copy(&r, 6, 1000, -1, &written), 0);
	assert_int_equal(written, 4);
	assert_int_equal(reader_line(&r, 9, DEADLINE_NEVER, &line, &len), 0);
	assert_memory_equal(line, "next", len);
	reader_release(&r);
}

static void a_full_disk_is_told(void **state)
{
	struct stream s = { BYTES("bytes") };
	auto_fd int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct reader r;
	uint64_t written;
	reader_init(&r, stream_read, &s);
	assert_int_equal(reader_copy(&r, 5, 1000, fd, &written), -ENOSPC);
	reader_release(&r);
}

static void a_drip_feed_ends_and_a_slow_line_does_not(void **state)
{
	size_t len = 4 * READER_PROGRESS;
	auto_free char *bytes = xmalloc(len);
	struct reader r;
	uint64_t written;

	/* A byte each 10 ms: progress, but not enough in 1000 ms. */
	struct stream drip = {
		.bytes = bytes, .len = len, .piece = 1, .tick_ms = 10
	};
	reader_init(&r, stream_read, &drip);
	assert_int_equal(reader_copy(&r, len, 1000, -1, &written), -ETIMEDOUT);
	assert_in_range(drip.at, 95, 101);
	reader_release(&r);

	/* READER_PROGRESS in 800 ms, 3200 ms in all. */
	struct stream slow = { .bytes = bytes,
		               .len = len,
		               .piece = READER_PROGRESS / 8,
		               .tick_ms = 100 };
	reader_init(&r, stream_read, &slow);
	assert_int_equal(reader_copy(&r, len, 1000, -1, &written), 0);
	reader_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_at_crlf_or_lf_and_at_their_limit),
		cmocka_unit_test(a_nul_is_part_of_a_line),
		cmocka_unit_test(lines_cross_the_end_of_the_buffer),
		cmocka_unit_test(counted_bytes_are_exact),
		cmocka_unit_test(only_real_crlf_becomes_lf),
		cmocka_unit_test(a_crlf_may_cross_the_buffer),
		cmocka_unit_test(bytes_nobody_wants_are_counted_too),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(a_drip_feed_ends_and_a_slow_line_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
