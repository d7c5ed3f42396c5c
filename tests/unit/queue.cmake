recfleet_test(NAME test_redis_url SOURCES test_redis_url.c LIBS recfleet_redis)
recfleet_test(NAME test_redis_command SOURCES test_redis_command.c LIBS recfleet_redis_async)
recfleet_test(NAME test_redis_reply SOURCES test_redis_reply.c canned_redis.c LIBS recfleet_redis)
recfleet_test(NAME test_job_queue_parse SOURCES test_job_queue_parse.c canned_redis.c LIBS recfleet_job_queue)
