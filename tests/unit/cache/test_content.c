#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/content.h"
#include "cache/recent.h"
#include "util/cleanup.h"

static struct content content_of(const char *bytes, size_t len)
{
	struct content out;
	auto_fd int fd = memfd_create("message", MFD_CLOEXEC);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(content_read(fd, &out), 0);
	return out;
}

static struct content of(const char *text)
{
	return content_of(text, strlen(text));
}

static void wire_size_counts_line_ends_as_they_are_sent(void **state)
{
	static const struct {
		const char *text;
		uint64_t wire;
	} rows[] = {
		{ "", 2 },         { "a", 3 },      { "a\n", 3 },
		{ "a\r\n", 3 },    { "a\n\nb", 8 }, { "a\rb\n", 5 },
		{ "a\r\r\nb", 7 }, { "\n", 2 },
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(of(rows[i].text).wire_size, rows[i].wire);
}

static bool is_same(const char *a, const char *b)
{
	struct content x = of(a), y = of(b);
	return memcmp(x.digest, y.digest, DIGEST_SIZE) == 0;
}

static void line_ends_do_not_tell_messages_apart(void **state)
{
	assert_true(is_same("a: b\n\nc\n", "a: b\r\n\r\nc\r\n"));
	assert_true(is_same("a: b\n\nc\n", "a: b\n\nc"));
	assert_true(is_same("a: b\n\nc\n\n\n", "a: b\n\nc\r\n"));
	assert_false(is_same("a: b\n\nc\n", "a: b\n\nc\rd\n"));
	assert_false(is_same("a\n\nb", "a\nb"));
	assert_false(is_same("a\r", "a"));
	assert_true(is_same("", "\n\n"));
}

static void a_body_is_what_follows_the_headers(void **state)
{
	struct content a = of("A: 1\nMessage-ID: <x>\n\nbody\n\nmore\n");
	struct content b =
		of("message-id:\n <x>\r\nB: 2\r\n\r\nbody\n\nmore\n");
	struct content c = of("A: 1\nMessage-ID: <x>\n\nbody\nmore\n");
	assert_memory_equal(a.body_digest, b.body_digest, DIGEST_SIZE);
	assert_int_equal(a.id, b.id);
	assert_true(a.id != 0);
	assert_memory_not_equal(a.body_digest, c.body_digest, DIGEST_SIZE);
}

static void message_ids_are_of_headers_only(void **state)
{
	assert_int_equal(of("A: 1\n\nMessage-ID: <x>\n").id, 0);
	assert_int_equal(of("X-Message-ID: <x>\n\na\n").id, 0);
	assert_true(of("Message-ID: <x>\n").id != 0);
	assert_true(of("Message-ID: <x>\n\n").id !=
	            of("Message-ID: <y>\n\n").id);
	/* The first counts. */
	assert_int_equal(of("Message-ID: <x>\nMessage-ID: <y>\n\n").id,
	                 of("Message-ID: <x>\n\n").id);
}

/* Blocks of every length against their one-byte neighbours. */
static void long_messages_are_read_as_short_ones(void **state)
{
	size_t size = 100000;
	auto_free char *lf = malloc(size), *crlf = malloc(2 * size);
	size_t n = 0;
	for (size_t i = 0; i < size; i++) {
		lf[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 7);
		if (lf[i] == '\n')
			crlf[n++] = '\r';
		crlf[n++] = lf[i];
	}
	struct content a = content_of(lf, size), b = content_of(crlf, n);
	assert_memory_equal(a.digest, b.digest, DIGEST_SIZE);
	assert_int_equal(a.wire_size, b.wire_size);
	assert_int_equal(b.size, n);
}

/* The normal form, made as one would by hand; its length. */
static size_t normal_of(const char *bytes, size_t len, char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != '\r' || i + 1 == len || bytes[i + 1] != '\n')
			out[n++] = bytes[i];
	while (n > 0 && out[n - 1] == '\n')
		n--;
	return n;
}

/* Of few different bytes, so that all meet all, also where blocks end. */
static void whatever_is_in_it_counts_once(void **state)
{
	enum { SIZE = 40000 };
	static const char alphabet[] = "aaaaaaaaaaaaab \r\n\n\0";
	static char bytes[SIZE], normal[SIZE];
	uint8_t digest[DIGEST_SIZE];
	unsigned random = 1;
	for (unsigned round = 0; round < 200; round++) {
		size_t size = SIZE - round * 97, at = 0;
		unsigned letters = 2 + round % (sizeof(alphabet) - 2);
		for (; at < size; at++) {
			random = random * 1103515245 + 12345;
			size_t which =
				sizeof(alphabet) - 2 - (random >> 16) % letters;
			bytes[at] = alphabet[which];
		}
		struct content found = content_of(bytes, size);
		size_t len = normal_of(bytes, size, normal);
		digest_sha256(normal, len, digest);
		assert_memory_equal(found.digest, digest, DIGEST_SIZE);
	}
}

static void arrivals_are_known_for_ten_minutes_elsewhere(void **state)
{
	struct recent r = { .next_arrival = 0 };
	struct content c = of("Message-ID: <x>\n\nbody\n");
	struct content d = of("Message-ID: <x>\n\nother\n");
	int64_t now = 1000000;
	assert_false(recent_has_any(&r, now));
	recent_arrived(&r, now, 3, c.id, c.body_digest);
	assert_true(recent_has_any(&r, now));
	assert_true(recent_has(&r, now, 4, c.id, c.body_digest));
	assert_false(recent_has(&r, now, 3, c.id, c.body_digest));
	assert_false(recent_has(&r, now, 4, d.id, d.body_digest));
	assert_false(recent_has(&r, now, 4, 0, c.body_digest));
	assert_true(recent_has(&r, now + 599999, 4, c.id, c.body_digest));
	assert_false(recent_has(&r, now + 600000, 4, c.id, c.body_digest));
	assert_false(recent_has_any(&r, now + 600000));
	recent_left(&r, 3, d.id, d.body_digest);
	assert_true(recent_has(&r, now, 4, c.id, c.body_digest));
	recent_left(&r, 3, c.id, c.body_digest);
	assert_false(recent_has(&r, now, 4, c.id, c.body_digest));
}

static void removals_are_counted_for_a_minute(void **state)
{
	struct recent r = { .next_removal = 0 };
	int64_t now = 1000000;
	recent_removed(&r, now, 3, 10);
	recent_removed(&r, now + 30000, 3, 5);
	recent_removed(&r, now + 30000, 4, 7);
	assert_int_equal(recent_removals(&r, now + 59999, 3), 15);
	assert_int_equal(recent_removals(&r, now + 60000, 3), 5);
	assert_int_equal(recent_removals(&r, now + 60000, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_size_counts_line_ends_as_they_are_sent),
		cmocka_unit_test(line_ends_do_not_tell_messages_apart),
		cmocka_unit_test(a_body_is_what_follows_the_headers),
		cmocka_unit_test(message_ids_are_of_headers_only),
		cmocka_unit_test(long_messages_are_read_as_short_ones),
		cmocka_unit_test(whatever_is_in_it_counts_once),
		cmocka_unit_test(arrivals_are_known_for_ten_minutes_elsewhere),
		cmocka_unit_test(removals_are_counted_for_a_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
