#include "popclient/head.h"

#include <stdbool.h>
#include <string.h>

#include "mail/field.h"
#include "popclient/date.h"
#include "util/strbuf.h"

/* The date behind the last separator. */
static int64_t date_behind(const struct mail_field *field, char separator)
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
	struct mail_field field;
	int64_t date = 0;
	while (mail_field_next(&rest, head + len, &field)) {
		if (mail_field_is(&field, "Received")) {
			int64_t received_at = date_behind(&field, ';');
			if (received_at > 0)
				return received_at;
		} else if (date == 0 && mail_field_is(&field, "Date")) {
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
	struct mail_field field;
	while (mail_field_next(&rest, head + len, &field)) {
		bool is_note = false;
		for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
			is_note |= mail_field_is(&field, notes[i]);
		if (!is_note)
			strbuf_add(&text, field.text, field.len);
	}
	digest_sha256(strbuf_text(&text), text.len, out);
}
