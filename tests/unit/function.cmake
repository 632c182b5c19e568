set(ELLU_UNIT_DIR ${CMAKE_CURRENT_LIST_DIR})

# ellu_unit_test(NAME [SOURCES FILE...] [LIBS TARGET...]): a test program of libcheck, run by
# ctest. Without SOURCES it is NAME.c. It sees "tests/unit/suite.h".
function(ellu_unit_test name)
	cmake_parse_arguments(TEST "" "" "SOURCES;LIBS" ${ARGN})
	if(NOT TEST_SOURCES)
		set(TEST_SOURCES ${name}.c)
	endif()
	list(TRANSFORM TEST_SOURCES PREPEND ${ELLU_UNIT_DIR}/ REGEX "^[^/]")
	add_executable(${name} ${TEST_SOURCES})
	target_link_libraries(${name} PRIVATE ${TEST_LIBS} PkgConfig::CHECK)
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
