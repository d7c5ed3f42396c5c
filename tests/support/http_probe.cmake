add_library(recfleet_http_probe STATIC ${CMAKE_CURRENT_LIST_DIR}/http_probe.c)
target_link_libraries(recfleet_http_probe PUBLIC recfleet_options)
