/*
 * Any bytes as an mbox file: read alike whole and in small pieces; written
 * out, and read and written again, it stays what it is.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/mbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define SMALL_TEXT 7 /* bytes at a time */

struct copy {
	struct mbox_reader r;
	struct mbox_writer w;
	/* Text is kept until its marks are known, which stand before it. */
	struct strbuf text, out;
	int64_t received_at;
};

static void write_message(struct copy *c, struct mbox_marks marks, size_t step)
{
	mbox_writer_begin(&c->w, c->received_at, marks, &c->out);
	for (size_t at = 0; at < c->text.len; at += step) {
		size_t left = c->text.len - at;
		mbox_writer_text(&c->w, c->text.bytes + at,
		                 left < step ? left : step, &c->out);
	}
	mbox_writer_end(&c->w, &c->out);
	strbuf_clear(&c->text);
}

/* Read and write again; false: it is no mbox. */
static bool copy(const char *bytes, size_t len, size_t step, struct strbuf *out)
{
	struct copy c = { 0 };
	mbox_reader_init(&c.r);
	size_t at = 0;
	enum mbox_event event;
	do {
		struct mbox_piece piece;
		event = mbox_reader_next(&c.r, &piece);
		if (event == MBOX_BEGIN)
			c.received_at = piece.received_at;
		if (event == MBOX_TEXT)
			strbuf_add(&c.text, piece.bytes, piece.len);
		if (event == MBOX_END)
			write_message(&c, piece.marks, step);
		if (event != MBOX_MORE)
			continue;
		if (at == len)
			mbox_reader_finish(&c.r);
		if (step > len - at)
			step = len - at > 0 ? len - at : 1;
		mbox_reader_feed(&c.r, bytes + at, at < len ? step : 0);
		at += at < len ? step : 0;
	} while (event != MBOX_DONE && event != MBOX_WRONG);
	mbox_writer_finish(&c.w, &c.out);
	*out = c.out;
	strbuf_release(&c.text);
	mbox_reader_release(&c.r);
	return event == MBOX_DONE;
}

static void check_same(const struct strbuf *a, const struct strbuf *b)
{
	if (a->len != b->len ||
	    memcmp(strbuf_text(a), strbuf_text(b), a->len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct strbuf whole = { 0 }, pieces = { 0 }, again = { 0 };
	const char *text = (const char *)bytes;
	bool is_mbox = copy(text, size, SIZE_MAX / 2, &whole);
	if (copy(text, size, SMALL_TEXT, &pieces) != is_mbox)
		abort();
	check_same(&whole, &pieces);
	if (is_mbox) {
		if (!copy(strbuf_text(&whole), whole.len, SMALL_TEXT, &again))
			abort();
		check_same(&whole, &again);
	}
	strbuf_release(&whole);
	strbuf_release(&pieces);
	strbuf_release(&again);
	return 0;
}
