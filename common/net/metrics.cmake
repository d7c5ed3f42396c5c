recfleet_library(recfleet_metrics SOURCES metrics.c metrics_process.c PUBLIC recfleet_base)
recfleet_library(recfleet_metrics_listener SOURCES metrics_listener.c PUBLIC recfleet_metrics PkgConfig::LIBUV)
