/*
 * What a POP3 server says (RFC 1939 3, RFC 2449 3).  Pure.
 *
 * Results borrow the line.
 */
#ifndef POPCLIENT_RESPONSE_H
#define POPCLIENT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 2449 8.1, RFC 3206 */
enum pop_code {
	POP_CODE_NONE,
	POP_CODE_OTHER,
	POP_CODE_AUTH,
	POP_CODE_IN_USE,
	POP_CODE_LOGIN_DELAY,
	POP_CODE_SYS_PERM,
	POP_CODE_SYS_TEMP,
};

struct pop_answer {
	bool is_ok;
	enum pop_code code; /* only of a refusal */
	const char *text;   /* the server's words, without the code */
	size_t len;
};

/* Returns 0, or -EPROTO: neither +OK nor -ERR. */
int pop_answer_parse(const char *line, size_t len, struct pop_answer *out);

/* A line of LIST or UIDL: a message's number, and what follows. */
struct pop_entry {
	uint32_t number; /* at least 1 */
	const char *text;
	size_t len;
};

/* False: the line is none. */
bool pop_entry_parse(const char *line, size_t len, struct pop_entry *out);

/* The size in an entry of LIST; false: there is none. */
bool pop_size_parse(const char *text, size_t len, uint64_t *size_out);

enum pop_capability {
	POP_CAP_PIPELINING = 1 << 0,
	POP_CAP_TOP = 1 << 1,
	POP_CAP_UIDL = 1 << 2,
};

/* What a line of CAPA offers, 0 if nothing of ours. */
unsigned pop_capability_parse(const char *line, size_t len);

#endif
