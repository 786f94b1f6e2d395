/*
 * One server response (RFC 9051 7), bytes to struct.  Pure.
 *
 * The input is a logical line: the text with its literals in place, each
 * behind its {n}CRLF.  One literal may be missing, because its bytes went
 * elsewhere while they arrived: a message's body.  Everything in the result
 * borrows the input.
 *
 * Liberal: blanks too many, text missing, numbers out of range, items and
 * codes nobody knows.  Strict where a wrong guess would lose mail.
 */
#ifndef IMAPCLIENT_RESPONSE_H
#define IMAPCLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/strbuf.h"

#define IMAP_NESTING_MAX    32
#define IMAP_NAMESPACES_MAX 16 /* further ones are left out */

/* Bytes of the input; bytes NULL for NIL or not there. */
struct imap_text {
	const char *bytes;
	size_t len;
	bool is_escaped; /* a quoted string with \ in it: see imap_text_add */
};

enum imap_kind {
	IMAP_TAGGED,       /* tag, condition, code, text */
	IMAP_CONDITION,    /* the same, untagged */
	IMAP_CONTINUATION, /* text */
	IMAP_CAPABILITY,   /* text: atoms */
	IMAP_ENABLED,      /* text: atoms */
	IMAP_ID,           /* text: the list, as sent */
	IMAP_LIST,         /* list; LSUB too */
	IMAP_STATUS,       /* status */
	IMAP_FLAGS,        /* text: atoms */
	IMAP_EXISTS,       /* number */
	IMAP_RECENT,       /* number */
	IMAP_EXPUNGE,      /* number */
	IMAP_VANISHED,     /* text: sequence set; is_earlier */
	IMAP_FETCH,        /* number, fetch */
	IMAP_SEARCH,       /* text: numbers separated by blanks */
	IMAP_ESEARCH,      /* text: sequence set, NULL when empty; tag */
	IMAP_NAMESPACE,    /* namespaces */
	IMAP_OTHER,        /* something else: to be ignored */
};

enum imap_condition { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_BYE, IMAP_PREAUTH };

enum imap_code {
	IMAP_CODE_NONE,
	IMAP_CODE_OTHER, /* not in this list: code_name tells */
	IMAP_CODE_ALERT,
	IMAP_CODE_APPENDUID,     /* RFC 4315; code_text */
	IMAP_CODE_CAPABILITY,    /* code_text: atoms */
	IMAP_CODE_CLOSED,        /* RFC 7162 */
	IMAP_CODE_COPYUID,       /* RFC 4315; code_text */
	IMAP_CODE_EXPUNGEISSUED, /* RFC 5530, as those below */
	IMAP_CODE_HIGHESTMODSEQ, /* code_number */
	IMAP_CODE_LIMIT,
	IMAP_CODE_NOMODSEQ,
	IMAP_CODE_NONEXISTENT,
	IMAP_CODE_NOPERM,
	IMAP_CODE_OVERQUOTA,
	IMAP_CODE_PERMANENTFLAGS, /* code_text */
	IMAP_CODE_READ_ONLY,
	IMAP_CODE_READ_WRITE,
	IMAP_CODE_THROTTLED, /* Gmail */
	IMAP_CODE_TRYCREATE,
	IMAP_CODE_UIDNEXT,     /* code_number */
	IMAP_CODE_UIDVALIDITY, /* code_number */
	IMAP_CODE_UNAVAILABLE,
};

/* LIST attributes, as a set of bits; the rest is mail_folder_attribute. */
enum imap_list_attribute {
	IMAP_LIST_NOINFERIORS = 1 << 16,
	IMAP_LIST_NONEXISTENT = 1 << 17,
};

struct imap_list {
	unsigned attributes; /* enum mail_folder_attribute, and the above */
	char delimiter;      /* '\0' for NIL */
	struct imap_text name;
};

enum imap_status_item {
	IMAP_STATUS_MESSAGES,
	IMAP_STATUS_UIDNEXT,
	IMAP_STATUS_UIDVALIDITY,
	IMAP_STATUS_HIGHESTMODSEQ,
	IMAP_STATUS_ITEMS,
};

struct imap_status {
	struct imap_text name;
	unsigned has;        /* 1 << enum imap_status_item */
	struct imap_text id; /* MAILBOXID (RFC 8474 4.3); empty: none */
	uint64_t items[IMAP_STATUS_ITEMS];
};

enum imap_fetch_item {
	IMAP_FETCH_UID = 1 << 0, /* only if 1 to 2^32-1 */
	IMAP_FETCH_FLAGS = 1 << 1,
	IMAP_FETCH_INTERNALDATE = 1 << 2,
	IMAP_FETCH_SIZE = 1 << 3,
	IMAP_FETCH_MODSEQ = 1 << 4,
	IMAP_FETCH_OBJECT_ID = 1 << 5, /* EMAILID or X-GM-MSGID */
	IMAP_FETCH_BODY = 1 << 6,      /* body or head, or the literal */
};

struct imap_fetch {
	unsigned has; /* enum imap_fetch_item */
	uint32_t uid;
	struct imap_text flags; /* what is between the parentheses */
	struct imap_text date;  /* without quotes: imap_date_parse() */
	uint64_t size;
	uint64_t modseq;
	struct imap_text object_id;
	struct imap_text body; /* NULL for NIL and for the missing literal */
	bool is_streamed;      /* the body is the missing literal */
};

struct imap_namespace {
	struct imap_text prefix;
	char delimiter; /* '\0' for NIL */
	bool is_personal;
};

struct imap_response {
	enum imap_kind kind;
	struct imap_text tag;
	enum imap_condition condition;
	enum imap_code code;
	struct imap_text code_name, code_text;
	uint64_t code_number;
	struct imap_text text; /* for people, or see imap_kind */
	uint64_t number;
	bool is_earlier;
	struct imap_list list;
	struct imap_status status;
	struct imap_fetch fetch;
	struct imap_namespace namespaces[IMAP_NAMESPACES_MAX];
	size_t namespace_count;
};

/* For streamed: every literal is in place. */
#define IMAP_NOT_STREAMED SIZE_MAX

/*
 * Parse a line.  streamed is the offset of the first byte behind the CRLF of
 * the literal that is missing.  Returns 0, or -EPROTO for a line that makes no
 * sense: then nothing of *out may be used.
 */
int imap_response_parse(const char *line, size_t len, size_t streamed,
                        struct imap_response *out);

/*
 * Does the line end in a literal's {n}, {n+} or ~{n}?  Returns the offset of
 * its brace and fills *size_out (saturated), or SIZE_MAX.
 */
size_t imap_literal_find(const char *line, size_t len, uint64_t *size_out);

/*
 * Is text the beginning of a FETCH up to the literal of its BODY[], or of its
 * BODY[HEADER.FIELDS (…)]?
 */
bool imap_literal_is_body(const char *text, size_t len);

/* The next atom of a list separated by blanks; false at its end. */
bool imap_atom_next(struct imap_text *list, struct imap_text *atom_out);

/* Compare without regard to case; word is upper case. */
bool imap_text_is(struct imap_text text, const char *word);

/* Append the text's value: escapes undone. */
void imap_text_add(struct imap_text text, struct strbuf *sb);

#endif
