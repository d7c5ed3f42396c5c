/*
 * Between the connection*.c files: a connection's insides. connection.c has its states and its life, connection_input.c
 * what comes from the client, connection_output.c what goes to it.
 */
#ifndef GATEWAY_CONNECTION_PARTS_H
#define GATEWAY_CONNECTION_PARTS_H

#include "gateway/connection.h"
#include "gateway/exchange.h"
#include "gateway/http_parse.h"
#include "gateway/outlet.h"

enum connection_state {
    CONNECTION_IDLE,
    CONNECTION_READING,
    CONNECTION_ANSWERING,
    CONNECTION_STREAMING,
    CONNECTION_WRITING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED
};

struct connection {
    struct connection_pool *pool;
    struct connection *next;
    struct connection **link; /* what points here */
    uv_tcp_t tcp;
    char peer[CLIENT_ADDRESS_BYTES];
    uv_shutdown_t shutdown;
    struct outlet outlet;
    enum connection_state state;
    uint64_t deadline_ms;
    struct http_parse *parse;      /* while READING */
    struct exchange *exchange;     /* READING: being filled; ANSWERING, STREAMING: with its route, also when CLOSED */
    struct http_reply_frame frame; /* while STREAMING */
    struct str kept;               /* received behind the request that is being answered */
    size_t lingered_bytes;
    bool is_reading; /* uv_read_start is on */
    bool peer_done;  /* the client has sent its last byte */
    bool last;       /* close after this answer */
    bool overrun;    /* the client does not take its stream */
    bool handle_open;
};

/* connection.c: the one way from state to state, which sets the deadline; closing is idempotent. */
void connection_enter(struct connection *connection, enum connection_state state);
void connection_set_deadline(struct connection *connection);
void connection_close(struct connection *connection);
void connection_free_when_done(struct connection *connection);

/* connection_input.c: reads while there is room; parses what was kept; answers what never became a request. */
void connection_input_update(struct connection *connection);
void connection_input_resume(struct connection *connection);
void connection_input_refuse(struct connection *connection, int status, const char *code, const char *reason);

/* connection_output.c: the outlet's and the exchange's callbacks; the way to close behind the last answer. */
extern const struct exchange_stream connection_output_stream;
void connection_output_written(void *owner, int status);
void connection_output_answered(struct exchange *exchange, void *owner);
void connection_output_linger(struct connection *connection);

#endif
