#include "tests/unit/test.h"

#include "fs/inode.h"

static void a_number_is_read_back(void **state)
{
	static const struct inode NODES[] = {
		{ INODE_ROOT, 0, 1 },
		{ INODE_ACCOUNT, 0, 0 },
		{ INODE_ACCOUNT, 255, 0 },
		{ INODE_FOLDER, 1, 1 },
		{ INODE_NEW, 2, 77 },
		{ INODE_CUR, 3, INODE_ID_MAX },
		{ INODE_TMP, 255, INODE_ID_MAX },
		{ INODE_MESSAGE, 255, INODE_ID_MAX },
	};
	for (size_t i = 0; i < COUNT_OF(NODES); i++) {
		const struct inode *n = &NODES[i];
		struct inode back;
		uint64_t number = inode_number(n->kind, n->account, n->id);
		assert_true(number != 0 && number <= INT64_MAX);
		assert_true(inode_parse(number, &back));
		assert_int_equal(back.kind, n->kind);
		assert_int_equal(back.account, n->account);
		assert_int_equal(back.id, n->id);
	}
}

static void other_numbers_are_nothing(void **state)
{
	static const uint64_t NUMBERS[] = { 0, 2, UINT64_C(1) << 59,
		                            UINT64_C(7) << 60, UINT64_MAX };
	struct inode node;
	for (size_t i = 0; i < COUNT_OF(NUMBERS); i++)
		assert_false(inode_parse(NUMBERS[i], &node));
}

static void messages_are_in_the_order_of_their_ids(void **state)
{
	assert_true(inode_number(INODE_MESSAGE, 3, 99) <
	            inode_number(INODE_MESSAGE, 3, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_read_back),
		cmocka_unit_test(other_numbers_are_nothing),
		cmocka_unit_test(messages_are_in_the_order_of_their_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
