# recfleet_gateway_test(NAME [SOURCE file] [more of recfleet_integration_test]): the real program beside real servers.
function(recfleet_gateway_test name source)
  recfleet_integration_test(NAME test_${name} SOURCES ${source} gateway_fixture.c gateway_play.c queue_fixture.c ${ARGN}
    LIBS recfleet_job_store recfleet_job_queue recfleet_json recfleet_http_probe recfleet_test_mongo)
  add_dependencies(test_${name} recfleet-gateway)
endfunction()

recfleet_gateway_test(gateway_http test_gateway_http.c)
recfleet_gateway_test(gateway_jobs test_gateway_jobs.c)
recfleet_gateway_test(gateway_jobs_mongo test_gateway_jobs.c)
target_compile_definitions(test_gateway_jobs PRIVATE GATEWAY_TEST_MONGO=0)
target_compile_definitions(test_gateway_jobs_mongo PRIVATE GATEWAY_TEST_MONGO=1)
recfleet_gateway_test(gateway_faults test_gateway_faults.c)
recfleet_gateway_test(gateway_load test_gateway_load.c)
foreach(store IN ITEMS sqlite mongo)
  recfleet_gateway_test(gateway_control_${store} test_gateway_control.c)
  target_compile_definitions(test_gateway_control_${store} PRIVATE GATEWAY_TEST_MONGO=$<STREQUAL:${store},mongo>)
endforeach()
