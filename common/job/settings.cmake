# recfleet_job for the types of jobs, which routes name, and recfleet_json for the file of shops.
recfleet_library(recfleet_job_settings
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/job_settings.c ${CMAKE_CURRENT_LIST_DIR}/job_routes.c
    ${CMAKE_CURRENT_LIST_DIR}/job_shops.c ${CMAKE_CURRENT_LIST_DIR}/job_targets.c
  PUBLIC recfleet_redis recfleet_job PRIVATE recfleet_json)
