#include "cli/status.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/control.h"
#include "util/cleanup.h"

/* Server words and paths may be no UTF-8, which JSON must be. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	if (json != NULL)
		return json;
	auto_strbuf struct strbuf ascii = { 0 };
	for (; *text != '\0'; text++)
		strbuf_putc(&ascii, (*text & 0x80) != 0 ? '?' : *text);
	return json_string(strbuf_text(&ascii));
}

char *status_to_json(const char *account, const char *mountpoint, pid_t pid,
                     const struct cache_status *status)
{
	json_t *json = json_pack(
		"{s:s, s:b, s:o, s:I, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I}",
		"account", account, "mounted", 1, "mountpoint",
		text_json(mountpoint), "pid", (json_int_t)pid, "online",
		(int)status->is_online, "failure", text_json(status->failure),
		"folders", (json_int_t)status->folders, "folders_listed",
		(json_int_t)status->folders_listed, "messages",
		(json_int_t)status->messages, "cached_bytes",
		(json_int_t)status->cached_bytes, "cache_size",
		(json_int_t)status->size_limit, "waiting",
		(json_int_t)status->bodies_waiting);
	if (status->listing[0] != '\0')
		(void)json_object_set_new(
			json, "listing",
			json_pack("{s:o, s:I, s:I}", "folder",
		                  text_json(status->listing), "done",
		                  (json_int_t)status->listing_done, "total",
		                  (json_int_t)status->listing_total));
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		abort();
	return text;
}

/* What the account's daemon says; if there is none, that. */
static json_t *ask(const struct config_account *account)
{
	auto_strbuf struct strbuf answer = { 0 };
	int err = control_ask(account->state_dir, "status", &answer);
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

static int64_t number_of(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text != NULL ? text : "";
}

static void print_size(int64_t bytes, char *text, size_t size)
{
	static const char units[] = "BKMGT";
	double number = (double)bytes;
	size_t unit = 0;
	while (number >= 1024 && units[unit + 1] != '\0') {
		number /= 1024;
		unit++;
	}
	(void)snprintf(text, size,
	               unit > 0 && number < 10 ? "%.1f%c" : "%.0f%c", number,
	               units[unit]);
}

/* Server text goes to a terminal: no control bytes. */
static void print_safe(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		(void)fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

static void show_mounted(FILE *out, const json_t *json)
{
	char cached[16], limit[16], folders[48];
	print_size(number_of(json, "cached_bytes"), cached, sizeof(cached));
	print_size(number_of(json, "cache_size"), limit, sizeof(limit));
	(void)snprintf(folders, sizeof(folders), "%" PRId64 "/%" PRId64,
	               number_of(json, "folders_listed"),
	               number_of(json, "folders"));
	bool is_online = json_is_true(json_object_get(json, "online"));
	(void)fprintf(out, "%-16s %-11s %9s %10" PRId64 " %7s/%-6s ",
	              text_of(json, "account"),
	              is_online ? "online" : "offline", folders,
	              number_of(json, "messages"), cached, limit);
	print_safe(out, text_of(json, "mountpoint"));
	(void)fputc('\n', out);
	if (!is_online && *text_of(json, "failure") != '\0') {
		(void)fputs("    ", out);
		print_safe(out, text_of(json, "failure"));
		(void)fputc('\n', out);
	}
	const json_t *listing = json_object_get(json, "listing");
	if (listing != NULL) {
		(void)fputs("    listing ", out);
		print_safe(out, text_of(listing, "folder"));
		(void)fprintf(out, ": %" PRId64 " of %" PRId64 "\n",
		              number_of(listing, "done"),
		              number_of(listing, "total"));
	}
	if (number_of(json, "waiting") > 0)
		(void)fprintf(out,
		              "    %" PRId64 " opens wait for the server\n",
		              number_of(json, "waiting"));
}

static void show_table(FILE *out, const json_t *all)
{
	(void)fprintf(out, "%-16s %-11s %9s %10s %14s %s\n", "ACCOUNT", "STATE",
	              "FOLDERS", "MESSAGES", "CACHED ", "MOUNTED AT");
	size_t i;
	json_t *json;
	json_array_foreach(all, i, json)
	{
		if (json_is_true(json_object_get(json, "mounted"))) {
			show_mounted(out, json);
			continue;
		}
		(void)fprintf(out, "%-16s not mounted",
		              text_of(json, "account"));
		if (*text_of(json, "failure") != '\0')
			(void)fprintf(out, ": %s", text_of(json, "failure"));
		(void)fputc('\n', out);
	}
}

int status_show(const struct config_account *const *accounts, size_t count,
                bool is_json, FILE *out)
{
	json_t *all = json_array();
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		json_t *json = ask(accounts[i]);
		if (!json_is_true(json_object_get(json, "online")))
			code = EX_UNAVAILABLE;
		(void)json_array_append_new(all, json);
	}
	if (is_json) {
		(void)json_dumpf(all, out, JSON_INDENT(2));
		(void)fputc('\n', out);
	} else {
		show_table(out, all);
	}
	json_decref(all);
	return code;
}
