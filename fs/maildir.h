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
 * An entry's name.  If a program gave it one, that: in new and cur with the
 * flags it has now, unless the name has no room for them.  Else
 * RECEIVED_AT.IDENTITY.ACCOUNT, the identity as 16 hexadecimal digits, and in
 * cur ":2," with the flags' letters in order.  Keywords are shown in cur, and
 * in new when other flags are.
 */
void maildir_message_name(const struct cache_entry *entry, const char *account,
                          char name_out[MAILDIR_NAME_MAX + 1]);

/* A name that a program gives, taken apart. */
struct maildir_parts {
	char base[MAILDIR_NAME_MAX + 1];
	char info[MAILDIR_NAME_MAX + 1];
	unsigned flags; /* that info shows */
};

/*
 * In new and cur the info begins at the last ":2,", if something stands before
 * it; elsewhere the base is all of the name.  -ENAMETOOLONG.
 */
int maildir_name_split(const char *name, enum cache_place place,
                       struct maildir_parts *parts_out);

/*
 * The info that shows flags, keywords' as a to z, and whatever else the old one
 * had: letters that stood for none of shown.  -ENAMETOOLONG.
 */
int maildir_info_change(const char *old, unsigned shown, unsigned flags,
                        char info_out[MAILDIR_NAME_MAX + 1]);

/*
 * Flags as letters, in order, keywords' last; and back, but no keywords: 0, or
 * -EINVAL: another letter.
 */
#define MAILDIR_LETTERS_MAX 32
void maildir_letters(unsigned flags, char letters_out[MAILDIR_LETTERS_MAX + 1]);
int maildir_letters_parse(const char *letters, unsigned *flags_out);

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

/*
 * Whether a program may make a folder with this level: it is valid UTF-8 and
 * has no control bytes, and a '%' only where mail/remote.h writes one in text.
 * Others could not be given back as they were made.
 */
bool maildir_level_is_valid(const char *level);

#endif
