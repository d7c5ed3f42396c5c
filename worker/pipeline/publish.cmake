target_sources(recfleet_pipeline PRIVATE ${CMAKE_CURRENT_LIST_DIR}/publish.c ${CMAKE_CURRENT_LIST_DIR}/publish_chunk.c)
target_link_libraries(recfleet_pipeline PRIVATE recfleet_fetch)
