foreach(name client_blocking client_event client_hostile)
	ellu_unit_test(${name} SOURCES ${name}.c client_standin.c LIBS elluminate proto Threads::Threads)
endforeach()
add_test(NAME client_symbols COMMAND ${ELLU_UNIT_DIR}/client_symbols.sh $<TARGET_FILE:elluminate>
	${PROJECT_SOURCE_DIR}/client/elluminate.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-methods.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-types.h)
set_tests_properties(client_symbols PROPERTIES LABELS unit TIMEOUT 60)
