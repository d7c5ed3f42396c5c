pkg_check_modules(HIREDIS_SSL QUIET IMPORTED_TARGET hiredis_ssl)

recfleet_library(recfleet_redis
  SOURCES redis_reply.c redis_command.c redis_url.c redis_tls.c redis_client.c
  PUBLIC recfleet_base PRIVATE PkgConfig::HIREDIS)
if(HIREDIS_SSL_FOUND)
  target_compile_definitions(recfleet_redis PRIVATE RECFLEET_HIREDIS_SSL)
  target_link_libraries(recfleet_redis PRIVATE PkgConfig::HIREDIS_SSL)
endif()

recfleet_library(recfleet_redis_async
  SOURCES redis_address.c redis_async.c redis_link.c redis_request.c
  PUBLIC recfleet_redis PkgConfig::LIBUV PRIVATE PkgConfig::HIREDIS)
