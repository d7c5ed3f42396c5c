# What tests/bench/run measures with; built with all else, run by hand.
add_executable(post_load ${CMAKE_CURRENT_LIST_DIR}/post_load.c)
target_link_libraries(post_load PRIVATE recfleet_options recfleet_base)
add_executable(store_load ${CMAKE_CURRENT_LIST_DIR}/store_load.c)
target_link_libraries(store_load PRIVATE recfleet_job_store recfleet_job)
add_executable(als_train ${CMAKE_CURRENT_LIST_DIR}/als_train.c ${CMAKE_CURRENT_LIST_DIR}/matrix_file.c)
target_link_libraries(als_train PRIVATE recfleet_als)
add_executable(als_lists ${CMAKE_CURRENT_LIST_DIR}/als_lists.c ${CMAKE_CURRENT_LIST_DIR}/shop_split.c
  ${CMAKE_CURRENT_LIST_DIR}/matrix_file.c)
target_link_libraries(als_lists PRIVATE recfleet_pipeline)
add_executable(pipeline_stages ${CMAKE_CURRENT_LIST_DIR}/pipeline_stages.c)
target_link_libraries(pipeline_stages PRIVATE recfleet_pipeline)
add_executable(publish_load ${CMAKE_CURRENT_LIST_DIR}/publish_load.c)
target_link_libraries(publish_load PRIVATE recfleet_pipeline recfleet_redis_sink)
set_target_properties(post_load store_load als_train als_lists pipeline_stages publish_load PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
