recfleet_test(NAME test_cross_sell SOURCES test_cross_sell.c LIBS recfleet_pipeline)
