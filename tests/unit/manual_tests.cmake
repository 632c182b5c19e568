add_test(NAME man_pages COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/man_pages.sh ${PROJECT_SOURCE_DIR}
	$<TARGET_FILE:elluminated>)
set_tests_properties(man_pages PROPERTIES LABELS unit TIMEOUT 30)
add_test(NAME command_described COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/command_described.sh
	$<TARGET_FILE:elluminate-command> ${PROJECT_BINARY_DIR}/client/cli/elluminate.1
	${PROJECT_BINARY_DIR}/client/cli/elluminate.bash)
set_tests_properties(command_described PROPERTIES LABELS unit TIMEOUT 60)
add_test(NAME no_licence COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/no_licence.sh ${PROJECT_SOURCE_DIR}
	${PROJECT_BINARY_DIR}/proto/generated)
set_tests_properties(no_licence PROPERTIES LABELS unit TIMEOUT 30)
add_test(NAME arrows COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/arrows.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(arrows PROPERTIES LABELS unit TIMEOUT 30)
