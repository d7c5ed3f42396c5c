foreach(part IN ITEMS job_queue job_queue_control job_queue_upkeep job_queue_target)
  recfleet_integration_test(NAME test_${part} SOURCES test_${part}.c queue_fixture.c
    LIBS recfleet_job_queue recfleet_test_support)
endforeach()
recfleet_integration_test(NAME test_redis_client SOURCES test_redis_client.c LIBS recfleet_redis recfleet_test_support)
recfleet_integration_test(NAME test_redis_async SOURCES test_redis_async.c
  LIBS recfleet_redis_async recfleet_test_support)
