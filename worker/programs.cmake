# What parent, child and tests share: no event loop in it.
recfleet_library(recfleet_child_line SOURCES child_line.c line_reader.c stage_progress.c
  PUBLIC recfleet_job)

# The parent: queue, lease, child. It knows no ALS.
recfleet_library(recfleet_supervisor
  SOURCES supervisor.c supervisor_attempt.c supervisor_begin.c supervisor_child.c supervisor_correction.c supervisor_ending.c
    supervisor_intake.c supervisor_keep.c supervisor_lease.c supervisor_news.c supervisor_outcome.c supervisor_store.c worker_metrics.c
  PUBLIC recfleet_job_settings recfleet_job_queue recfleet_job_store recfleet_redis_async recfleet_child_line
    recfleet_metrics_listener)

# One job: the child, and --once.
recfleet_library(recfleet_worker_settings SOURCES settings.c fleet.c targets.c arguments.c job_setup.c job_setup_search.c
  PUBLIC recfleet_job_settings recfleet_pipeline recfleet_als recfleet_metrics_listener PRIVATE recfleet_redis_sink)
recfleet_library(recfleet_run_job SOURCES run_job.c run_homepage.c run_cross_sell.c run_search.c run_warehouse.c child.c child_link.c once.c
  PUBLIC recfleet_worker_settings recfleet_child_line recfleet_redis_sink recfleet_job
  PRIVATE recfleet_job_queue recfleet_job_store recfleet_cms recfleet_folder recfleet_blob recfleet_warehouse)

add_executable(recfleet-worker main.c)
target_link_libraries(recfleet-worker PRIVATE recfleet_options recfleet_supervisor recfleet_run_job recfleet_als)
