foreach(name backend_http_test backend_flow_test backend_hang_test backend_users_test
	backend_descriptors_test
	backend_outage_test backend_wire_test)
	ellu_unit_test(${name} SOURCES ${name}.c backend_fixture.c LIBS daemon)
	target_compile_definitions(${name} PRIVATE ELLU_SIM_PATH="$<TARGET_FILE:ellu-sim>")
	add_dependencies(${name} ellu-sim)
endforeach()
# The same endpoint, its every misbehaviour included, in another dialect.
ellu_unit_test(backend_anthropic_test SOURCES backend_http_test.c backend_fixture.c LIBS daemon)
target_compile_definitions(backend_anthropic_test PRIVATE TEST_PROVIDER="anthropic"
	ELLU_SIM_PATH="$<TARGET_FILE:ellu-sim>")
add_dependencies(backend_anthropic_test ellu-sim)
target_sources(backend_wire_test PRIVATE ${CMAKE_CURRENT_LIST_DIR}/raw_server.c)
target_sources(backend_hang_test PRIVATE ${PROJECT_SOURCE_DIR}/tests/sim/hang_resolver.c)
ellu_unit_test(backend_rules_test LIBS daemon)
ellu_unit_test(simulated_text_test LIBS daemon)
