if(NOT RECFLEET_SANITIZE MATCHES "thread") # it asks for one thing after the other: no two threads meet in it
  recfleet_gateway_test(schemathesis test_schemathesis.c cli_fixture.c cli_gateway.c TIMEOUT 400)
  if(RECFLEET_SANITIZE) # slower, and its part is done without
    target_compile_definitions(test_schemathesis PRIVATE SANITIZED=1)
  else()
    target_compile_definitions(test_schemathesis PRIVATE SANITIZED=0)
  endif()
endif()
