/*
 * Does to a struct remote what a line of text says, and writes down what came
 * of it: the same words for transcripts and for real servers.
 *
 *	flags FOLDER KEY CHANGES KEY CHANGES ...
 *	append FOLDER FLAGS DATE CONTENT FLAGS DATE CONTENT ...
 *	copy FOLDER TARGET KEY ...
 *	move FOLDER TARGET KEY ...
 *	remove FOLDER KEY ...
 *	mark FOLDER
 *	since FOLDER MARK
 *	pull FOLDER
 *	create FOLDER, delete FOLDER, subscribe FOLDER, unsubscribe FOLDER
 *	rename FOLDER FOLDER
 *
 * Words are separated by one blank; ~ in a word is a blank.  CHANGES is a list
 * by commas: "+SF,-T,+work" with the letters of mail.h, or a keyword.  FLAGS is
 * the same without signs; "-" for none.  DATE is in seconds, CONTENT a text
 * with \n, \r and \0, or @ and a file's name.
 *
 * The answer has a line for each wish, in order: its key, or "-"; its fate; its
 * error; its new key; why in parentheses.  One for each message of since and
 * pull: key, flags, keywords, date, claimed size.  The last is the error of the
 * call.  What there is not is left out.
 */
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include "mail/remote.h"
#include "util/strbuf.h"

/* The line is torn to pieces.  Aborts when it makes no sense. */
void driver_do(struct remote *r, char *line, struct strbuf *out);

#endif
