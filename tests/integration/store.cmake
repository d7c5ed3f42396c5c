foreach(part IN ITEMS store store_faults)
  recfleet_integration_test(NAME test_job_${part} SOURCES test_job_${part}.c store_fixture.c
    LIBS recfleet_job_store recfleet_job_store_mongo PkgConfig::LIBMONGOC_1_0 PkgConfig::SQLITE3 recfleet_test_mongo TIMEOUT 180)
endforeach()
