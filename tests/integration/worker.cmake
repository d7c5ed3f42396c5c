# recfleet_worker_test(NAME [more sources]): the real program beside real servers.
function(recfleet_worker_test name)
  recfleet_integration_test(NAME test_${name} SOURCES test_${name}.c worker_fixture.c queue_fixture.c ${ARGN}
    LIBS recfleet_job_store recfleet_job_queue recfleet_json recfleet_test_cms recfleet_test_mongo TIMEOUT 600)
  add_dependencies(test_${name} recfleet-worker)
endfunction()

foreach(part IN ITEMS once once_folder worker kills)
  recfleet_worker_test(${part})
endforeach()
recfleet_integration_test(NAME test_redis_sink SOURCES test_redis_sink.c queue_fixture.c
  LIBS recfleet_redis_sink recfleet_job_queue recfleet_test_support)
