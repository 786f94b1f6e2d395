#include "cli/ini.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut blanks off both ends. */
static char *trim(char *text)
{
	while (is_blank(*text))
		text++;
	size_t len = strlen(text);
	while (len > 0 && is_blank(text[len - 1]))
		text[--len] = '\0';
	return text;
}

static const char *find_bad_byte(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\0')
			return "a NUL byte; is this a text file?";
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "a control byte; only tabs may stand in a line";
	}
	return NULL;
}

static enum ini_kind wrong(struct ini_line *line, const char *what)
{
	line->wrong = what;
	return INI_WRONG;
}

enum ini_kind ini_parse_line(char *text, size_t len, struct ini_line *line_out)
{
	*line_out = (struct ini_line){ 0 };
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len > INI_LINE_MAX)
		return wrong(line_out, "a line longer than 65536 bytes");
	const char *bad = find_bad_byte(text, len);
	if (bad != NULL)
		return wrong(line_out, bad);
	text[len] = '\0';
	text = trim(text);
	if (*text == '\0' || *text == '#' || *text == ';')
		return INI_NOTHING;
	if (*text == '[') {
		char *end = strchr(text, ']');
		if (end == NULL || end[1] != '\0')
			return wrong(line_out, "a section is written [account "
			                       "NAME], alone on its line");
		*end = '\0';
		line_out->name = trim(text + 1);
		return INI_SECTION;
	}
	char *equals = strchr(text, '=');
	if (equals == NULL || equals == text)
		return wrong(line_out, "expected \"key = value\"");
	*equals = '\0';
	line_out->name = trim(text);
	line_out->value = trim(equals + 1);
	return INI_VALUE;
}
