/*
 * Stands in for llhttp in tests/unit/test_libs.py: the real library, made wrong in one way.
 * REAL_LLHTTP names the real one. FAKE_LLHTTP names the wrong: "settings=N" (bytes that
 * settings_init zeroes), "parser=N" (bytes that init writes), "swap=I" (slots I and I+1 of the
 * settings exchanged),
 * "method=N" or "error=N" (that number has another name). -DWITHOUT_FINISH leaves a function out.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { void* slot[25]; } settings_t;

static void* real;
static settings_t swapped;
static int bytes_settings = sizeof(settings_t), bytes_parser, swap = -1, method = -1, error = -1;

__attribute__((constructor)) static void open_real(void) {
    const char* how = getenv("FAKE_LLHTTP");
    real = dlopen(getenv("REAL_LLHTTP"), RTLD_NOW);
    if (!real) {
        fprintf(stderr, "%s\n", dlerror());
        abort();
    }
    sscanf(how, "settings=%d", &bytes_settings);
    sscanf(how, "parser=%d", &bytes_parser);
    sscanf(how, "swap=%d", &swap);
    sscanf(how, "method=%d", &method);
    sscanf(how, "error=%d", &error);
}

#define REAL(type, name) ((type)dlsym(real, name))

void llhttp_settings_init(void* settings) { memset(settings, 0, bytes_settings); }

void llhttp_init(void* parser, int type, const settings_t* settings) {
    if (bytes_parser) {
        memset(parser, 0, bytes_parser);
        return;
    }
    swapped = *settings;
    if (swap >= 0) {
        swapped.slot[swap] = settings->slot[swap + 1];
        swapped.slot[swap + 1] = settings->slot[swap];
    }
    REAL(void (*)(void*, int, const settings_t*), "llhttp_init")(parser, type, &swapped);
}

int llhttp_execute(void* parser, const char* data, size_t len) {
    return REAL(int (*)(void*, const char*, size_t), "llhttp_execute")(parser, data, len);
}

const char* llhttp_method_name(int number) {
    if (number == method) return "OTHER";
    return REAL(const char* (*)(int), "llhttp_method_name")(number);
}

const char* llhttp_errno_name(int number) {
    if (number == error) return "HPE_OTHER";
    return REAL(const char* (*)(int), "llhttp_errno_name")(number);
}

/* The rest is looked up at import and not called there. */
#define UNUSED(name) \
    void name(void) { abort(); }

UNUSED(llhttp_reset)
#ifndef WITHOUT_FINISH
UNUSED(llhttp_finish)
#endif
UNUSED(llhttp_pause)
UNUSED(llhttp_resume)
UNUSED(llhttp_resume_after_upgrade)
UNUSED(llhttp_get_type)
UNUSED(llhttp_get_method)
UNUSED(llhttp_get_status_code)
UNUSED(llhttp_get_http_major)
UNUSED(llhttp_get_http_minor)
UNUSED(llhttp_get_upgrade)
UNUSED(llhttp_get_errno)
UNUSED(llhttp_get_error_reason)
UNUSED(llhttp_get_error_pos)
UNUSED(llhttp_set_error_reason)
UNUSED(llhttp_should_keep_alive)
UNUSED(llhttp_message_needs_eof)
