# Owns: every bound of the data plane that is not a setting, in one place.
# Thread and GIL: any; constants only.
# Never does: hold a value that a user may want to change (those are in the plan).
# Read next: types/header.pxd.

cdef enum:
    # buffers: bytes of payload in a buffer of each class
    SMALL_BUFFER = 16384           # a request head, a first response read
    MEDIUM_BUFFER = 65536          # a response head with a first piece of body
    LARGE_BUFFER = 262144          # bodies in flight
    SPARE_BUFFERS = 64             # buffers of one class kept for reuse; more go back to the system
    SPARE_LARGE_BUFFERS = 12       # large ones: 3 MiB at most lie spare
    SPARE_BLOCKS = 1024            # structs of one kind kept for reuse
    # exchange
    ARENA_INLINE = 752             # bytes of arena inside an exchange
    ARENA_CHUNK = 4096             # smallest further chunk
    ARENA_MAX = 1048576            # bytes one exchange may take from its arena
    HEADERS_INLINE = 16            # headers that need no arena
    HEADERS_MAX = 256              # what `limits.headers` may be set to, trailers included
    HEADERS_OWN = 3840             # further fields of one list: what the gateway and filters add
    FIELD_NAME_MAX = 255           # bytes of a name; longer overflowed others' (CVE-2021-40346)
    CONNECTION_MEMBERS_MAX = 64    # members of all Connection fields of a head, empty ones too
    FILTERS_MAX = 32               # filters in one chain
    TEMPLATE_PIECES = 32           # texts and values of one template
    TEMPLATE_MAX = 8192            # bytes of what a template gives, but for bodies
    TEMPLATE_BODY_MAX = 262144     # of a body
    QUERY_EDITS = 64               # names and pairs of one filter `query`
    QUERY_MAX = 65536              # bytes of a query that a filter has edited
    CORS_ORIGINS = 256             # origins of one filter `cors`
    DELAY_MAX_MS = 60000           # for which a mock response may wait
    # routes
    ROUTE_SEGMENTS_MAX = 64        # segments of a route's path
    ROUTE_PARAMS_MAX = 16          # names in it
    ROUTE_HOSTS_MAX = 64           # hosts of one route
    ROUTE_TESTS_MAX = 16           # header tests of a route, and as many of its query
    ROUTE_CLIENTS_MAX = 16384      # networks of a route
    ROUTE_CANDIDATES_MAX = 128     # routes of one host and path, told apart by their conditions
    ROUTE_EXPRESSIONS_MAX = 16     # different expressions at one place of a path
    EXPRESSION_STATES_MAX = 128    # states of an expression's table
    # HTTP/1
    HEAD_MAX = 262144              # what `limits.head` may be set to
    START_LINE_SLACK = 64          # bytes of a start line besides its target
    EMPTY_LINES_MAX = 4            # empty lines tolerated before a request (RFC 9112 2.2)
    CHUNK_LINE_MAX = 256           # bytes of one chunk-size line, extensions included
    CHUNK_OVERHEAD_MAX = 16384     # bytes of chunk lines beyond CHUNK_FREE + data/4 each, a body
    TRAILERS_MAX = 8192            # bytes of one trailer section
    BODY_SPANS = 64                # pieces of body that one read may yield
    INFORMATIONAL_MAX = 8          # 1xx responses passed on for one exchange
    # relay
    WRITE_HIGH = 131072            # queued bytes at which the source stops being read
    WRITE_LOW = 32768              # queued bytes at which it is read again
    GATHER_MAX = 64                # pieces of one write
    SEND_COPY_MAX = 2048           # bytes of a write that leave as one copy instead of in pieces
    WRITE_STEP = 32768             # bytes of a write in flight: what a slow reader takes in time
    DRAIN_BODY_MAX = 65536         # unread request bytes discarded to keep a connection
    LINGER_MS = 10000              # after our FIN: how long unread bytes are discarded
    LINGER_IDLE_MS = 2000          # and how long none may come
    # pool
    TARGETS_MAX = 1024             # targets of one upstream, resolved addresses included
    TUNNEL_IDLE_MS = 3600000       # a tunnel without a byte in either direction ends
    EJECT_CONNECT_MS = 500         # a target that takes no connection is tried again after this
    HASH_SLOTS = 65536             # places in a consistent hash's table
    TURNS_MAX = 65536              # turns after which weighted round robin begins anew
    SPLITS_MAX = 16                # upstreams that share one route's requests
    BUDGET_MS = 10000              # what a retry budget looks back on
    DETACHED_MAX = 4096            # exchanges without a client at once, of a worker
    # mirrors
    MIRRORS_MAX = 1024             # copies of requests on their way at once, of a worker
    MIRROR_BYTES_MAX = 67108864    # bytes of buffers that they keep from others
    MIRROR_BODY_MAX = 16777216     # what body_max of a mirror may be set to
    MIRROR_MS_MAX = 60000          # and its timeout: so long may a copy pin an old plan
    MIRROR_LOG_MS = 10000          # between two lines about those that failed
    ROUTE_MIRRORS_MAX = 8          # mirrors of one route
    # compression
    GZIP_STREAMS_MAX = 1024        # compressed at once; more leave as they are
    GZIP_STREAM_BYTES = 524288     # memory of one stream's compressor, at most
    GZIP_SPARE = 16                # compressors kept ready for reuse
    STEPS_TURN = 65536              # bytes of content that are compressed in one turn of the loop
    STEPS_ONE = 16384              # of them of one response, before those that wait
    # hooks
    HOOK_ERROR_MAX = 1024          # bytes of a failed run's message
    HOOK_CODE_MAX = 16777216       # bytes of one hook's source
    HOOK_CONFIG_MAX = 65536        # bytes of its configuration
    HOOK_BODY_MAX = 67108864       # what body_max of a hook may be set to
    HOOK_REPLY_FIELDS = 64         # fields of one reply
    HOOK_NAMES = 8                 # names of fields that hooks wrote and a worker remembers
    HOOK_VARS = 64                 # variables of one exchange
    HOOK_VAR_BYTES = 65536         # of one name and value
    HOOK_LINE_MAX = 1024           # bytes of one line that a hook logs
    HOOK_LOG_LINES = 100           # lines of all hooks within HOOK_LOG_MS
    HOOK_LOG_MS = 10000
    MASK_NAMES = 64                # names of one kind in `reads` or `writes` of a hook
    HOOK_CACHE_BUCKETS = 8192      # of the table of kept decisions
    HOOK_CACHE_ENTRIES = 16384     # decisions that a worker keeps
    HOOK_CACHE_BYTES = 16777216    # of all of them
    HOOK_CACHE_BYTES_ONE = 65536   # of one, with its key
    HOOK_CACHE_OPS = 128           # writes of one
    HOOK_CACHE_LEADS = 1024        # of the table of runs that others wait for
    HOOK_CACHE_LINE = 1024         # runs that wait for one other
    HOOK_CACHE_WAIT_MS = 10000     # how long one of a hook without a deadline waits
    FETCH_UPSTREAMS_MAX = 16       # upstreams that one hook may fetch from
    FETCHES_MAX = 2048             # requests of hooks of a worker at once
    FETCHES_RUN = 64               # of one run of a hook, one after the other or at once
    FETCH_BODY_MAX = 1048576       # bytes of one's body, and of its answer's
    FETCH_FIELDS = 64              # fields that a hook gives one
    FETCH_MS = 5000                # it may take, where the hook does not say
    FETCH_MAX_MS = 3600000         # and where it does
    PYTHON_STRAYS_MAX = 10000      # runs of Python hooks that go on after their exchange
    # Lua
    LUA_MEMORY_MAX = 67108864      # bytes of one worker's Lua state, all its hooks together
    LUA_RESERVE = 16777216         # beyond it, for what may not fail
    LUA_PIECE_MAX = 16777216       # bytes of one string or table in it
    LUA_CHURN = 1048576            # bytes taken between two looks at the clock
    LUA_STEPS = 1000               # loops and calls between two looks at the clock
    LUA_BURST_MS = 1000            # longest run without a wait, whatever its deadline
    LUA_RUNS_MAX = 10000           # hooks of a worker that wait at once
    LUA_RUNS_SPARE = 64            # coroutines kept for reuse
    LUA_NESTED_MAX = 64            # coroutines of a hook that run inside each other
    LUA_SLEEP_MAX_MS = 3600000     # of one gw.sleep
    LUA_MATCH_STEPS = 4000000      # of one search for a pattern
    LUA_MATCH_DEPTH = 200          # of its nested parts
    LUA_CAPTURES = 32              # of one pattern
    # what filters cost
    BILL_ROWS = 4096               # rows of one worker: a filter in a phase on a route, or a route
    SERVER_TIMING_MAX = 2048       # bytes of one Server-Timing
    # clients
    MALFORMED_CLIENTS = 1024       # addresses whose malformed requests are counted at once
    MALFORMED_LINES = 10           # lines about them in one window
    # names
    HOST_NAME_MAX = 253            # bytes of a host name (RFC 1035 2.3.4)
    RESOLVE_MS = 30000             # a name is looked up again after this time
    RESOLVE_RETRY_MS = 1000        # and after a failed look-up
    ADDRESSES_MAX = 16             # addresses kept of one name
    # access log
    LOG_BUFFER = 262144            # bytes of one of the two log buffers
    LOG_LINE_MAX = 8192            # bytes of one line; longer fields are cut
    LOG_FLUSH_MS = 200             # a line waits at most this long
    # worker
    HEARTBEAT_MS = 500             # between two signs of life in the shared counters
    RESERVED_FILES = 64            # descriptors kept for all but connections
    BUFFERS_BYTES_MAX = 1073741824 # bytes of read buffers in use at once
    PLANS_MAX = 8                  # plans alive at once: the current and those still pinned
    PLAN_BYTES_MAX = 268435456     # bytes of all of them together
    PINS_STEP = 1024               # connections looked at in one heartbeat for old plans to let go
    # dry runs (pygw explain)
    TRACE_BYTES_MAX = 4194304      # bytes of what filters did to one request
    DRY_ATTEMPTS_MAX = 16          # attempts of one request that are recorded
    DRY_BYTES_MAX = 32768          # bytes that one end takes at once, and of what is recorded
    DRY_TURNS_MAX = 10000          # a request that is not over after so many turns spins
    # tests of hooks (pygw.testing)
    WATCH_BYTES_MAX = 16777216     # bytes of what a watched worker keeps between two looks
