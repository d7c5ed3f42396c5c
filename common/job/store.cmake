recfleet_library(recfleet_job SOURCES job.c job_params.c PUBLIC recfleet_base recfleet_json)
