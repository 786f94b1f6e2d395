/*
 * For whom a message was, as a field of its head tells: the addresses, and the
 * folders that are named after them.  Pure.
 */
#ifndef CACHE_RECIPIENT_H
#define CACHE_RECIPIENT_H

#include <stdbool.h>
#include <stddef.h>

/* Addresses of one message that count. */
#define RECIPIENTS_MAX 64
/* RFC 5321 4.5.3.1.3, without the angle brackets. */
#define RECIPIENT_MAX 254

/*
 * The source that is no field: the "for" of the topmost Received that has one.
 */
#define RECIPIENT_RECEIVED_FOR "received-for"

struct recipients {
	char *list[RECIPIENTS_MAX]; /* no two alike */
	size_t count;
};

/*
 * Read the addresses in a head: those of all fields called source, or of
 * RECIPIENT_RECEIVED_FOR.  Domains are in lower case; what is no address is
 * left out.  A field that is nothing but one word names a user of the server's.
 */
void recipients_read(const char *head, size_t len, const char *source,
                     struct recipients *out);
void recipients_release(struct recipients *r);

/* The field that must be known for a source. */
const char *recipient_field(const char *source);

/* Is it of one of these domains?  None given: of any. */
bool recipient_is_of(const char *address, char *const *domains, size_t count);

/* The level that a folder for it has; see mail/remote.h.  To be freed. */
char *recipient_level(const char *address);

#endif
