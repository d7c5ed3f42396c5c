foreach(pair IN ITEMS online_retail/intended online_retail/intended_100d retailrocket/intended
    online_retail/intended_100d/folder)
  string(REPLACE "/" ";" words ${pair})
  string(REPLACE "/" "_" name ${pair})
  add_test(NAME parity.once_cross_sell_${name} COMMAND ${CMAKE_CURRENT_LIST_DIR}/once_cross_sell ${words})
  set_tests_properties(parity.once_cross_sell_${name} PROPERTIES
    LABELS parity TIMEOUT 300 SKIP_RETURN_CODE 77 ENVIRONMENT "${test_environment}")
endforeach()
