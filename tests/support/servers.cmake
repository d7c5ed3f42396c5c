add_library(recfleet_test_support STATIC ${CMAKE_CURRENT_LIST_DIR}/servers.c)
target_link_libraries(recfleet_test_support PUBLIC recfleet_options)
