#include "mail/field.h"

#include <string.h>
#include <strings.h>

bool mail_field_next(const char **rest, const char *end, struct mail_field *out)
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

bool mail_field_is(const struct mail_field *field, const char *name)
{
	size_t len = strlen(name);
	if (field->len <= len || strncasecmp(field->text, name, len) != 0)
		return false;
	while (len < field->len &&
	       (field->text[len] == ' ' || field->text[len] == '\t'))
		len++;
	return len < field->len && field->text[len] == ':';
}
