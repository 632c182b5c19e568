add_test(NAME man_pages COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/man_pages.sh ${PROJECT_SOURCE_DIR}
	$<TARGET_FILE:elluminated>)
set_tests_properties(man_pages PROPERTIES LABELS unit TIMEOUT 30)
