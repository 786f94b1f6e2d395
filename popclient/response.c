#include "popclient/response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(const char **text, size_t *len)
{
	while (*len > 0 && is_blank(**text)) {
		(*text)++;
		(*len)--;
	}
}

/* Length of the word that text begins with. */
static size_t word_length(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && !is_blank(text[n]))
		n++;
	return n;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static enum pop_code find_code(const char *name, size_t len)
{
	static const struct {
		const char *name;
		enum pop_code code;
	} codes[] = {
		{ "AUTH", POP_CODE_AUTH },
		{ "IN-USE", POP_CODE_IN_USE },
		{ "LOGIN-DELAY", POP_CODE_LOGIN_DELAY },
		{ "SYS/PERM", POP_CODE_SYS_PERM },
		{ "SYS/TEMP", POP_CODE_SYS_TEMP },
	};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (is_word(name, len, codes[i].name))
			return codes[i].code;
	return POP_CODE_OTHER;
}

/* "[CODE] words"; other words in brackets are words. */
static void take_code(struct pop_answer *out)
{
	if (out->len == 0 || out->text[0] != '[')
		return;
	const char *end = memchr(out->text, ']', out->len);
	if (end == NULL)
		return;
	size_t len = (size_t)(end - out->text) - 1;
	out->code = find_code(out->text + 1, len);
	out->text += len + 2;
	out->len -= len + 2;
	skip_blanks(&out->text, &out->len);
}

int pop_answer_parse(const char *line, size_t len, struct pop_answer *out)
{
	size_t word = word_length(line, len);
	bool is_ok = is_word(line, word, "+OK");
	if (!is_ok && !is_word(line, word, "-ERR"))
		return -EPROTO;
	*out = (struct pop_answer){ .is_ok = is_ok,
		                    .text = line + word,
		                    .len = len - word };
	skip_blanks(&out->text, &out->len);
	if (!is_ok)
		take_code(out);
	return 0;
}

/* Digits up to a blank or the end; how many, 0: it is no number. */
static size_t parse_number(const char *text, size_t len, uint64_t max,
                           uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (n > (max - digit) / 10)
			return 0;
		n = n * 10 + digit;
	}
	if (i < len && !is_blank(text[i]))
		return 0;
	*out = n;
	return i;
}

bool pop_entry_parse(const char *line, size_t len, struct pop_entry *out)
{
	uint64_t number = 0;
	skip_blanks(&line, &len);
	size_t digits = parse_number(line, len, UINT32_MAX, &number);
	if (digits == 0 || number == 0)
		return false;
	out->number = (uint32_t)number;
	out->text = line + digits;
	out->len = len - digits;
	skip_blanks(&out->text, &out->len);
	while (out->len > 0 && is_blank(out->text[out->len - 1]))
		out->len--;
	return true;
}

bool pop_size_parse(const char *text, size_t len, uint64_t *size_out)
{
	return parse_number(text, len, INT64_MAX, size_out) > 0;
}

unsigned pop_capability_parse(const char *line, size_t len)
{
	size_t word = word_length(line, len);
	if (is_word(line, word, "PIPELINING"))
		return POP_CAP_PIPELINING;
	if (is_word(line, word, "TOP"))
		return POP_CAP_TOP;
	if (is_word(line, word, "UIDL"))
		return POP_CAP_UIDL;
	return 0;
}
