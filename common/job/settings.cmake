recfleet_library(recfleet_job_settings
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/job_settings.c
  PUBLIC recfleet_redis)
