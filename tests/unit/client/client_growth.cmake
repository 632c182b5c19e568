# A second library and a second caller, of an interface whose records have grown by a member at
# their ends; each caller runs with each library.
set(grown ${CMAKE_CURRENT_BINARY_DIR}/grown)
get_property(interface_files GLOBAL PROPERTY ELLU_INTERFACE_FILES)
set(grown_files "")
foreach(file ${interface_files})
	get_filename_component(name ${file} NAME)
	list(APPEND grown_files ${grown}/${name})
endforeach()
file(MAKE_DIRECTORY ${grown}/proto/generated)
add_custom_command(OUTPUT ${grown_files}
	COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/client_grow.sh ${interface_files}
	DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/client_grow.sh ${interface_files}
	WORKING_DIRECTORY ${grown} VERBATIM)
set(generated "")
foreach(pair types:elluminate-types.h interface-header:interface.h interface-source:interface.c
		client-header:elluminate-methods.h)
	string(REPLACE ":" ";" pair ${pair})
	list(GET pair 0 mode)
	list(GET pair 1 name)
	add_custom_command(OUTPUT ${grown}/proto/generated/${name}
		COMMAND elluminate-idl --${mode} ${grown}/proto/generated/${name} ${grown_files}
		DEPENDS elluminate-idl ${grown_files} VERBATIM)
	list(APPEND generated ${grown}/proto/generated/${name})
endforeach()
add_custom_target(grown-generated DEPENDS ${generated})

set(sources ${grown}/proto/generated/interface.c)
foreach(part proto:proto client-objects:client)
	string(REPLACE ":" ";" part ${part})
	list(GET part 0 target)
	list(GET part 1 folder)
	get_target_property(files ${target} SOURCES)
	list(FILTER files EXCLUDE REGEX "^/")
	list(TRANSFORM files PREPEND ${PROJECT_SOURCE_DIR}/${folder}/)
	list(APPEND sources ${files})
endforeach()
add_library(elluminate-grown SHARED ${sources})
set_target_properties(elluminate-grown PROPERTIES
	OUTPUT_NAME elluminate SOVERSION 0 LIBRARY_OUTPUT_DIRECTORY ${grown}/lib)
target_include_directories(elluminate-grown BEFORE PUBLIC ${grown} ${grown}/proto/generated
	${PROJECT_SOURCE_DIR}/client)
target_link_options(elluminate-grown PRIVATE
	-Wl,--version-script=${PROJECT_BINARY_DIR}/client/libelluminate.map)
target_link_libraries(elluminate-grown PRIVATE PkgConfig::JSONC PkgConfig::SYSTEMD Threads::Threads
	m)
add_dependencies(elluminate-grown grown-generated client-map)

foreach(caller today grown)
	add_executable(client_growth_${caller} ${CMAKE_CURRENT_SOURCE_DIR}/client_growth.c
		${CMAKE_CURRENT_SOURCE_DIR}/client_standin.c)
	target_link_libraries(client_growth_${caller} PRIVATE PkgConfig::CHECK Threads::Threads)
	foreach(library today grown)
		add_test(NAME client_growth_${caller}_with_${library} COMMAND client_growth_${caller})
		set_tests_properties(client_growth_${caller}_with_${library} PROPERTIES
			LABELS unit TIMEOUT 60)
	endforeach()
	set_tests_properties(client_growth_${caller}_with_today PROPERTIES
		ENVIRONMENT "LD_LIBRARY_PATH=${PROJECT_BINARY_DIR}/client")
	set_tests_properties(client_growth_${caller}_with_grown PROPERTIES
		ENVIRONMENT "LD_LIBRARY_PATH=${grown}/lib;ELLU_TEST_GROWN=1")
endforeach()
target_link_libraries(client_growth_today PRIVATE elluminate)
target_link_libraries(client_growth_grown PRIVATE elluminate-grown)
target_compile_definitions(client_growth_grown PRIVATE GROWN)
