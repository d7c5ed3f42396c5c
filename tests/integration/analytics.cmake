foreach(store IN ITEMS sqlite mongo)
  recfleet_integration_test(NAME test_analytics_http_${store} TIMEOUT 300
    SOURCES test_analytics_http.c gateway_fixture.c gateway_play.c queue_fixture.c
    LIBS recfleet_job_store recfleet_job_queue recfleet_json recfleet_http_probe recfleet_test_mongo)
  add_dependencies(test_analytics_http_${store} recfleet-gateway recfleet-worker)
  target_compile_definitions(test_analytics_http_${store} PRIVATE GATEWAY_TEST_MONGO=$<STREQUAL:${store},mongo>)
endforeach()
