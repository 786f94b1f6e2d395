/*
 * `mailmount import` and `mailmount export`: between an mbox file and a
 * Maildir.  A file named "-" is standard input or output.  Both say on standard
 * error what was done or what is wrong, and return an exit code.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

/*
 * Deliver each message of an mbox file.  One that has no mark that it is old
 * or read goes to new, unless it has flags.  On an error what was delivered
 * before it stays.
 */
int import_run(const char *file, const char *mailbox);

/*
 * Write all messages of a Maildir to an mbox file, which must not be there; on
 * an error it is not there either.
 */
int export_run(const char *mailbox, const char *file);

#endif
