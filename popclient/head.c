#include "popclient/head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "popclient/date.h"
#include "util/strbuf.h"

/* A header field with its continuation lines, name and line end included. */
struct field {
	const char *text;
	size_t len;
};

/* The next field of the rest of a head; false at the blank line or the end. */
static bool next_field(const char **rest, const char *end, struct field *out)
{
	const char *at = *rest;
	if (at == end || *at == '\n')
		return false;
	out->text = at;
	do {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		at = lf == NULL ? end : lf + 1;
	} while (at < end && (*at == ' ' || *at == '\t'));
	out->len = (size_t)(at - out->text);
	*rest = at;
	return true;
}

static bool is_named(const struct field *field, const char *name)
{
	size_t len = strlen(name);
	if (field->len <= len || strncasecmp(field->text, name, len) != 0)
		return false;
	while (len < field->len &&
	       (field->text[len] == ' ' || field->text[len] == '\t'))
		len++;
	return len < field->len && field->text[len] == ':';
}

/* The date behind the last separator. */
static int64_t date_behind(const struct field *field, char separator)
{
	const char *at = separator == ';'
	                         ? memrchr(field->text, ';', field->len)
	                         : memchr(field->text, ':', field->len);
	if (at == NULL)
		return 0;
	at++;
	return pop_date_parse(at, field->len - (size_t)(at - field->text));
}

int64_t pop_head_date(const char *head, size_t len)
{
	const char *rest = head;
	struct field field;
	int64_t date = 0;
	while (next_field(&rest, head + len, &field)) {
		if (is_named(&field, "Received")) {
			int64_t received_at = date_behind(&field, ';');
			if (received_at > 0)
				return received_at;
		} else if (date == 0 && is_named(&field, "Date")) {
			date = date_behind(&field, ':');
		}
	}
	return date;
}

void pop_head_digest(const char *head, size_t len, uint8_t out[DIGEST_SIZE])
{
	static const char *const notes[] = { "Status", "X-Status", "X-UIDL",
		                             "X-Keywords" };
	auto_strbuf struct strbuf text = { 0 };
	const char *rest = head;
	struct field field;
	while (next_field(&rest, head + len, &field)) {
		bool is_note = false;
		for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
			is_note |= is_named(&field, notes[i]);
		if (!is_note)
			strbuf_add(&text, field.text, field.len);
	}
	digest_sha256(strbuf_text(&text), text.len, out);
}
