recfleet_integration_test(NAME test_cms SOURCES test_cms.c cms_fixture.c LIBS recfleet_cms recfleet_test_cms)
recfleet_integration_test(NAME test_cms_faults SOURCES test_cms_faults.c cms_fixture.c LIBS recfleet_cms recfleet_test_cms)
