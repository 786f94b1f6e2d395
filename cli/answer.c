#include "cli/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"

json_t *answer_string(const char *text)
{
	json_t *json = json_string(text);
	if (json != NULL)
		return json;
	auto_strbuf struct strbuf ascii = { 0 };
	for (; *text != '\0'; text++)
		strbuf_putc(&ascii, (*text & 0x80) != 0 ? '?' : *text);
	return json_string(strbuf_text(&ascii));
}

json_t *answer_get(const struct config_account *account, const char *request)
{
	auto_strbuf struct strbuf answer = { 0 };
	int err = control_ask(account->state_dir, request, &answer);
	json_t *json =
		err < 0 ? NULL : json_loads(strbuf_text(&answer), 0, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	bool is_absent = err == -ENOENT || err == -ECONNREFUSED;
	return json_pack("{s:s, s:b, s:s}", "account", account->name, "mounted",
	                 0, "failure",
	                 is_absent ? "" : "its daemon does not answer");
}

int64_t answer_number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

const char *answer_text(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text != NULL ? text : "";
}

bool answer_is(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

void answer_complain(const json_t *json)
{
	const char *failure = answer_text(json, "failure");
	(void)fprintf(stderr, "mailmount: %s: %s\n",
	              answer_text(json, "account"),
	              *failure != '\0' ? failure : "is not mounted");
}

void answer_print(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		(void)fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

char *answer_count_to_json(const char *account, int64_t count)
{
	json_t *json =
		json_pack("{s:s, s:b, s:I}", "account", account, "mounted", 1,
	                  "count", (json_int_t)(count > 0 ? count : 0));
	if (count < 0)
		(void)json_object_set_new(json, "failure",
		                          answer_string(strerror((int)-count)));
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		abort();
	return text;
}
