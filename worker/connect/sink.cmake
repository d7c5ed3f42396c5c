recfleet_library(recfleet_redis_sink SOURCES ${CMAKE_CURRENT_LIST_DIR}/redis_sink.c
  PUBLIC recfleet_redis recfleet_pipeline_data PRIVATE recfleet_job_queue recfleet_pipeline)
