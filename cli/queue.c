#include "cli/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/answer.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define NS_PER_S INT64_C(1000000000)

void queue_add(void *rows, const struct cache_pending *p)
{
	struct strbuf *text = rows;
	if (text->len > QUEUE_TEXT_MAX)
		return;
	json_t *json =
		json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:I, s:i, s:o}", "id",
	                  (json_int_t)p->id, "what", p->what, "state", p->state,
	                  "folder", answer_string(p->folder), "target",
	                  answer_string(p->target), "name",
	                  answer_string(p->name), "created_at",
	                  (json_int_t)p->created_at, "tries", p->tries, "why",
	                  answer_string(p->why));
	auto_free char *row = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (row == NULL)
		abort();
	strbuf_printf(text, "%s%s", text->len > 0 ? "," : "", row);
}

char *queue_to_json(const char *account, const char *directory,
                    const struct strbuf *rows, int64_t total)
{
	json_t *json = json_pack("{s:s, s:b, s:o, s:I, s:o}", "account",
	                         account, "mounted", 1, "directory",
	                         answer_string(directory), "total",
	                         (json_int_t)(total > 0 ? total : 0), "failure",
	                         answer_string(total < 0 ? strerror((int)-total)
	                                                 : ""));
	auto_free char *head = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (head == NULL)
		abort();
	struct strbuf text = { 0 };
	strbuf_add(&text, head, strlen(head) - 1);
	strbuf_puts(&text, ",\"changes\":[");
	strbuf_add(&text, strbuf_text(rows), rows->len);
	strbuf_puts(&text, "]}");
	return strbuf_take(&text);
}

/* "50s", "3m", "2h", "10d" */
static void print_age(FILE *out, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char letter;
	} units[] = { { 24 * 3600, 'd' }, { 3600, 'h' }, { 60, 'm' } };
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds >= units[i].seconds) {
			(void)fprintf(out, "%4" PRId64 "%c",
			              seconds / units[i].seconds,
			              units[i].letter);
			return;
		}
	}
	(void)fprintf(out, "%4" PRId64 "s", seconds > 0 ? seconds : 0);
}

static void print_change(FILE *out, const char *account, const json_t *change)
{
	const char *target = answer_text(change, "target");
	const char *why = answer_text(change, "why");
	print_age(out, clock_wall_ns() / NS_PER_S -
	                       answer_number(change, "created_at"));
	(void)fprintf(out, " %-12s %-8s %-7s ", account,
	              answer_text(change, "state"),
	              answer_text(change, "what"));
	answer_print(out, answer_text(change, "name"));
	if (*answer_text(change, "name") != '\0')
		(void)fputc(' ', out);
	answer_print(out, answer_text(change, "folder"));
	if (*target != '\0') {
		(void)fputs(" -> ", out);
		answer_print(out, target);
	}
	if (*why != '\0') {
		(void)fputs(": ", out);
		answer_print(out, why);
	}
	(void)fputc('\n', out);
}

static void print_changes(FILE *out, const json_t *json)
{
	const json_t *changes = json_object_get(json, "changes");
	for (size_t i = 0; i < json_array_size(changes); i++)
		print_change(out, answer_text(json, "account"),
		             json_array_get(changes, i));
	int64_t more = answer_number(json, "total") -
	               (int64_t)json_array_size(changes);
	if (more > 0)
		(void)fprintf(out, "      %-12s and %" PRId64 " more\n",
		              answer_text(json, "account"), more);
}

/* Is it an answer with changes?  If not, why is said. */
static bool is_answered(const json_t *json)
{
	if (answer_is(json, "mounted") && *answer_text(json, "failure") == '\0')
		return true;
	answer_complain(json);
	return false;
}

int queue_show(const struct config_account *const *accounts, size_t count,
               bool is_json, FILE *out)
{
	json_t *all = json_array();
	int code = EX_OK;
	for (size_t i = 0; i < count; i++) {
		json_t *json = answer_get(accounts[i], "queue");
		if (!is_answered(json))
			code = EX_UNAVAILABLE;
		if (!is_json)
			print_changes(out, json);
		(void)json_array_append_new(all, json);
	}
	if (is_json) {
		(void)json_dumpf(all, out, JSON_INDENT(2));
		(void)fputc('\n', out);
	}
	json_decref(all);
	return code;
}
