#include "cli/status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/answer.h"
#include "util/cleanup.h"

char *status_to_json(const char *account, const char *mountpoint, pid_t pid,
                     const struct cache_status *status)
{
	json_t *json = json_pack(
		"{s:s, s:b, s:o, s:I, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I,"
		" s:I, s:I, s:I}",
		"account", account, "mounted", 1, "mountpoint",
		answer_string(mountpoint), "pid", (json_int_t)pid, "online",
		(int)status->is_online, "failure",
		answer_string(status->failure), "folders",
		(json_int_t)status->folders, "folders_listed",
		(json_int_t)status->folders_listed, "messages",
		(json_int_t)status->messages, "cached_bytes",
		(json_int_t)status->cached_bytes, "cache_size",
		(json_int_t)status->size_limit, "waiting",
		(json_int_t)status->bodies_waiting, "pending",
		(json_int_t)status->pending, "held", (json_int_t)status->held,
		"refused", (json_int_t)status->refused);
	if (status->listing[0] != '\0')
		(void)json_object_set_new(
			json, "listing",
			json_pack("{s:o, s:I, s:I}", "folder",
		                  answer_string(status->listing), "done",
		                  (json_int_t)status->listing_done, "total",
		                  (json_int_t)status->listing_total));
	if (status->daily_limit > 0) {
		(void)json_object_set_new(
			json, "fetched_today",
			json_integer((json_int_t)status->fetched_today));
		(void)json_object_set_new(json, "daily_limit",
		                          json_integer((json_int_t)status
		                                               ->daily_limit));
		(void)json_object_set_new(json, "limit_reached",
		                          json_boolean(
						  status->is_limit_reached));
	}
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		abort();
	return text;
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

/* What is to be sent to the server, and what holds it up. */
static void show_changes(FILE *out, const json_t *json)
{
	int64_t held = answer_number(json, "held");
	int64_t refused = answer_number(json, "refused");
	if (answer_number(json, "pending") > 0)
		(void)fprintf(out, "    %" PRId64 " changes wait to be sent\n",
		              answer_number(json, "pending"));
	if (held > 0)
		(void)fprintf(out,
		              "    %" PRId64 " deletions are held: "
		              "`mailmount confirm` or `mailmount undo`\n",
		              held);
	if (refused > 0)
		(void)fprintf(out,
		              "    %" PRId64 " changes were refused: see "
		              "`mailmount queue`, then `mailmount retry`\n",
		              refused);
}

/* What came today, of what may without being asked for. */
static void show_budget(FILE *out, const json_t *json)
{
	int64_t limit = answer_number(json, "daily_limit");
	char done[16], most[16];
	if (limit == 0)
		return;
	print_size(answer_number(json, "fetched_today"), done, sizeof(done));
	print_size(limit, most, sizeof(most));
	(void)fprintf(out, "    fetched today: %s of %s%s\n", done, most,
	              answer_is(json, "limit_reached")
	                      ? "; only what is opened comes"
	                      : "");
}

static void show_mounted(FILE *out, const json_t *json)
{
	char cached[16], limit[16], folders[48];
	print_size(answer_number(json, "cached_bytes"), cached, sizeof(cached));
	print_size(answer_number(json, "cache_size"), limit, sizeof(limit));
	(void)snprintf(folders, sizeof(folders), "%" PRId64 "/%" PRId64,
	               answer_number(json, "folders_listed"),
	               answer_number(json, "folders"));
	bool is_online = answer_is(json, "online");
	(void)fprintf(out, "%-16s %-11s %9s %10" PRId64 " %7s/%-6s ",
	              answer_text(json, "account"),
	              is_online ? "online" : "offline", folders,
	              answer_number(json, "messages"), cached, limit);
	answer_print(out, answer_text(json, "mountpoint"));
	(void)fputc('\n', out);
	if (!is_online && *answer_text(json, "failure") != '\0') {
		(void)fputs("    ", out);
		answer_print(out, answer_text(json, "failure"));
		(void)fputc('\n', out);
	}
	const json_t *listing = json_object_get(json, "listing");
	if (listing != NULL) {
		(void)fputs("    listing ", out);
		answer_print(out, answer_text(listing, "folder"));
		(void)fprintf(out, ": %" PRId64 " of %" PRId64 "\n",
		              answer_number(listing, "done"),
		              answer_number(listing, "total"));
	}
	if (answer_number(json, "waiting") > 0)
		(void)fprintf(out,
		              "    %" PRId64 " opens wait for the server\n",
		              answer_number(json, "waiting"));
	show_budget(out, json);
	show_changes(out, json);
}

static void show_table(FILE *out, const json_t *all)
{
	(void)fprintf(out, "%-16s %-11s %9s %10s %14s %s\n", "ACCOUNT", "STATE",
	              "FOLDERS", "MESSAGES", "CACHED ", "MOUNTED AT");
	size_t i;
	json_t *json;
	json_array_foreach(all, i, json)
	{
		if (answer_is(json, "mounted")) {
			show_mounted(out, json);
			continue;
		}
		(void)fprintf(out, "%-16s not mounted",
		              answer_text(json, "account"));
		if (*answer_text(json, "failure") != '\0')
			(void)fprintf(out, ": %s",
			              answer_text(json, "failure"));
		(void)fputc('\n', out);
	}
}

int status_show(const struct config_account *const *accounts, size_t count,
                bool is_json, FILE *out)
{
	json_t *all = json_array();
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		json_t *json = answer_get(accounts[i], "status");
		if (!answer_is(json, "online"))
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
