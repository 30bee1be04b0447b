# Owns: the declarations of llhttp in 9.4's layout, written by hand.
# Thread and GIL: any; declarations only.
# Never does: set a lenient flag, look into a parser, or decide what HTTP allows (it is a floor).
# Read next: llhttp.pxd for the table that is in use.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t

# An upper bound of the real parser's size (96 bytes in 9.4): the import refuses a library that
# needs more.
cdef enum:
    LLHTTP_BYTES = 128

# One parser: opaque storage, to be embedded in our structs. Its address leads back to the struct
# around it.
cdef struct llhttp_t:
    uint64_t opaque[16]               # LLHTTP_BYTES, aligned for pointers

cdef enum llhttp_type:
    HTTP_BOTH = 0
    HTTP_REQUEST = 1
    HTTP_RESPONSE = 2

# What llhttp.execute answers. HPE_OK: all bytes were taken. PAUSED: a callback asked for it, and
# llhttp.get_error_pos tells how far it came. Anything else: the message is refused for good.
cdef enum llhttp_errno:
    HPE_OK = 0
    HPE_INTERNAL = 1
    HPE_STRICT = 2
    HPE_LF_EXPECTED = 3
    HPE_UNEXPECTED_CONTENT_LENGTH = 4
    HPE_CLOSED_CONNECTION = 5
    HPE_INVALID_METHOD = 6
    HPE_INVALID_URL = 7
    HPE_INVALID_CONSTANT = 8
    HPE_INVALID_VERSION = 9
    HPE_INVALID_HEADER_TOKEN = 10
    HPE_INVALID_CONTENT_LENGTH = 11
    HPE_INVALID_CHUNK_SIZE = 12
    HPE_INVALID_STATUS = 13
    HPE_INVALID_EOF_STATE = 14
    HPE_INVALID_TRANSFER_ENCODING = 15
    HPE_CB_MESSAGE_BEGIN = 16
    HPE_CB_HEADERS_COMPLETE = 17
    HPE_CB_MESSAGE_COMPLETE = 18
    HPE_CB_CHUNK_HEADER = 19
    HPE_CB_CHUNK_COMPLETE = 20
    HPE_PAUSED = 21
    HPE_PAUSED_UPGRADE = 22
    HPE_PAUSED_H2_UPGRADE = 23
    HPE_USER = 24                     # a data callback refused
    HPE_CR_EXPECTED = 25
    HPE_CB_URL_COMPLETE = 26
    HPE_CB_STATUS_COMPLETE = 27
    HPE_CB_HEADER_FIELD_COMPLETE = 28
    HPE_CB_HEADER_VALUE_COMPLETE = 29
    HPE_UNEXPECTED_SPACE = 30
    HPE_CB_RESET = 31
    HPE_CB_METHOD_COMPLETE = 32
    HPE_CB_VERSION_COMPLETE = 33
    HPE_CB_CHUNK_EXTENSION_NAME_COMPLETE = 34
    HPE_CB_CHUNK_EXTENSION_VALUE_COMPLETE = 35
    HPE_CB_PROTOCOL_COMPLETE = 38

# What llhttp.get_method answers; the text is llhttp.method_name's. RTSP's own methods are left out:
# refused.
cdef enum llhttp_method:
    HTTP_DELETE = 0
    HTTP_GET = 1
    HTTP_HEAD = 2
    HTTP_POST = 3
    HTTP_PUT = 4
    HTTP_CONNECT = 5
    HTTP_OPTIONS = 6
    HTTP_TRACE = 7
    HTTP_COPY = 8
    HTTP_LOCK = 9
    HTTP_MKCOL = 10
    HTTP_MOVE = 11
    HTTP_PROPFIND = 12
    HTTP_PROPPATCH = 13
    HTTP_SEARCH = 14
    HTTP_UNLOCK = 15
    HTTP_BIND = 16
    HTTP_REBIND = 17
    HTTP_UNBIND = 18
    HTTP_ACL = 19
    HTTP_REPORT = 20
    HTTP_MKACTIVITY = 21
    HTTP_CHECKOUT = 22
    HTTP_MERGE = 23
    HTTP_MSEARCH = 24
    HTTP_NOTIFY = 25
    HTTP_SUBSCRIBE = 26
    HTTP_UNSUBSCRIBE = 27
    HTTP_PATCH = 28
    HTTP_PURGE = 29
    HTTP_MKCALENDAR = 30
    HTTP_LINK = 31
    HTTP_UNLINK = 32
    HTTP_SOURCE = 33
    HTTP_PRI = 34
    HTTP_QUERY = 46

# Callbacks. 0 goes on; HPE_PAUSED pauses behind this point; another number ends the message with an
# error. A span may come in pieces when its bytes were split across reads: append, never overwrite.
ctypedef int (*llhttp_data_cb)(llhttp_t* parser, const char* at, size_t length) noexcept nogil
ctypedef int (*llhttp_cb)(llhttp_t* parser) noexcept nogil

# The callbacks of a kind of parser; NULL entries are skipped. Shared by all its parsers and
# outlives them. Layout of llhttp 9.4: 25 pointers, `on_protocol` second. The import proves it slot
# by slot.
cdef struct llhttp_settings_t:
    llhttp_cb       on_message_begin
    llhttp_data_cb  on_protocol
    llhttp_data_cb  on_url
    llhttp_data_cb  on_status
    llhttp_data_cb  on_method
    llhttp_data_cb  on_version
    llhttp_data_cb  on_header_field
    llhttp_data_cb  on_header_value
    llhttp_data_cb  on_chunk_extension_name
    llhttp_data_cb  on_chunk_extension_value
    # 1: no body follows; 2: no body and the rest is another protocol
    llhttp_cb       on_headers_complete
    llhttp_data_cb  on_body
    llhttp_cb       on_message_complete
    llhttp_cb       on_protocol_complete
    llhttp_cb       on_url_complete
    llhttp_cb       on_status_complete
    llhttp_cb       on_method_complete
    llhttp_cb       on_version_complete
    llhttp_cb       on_header_field_complete
    llhttp_cb       on_header_value_complete
    llhttp_cb       on_chunk_extension_name_complete
    llhttp_cb       on_chunk_extension_value_complete
    llhttp_cb       on_chunk_header
    llhttp_cb       on_chunk_complete
    llhttp_cb       on_reset                  # a further message begins on the same parser

# llhttp's functions by their names without `llhttp_`.
cdef struct llhttp_api:
    void (*init)(llhttp_t* parser, int type, const llhttp_settings_t* settings) noexcept nogil
    # back to the start, same type and settings
    void (*reset)(llhttp_t* parser) noexcept nogil
    void (*settings_init)(llhttp_settings_t* settings) noexcept nogil   # all entries NULL
    # an llhttp_errno
    int (*execute)(llhttp_t* parser, const char* data, size_t len) noexcept nogil
    # the peer has sent FIN; an llhttp_errno
    int (*finish)(llhttp_t* parser) noexcept nogil
    # between calls only; in a callback return PAUSED
    void (*pause)(llhttp_t* parser) noexcept nogil
    void (*resume)(llhttp_t* parser) noexcept nogil
    void (*resume_after_upgrade)(llhttp_t* parser) noexcept nogil
    uint8_t (*get_type)(const llhttp_t* parser) noexcept nogil
    uint8_t (*get_method)(const llhttp_t* parser) noexcept nogil
    int (*get_status_code)(const llhttp_t* parser) noexcept nogil
    uint8_t (*get_http_major)(const llhttp_t* parser) noexcept nogil
    uint8_t (*get_http_minor)(const llhttp_t* parser) noexcept nogil
    # bool, from on_headers_complete on
    uint8_t (*get_upgrade)(const llhttp_t* parser) noexcept nogil
    int (*get_errno)(const llhttp_t* parser) noexcept nogil
    const char* (*get_error_reason)(const llhttp_t* parser) noexcept nogil  # static text, or NULL
    # into the executed bytes
    const char* (*get_error_pos)(const llhttp_t* parser) noexcept nogil
    void (*set_error_reason)(llhttp_t* parser, const char* reason) noexcept nogil   # static text
    int (*should_keep_alive)(const llhttp_t* parser) noexcept nogil     # bool
    int (*message_needs_eof)(const llhttp_t* parser) noexcept nogil     # bool: the body ends at FIN
    # static text; both abort the process on a number that is none of theirs
    const char* (*method_name)(int method) noexcept nogil
    const char* (*errno_name)(int err) noexcept nogil
