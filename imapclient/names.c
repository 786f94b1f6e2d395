/*
 * A level is written as text if modified UTF-7 gives its bytes back, else raw.
 * Raw levels are known by their escapes: text has no other than %25 and %2F.
 */
#include "imapclient/names.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imapclient/utf7.h"
#include "util/mem.h"

#define OUTSIDE     "%00" /* no server's name can hold a NUL */
#define OUTSIDE_LEN 3

static size_t level_len(const char *p, const char *end, char delimiter)
{
	const char *stop = delimiter == '\0'
	                           ? NULL
	                           : memchr(p, delimiter, (size_t)(end - p));
	return (size_t)((stop != NULL ? stop : end) - p);
}

static bool is_inbox(const char *p, size_t len)
{
	return len == 5 && strncasecmp(p, "INBOX", 5) == 0;
}

void imap_names_release(struct imap_names *names)
{
	free(names->prefix);
	for (size_t i = 0; i < names->other_count; i++)
		free(names->others[i]);
	*names = (struct imap_names){ 0 };
}

void imap_names_set(struct imap_names *names,
                    const struct imap_response *response)
{
	struct imap_names told = { .delimiter = names->delimiter };
	bool has_personal = false;
	bool is_shared_root = false;
	for (size_t i = 0; i < response->namespace_count; i++) {
		const struct imap_namespace *ns = &response->namespaces[i];
		struct strbuf prefix = { 0 };
		imap_text_add(ns->prefix, &prefix);
		if (ns->is_personal && !has_personal) {
			has_personal = true;
			told.delimiter = ns->delimiter;
			told.prefix = strbuf_take(&prefix);
		} else if (prefix.len > 0) {
			told.others[told.other_count++] = strbuf_take(&prefix);
		} else {
			is_shared_root = true;
			strbuf_release(&prefix);
		}
	}
	/*
	 * Cyrus may put the shared mailboxes at the root, or a server may tell
	 * of a prefix that is no level: then every name is written in full.
	 */
	size_t len = told.prefix == NULL ? 0 : strlen(told.prefix);
	if (len > 0 && (is_shared_root || told.delimiter == '\0' ||
	                told.prefix[len - 1] != told.delimiter))
		told.prefix[0] = '\0';
	imap_names_release(names);
	*names = told;
}

/* Does a name written in full begin with a level that is not ours to hide? */
static bool is_reserved(const struct imap_names *names, const char *wire,
                        size_t len)
{
	size_t first = level_len(wire, wire + len, names->delimiter);
	if (is_inbox(wire, first))
		return true;
	for (size_t i = 0; i < names->other_count; i++) {
		const char *other = names->others[i];
		if (level_len(other, other + strlen(other), names->delimiter) ==
		            first &&
		    memcmp(other, wire, first) == 0)
			return true;
	}
	return false;
}

static size_t prefix_len(const struct imap_names *names)
{
	return names->prefix == NULL ? 0 : strlen(names->prefix);
}

static void decode_level(const char *p, size_t len, struct strbuf *out)
{
	if (len == 0) {
		strbuf_putc(out, '%');
		return;
	}
	auto_strbuf struct strbuf text = { 0 };
	bool is_text = imap_utf7_decode(p, len, &text);
	if (!is_text) {
		strbuf_clear(&text);
		strbuf_add(&text, p, len);
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.bytes[i];
		bool is_raw = !is_text && (c < 0x20 || c >= 0x7f || c == '&');
		if (is_raw || c == '%' || c == '/')
			strbuf_printf(out, "%%%02X", c);
		else
			strbuf_putc(out, (char)c);
	}
}

void imap_names_decode(const struct imap_names *names, const char *wire,
                       size_t len, struct strbuf *out)
{
	const char *end = wire + len;
	size_t hidden = prefix_len(names);
	if (is_inbox(wire, len)) {
		strbuf_puts(out, "INBOX");
		return;
	}
	if (hidden > 0 && len > hidden &&
	    memcmp(wire, names->prefix, hidden) == 0 &&
	    !is_reserved(names, wire + hidden, len - hidden))
		wire += hidden;
	else if (hidden > 0 && !is_reserved(names, wire, len))
		strbuf_puts(out, OUTSIDE);
	for (;;) {
		size_t level = level_len(wire, end, names->delimiter);
		decode_level(wire, level, out);
		wire += level;
		if (wire == end)
			return;
		wire++;
		strbuf_putc(out, '/');
	}
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 55
	                              : -1;
}

/* Undo %HH.  What is wrong in it, the comparison in the end finds. */
static bool encode_level(const char *p, size_t len, struct strbuf *out)
{
	auto_strbuf struct strbuf bytes = { 0 };
	bool is_text = true;
	if (len == 1 && *p == '%')
		return true;
	for (size_t i = 0; i < len; i++) {
		if (p[i] != '%') {
			strbuf_putc(&bytes, p[i]);
			continue;
		}
		int high = i + 2 < len ? hex_value(p[i + 1]) : -1;
		int low = i + 2 < len ? hex_value(p[i + 2]) : -1;
		int c = high * 16 + low;
		if (high < 0 || low < 0 || c == 0 || c == '\r' || c == '\n')
			return false;
		if (c != '%' && c != '/')
			is_text = false;
		strbuf_putc(&bytes, (char)c);
		i += 2;
	}
	if (is_text)
		return imap_utf7_encode(bytes.bytes, bytes.len, out);
	strbuf_add(out, bytes.bytes, bytes.len);
	return true;
}

int imap_names_encode(const struct imap_names *names, const char *folder,
                      struct strbuf *out)
{
	auto_strbuf struct strbuf wire = { 0 };
	auto_strbuf struct strbuf again = { 0 };
	const char *p = folder;
	bool is_outside = strncmp(p, OUTSIDE, OUTSIDE_LEN) == 0;
	if (is_outside)
		p += OUTSIDE_LEN;
	const char *end = p + strlen(p);
	for (;;) {
		size_t level = level_len(p, end, '/');
		if (level == 0 || !encode_level(p, level, &wire))
			return -ENOENT;
		p += level;
		if (p == end)
			break;
		p++;
		strbuf_putc(&wire, names->delimiter);
	}
	size_t start = out->len;
	bool is_full =
		is_outside || is_reserved(names, strbuf_text(&wire), wire.len);
	if (!is_full && prefix_len(names) > 0)
		strbuf_puts(out, names->prefix);
	strbuf_add(out, strbuf_text(&wire), wire.len);
	imap_names_decode(names, out->bytes + start, out->len - start, &again);
	if (again.len == strlen(folder) &&
	    memcmp(strbuf_text(&again), folder, again.len) == 0)
		return 0;
	out->len = start;
	return -ENOENT;
}
