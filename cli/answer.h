/*
 * What a daemon answers on its control socket: a JSON object.
 */
#ifndef CLI_ANSWER_H
#define CLI_ANSWER_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/config.h"

/*
 * Ask the daemon of an account.  Always an object, for json_decref(): if there
 * is none that answers, "account", "mounted": false, and in "failure" why
 * ("": there is no daemon).
 */
json_t *answer_get(const struct config_account *account, const char *request);

/* Of an object: 0 and "" if it has no such member. */
int64_t answer_number(const json_t *json, const char *key);
const char *answer_text(const json_t *json, const char *key);
bool answer_is(const json_t *json, const char *key);

/* "work: is not mounted", with its failure, to standard error. */
void answer_complain(const json_t *json);

/* Server text goes to a terminal: no control bytes. */
void answer_print(FILE *out, const char *text);

/* What a daemon answers that was to do something: to how many, or -errno. */
char *answer_count_to_json(const char *account, int64_t count);

/* A JSON string of any bytes: server words and paths may be no UTF-8. */
json_t *answer_string(const char *text);

#endif
