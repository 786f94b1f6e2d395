/*
 * INBOX by recipients: each message gets one more name in a mailbox of ours
 * for every address it was for, below SPLIT_ROOT.  Of the rest nothing is
 * changed: what is for nobody is in INBOX as before.
 *
 * What came is looked at when a pull ended; what was there before, newest
 * first, when there is nothing else to do.
 */
#ifndef CACHE_SPLIT_H
#define CACHE_SPLIT_H

#include "cache/core.h"

#define SPLIT_ROOT "Recipients"

/* More mailboxes than this are not made: senders choose the addresses. */
#define SPLIT_FOLDERS_MAX 10000

/* Look at some; *more_out: there are others.  For the first session alone. */
int split_some(struct session *s, bool *more_out);

#endif
