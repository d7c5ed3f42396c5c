recfleet_test(NAME test_openapi SOURCES test_openapi.c LIBS recfleet_gateway_lib)
