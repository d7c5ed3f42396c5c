recfleet_integration_test(NAME test_cms SOURCES test_cms.c cms_fixture.c TIMEOUT 300
  LIBS recfleet_cms recfleet_test_cms)
recfleet_integration_test(NAME test_cms_faults SOURCES test_cms_faults.c cms_fixture.c TIMEOUT 300
  LIBS recfleet_cms recfleet_test_cms)
recfleet_integration_test(NAME test_http_client SOURCES test_http_client.c cms_fixture.c
  LIBS recfleet_http recfleet_cms recfleet_test_cms)
recfleet_integration_test(NAME test_fetch_golden SOURCES test_fetch_golden.c TIMEOUT 300
  LIBS recfleet_pipeline recfleet_cms recfleet_blob recfleet_test_cms)
