# What tests/bench/run measures with; built with all else, run by hand.
add_executable(post_load ${CMAKE_CURRENT_LIST_DIR}/post_load.c)
target_link_libraries(post_load PRIVATE recfleet_options)
add_executable(store_load ${CMAKE_CURRENT_LIST_DIR}/store_load.c)
target_link_libraries(store_load PRIVATE recfleet_job_store recfleet_job)
set_target_properties(post_load store_load PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
