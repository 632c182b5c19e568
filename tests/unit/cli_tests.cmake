ellu_unit_test(cli_files LIBS cli)
ellu_unit_test(cli_text LIBS cli)
ellu_unit_test(cli_view LIBS cli)
add_test(NAME cli_session COMMAND ${ELLU_UNIT_DIR}/cli_session.sh
	$<TARGET_FILE:elluminate-command> $<TARGET_FILE:elluminated>)
set_tests_properties(cli_session PROPERTIES LABELS integration TIMEOUT 120)
