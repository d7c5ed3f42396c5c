add_library(recfleet_failing_memory STATIC ${CMAKE_CURRENT_LIST_DIR}/failing_memory.c)
target_link_libraries(recfleet_failing_memory PUBLIC recfleet_base PRIVATE recfleet_options PkgConfig::CMOCKA)
target_link_options(recfleet_failing_memory INTERFACE
  -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup,--wrap=strndup)
