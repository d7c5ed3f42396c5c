foreach(pair IN ITEMS online_retail/intended online_retail/intended_100d retailrocket/intended
    online_retail/intended/folder online_retail/intended_100d/folder retailrocket/intended/folder)
  string(REPLACE "/" ";" words ${pair})
  string(REPLACE "/" "_" name ${pair})
  add_test(NAME parity.once_${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/once_golden ${words})
  set_tests_properties(parity.once_${name} PROPERTIES
    LABELS parity TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${test_environment}")
endforeach()
