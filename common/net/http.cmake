recfleet_library(recfleet_http SOURCES http_client.c PUBLIC recfleet_base PRIVATE PkgConfig::LIBCURL)
