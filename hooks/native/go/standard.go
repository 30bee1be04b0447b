// The standard hook in Go: a request without the right key is answered with 401; one that has it
// goes on with X-User.
//
//	- native: {file: standard.so, config: {key: "0123456789abcdef01234567", user: anna}}
//
// CGO_CFLAGS="$(python -m pygw.native)" go build -buildmode=c-shared -o standard.so standard.go
//
// Go calls C only through C functions, so the host's pointers are called by the helpers below. One
// such border costs about 50 ns each way.
package main

/*
#include <pygw_plugin.h>
#include <stdlib.h>
#include <string.h>

extern int goRequest(void *self, pygw_call *call);

static const pygw_header *find(const pygw_call *c, const char *name, uint32_t len) {
    return c->host->header_find(c->ctx, PYGW_REQUEST, name, len, NULL);
}
static int set(const pygw_call *c, const char *name, uint32_t n, const char *value, uint32_t v) {
    return c->host->header_set(c->ctx, PYGW_REQUEST, name, n, value, v);
}
static int refuse(const pygw_call *c) {
    c->host->reply(c->ctx, 401, "text/plain", 10, "no such key\n", 12);
    return PYGW_REPLY;
}
static int on_request(void *self, const pygw_call *call) {
    return goRequest(self, (pygw_call *)call);
}
static int begin(const pygw_host *host, pygw_plugin *out, void *self) {
    PYGW_PLUGIN_CHECK(host, out);
    out->self = self;
    out->request = on_request;
    return 0;
}
static void because(pygw_plugin *out, const char *why) {
    strncpy(out->error, why, sizeof(out->error) - 1);
}
*/
import "C"

import (
	"encoding/json"
	"runtime/cgo"
	"unsafe"
)

type state struct {
	Key  string `json:"key"`
	User string `json:"user"`
}

// Names of fields, in C memory for good: Go's own may not be kept there.
var (
	keyName  = C.CString("x-api-key")
	userName = C.CString("X-User")
)

//export goRequest
func goRequest(self unsafe.Pointer, call *C.pygw_call) C.int {
	s := (*(*cgo.Handle)(self)).Value().(*state)
	found := C.find(call, keyName, 9)
	if found == nil || C.GoStringN(found.value.ptr, C.int(found.value.len)) != s.Key {
		return C.refuse(call)
	}
	user := C.CString(s.User)
	defer C.free(unsafe.Pointer(user))
	return C.set(call, userName, 6, user, C.uint32_t(len(s.User)))
}

//export pygw_plugin_init
func pygw_plugin_init(host *C.pygw_host, config *C.pygw_config, out *C.pygw_plugin) C.int {
	s := &state{}
	text := C.GoBytes(unsafe.Pointer(config.json.ptr), C.int(config.json.len))
	self := (*cgo.Handle)(C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0)))))
	*self = cgo.NewHandle(s)
	if answer := C.begin(host, out, unsafe.Pointer(self)); answer != 0 {
		return answer
	}
	if json.Unmarshal(text, s) != nil || s.Key == "" || s.User == "" {
		why := C.CString("config needs key and user")
		defer C.free(unsafe.Pointer(why))
		C.because(out, why)
		return -1
	}
	return 0
}

func main() {}
