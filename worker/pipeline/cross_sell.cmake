foreach(part IN ITEMS cross_sell cross_sell_lists)
  target_sources(recfleet_pipeline PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${part}.c)
endforeach()
