/*
 * Folder names: whatever decodes is encoded back to the same name, and
 * whatever level the seam may give comes back from its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/maildir.h"
#include "util/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Any bytes as a level of the seam: what must be escaped is. */
static void make_level(const uint8_t *bytes, size_t size, struct strbuf *level)
{
	if (size == 0)
		strbuf_putc(level, '%');
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] <= ' ' || bytes[i] >= 0x7f || bytes[i] == '/' ||
		    bytes[i] == '%')
			strbuf_printf(level, "%%%02X", bytes[i]);
		else
			strbuf_putc(level, (char)bytes[i]);
	}
}

static void check_level(const char *level)
{
	char name[MAILDIR_NAME_MAX + 1], back[MAILDIR_NAME_MAX + 1];
	maildir_level_encode(level, name);
	check(*name && strlen(name) <= MAILDIR_NAME_MAX && !strchr(name, '/'));
	check(strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	      strcmp(name, "cur") != 0);
	int n = maildir_level_decode(name, back);
	check(n == 0 || (n == 1 && strcmp(back, level) == 0));
	check(n == 1 || strlen(level) > MAILDIR_NAME_MAX);
}

static void check_path(const char *path)
{
	char name[MAILDIR_NAME_MAX + 1], back[MAILDIR_NAME_MAX + 1];
	maildir_path_encode(path, name);
	check(strlen(name) <= MAILDIR_NAME_MAX && name[0] == '.' && name[1]);
	check(strcmp(name, "..") != 0 && !strchr(name, '/'));
	int n = maildir_path_decode(name, back);
	check(n == 0 || (n == 1 && strcmp(back, path) == 0));
}

/* A name as a program may type it. */
static void check_name(const char *name)
{
	char text[MAILDIR_NAME_MAX + 1], again[MAILDIR_NAME_MAX + 1];
	uint64_t identity;
	(void)maildir_identity_parse(name, &identity);
	if (strchr(name, '/'))
		return;
	if (maildir_level_decode(name, text) == 1) {
		maildir_level_encode(text, again);
		check(strcmp(again, name) == 0);
	}
	if (maildir_path_decode(name, text) == 1) {
		maildir_path_encode(text, again);
		check(strcmp(again, name) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_strbuf struct strbuf name = { 0 };
	strbuf_add(&name, bytes, size);
	check_name(strbuf_text(&name));

	auto_strbuf struct strbuf level = { 0 };
	make_level(bytes, size, &level);
	check_level(level.bytes);

	auto_strbuf struct strbuf path = { 0 };
	make_level(bytes, size / 2, &path);
	strbuf_putc(&path, '/');
	make_level(bytes + size / 2, size - size / 2, &path);
	check_path(path.bytes);
	return 0;
}
