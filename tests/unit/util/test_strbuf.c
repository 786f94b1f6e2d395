#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "util/strbuf.h"

static void an_empty_buffer_is_an_empty_text(void **state)
{
	auto_strbuf struct strbuf sb = { 0 };
	assert_string_equal(strbuf_text(&sb), "");
	strbuf_clear(&sb);
	assert_int_equal(sb.len, 0);
}

static void what_is_added_stays_in_order(void **state)
{
	auto_strbuf struct strbuf sb = { 0 };
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&sb, "%d,", i % 10);
	strbuf_putc(&sb, '!');
	assert_int_equal(sb.len, 2001);
	assert_memory_equal(sb.bytes, "0,1,2,3,4,5,6,7,8,9,0,", 22);
	assert_string_equal(sb.bytes + 1998, "9,!");
}

static void bytes_may_hold_nul(void **state)
{
	auto_strbuf struct strbuf sb = { 0 };
	strbuf_add(&sb, "a\0b", 3);
	assert_int_equal(sb.len, 3);
	assert_memory_equal(sb.bytes, "a\0b", 4);
}

static void taking_leaves_an_empty_buffer(void **state)
{
	struct strbuf sb = { 0 };
	strbuf_puts(&sb, "text");
	char *text = strbuf_take(&sb);
	assert_string_equal(text, "text");
	assert_null(sb.bytes);
	free(text);
	text = strbuf_take(&sb);
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_an_empty_text),
		cmocka_unit_test(what_is_added_stays_in_order),
		cmocka_unit_test(bytes_may_hold_nul),
		cmocka_unit_test(taking_leaves_an_empty_buffer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
