/*
 * Mailbox names there and back: every server's name has one folder name and
 * gets it back, and what is a folder name at all is the only one of its kind.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imapclient/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void there_and_back(const struct imap_names *names, const char *wire,
                           size_t len)
{
	auto_strbuf struct strbuf folder = { 0 }, again = { 0 };
	imap_names_decode(names, wire, len, &folder);
	assert(imap_names_encode(names, strbuf_text(&folder), &again) == 0);
	if (len == 5 && strncasecmp(wire, "INBOX", 5) == 0)
		return;
	assert(again.len == len);
	assert(memcmp(strbuf_text(&again), wire, len) == 0);
}

static void back_and_there(const struct imap_names *names, const char *folder)
{
	auto_strbuf struct strbuf wire = { 0 }, again = { 0 };
	if (imap_names_encode(names, folder, &wire) < 0)
		return;
	imap_names_decode(names, strbuf_text(&wire), wire.len, &again);
	assert(strcmp(strbuf_text(&again), folder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static char prefix[] = "INBOX.", mail[] = "Mail/", shared[] = "#s.";
	static const struct imap_names all[] = {
		{ .delimiter = '/' },
		{ .delimiter = '.' },
		{ .delimiter = '\0' },
		{ .delimiter = '\\' },
		{ .delimiter = '.',
		  .prefix = prefix,
		  .others = { shared },
		  .other_count = 1 },
		{ .delimiter = '/', .prefix = mail },
	};
	char *text = malloc(size + 1);
	size_t len = 0;
	/* A line cannot hold these. */
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\0' && bytes[i] != '\r' && bytes[i] != '\n')
			text[len++] = (char)bytes[i];
	}
	text[len] = '\0';
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		there_and_back(&all[i], text, len);
		back_and_there(&all[i], text);
	}
	free(text);
	return 0;
}
