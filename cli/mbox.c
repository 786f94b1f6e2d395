/*
 * Both directions go by lines, of which they gather only the beginning: no
 * more is needed to tell a From_ line, a quoted one and a header field.  What
 * a line is does not depend on its neighbours but for being in the header.
 *
 * In a message, the reader lags behind by a line end: whether that belongs to
 * the message is known at the next line.
 */
#include "cli/mbox.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "util/cleanup.h"

/* As can be written in a From_ line: the years 1900 to 9999. */
#define TIME_MIN INT64_C(-2208988800)
#define TIME_MAX INT64_C(253402300799)

/* In the order in which they are written. */
static const struct {
	unsigned flag;
	char letter;
} LETTERS[] = {
	{ MAIL_ANSWERED, 'A' }, { MAIL_FLAGGED, 'F' },   { MAIL_DRAFT, 'T' },
	{ MAIL_DELETED, 'D' },  { MAIL_FORWARDED, 'P' },
};
#define LETTER_COUNT (sizeof(LETTERS) / sizeof(LETTERS[0]))

/*
 * Take a line's beginning from the input.  True: there is as much of it as
 * there has to be; *is_whole: all of it, and its LF was taken as well.
 *
 * Of many '>' all but one are let through (their order is no matter), so that
 * what comes after them is seen however many there are.
 */
static bool gather(struct mbox_line *line, const char **bytes, size_t *len,
                   bool *is_whole, struct strbuf *through)
{
	while (*len > 0) {
		size_t room = MBOX_HEAD_MAX - line->len;
		size_t count = *len < room ? *len : room;
		const char *end = memchr(*bytes, '\n', count);
		size_t take = end != NULL ? (size_t)(end - *bytes) : count;
		memcpy(line->head + line->len, *bytes, take);
		line->len += take;
		size_t used = take + (end != NULL ? 1 : 0);
		*bytes += used;
		*len -= used;
		*is_whole = end != NULL;
		if (end != NULL)
			return true;
		if (line->len < MBOX_HEAD_MAX)
			return false;
		size_t marks = 0;
		while (marks < line->len && line->head[marks] == '>')
			marks++;
		if (marks < 2)
			return true;
		strbuf_add(through, line->head, marks - 1);
		line->len -= marks - 1;
		memmove(line->head, line->head + marks - 1, line->len);
	}
	return false;
}

static bool is_from(const char *bytes, size_t len)
{
	return len >= 5 && memcmp(bytes, "From ", 5) == 0;
}

/* How many '>' before "From "; or -1. */
static int quotes(const struct mbox_line *line)
{
	size_t count = 0;
	while (count < line->len && line->head[count] == '>')
		count++;
	return is_from(line->head + count, line->len - count) ? (int)count : -1;
}

/* May a line stand in a header?  Old ones have From_ lines there. */
static bool is_header_line(const struct mbox_line *line)
{
	if (line->len == 0)
		return false;
	if (line->head[0] == ' ' || line->head[0] == '\t' || quotes(line) >= 0)
		return true;
	size_t name = 0;
	while (name < line->len && isgraph((unsigned char)line->head[name]) &&
	       line->head[name] != ':' && line->head[name] != '>')
		name++;
	return name > 0 && name < line->len && line->head[name] == ':';
}

static bool has_name(const struct mbox_line *line, const char *name)
{
	size_t len = strlen(name);
	return line->len >= len && strncasecmp(line->head, name, len) == 0;
}

static bool add_status(char letter, struct mbox_marks *marks)
{
	if (letter == 'R')
		marks->flags |= MAIL_SEEN;
	else if (letter == 'O')
		marks->is_old = true;
	return strchr("ROUN", letter) != NULL; /* unread, new: no marks */
}

static bool add_x_status(char letter, struct mbox_marks *marks)
{
	for (size_t i = 0; i < LETTER_COUNT; i++) {
		if (letter == LETTERS[i].letter) {
			marks->flags |= LETTERS[i].flag;
			return true;
		}
	}
	return false;
}

/* Is it one of our two fields?  Then what it says is added to *marks. */
static bool take_marks(const struct mbox_line *line, struct mbox_marks *marks)
{
	bool is_extra = has_name(line, "X-Status:");
	if (!is_extra && !has_name(line, "Status:"))
		return false;
	struct mbox_marks found = *marks;
	size_t skip = strlen(is_extra ? "X-Status:" : "Status:");
	for (size_t i = skip; i < line->len; i++) {
		char c = line->head[i];
		if (c == ' ' || c == '\t' || c == '\r')
			continue;
		if (c == '\0' || !(is_extra ? add_x_status(c, &found)
		                            : add_status(c, &found)))
			return false;
	}
	*marks = found;
	return true;
}

void mbox_reader_init(struct mbox_reader *r)
{
	*r = (struct mbox_reader){ .line_number = 1 };
}

void mbox_reader_release(struct mbox_reader *r)
{
	strbuf_release(&r->text);
}

void mbox_reader_feed(struct mbox_reader *r, const char *bytes, size_t len)
{
	r->input = bytes;
	r->input_len = len;
}

void mbox_reader_finish(struct mbox_reader *r)
{
	r->is_finished = true;
}

/* The line end before this line is the message's. */
static void let_line_end_go(struct mbox_reader *r)
{
	if (r->has_line_end)
		strbuf_putc(&r->text, '\n');
	r->has_line_end = false;
}

static void add_text(struct mbox_reader *r, const char *bytes, size_t len)
{
	if (len == 0)
		return;
	if (r->has_cr) {
		strbuf_putc(&r->text, '\r');
		r->is_blank = false;
	}
	r->has_cr = r->is_crlf && bytes[len - 1] == '\r';
	if (r->has_cr)
		len--;
	if (len > 0)
		r->is_blank = false;
	strbuf_add(&r->text, bytes, len);
}

static void end_line(struct mbox_reader *r)
{
	r->has_line_end = true;
	r->has_cr = false;
}

static void begin_message(struct mbox_reader *r, int64_t received_at)
{
	r->is_ending = r->is_in_message;
	r->is_beginning = r->is_in_message = true;
	r->received_at = received_at;
	r->message_line = r->line_number;
	r->message_offset = r->offset;
	r->is_crlf = r->line.len > 0 && r->line.head[r->line.len - 1] == '\r';
	r->is_header = true;
	r->has_line_end = false;
}

/* Before the first message only empty lines may stand. */
static void judge_outside(struct mbox_reader *r)
{
	const struct mbox_line *line = &r->line;
	r->is_wrong = line->len > 1 || (line->len == 1 && *line->head != '\r');
}

/* A line, of which there may be more to come unless is_whole. */
static void judge(struct mbox_reader *r, bool is_whole, bool has_end)
{
	struct mbox_line *line = &r->line;
	int64_t received_at;
	if (is_whole && is_from(line->head, line->len) &&
	    mbox_date_parse(line->head, line->len, &received_at)) {
		begin_message(r, received_at);
		return;
	}
	if (!r->is_in_message) {
		judge_outside(r);
		return;
	}
	if (r->is_header && is_whole && take_marks(line, &r->marks))
		return;
	r->is_header = r->is_header && is_header_line(line);
	let_line_end_go(r);
	r->is_blank = true;
	size_t skip = quotes(line) > 0 ? 1 : 0;
	add_text(r, line->head + skip, line->len - skip);
	if (is_whole && has_end)
		end_line(r);
}

/* After a line, or a part of one that reaches to the input's end. */
static void advance(struct mbox_reader *r, const char *before, bool is_whole)
{
	r->next_offset += r->input - before;
	r->line.is_judged = !is_whole;
	if (!is_whole)
		return;
	r->line.len = 0;
	if (r->is_wrong)
		return;
	r->line_number++;
	r->offset = r->next_offset;
}

static void pass_rest(struct mbox_reader *r)
{
	const char *before = r->input;
	const char *end = memchr(r->input, '\n', r->input_len);
	size_t len = end != NULL ? (size_t)(end - r->input) : r->input_len;
	add_text(r, r->input, len);
	if (end != NULL)
		end_line(r);
	size_t used = len + (end != NULL ? 1 : 0);
	r->input += used;
	r->input_len -= used;
	advance(r, before, end != NULL);
}

static void read_line(struct mbox_reader *r)
{
	if (r->line.is_judged) {
		pass_rest(r);
		return;
	}
	const char *before = r->input;
	bool is_whole = false;
	auto_strbuf struct strbuf through = { 0 };
	bool is_ready =
		gather(&r->line, &r->input, &r->input_len, &is_whole, &through);
	if (through.len > 0 && r->is_in_message) {
		let_line_end_go(r);
		strbuf_add(&r->text, through.bytes, through.len);
	}
	if (!is_ready) {
		r->next_offset += r->input - before;
		return;
	}
	judge(r, is_whole, true);
	advance(r, before, is_whole);
}

/* The input is over: what is held back has its turn. */
static void end_input(struct mbox_reader *r)
{
	if (r->line.len > 0 && !r->line.is_judged)
		judge(r, true, false);
	r->line = (struct mbox_line){ 0 };
	if (r->is_wrong || r->is_beginning || !r->is_in_message)
		return;
	if (r->has_line_end && !r->is_blank)
		strbuf_putc(&r->text, '\n');
	if (r->has_cr)
		strbuf_putc(&r->text, '\r');
	r->has_line_end = r->has_cr = false;
	r->is_ending = true;
	r->is_in_message = false;
}

enum mbox_event mbox_reader_next(struct mbox_reader *r,
                                 struct mbox_piece *piece_out)
{
	*piece_out = (struct mbox_piece){ 0 };
	if (r->is_text_given)
		strbuf_clear(&r->text);
	r->is_text_given = false;
	while (!r->is_ending && !r->is_beginning && !r->is_wrong &&
	       r->input_len > 0)
		read_line(r);
	if (!r->is_ending && !r->is_beginning && !r->is_wrong && r->is_finished)
		end_input(r);
	if (r->text.len > 0) {
		piece_out->bytes = r->text.bytes;
		piece_out->len = r->text.len;
		r->is_text_given = true;
		return MBOX_TEXT;
	}
	if (r->is_ending) {
		r->is_ending = false;
		piece_out->marks = r->marks;
		r->marks = (struct mbox_marks){ 0 };
		return MBOX_END;
	}
	if (r->is_beginning) {
		r->is_beginning = false;
		piece_out->received_at = r->received_at;
		return MBOX_BEGIN;
	}
	if (r->is_wrong)
		return MBOX_WRONG;
	return r->is_finished ? MBOX_DONE : MBOX_MORE;
}

static void put_date(int64_t time, struct strbuf *out)
{
	if (time < TIME_MIN)
		time = TIME_MIN;
	if (time > TIME_MAX)
		time = TIME_MAX;
	time_t seconds = (time_t)time;
	struct tm tm;
	(void)gmtime_r(&seconds, &tm);
	strbuf_printf(out, "%.3s %.3s %2d %02d:%02d:%02d %04d",
	              &"SunMonTueWedThuFriSat"[3 * tm.tm_wday],
	              &"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * tm.tm_mon],
	              tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	              tm.tm_year + 1900);
}

static void put_marks(struct mbox_marks marks, struct strbuf *out)
{
	bool is_seen = (marks.flags & MAIL_SEEN) != 0;
	if (is_seen || marks.is_old)
		strbuf_printf(out, "Status: %s%s\n", is_seen ? "R" : "",
		              marks.is_old ? "O" : "");
	if ((marks.flags & ~(unsigned)MAIL_SEEN) == 0)
		return;
	strbuf_puts(out, "X-Status: ");
	for (size_t i = 0; i < LETTER_COUNT; i++)
		if (marks.flags & LETTERS[i].flag)
			strbuf_putc(out, LETTERS[i].letter);
	strbuf_putc(out, '\n');
}

void mbox_writer_begin(struct mbox_writer *w, int64_t received_at,
                       struct mbox_marks marks, struct strbuf *out)
{
	if (w->is_begun)
		strbuf_putc(out, '\n');
	*w = (struct mbox_writer){ .is_begun = true, .is_header = true };
	strbuf_puts(out, "From MAILER-DAEMON ");
	put_date(received_at, out);
	strbuf_putc(out, '\n');
	/* First, so that it need not be known where the header ends. */
	put_marks(marks, out);
}

static void write_line(struct mbox_writer *w, bool is_whole, bool has_end,
                       struct strbuf *out)
{
	struct mbox_line *line = &w->line;
	struct mbox_marks stale = { 0 };
	line->is_judged = !is_whole;
	if (w->is_header && is_whole && take_marks(line, &stale)) {
		line->len = 0;
		return;
	}
	w->is_header = w->is_header && is_header_line(line);
	if (quotes(line) >= 0)
		strbuf_putc(out, '>');
	strbuf_add(out, line->head, line->len);
	w->is_line_open = !has_end;
	if (has_end)
		strbuf_putc(out, '\n');
	line->len = 0;
}

void mbox_writer_text(struct mbox_writer *w, const char *bytes, size_t len,
                      struct strbuf *out)
{
	while (len > 0) {
		if (w->line.is_judged) {
			const char *end = memchr(bytes, '\n', len);
			size_t used =
				end != NULL ? (size_t)(end - bytes) + 1 : len;
			strbuf_add(out, bytes, used);
			bytes += used;
			len -= used;
			w->line.is_judged = w->is_line_open = end == NULL;
			continue;
		}
		bool is_whole = false;
		if (gather(&w->line, &bytes, &len, &is_whole, out))
			write_line(w, is_whole, is_whole, out);
	}
}

void mbox_writer_end(struct mbox_writer *w, struct strbuf *out)
{
	if (w->line.len > 0)
		write_line(w, true, false, out);
	w->line = (struct mbox_line){ 0 };
}

void mbox_writer_finish(struct mbox_writer *w, struct strbuf *out)
{
	if (w->is_begun && !w->is_line_open)
		strbuf_putc(out, '\n');
}
