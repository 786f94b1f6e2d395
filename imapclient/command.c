#include "imapclient/command.h"

#include <assert.h>

void imap_command_init(struct imap_command *c, bool is_non_sync,
                       const char *text)
{
	*c = (struct imap_command){ .is_non_sync = is_non_sync };
	strbuf_puts(&c->text, text);
}

void imap_command_release(struct imap_command *c)
{
	strbuf_release(&c->text);
}

static bool is_quotable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] >= 0x7f || (unsigned char)s[i] < 0x20)
			return false;
	}
	return true;
}

void imap_command_string(struct imap_command *c, const char *s, size_t len)
{
	if (is_quotable(s, len)) {
		strbuf_putc(&c->text, '"');
		for (size_t i = 0; i < len; i++) {
			if (s[i] == '"' || s[i] == '\\')
				strbuf_putc(&c->text, '\\');
			strbuf_putc(&c->text, s[i]);
		}
		strbuf_putc(&c->text, '"');
		return;
	}
	strbuf_printf(&c->text, "{%zu%s}\r\n", len, c->is_non_sync ? "+" : "");
	if (!c->is_non_sync) {
		assert(c->break_count < IMAP_BREAKS_MAX);
		c->breaks[c->break_count++] = c->text.len;
	}
	strbuf_add(&c->text, s, len);
}
