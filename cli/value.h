/*
 * The values that options take.  Pure.  Each function returns NULL and fills
 * its outputs, or says what is wrong, in static text: "what; hint".
 */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* yes, no, true, false, on, off, 1, 0 */
const char *value_bool(const char *text, bool *is_out);

/* "90", "90s", "5m", "1h"; both bounds in seconds and allowed. */
const char *value_duration(const char *text, int min_s, int max_s, int *ms_out);

/* Bytes: "500M"; K, M, G, T are powers of 1024; min is 0 or a megabyte. */
const char *value_size(const char *text, uint64_t min, uint64_t *bytes_out);

const char *value_count(const char *text, unsigned min, unsigned max,
                        unsigned *count_out);

/*
 * Make an absolute path: "~/x" and "$HOME/x" are below home.  *path_out is to
 * be freed.
 */
const char *value_path(const char *text, const char *home, char **path_out);

struct value_url {
	bool is_imap;  /* else POP3 */
	bool has_tls;  /* imaps, pop3s */
	char *host;    /* IPv6 addresses without brackets */
	char *user;    /* decoded; NULL: none */
	unsigned port; /* 0: none given */
};

/* SCHEME://[USER@]HOST[:PORT][/] */
const char *value_url(const char *text, struct value_url *url_out);
void value_url_release(struct value_url *url);

/* The next of several words set apart by blanks or commas; "a b" is one. */
char *value_word(const char **text);

/* 1–64 letters, digits, '.', '_', '-'; the first no '.' and no '-'. */
bool value_is_account_name(const char *text);

/* How many letters to add, drop, change or swap to make b of a. */
size_t value_distance(const char *a, const char *b);

#endif
