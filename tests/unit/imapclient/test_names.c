#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imapclient/names.h"
#include "imapclient/utf7.h"

static char inbox_prefix[] = "INBOX.", shared[] = "#shared.";

static const struct imap_names slash = { .delimiter = '/' };
static const struct imap_names dot = { .delimiter = '.' };
static const struct imap_names flat = { .delimiter = '\0' };
static const struct imap_names courier = {
	.delimiter = '.',
	.prefix = inbox_prefix,
	.others = { shared },
	.other_count = 1,
};

static const struct {
	const struct imap_names *names;
	const char *wire;
	const char *folder;
} rows[] = {
	{ &slash, "INBOX", "INBOX" },
	{ &slash, "Lists/cryptography", "Lists/cryptography" },
	{ &slash, "R&AOk-sum&AOk-", "R\xc3\xa9sum\xc3\xa9" },
	/* RFC 3501 5.1.3 */
	{ &slash, "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8"
	  "\xaa\x9e" },
	{ &slash, "&2D3eAA-", "\xf0\x9f\x98\x80" },
	{ &slash, "Tom &- Jerry", "Tom & Jerry" },
	{ &slash, "50% off", "50%25 off" },
	/* Cyrus lists these in earnest. */
	{ &slash, ".", "." },
	{ &slash, "../evil", "../evil" },
	{ &slash, "a/../b", "a/../b" },
	{ &slash, "/abs", "%/abs" },
	{ &slash, "a//b/", "a/%/b/%" },
	{ &slash, "%", "%25" },
	/* No modified UTF-7: raw, and '&' tells it from text. */
	{ &slash, "R&AOk", "R%26AOk" },
	{ &slash, "a & b", "a %26 b" },
	{ &slash, "&AOk-&AOk-", "%26AOk-%26AOk-" },
	{ &slash, "&AGE-", "%26AGE-" },
	{ &slash, "&AOl-", "%26AOl-" },
	{ &slash, "&2D0-", "%262D0-" },
	{ &slash, "&AAo-", "%26AAo-" },
	{ &slash, "&!!!-", "%26!!!-" },
	{ &slash, "\xe9t\xe9", "%E9t%E9" },
	{ &slash, "R\xc3\xa9", "R%C3%A9" },
	{ &slash, "a\tb\x7f", "a%09b%7F" },
	{ &dot, "a/b.c", "a%2Fb/c" },
	{ &dot, "&AOk-/x", "\xc3\xa9%2Fx" },
	{ &dot, "inbox.x", "inbox/x" },
	{ &flat, "a/b.c", "a%2Fb.c" },
	{ &courier, "INBOX.Sent", "Sent" },
	{ &courier, "INBOX.Sent.2024", "Sent/2024" },
	{ &courier, "INBOX.INBOX", "INBOX/INBOX" },
	{ &courier, "INBOX.inbox.x", "INBOX/inbox/x" },
	{ &courier, "INBOX.", "INBOX/%" },
	{ &courier, "INBOX..x", "%/x" },
	{ &courier, "#shared.team", "#shared/team" },
	{ &courier, "INBOX.#shared.team", "INBOX/#shared/team" },
	{ &courier, "Sent", "%00Sent" },
	{ &courier, "", "%00%" },
};

static void every_name_is_given_back(void **state)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		auto_strbuf struct strbuf folder = { 0 }, wire = { 0 };
		imap_names_decode(rows[i].names, rows[i].wire,
		                  strlen(rows[i].wire), &folder);
		assert_string_equal(strbuf_text(&folder), rows[i].folder);
		assert_int_equal(imap_names_encode(rows[i].names, folder.bytes,
		                                   &wire),
		                 0);
		assert_string_equal(strbuf_text(&wire), rows[i].wire);
	}
}

static void inbox_is_one_in_any_case(void **state)
{
	auto_strbuf struct strbuf folder = { 0 };
	imap_names_decode(&courier, "iNbOx", 5, &folder);
	assert_string_equal(strbuf_text(&folder), "INBOX");
}

static void a_long_name_is_given_back(void **state)
{
	char wire[401] = { 0 };
	for (size_t i = 0; i < 400; i += 2)
		memcpy(wire + i, i % 20 == 0 ? "/&" : "\xff%", 2);
	auto_strbuf struct strbuf folder = { 0 }, again = { 0 };
	imap_names_decode(&slash, wire, 400, &folder);
	assert_int_equal(imap_names_encode(&slash, folder.bytes, &again), 0);
	assert_string_equal(strbuf_text(&again), wire);
}

static void what_no_server_has_is_no_folder(void **state)
{
	static const struct {
		const struct imap_names *names;
		const char *folder;
	} wrong[] = {
		{ &slash, "" },           { &slash, "a/" },
		{ &slash, "/a" },         { &slash, "a//b" },
		{ &slash, "inbox" },      { &slash, "a%" },
		{ &slash, "%zz" },        { &slash, "%41" },
		{ &slash, "%e9" },        { &slash, "%0A" },
		{ &slash, "%00a" },       { &slash, "\xff" },
		{ &slash, "a\tb" },       { &slash, "%25/%2" },
		{ &slash, "a%2Fb" },      { &dot, "a.b" },
		{ &courier, "%00INBOX" }, { &courier, "INBOX/Sent" },
		{ &flat, "a/b" },         { &slash, "\xed\xa0\x80" },
		{ &slash, "\xc0\xaf" },   { &slash, "&%26%E9\xc3\xa9" },
	};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		auto_strbuf struct strbuf wire = { 0 };
		strbuf_puts(&wire, "x");
		if (imap_names_encode(wrong[i].names, wrong[i].folder, &wire) !=
		    -ENOENT)
			fail_msg("\"%s\" became \"%s\"", wrong[i].folder,
			         strbuf_text(&wire));
		assert_int_equal(wire.len, 1);
	}
}

static void a_namespace_tells_the_prefix(void **state)
{
	static const struct {
		const char *line;
		char delimiter;
		const char *prefix;
		size_t others;
	} lines[] = {
		{ "* NAMESPACE ((\"INBOX.\" \".\")) NIL ((\"#shared.\" \".\"))",
		  '.', "INBOX.", 1 },
		{ "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\")) NIL", '/', "",
		  1 },
		/* Cyrus without altnamespace: shared ones live at the root. */
		{ "* NAMESPACE ((\"INBOX.\" \".\")) ((\"user.\" \".\")) "
		  "((\"\" \".\"))",
		  '.', "", 1 },
		/* RFC 2342 5: a prefix that is no level */
		{ "* NAMESPACE ((\"#mh\" NIL)) NIL NIL", '\0', "", 0 },
		{ "* NAMESPACE ((\"\" \"\\\\\" \"X\" (\"a\" \"b\"))) NIL NIL",
		  '\\', "", 0 },
	};
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct imap_response r;
		struct imap_names names = { 0 };
		assert_int_equal(imap_response_parse(lines[i].line,
		                                     strlen(lines[i].line),
		                                     IMAP_NOT_STREAMED, &r),
		                 0);
		imap_names_set(&names, &r);
		assert_int_equal(names.delimiter, lines[i].delimiter);
		assert_string_equal(names.prefix, lines[i].prefix);
		assert_int_equal(names.other_count, lines[i].others);
		imap_names_release(&names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_given_back),
		cmocka_unit_test(inbox_is_one_in_any_case),
		cmocka_unit_test(a_long_name_is_given_back),
		cmocka_unit_test(what_no_server_has_is_no_folder),
		cmocka_unit_test(a_namespace_tells_the_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
