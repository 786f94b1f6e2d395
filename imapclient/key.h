/*
 * Keys of messages: "UIDVALIDITY.UID".  Pure.
 */
#ifndef IMAPCLIENT_KEY_H
#define IMAPCLIENT_KEY_H

#include <stddef.h>
#include <stdint.h>

/* The UID, or 0 when the key is none, or of another UIDVALIDITY. */
uint32_t imap_key_uid(const char *key, uint32_t uid_validity);

void imap_key_print(uint32_t uid_validity, uint32_t uid, char *out,
                    size_t size);

#endif
