foreach(name client_blocking client_event client_fork client_hostile client_locale
		client_misuse client_op client_resume)
	ellu_unit_test(${name} SOURCES ${name}.c client_standin.c LIBS elluminate proto Threads::Threads)
endforeach()
# A sanitizer brings an allocator of its own, and cannot look into a set-user-ID program.
if(NOT ELLU_SANITIZE)
	add_executable(client_where ${ELLU_UNIT_DIR}/client_where.c)
	# The library itself may lie where only root comes to.
	target_link_libraries(client_where PRIVATE client-objects)
	add_test(NAME client_secure COMMAND ${ELLU_UNIT_DIR}/client_secure.sh $<TARGET_FILE:client_where>)
	set_tests_properties(client_secure PROPERTIES LABELS unit TIMEOUT 60 SKIP_RETURN_CODE 77)
	ellu_unit_test(client_memory SOURCES client_memory.c client_standin.c
		LIBS elluminate Threads::Threads)
endif()
add_test(NAME client_symbols COMMAND ${ELLU_UNIT_DIR}/client_symbols.sh $<TARGET_FILE:elluminate>
	${PROJECT_BINARY_DIR}/client/man3
	${PROJECT_SOURCE_DIR}/client/elluminate.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-methods.h
	${PROJECT_BINARY_DIR}/proto/generated/elluminate-types.h)
set_tests_properties(client_symbols PROPERTIES LABELS unit TIMEOUT 60)
# The adapters, each with the loop it is for. GLib's development files may be absent.
pkg_check_modules(GLIB IMPORTED_TARGET glib-2.0)
foreach(loop libevent:EVENT sd_event:SYSTEMD glib:GLIB)
	string(REPLACE ":" ";" loop ${loop})
	list(GET loop 0 name)
	list(GET loop 1 package)
	if(${package}_FOUND)
		ellu_unit_test(client_loop_${name} SOURCES client_loop_${name}.c client_standin.c
			LIBS elluminate Threads::Threads PkgConfig::${package})
	endif()
endforeach()
include(${ELLU_UNIT_DIR}/client_growth.cmake)
