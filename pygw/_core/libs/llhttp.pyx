# cython: language_level=3
# Owns: the one table of llhttp's functions and the proof that llhttp.pxd declares them rightly.
# Thread and GIL: everything here runs at import, under the GIL.
# Never does: parse traffic, or accept a library whose layout it has not seen in action.
# Read next: llhttp.pxd for the contracts, llhttp_probe.pxd for the proof by parsing.

from libc.string cimport strcmp

from pygw._core.libs.llhttp_probe cimport parser_bytes, settings_bytes, slots_problem
from pygw._core.libs.loader cimport Library, library_open

from pygw._core.libs.wheel import LLHTTP, LibraryError, LibraryInfo


cdef int refuse(Library lib, str problem) except -1:
    raise LibraryError(lib.name, f"{lib.path} ({lib.release}) {problem}", lib.remedy)


cdef int fill_table(Library lib) except -1:
    lib.fill(&llhttp.init, b"llhttp_init")
    lib.fill(&llhttp.reset, b"llhttp_reset")
    lib.fill(&llhttp.settings_init, b"llhttp_settings_init")
    lib.fill(&llhttp.execute, b"llhttp_execute")
    lib.fill(&llhttp.finish, b"llhttp_finish")
    lib.fill(&llhttp.pause, b"llhttp_pause")
    lib.fill(&llhttp.resume, b"llhttp_resume")
    lib.fill(&llhttp.resume_after_upgrade, b"llhttp_resume_after_upgrade")
    lib.fill(&llhttp.get_type, b"llhttp_get_type")
    lib.fill(&llhttp.get_method, b"llhttp_get_method")
    lib.fill(&llhttp.get_status_code, b"llhttp_get_status_code")
    lib.fill(&llhttp.get_http_major, b"llhttp_get_http_major")
    lib.fill(&llhttp.get_http_minor, b"llhttp_get_http_minor")
    lib.fill(&llhttp.get_upgrade, b"llhttp_get_upgrade")
    lib.fill(&llhttp.get_errno, b"llhttp_get_errno")
    lib.fill(&llhttp.get_error_reason, b"llhttp_get_error_reason")
    lib.fill(&llhttp.get_error_pos, b"llhttp_get_error_pos")
    lib.fill(&llhttp.set_error_reason, b"llhttp_set_error_reason")
    lib.fill(&llhttp.should_keep_alive, b"llhttp_should_keep_alive")
    lib.fill(&llhttp.message_needs_eof, b"llhttp_message_needs_eof")
    lib.fill(&llhttp.method_name, b"llhttp_method_name")
    lib.fill(&llhttp.errno_name, b"llhttp_errno_name")
    return 0


cdef int prove_table(Library lib) except -1:
    cdef size_t i
    for i in range(sizeof(llhttp_api) // sizeof(void*)):
        if (<void**>&llhttp)[i] == NULL:
            raise SystemError(f"entry {i} of the table of {lib.name} was never filled")
    return 0


# llhttp has no version function: what its two init functions write tells the layout.
cdef int prove_sizes(Library lib) except -1:
    cdef int settings = settings_bytes(&llhttp)
    cdef int wanted = <int>sizeof(llhttp_settings_t)
    cdef int parser
    if settings < 0:
        refuse(lib, "sets up callbacks in a way that pygw does not know")
    if settings != wanted:
        age = "older" if settings < wanted else "newer"
        refuse(lib, f"has callbacks of {settings} bytes where {wanted} are needed: it is {age}"
                    f" than pygw knows")
    parser = parser_bytes(&llhttp)
    if parser < 1:
        refuse(lib, "sets up a parser in a way that pygw does not know")
    if parser > LLHTTP_BYTES:
        refuse(lib, f"has a parser of {parser} bytes where at most {LLHTTP_BYTES} are expected")
    return parser


cdef int prove_method(Library lib, int number, const char* name) except -1:
    cdef const char* text = llhttp.method_name(number)
    if strcmp(text, name) != 0:
        refuse(lib, f"calls method {number} {text.decode()} and not {name.decode()}")
    return 0


cdef int prove_error(Library lib, int number, const char* name) except -1:
    cdef const char* text = llhttp.errno_name(number)
    if strcmp(text, name) != 0:
        refuse(lib, f"calls error {number} {text.decode()} and not {name.decode()}")
    return 0


# Both name functions abort the process on a number they do not know: only after prove_sizes, for
# the layout found there came later than every number asked here.
cdef int prove_numbers(Library lib) except -1:
    prove_method(lib, HTTP_DELETE, b"DELETE")
    prove_method(lib, HTTP_GET, b"GET")
    prove_method(lib, HTTP_HEAD, b"HEAD")
    prove_method(lib, HTTP_POST, b"POST")
    prove_method(lib, HTTP_PUT, b"PUT")
    prove_method(lib, HTTP_CONNECT, b"CONNECT")
    prove_method(lib, HTTP_OPTIONS, b"OPTIONS")
    prove_method(lib, HTTP_TRACE, b"TRACE")
    prove_method(lib, HTTP_PATCH, b"PATCH")
    prove_method(lib, HTTP_SOURCE, b"SOURCE")
    prove_method(lib, HTTP_PRI, b"PRI")
    prove_method(lib, HTTP_QUERY, b"QUERY")
    prove_error(lib, HPE_OK, b"HPE_OK")
    prove_error(lib, HPE_PAUSED, b"HPE_PAUSED")
    prove_error(lib, HPE_PAUSED_UPGRADE, b"HPE_PAUSED_UPGRADE")
    prove_error(lib, HPE_USER, b"HPE_USER")
    prove_error(lib, HPE_INVALID_METHOD, b"HPE_INVALID_METHOD")
    prove_error(lib, HPE_INVALID_VERSION, b"HPE_INVALID_VERSION")
    prove_error(lib, HPE_CB_PROTOCOL_COMPLETE, b"HPE_CB_PROTOCOL_COMPLETE")
    return 0


cdef int prove_slots(Library lib) except -1:
    for kind, type in (("request", HTTP_REQUEST), ("response", HTTP_RESPONSE)):
        problem = slots_problem(&llhttp, type)
        if problem:
            refuse(lib, f"fails the trial {kind}: {problem}")
    return 0


cdef object load():
    cdef Library lib = library_open(LLHTTP)
    fill_table(lib)
    prove_table(lib)
    parser = prove_sizes(lib)
    prove_numbers(lib)
    prove_slots(lib)
    sizes = {"parser": parser, "settings": sizeof(llhttp_settings_t)}
    version = "9.4" if lib.has(b"llhttp_set_lenient_header_value_relaxed") else "9.3"
    return LibraryInfo(lib.name, version, lib.release, lib.path, sizes)


# What is in use, for `pygw doctor`. The version is read from what is exported, as none is told.
info = load()
