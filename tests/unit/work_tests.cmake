ellu_unit_test(template_test LIBS proto)
ellu_unit_test(judge_test LIBS daemon)
ellu_unit_test(work_progress_test LIBS daemon)
# A store and a backend of their own stand before the daemon's.
set(work_standin work_harness.c work_standin.c work_standin_backend.c work_standin_store.c)
ellu_unit_test(work_run_test SOURCES work_run_test.c ${work_standin} LIBS daemon)
ellu_unit_test(work_stop_test SOURCES work_stop_test.c ${work_standin} LIBS daemon)
ellu_unit_test(work_rating_test SOURCES work_rating_test.c ${work_standin} LIBS daemon)
ellu_unit_test(work_real_test LIBS daemon)
