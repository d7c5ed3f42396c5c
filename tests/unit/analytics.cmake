recfleet_test(NAME test_analytics SOURCES test_analytics.c LIBS recfleet_pipeline)
recfleet_test(NAME test_zone SOURCES test_zone.c LIBS recfleet_base)
