ellu_unit_test(loop_test LIBS daemon)
