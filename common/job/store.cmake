recfleet_library(recfleet_job SOURCES job.c job_new.c job_params.c job_params_from.c PUBLIC recfleet_base recfleet_json)
recfleet_library(recfleet_job_store_sqlite SOURCES job_store_sqlite.c job_store_sqlite_search.c job_store_sqlite_statement.c
  PUBLIC recfleet_job PRIVATE PkgConfig::SQLITE3)
recfleet_library(recfleet_job_store_mongo SOURCES job_store_mongo.c job_store_mongo_bson.c job_store_mongo_client.c
  PUBLIC recfleet_job PRIVATE PkgConfig::LIBMONGOC_1_0)
recfleet_library(recfleet_job_store SOURCES job_store.c
  PUBLIC recfleet_job PRIVATE recfleet_job_store_sqlite recfleet_job_store_mongo)
