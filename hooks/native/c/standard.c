/* The standard hook in C: a request without the right key is answered with 401; one that has it
 * goes on with X-User. The key and the user come from the configuration of the hook:
 *
 *   - native: {file: standard.so, config: {key: "0123456789abcdef01234567", user: anna}}
 *
 * cc -O2 -shared -fPIC $(python -m pygw.native) -o standard.so standard.c
 */
#include <pygw_plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char key[256];
    char user[256];
    uint32_t key_len;
    uint32_t user_len;
} state;

/* The text at "name": "..." in flat JSON without escapes; 0: it is not there, or too long. */
static uint32_t text_of(pygw_span json, const char *name, char *out, size_t room)
{
    char mark[64];
    int size = snprintf(mark, sizeof(mark), "\"%s\":\"", name);
    const char *at = memmem(json.ptr, json.len, mark, (size_t)size);
    if (at == NULL) return 0;
    at += size;
    const char *end = memchr(at, '"', (size_t)(json.ptr + json.len - at));
    if (end == NULL || (size_t)(end - at) > room || memchr(at, '\\', (size_t)(end - at))) return 0;
    memcpy(out, at, (size_t)(end - at));
    return (uint32_t)(end - at);
}

static int on_request(void *self, const pygw_call *call)
{
    const state *s = self;
    const pygw_host *host = call->host;
    const pygw_header *key = host->header_find(call->ctx, PYGW_REQUEST, "x-api-key", 9, NULL);
    if (key == NULL || key->value.len != s->key_len
            || memcmp(key->value.ptr, s->key, s->key_len) != 0) {
        host->reply(call->ctx, 401, "text/plain", 10, "no such key\n", 12);
        return PYGW_REPLY;
    }
    return host->header_set(call->ctx, PYGW_REQUEST, "X-User", 6, s->user, s->user_len);
}

static void destroy(void *self)
{
    free(self);
}

int pygw_plugin_init(const pygw_host *host, const pygw_config *config, pygw_plugin *out)
{
    PYGW_PLUGIN_CHECK(host, out);
    state *s = calloc(1, sizeof(state));
    if (s == NULL) return -1;
    s->key_len = text_of(config->json, "key", s->key, sizeof(s->key));
    s->user_len = text_of(config->json, "user", s->user, sizeof(s->user));
    if (s->key_len == 0 || s->user_len == 0) {
        snprintf(out->error, sizeof(out->error), "config needs key and user");
        free(s);
        return -1;
    }
    out->self = s;
    out->request = on_request;
    out->destroy = destroy;
    return 0;
}
