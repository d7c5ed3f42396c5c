# Each on one of the stores; tests/run puts the Python with their packages first in PATH.
foreach(scenario_store storm:sqlite failover:mongodb outage:mongodb)
  string(REPLACE ":" ";" pair ${scenario_store})
  list(GET pair 0 scenario)
  list(GET pair 1 store)
  add_test(NAME chaos.${scenario} COMMAND ${CMAKE_CURRENT_LIST_DIR}/chaos ${scenario} --store ${store})
  set_tests_properties(chaos.${scenario} PROPERTIES
    LABELS chaos TIMEOUT 1500 SKIP_RETURN_CODE 77 ENVIRONMENT "${test_environment}")
endforeach()
