# Owns: texts of the operator with values of the request in them: "/v2/{id}", "https://{host}/new".
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let a value say more than a value: whatever would end, split or move what it stands in
#   is encoded, dropped or refused, by the place. Nothing is decoded, so nothing is decoded twice.
# Read next: retarget.pxd.
#
# Values come in two kinds. Of the URL (params, path, query, pairs of the query): they stay in the
# spelling they came in, triplets and all. Of the rest of the request (fields, cookies, host,
# method, ...): bytes that mean themselves. What becomes of a byte:
#
#   place   of the URL                               of the rest
#   VALUE   bytes that no field value may have are dropped, outer white space too
#   PATH    triplets and pchar stay, '/' too;        all but unreserved is encoded;
#           of query and pairs '+' becomes %20,      '/' and '\' are refused
#           and '/', '\', %2f, %5c are refused
#   QUERY   query and pairs stay; of path and params all but unreserved is encoded
#           '&', '+', '=', ';' are encoded
#   ORIGIN  of params letters, digits and '-._~',    host and authority, which the reader has
#           else refused                             checked; no other value
#   TEXT    as it is; JSON within a JSON string (RFC 8259 7); MARKUP with & < > " ' as references
#
# Refused: E_DOWN_TARGET (400). A path made of this is to be given to retarget, which refuses what
# only the whole can show (dot segments).

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t

cdef enum template_place:
    PLACE_VALUE = 0           # of a header field
    PLACE_PATH = 1
    PLACE_QUERY = 2
    PLACE_ORIGIN = 3          # scheme://host:port of a Location
    PLACE_TEXT = 4            # a body, by its media type
    PLACE_JSON = 5
    PLACE_MARKUP = 6
    PLACES = 7

cdef enum template_source:
    FROM_LITERAL = 0
    FROM_PARAM = 1            # `index` into exchange.params
    FROM_PATH = 2             # as edits so far have left it
    FROM_QUERY = 3
    FROM_PAIR = 4             # the first pair of the query called `text`
    FROM_HEADER = 5           # the first field of the request called `text`
    FROM_COOKIE = 6
    FROM_HOST = 7             # without port
    FROM_AUTHORITY = 8        # with the port that came
    FROM_METHOD = 9
    FROM_SCHEME = 10
    FROM_CLIENT = 11
    FROM_REQUEST_ID = 12
    FROM_STATUS = 13          # of the response; empty while there is none
    FROM_ASKED = 14           # path and query as they came, whatever was edited since

cdef struct piece_t:
    uint8_t source            # template_source
    uint16_t index
    span_t text               # plan

# Invariant: count <= TEMPLATE_PIECES.
cdef struct template_t:
    piece_t* pieces           # plan
    uint16_t count
    uint8_t place             # template_place
    uint32_t max_bytes        # of what comes out

# From a list of a plan: texts as they are, and [source, name or index] for values: ["param", 0],
# ["path"], ["query"], ["pair", name], ["header", name], ["cookie", name], ["host"], ["authority"],
# ["method"], ["scheme"], ["client_ip"], ["request_id"], ["status"], ["asked"]. Raises PlanError,
# also for bytes that a text may not have in its place.
cdef template_t* template_build(object parts, str where, int place, uint32_t max_bytes,
                                arena_t* arena) except NULL
# The text for this exchange, in its arena; a value that is not there is empty. 0, E_CORE_MEMORY,
# E_DOWN_TARGET (a value is refused), or when it is longer than max_bytes: E_DOWN_LINE_LENGTH (PATH,
# QUERY, ORIGIN), else E_DOWN_HEAD_LENGTH.
cdef int template_run(const template_t* t, exchange_t* x, span_t* out) noexcept nogil
# Whether a cookie or a pair that it names is there more than once, empty, or spelled in another way
# than usual: then other requests, which say something else, have the same text.
cdef bint template_ambiguous(const template_t* t, exchange_t* x) noexcept nogil
