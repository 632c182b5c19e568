/* A method is written once: a handler of its own, or an operation of the store. */
#include "daemon/api/methods.h"

#include "daemon/store/store.h"
#include "proto/generated/interface.h"
#include "tests/unit/suite.h"

START_TEST(each_has_its_row)
{
	for (size_t i = 0; i < elluminate_interface.n_methods; i++) {
		const struct method *method = &elluminate_interface.methods[i];

		ck_assert_msg(method_handler(method) || store_runs_method(method), "%s", method->name);
	}
}
END_TEST

int main(void)
{
	return RUN_TESTS(each_has_its_row);
}
