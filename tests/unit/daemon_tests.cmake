ellu_unit_test(loop_test LIBS daemon)
ellu_unit_test(user_test LIBS daemon)
