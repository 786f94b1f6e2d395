/*
 * Names of the mount to what they stand for, and back.  Pure.
 *
 * Both directions agree: a name is only ever read as what it would be made
 * from, so nothing is reachable by two names.
 */
#ifndef FS_MAILDIR_H
#define FS_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/cache.h"

#define MAILDIR_NAME_MAX    255 /* bytes of a file name, without its NUL */
#define MAILDIR_ACCOUNT_MAX 128 /* of an account's name */

/*
 * A message's name: RECEIVED_AT.IDENTITY.ACCOUNT, the identity as 16
 * hexadecimal digits, and in cur ":2," with the flags' letters in order.
 */
void maildir_message_name(const struct cache_entry *entry, const char *account,
                          char name_out[MAILDIR_NAME_MAX + 1]);

/*
 * The identity in a message's name.  False if it is no such name; true says
 * nothing about the rest of it: look the identity up and compare the names.
 */
bool maildir_identity_parse(const char *name, uint64_t *identity_out);

/*
 * A folder's name, from its level in the nested layout.  Levels are as
 * mail/remote.h says; on top of that, what cannot stand here is escaped: ".",
 * ".." and the three directories of a Maildir.
 *
 * A name too long for a file is cut, and ends in "%~" and 16 digits of its
 * digest.
 */
void maildir_level_encode(const char *level,
                          char name_out[MAILDIR_NAME_MAX + 1]);

/*
 * A folder's name in the Maildir++ layout, from its levels separated by '/':
 * ".A.B".  A dot inside a level is escaped.  Cut as above.
 */
void maildir_path_encode(const char *path, char name_out[MAILDIR_NAME_MAX + 1]);

/*
 * Back.  Returns 1 and the text, which is never longer than the name; 0: the
 * name was cut, compare it with those of all folders; -ENOENT: no folder has
 * such a name.
 */
int maildir_level_decode(const char *name,
                         char level_out[MAILDIR_NAME_MAX + 1]);
int maildir_path_decode(const char *name, char path_out[MAILDIR_NAME_MAX + 1]);

#endif
