ellu_unit_test(sim_test)
target_compile_definitions(sim_test PRIVATE ELLU_SIM_PATH="$<TARGET_FILE:ellu-sim>")
add_dependencies(sim_test ellu-sim)
