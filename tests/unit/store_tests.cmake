foreach(name store_open store_submit store_pages store_rows store_run store_rating store_results store_writer)
	ellu_unit_test(${name} SOURCES ${name}.c store_fixture.c LIBS daemon)
endforeach()
