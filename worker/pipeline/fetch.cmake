recfleet_library(recfleet_fetch
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/fetch.c ${CMAKE_CURRENT_LIST_DIR}/cache.c ${CMAKE_CURRENT_LIST_DIR}/cache_csv.c
    ${CMAKE_CURRENT_LIST_DIR}/cache_marker.c
  PUBLIC recfleet_pipeline_data PRIVATE recfleet_hash)
