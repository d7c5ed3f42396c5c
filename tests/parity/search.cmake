recfleet_parity_test(NAME test_search_metrics SOURCES test_search_metrics.c als_golden.c LIBS recfleet_pipeline TIMEOUT 300)
