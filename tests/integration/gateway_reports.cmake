foreach(store IN ITEMS sqlite mongo)
  recfleet_gateway_test(gateway_reports_${store} test_gateway_reports.c)
  target_compile_definitions(test_gateway_reports_${store} PRIVATE GATEWAY_TEST_MONGO=$<STREQUAL:${store},mongo>)
endforeach()
