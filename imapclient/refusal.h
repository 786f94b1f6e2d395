/*
 * What a server's NO means for what was to be written.
 */
#ifndef IMAPCLIENT_REFUSAL_H
#define IMAPCLIENT_REFUSAL_H

#include <stddef.h>

#include "imapclient/session.h"
#include "mail/remote.h"

/* Copy the words of a response: one line of printable ASCII, cut to fit. */
void imap_words_copy(struct imap_text words, char out[IMAP_WORDS_SIZE]);

/*
 * A tagged response as an error of remote.h, never of session scope; 0 for OK.
 * The server's words are logged; what names the command in the log.
 */
int imap_refusal(const struct imap_response *tagged, const char *what);

/*
 * Send a command and read up to its end.  Returns 0, imap_refusal(), or an
 * error of session scope.
 */
int imap_refusal_run(struct imap_session *s, const struct imap_command *c,
                     const char *what);

/* The same for a command that is one string. */
int imap_refusal_run_text(struct imap_session *s, const char *text,
                          const char *what);

/* Make it the fate of one wish; words NULL: the server said nothing. */
void imap_wish_refuse(struct remote_wish *wish, int err, const char *words);

/*
 * Make an error that concerns the whole folder the fate of each wish, and
 * return 0; one of session scope is returned, and the wishes stay as they are.
 */
int imap_wishes_refuse(struct remote_wish *wishes, size_t count, int err,
                       const char *words);

#endif
