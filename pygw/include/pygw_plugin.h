/* pygw native plugins: what a shared object is to the gateway, and what it may call.
 *
 * A plugin exports one function, pygw_plugin_init. It is called once for each hook in the
 * configuration and each worker, on the worker's only thread, as all other functions are. It fills
 * in the phases that it has code for. Pointers that a function gets are good until it returns;
 * entries of a head until the next edit. Nothing may block, throw across the border, or be called
 * from another thread.
 *
 *   int on_request(void *self, const pygw_call *call) {
 *       const pygw_header *key =
 *           call->host->header_find(call->ctx, PYGW_REQUEST, "x-key", 5, NULL);
 *       if (key == NULL) {
 *           call->host->reply(call->ctx, 401, "text/plain", 10, "missing key\n", 12);
 *           return PYGW_REPLY;
 *       }
 *       return PYGW_NEXT;
 *   }
 *   int pygw_plugin_init(const pygw_host *host, const pygw_config *config, pygw_plugin *out) {
 *       PYGW_PLUGIN_CHECK(host, out);
 *       out->request = on_request;
 *       return 0;
 *   }
 */
#ifndef PYGW_PLUGIN_H
#define PYGW_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#include "pygw/v1/http_views.h"
#ifdef __cplusplus
extern "C" {
#endif

#define PYGW_ABI 1u
#define PYGW_LAYOUT PYGW_HTTP_LAYOUT

/* pygw_span, pygw_header (whose `flags` have PYGW_GONE when it is not there any more), pygw_request
 * and pygw_response. */
#define PYGW_GONE PYGW_HEADER_GONE

enum { PYGW_REQUEST = 0, PYGW_RESPONSE = 1 };
/* What a function of a phase answers; every other number counts as a failure. */
enum { PYGW_NEXT = 0, PYGW_REPLY = 1, PYGW_WAIT = 2, PYGW_FAILED = 3, PYGW_ABORT = 4 };
enum {
    PYGW_PHASE_REQUEST = 0, PYGW_PHASE_REQUEST_BODY = 1, PYGW_PHASE_ATTEMPT = 2,
    PYGW_PHASE_RESPONSE = 3, PYGW_PHASE_RESPONSE_BODY = 4, PYGW_PHASE_LOG = 5
};
enum { PYGW_LOG_DEBUG = 0, PYGW_LOG_INFO = 1, PYGW_LOG_WARNING = 2, PYGW_LOG_ERROR = 3 };
/* What host functions answer instead of 0 or a count. */
enum {
    PYGW_E_DEAD = -1,             /* no call runs: what it was about is over */
    PYGW_E_BAD = -2,              /* bytes that the wire forbids there, or no such value */
    PYGW_E_OURS = -3,             /* a field that the gateway writes itself */
    PYGW_E_LATE = -4,             /* that head has left, or there is a reply already */
    PYGW_E_PHASE = -5,            /* it has no meaning in this phase */
    PYGW_E_FULL = -6,             /* a bound, or memory */
    PYGW_E_NONE = -7,             /* there is no such thing */
    PYGW_E_MASKED = -8            /* the hook's `writes` does not name it */
};

typedef struct pygw_call pygw_call;

/* A request of the hook's own. What is empty is left out: GET (POST with a body), "/". */
typedef struct {
    uint32_t size;                /* of this struct */
    uint32_t timeout_ms;          /* 0: five seconds */
    pygw_span upstream;           /* one that the hook's `fetch:` names */
    pygw_span method;
    pygw_span path;               /* with its query */
    pygw_span body;               /* ptr NULL: none */
    const pygw_span *fields;      /* name, value, name, value, ... */
    uint32_t field_count;         /* pairs of them */
} pygw_fetch;

/* What came of it. */
typedef struct {
    uint32_t size;
    uint32_t status;
    const char *error;            /* why there is no answer: "timeout", ...; NULL: there is one */
    const char *cause;            /* the same as the access log has it */
    const pygw_header *fields;    /* those with PYGW_GONE in their flags are not there */
    uint32_t field_count;
    pygw_span body;
} pygw_fetched;

/* Goes on where the function that answered PYGW_WAIT left off, and answers as that would. */
typedef int (*pygw_fetched_fn)(void *self, const pygw_call *call, void *arg,
                               const pygw_fetched *got);

/* What a plugin may call; `ctx` is that of the call. Bytes that are given are copied. */
typedef struct {
    uint32_t size;
    uint32_t abi;
    uint64_t layout;
    const pygw_request *(*request)(void *ctx);
    const pygw_response *(*response)(void *ctx);
    /* The first field of that name (any case) behind `after`; NULL: none. */
    const pygw_header *(*header_find)(void *ctx, int side, const char *name, uint32_t name_len,
                                      const pygw_header *after);
    const pygw_header *(*header_next)(void *ctx, int side, const pygw_header *after);
    int (*header_set)(void *ctx, int side, const char *name, uint32_t name_len,
                      const char *value, uint32_t value_len);
    int (*header_add)(void *ctx, int side, const char *name, uint32_t name_len,
                      const char *value, uint32_t value_len);
    int (*header_del)(void *ctx, int side, const char *name, uint32_t name_len);
    int (*method_set)(void *ctx, const char *ptr, uint32_t len);
    int (*path_set)(void *ctx, const char *ptr, uint32_t len);
    int (*query_set)(void *ctx, const char *ptr, uint32_t len);
    int (*status_set)(void *ctx, uint32_t status);
    /* An answer of the plugin's own: the function must then answer PYGW_REPLY. */
    int (*reply)(void *ctx, uint32_t status, const char *content_type, uint32_t type_len,
                 const char *body, uint32_t body_len);
    int (*reply_header)(void *ctx, const char *name, uint32_t name_len,
                        const char *value, uint32_t value_len);
    /* Body phases: these bytes instead of the body, or of the piece, at hand. */
    int (*body_set)(void *ctx, const char *ptr, uint32_t len);
    /* Variables of the exchange, which all hooks of its chain share. */
    const pygw_span *(*var_get)(void *ctx, const char *name, uint32_t name_len);
    int (*var_set)(void *ctx, const char *name, uint32_t name_len,
                   const char *value, uint32_t value_len);
    int (*log)(void *ctx, uint32_t level, const char *ptr, uint32_t len);
    uint64_t (*unix_ms)(void *ctx);
    uint64_t (*monotonic_ns)(void *ctx);
    const pygw_span *(*request_id)(void *ctx);
    /* Why the function is about to answer PYGW_FAILED: for the log. */
    int (*fail)(void *ctx, const char *ptr, uint32_t len);
    /* Sends a request; `done` is called in a later turn, if the exchange still runs. The function
     * answers PYGW_WAIT meanwhile: only a plugin with may_wait can, and not in the log phase. */
    int (*fetch)(void *ctx, const pygw_fetch *what, pygw_fetched_fn done, void *arg);
} pygw_host;

/* One call of one function of a phase. */
struct pygw_call {
    uint32_t size;
    uint8_t phase;                /* PYGW_PHASE_* */
    uint8_t last;                 /* body phases: the body ends with this piece */
    void *ctx;
    const pygw_host *host;
    const pygw_request *request;
    const pygw_response *response;
};

typedef struct {
    uint32_t size;
    pygw_span name;               /* of the hook */
    pygw_span json;               /* its `config:` as JSON */
} pygw_config;

typedef int (*pygw_phase_fn)(void *self, const pygw_call *call);

/* What pygw_plugin_init fills in. Phases that are NULL cost nothing. */
typedef struct {
    uint32_t size;                /* set by the gateway: it never reads beyond what you compiled */
    uint32_t abi;                 /* PYGW_ABI */
    uint64_t layout;              /* PYGW_LAYOUT */
    void *self;                   /* given to every function */
    pygw_phase_fn request;
    pygw_phase_fn request_body;
    pygw_phase_fn attempt;
    pygw_phase_fn response;
    pygw_phase_fn response_body;
    pygw_phase_fn log;
    void (*destroy)(void *self);  /* the configuration that named it is gone */
    char error[256];              /* why pygw_plugin_init answers another number than 0 */
    uint8_t may_wait;             /* its functions may answer PYGW_WAIT */
} pygw_plugin;

/* Says what the plugin was compiled against, and refuses a host that is another. */
#define PYGW_PLUGIN_CHECK(host, out)                                                  \
    do {                                                                              \
        (out)->abi = PYGW_ABI;                                                        \
        (out)->layout = PYGW_LAYOUT;                                                  \
        if ((host)->abi != PYGW_ABI || (host)->layout != PYGW_LAYOUT) return -1;      \
    } while (0)

int pygw_plugin_init(const pygw_host *host, const pygw_config *config, pygw_plugin *out);

#ifdef __cplusplus
}
#endif
#endif
