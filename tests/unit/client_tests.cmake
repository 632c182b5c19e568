foreach(name client_blocking client_event client_hostile client_misuse client_op
		client_resume)
	ellu_unit_test(${name} SOURCES ${name}.c client_standin.c LIBS elluminate proto Threads::Threads)
endforeach()
# A sanitizer brings an allocator of its own.
if(NOT ELLU_SANITIZE)
	ellu_unit_test(client_memory SOURCES client_memory.c client_standin.c
		LIBS elluminate Threads::Threads)
endif()
add_test(NAME client_symbols COMMAND ${ELLU_UNIT_DIR}/client_symbols.sh $<TARGET_FILE:elluminate>
	${PROJECT_SOURCE_DIR}/client/elluminate.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-methods.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-types.h)
set_tests_properties(client_symbols PROPERTIES LABELS unit TIMEOUT 60)
