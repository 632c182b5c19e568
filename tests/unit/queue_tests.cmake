ellu_unit_test(schedule_test LIBS daemon)
ellu_unit_test(fair_test LIBS daemon)
ellu_unit_test(turns_test LIBS daemon)
ellu_unit_test(rejections_test LIBS daemon)
