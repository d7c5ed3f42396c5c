foreach(part IN ITEMS cross_sell cross_sell_lists cross_sell_dump cross_sell_publish cross_sell_report cross_sell_job)
  target_sources(recfleet_pipeline PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${part}.c)
endforeach()
