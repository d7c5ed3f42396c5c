recfleet_test(NAME test_job_params SOURCES test_job_params.c LIBS recfleet_job)
recfleet_test(NAME test_job_store_mongo_bson SOURCES test_job_store_mongo_bson.c
  LIBS recfleet_job_store_mongo PkgConfig::LIBMONGOC_1_0)
recfleet_test(NAME test_out_of_memory SOURCES test_out_of_memory.c LIBS recfleet_job_store PkgConfig::JANSSON recfleet_failing_memory)
