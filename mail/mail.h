/*
 * Words that every layer shares.  No code.
 */
#ifndef MAIL_MAIL_H
#define MAIL_MAIL_H

/*
 * Flags, as a set of bits.  The letters are those of a Maildir name; the IMAP
 * names are those of RFC 9051 2.3.2.
 */
enum mail_flag {
	MAIL_DRAFT = 1 << 0,     /* D  \Draft */
	MAIL_FLAGGED = 1 << 1,   /* F  \Flagged */
	MAIL_FORWARDED = 1 << 2, /* P  $Forwarded */
	MAIL_ANSWERED = 1 << 3,  /* R  \Answered */
	MAIL_SEEN = 1 << 4,      /* S  \Seen */
	MAIL_DELETED = 1 << 5,   /* T  \Deleted */
};
#define MAIL_FLAGS 0x3fU /* all of them */

/* What a folder is, as a set of bits; RFC 6154 names the uses. */
enum mail_folder_attribute {
	MAIL_FOLDER_NOSELECT = 1 << 0, /* a level of the tree: holds no mail */
	MAIL_FOLDER_SUBSCRIBED = 1 << 1,
	MAIL_FOLDER_ALL = 1 << 2,
	MAIL_FOLDER_ARCHIVE = 1 << 3,
	MAIL_FOLDER_DRAFTS = 1 << 4,
	MAIL_FOLDER_JUNK = 1 << 5,
	MAIL_FOLDER_SENT = 1 << 6,
	MAIL_FOLDER_TRASH = 1 << 7,
};

#endif
