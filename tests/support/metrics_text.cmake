add_library(recfleet_metrics_text STATIC ${CMAKE_CURRENT_LIST_DIR}/metrics_text.c)
target_link_libraries(recfleet_metrics_text PUBLIC recfleet_options PRIVATE m)
