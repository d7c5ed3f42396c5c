add_library(recfleet_test_cms STATIC ${CMAKE_CURRENT_LIST_DIR}/cms_server.c ${CMAKE_CURRENT_LIST_DIR}/http_probe.c)
target_link_libraries(recfleet_test_cms PUBLIC recfleet_test_support)
