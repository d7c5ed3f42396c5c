recfleet_integration_test(NAME test_job_store SOURCES test_job_store.c
  LIBS recfleet_job_store recfleet_test_mongo TIMEOUT 180)
