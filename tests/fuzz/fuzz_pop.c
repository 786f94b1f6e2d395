/*
 * Any bytes from a POP3 server: parsers stay in bounds, and a message is the
 * same in whatever portions it comes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "popclient/head.h"
#include "popclient/response.h"
#include "popclient/unstuff.h"
#include "util/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void assert_inside(const char *text, size_t text_len, const char *line,
                          size_t len)
{
	assert(text >= line && text_len <= len);
	assert(text + text_len <= line + len);
}

static void use_line(const char *line, size_t len)
{
	struct pop_answer answer;
	struct pop_entry entry;
	uint64_t number;
	if (pop_answer_parse(line, len, &answer) == 0)
		assert_inside(answer.text, answer.len, line, len);
	if (pop_entry_parse(line, len, &entry)) {
		assert(entry.number > 0);
		assert_inside(entry.text, entry.len, line, len);
		if (pop_size_parse(entry.text, entry.len, &number))
			assert(number <= INT64_MAX);
	}
	(void)pop_capability_parse(line, len);
}

/* Returns how many bytes were taken. */
static size_t unstuff(const char *bytes, size_t len, size_t portion,
                      struct unstuff *u, struct strbuf *out)
{
	char *kept = malloc(portion + UNSTUFF_EXTRA);
	size_t taken = 0;
	while (taken < len && u->state != UNSTUFF_END) {
		size_t some = len - taken < portion ? len - taken : portion;
		size_t kept_len;
		taken += unstuff_take(u, bytes + taken, some, kept, &kept_len);
		assert(kept_len <= some + UNSTUFF_EXTRA);
		strbuf_add(out, kept, kept_len);
	}
	free(kept);
	return taken;
}

static void use_message(const char *bytes, size_t len)
{
	auto_strbuf struct strbuf whole = { 0 }, parts = { 0 };
	struct unstuff a = { 0 }, b = { 0 };
	uint8_t digest[DIGEST_SIZE];
	assert(unstuff(bytes, len, len, &a, &whole) ==
	       unstuff(bytes, len, 1, &b, &parts));
	assert(a.state == b.state && a.is_dot == b.is_dot &&
	       a.wire_size == b.wire_size);
	assert(whole.len == parts.len && whole.len <= a.wire_size);
	assert(memcmp(strbuf_text(&whole), strbuf_text(&parts), whole.len) ==
	       0);
	assert(pop_head_date(strbuf_text(&whole), whole.len) >= 0);
	pop_head_digest(strbuf_text(&whole), whole.len, digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	use_line((const char *)bytes, size);
	if (size > 0)
		use_message((const char *)bytes, size);
	return 0;
}
