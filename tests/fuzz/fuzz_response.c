/* Any bytes: the parser stays in bounds, and so does all it hands out. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/date.h"
#include "imapclient/flags.h"
#include "imapclient/response.h"
#include "imapclient/seqset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void assert_inside(struct imap_text text, const char *line, size_t len)
{
	if (text.bytes == NULL)
		return;
	assert(text.bytes >= line && text.len <= len);
	assert(text.bytes + text.len <= line + len);
}

static void use_fetch(const struct imap_fetch *f, const char *line, size_t len)
{
	auto_strbuf struct strbuf keywords = { 0 };
	assert_inside(f->flags, line, len);
	assert_inside(f->date, line, len);
	assert_inside(f->object_id, line, len);
	assert_inside(f->body, line, len);
	(void)imap_flags_parse(f->flags, &keywords);
	assert(imap_date_parse(f->date) >= 0);
}

static void use(const struct imap_response *r, const char *line, size_t len)
{
	uint32_t first, last;
	switch (r->kind) {
	case IMAP_TAGGED:
	case IMAP_CONDITION:
		assert_inside(r->code_name, line, len);
		assert_inside(r->code_text, line, len);
		assert_inside(r->text, line, len);
		break;
	case IMAP_LIST:
		assert_inside(r->list.name, line, len);
		break;
	case IMAP_STATUS:
		assert_inside(r->status.name, line, len);
		break;
	case IMAP_FETCH:
		use_fetch(&r->fetch, line, len);
		break;
	case IMAP_NAMESPACE:
		for (size_t i = 0; i < r->namespace_count; i++)
			assert_inside(r->namespaces[i].prefix, line, len);
		break;
	case IMAP_VANISHED:
	case IMAP_ESEARCH:
		assert_inside(r->text, line, len);
		for (struct imap_text set = r->text;
		     imap_seqset_next(&set, &first, &last);)
			assert(first > 0 && first <= last);
		break;
	case IMAP_CAPABILITY:
	case IMAP_ENABLED:
	case IMAP_ID:
	case IMAP_SEARCH:
	case IMAP_FLAGS:
	case IMAP_CONTINUATION:
		assert_inside(r->text, line, len);
		break;
	case IMAP_EXISTS:
	case IMAP_RECENT:
	case IMAP_EXPUNGE:
	case IMAP_OTHER:
		break;
	}
}

static void try(const char *line, size_t len, size_t streamed)
{
	struct imap_response r;
	/* What was not set by the parser must not be relied upon. */
	memset(&r, 0x5a, sizeof(r));
	if (imap_response_parse(line, len, streamed, &r) == 0)
		use(&r, line, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *line = (const char *)bytes;
	uint64_t literal;
	try(line, size, IMAP_NOT_STREAMED);
	const char *brace = memchr(line, '}', size);
	if (brace != NULL)
		try(line, size, (size_t)(brace + 3 - line));
	size_t at = imap_literal_find(line, size, &literal);
	if (at != SIZE_MAX)
		(void)imap_literal_is_body(line, at);
	return 0;
}
