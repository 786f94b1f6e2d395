/*
 * Mbox files: reading and writing them.  Pure.
 *
 * A message begins with a line "From SENDER DATE".  Inside it, a line of any
 * number of '>' and "From " has one '>' more than the message itself (the
 * dialect called mboxrd).  A line end stands between a message and the next
 * From_ line; most messages end with a line end of their own, so that one sees
 * an empty line.  After the last message it is there only if that ends with a
 * line end or is empty: so each message comes back byte by byte, its last line
 * finished or not.
 *
 * The flags are in the header, as "Status:" (R read, O no longer new) and
 * "X-Status:" (A answered, F flagged, T draft, D deleted, P forwarded).  Lines
 * of these names that hold nothing but such letters belong to the mbox, not to
 * the message.  Content-Length counts for nothing.
 */
#ifndef CLI_MBOX_H
#define CLI_MBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"
#include "util/strbuf.h"

/* Of a line, what is looked at to know what it is. */
#define MBOX_HEAD_MAX 1024

struct mbox_line {
	char head[MBOX_HEAD_MAX];
	size_t len;
	bool is_judged; /* the rest goes where the head went */
};

struct mbox_marks {
	unsigned flags; /* enum mail_flag */
	bool is_old;    /* not for the "new" of a Maildir */
};

enum mbox_event {
	MBOX_MORE,  /* feed */
	MBOX_BEGIN, /* a message; received_at */
	MBOX_TEXT,  /* bytes of it */
	MBOX_END,   /* that was all of it; marks */
	MBOX_WRONG, /* the file does not begin with a From_ line */
	MBOX_DONE,  /* after mbox_reader_finish() */
};

struct mbox_piece {
	int64_t received_at; /* BEGIN: seconds since 1970, UTC */
	const char *bytes;   /* TEXT: borrowed until the next call */
	size_t len;
	struct mbox_marks marks; /* END */
};

/*
 * A message that is in a file with CRLF at the end of its From_ line has LF at
 * the ends of its lines.  "From " that no date follows begins no message.
 */
struct mbox_reader {
	const char *input; /* borrowed from the caller */
	size_t input_len;
	bool is_finished;
	struct mbox_line line;
	int64_t line_number, offset; /* of the line being read; from 1, 0 */
	int64_t next_offset;
	int64_t message_line, message_offset; /* of the last From_ line */
	bool is_in_message, is_wrong;
	bool is_header, is_crlf;
	bool is_blank;     /* nothing of the line was text */
	bool has_line_end; /* held back: perhaps it is no part of the message */
	bool has_cr;       /* held back: perhaps LF follows */
	struct mbox_marks marks;
	int64_t received_at;
	struct strbuf text;
	bool is_text_given;
	bool is_ending, is_beginning; /* told after the text */
};

void mbox_reader_init(struct mbox_reader *r);
void mbox_reader_release(struct mbox_reader *r);

/* After MBOX_MORE.  bytes are borrowed until it is given again. */
void mbox_reader_feed(struct mbox_reader *r, const char *bytes, size_t len);
/* Instead: there is no more. */
void mbox_reader_finish(struct mbox_reader *r);

enum mbox_event mbox_reader_next(struct mbox_reader *r,
                                 struct mbox_piece *piece_out);

struct mbox_writer {
	struct mbox_line line;
	bool is_begun, is_header;
	bool is_line_open; /* the message's last line has no end so far */
};

/*
 * Append a message to out: begin, any number of text, end.  finish after the
 * last.  A message in "new" without flags has no marks: is_old is false.
 */
void mbox_writer_begin(struct mbox_writer *w, int64_t received_at,
                       struct mbox_marks marks, struct strbuf *out);
void mbox_writer_text(struct mbox_writer *w, const char *bytes, size_t len,
                      struct strbuf *out);
void mbox_writer_end(struct mbox_writer *w, struct strbuf *out);
void mbox_writer_finish(struct mbox_writer *w, struct strbuf *out);

/* The date in a From_ line of len bytes, without its line end. */
bool mbox_date_parse(const char *line, size_t len, int64_t *time_out);

#endif
