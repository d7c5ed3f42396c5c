recfleet_test(NAME test_readme SOURCES test_readme.c LIBS recfleet_job)
