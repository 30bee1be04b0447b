# Owns: the shapes of routing: a route's conditions, expressions, the tree that finds a route.
# Thread and GIL: declarations only; built by build_router, read by router, never changed after.
# Never does: know what a route leads to.
# Read next: ../router.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t
from pygw._core.types.address cimport cidr_set_t

# An expression as a table: one step a byte, whatever the text is. State 0 takes nothing any more,
# 1 is the first.
cdef struct dfa_t:
    const uint8_t* class_of           # plan: 256, the column of each byte
    const uint8_t* next               # plan: for each state `classes` states
    const uint8_t* accepts            # plan: for each state 0 or 1
    uint32_t classes

cdef enum test_kind:
    TEST_PRESENT = 0
    TEST_ABSENT = 1
    TEST_VALUE = 2                    # occurs once, with this value
    TEST_EXPRESSION = 3               # occurs once, with a value that the expression takes

# One test of a header field or of a parameter in the query.
cdef struct test_t:
    span_t name                       # plan: a field's in lower case
    span_t value                      # plan: of TEST_VALUE
    const dfa_t* dfa                  # plan: of TEST_EXPRESSION
    uint16_t id                       # header_id of a field's name
    uint8_t kind                      # test_kind

# What a route asks besides host and path.
cdef struct conditions_t:
    uint64_t methods                  # bit by llhttp's number; all bits: any method
    test_t* headers                   # plan
    test_t* query                     # plan
    uint32_t header_count
    uint32_t query_count
    uint32_t preflight                # 1: takes preflights for its methods (WHATWG Fetch 4.8)
    cidr_set_t clients                # without any: any client

# --- the tree -------------------------------------------------------------------------------------
#
# All nodes, labels and records of exact paths lie in one block and name each other by their
# distance from its first byte, which is 0 for "none". A pick is the place of a route in
# plan.routes; PICK_ASKS says that the route has conditions, so that others need not be looked at.
# Where one route ends, its pick stands in the node itself; where several do, the place of the first
# of `count` picks, best first.

cdef enum:
    PICK_ASKS = 0x80000000
    NODE_MANY = 0xFFFFFFFF            # node_t.literal: several, found by router_t.edges

# A place in a path between two segments; the label (slashes included) that leads here follows it.
cdef struct node_t:
    uint16_t label                    # bytes of it
    uint16_t leaf_count               # routes that end here
    uint16_t tail_count               # routes with a wildcard here
    uint16_t expression_count
    uint32_t leaf
    uint32_t tail
    uint32_t literal                  # the only literal child, or NODE_MANY
    uint32_t integer                  # child of {name:int}
    uint32_t expressions              # branch_t, `expression_count` of them
    uint32_t param                    # child of {name}
    uint32_t partials                 # partial_t, longest first, until one without a count
    uint32_t branches                 # whether any of integer, expressions, param is there

cdef struct branch_t:
    uint32_t dfa                      # place in router_t.dfas
    uint32_t child

# A wildcard within a segment: "/v1*".
cdef struct partial_t:
    uint32_t text                     # the bytes before the star
    uint32_t size
    uint32_t leaf
    uint32_t leaf_count

# A path without any wildcard; its bytes follow.
cdef struct exact_t:
    uint32_t host                     # place in router_t.hosts
    uint32_t leaf
    uint32_t leaf_count
    uint32_t size

# An entry of a hash table; value 0: free. Tables are at most half full.
cdef struct slot_t:
    uint32_t tag                      # upper half of the hash
    uint32_t value

cdef struct host_node_t:
    uint32_t root                     # node
    uint32_t has_exact                # whether any exact path is of this host
    span_t name                       # plan: folded by host_fold; "*.a.b" as ".a.b"; any: empty

cdef struct router_t:
    const char* block                 # plan: nodes, labels, exact paths
    const uint32_t* picks             # plan
    const slot_t* edges               # plan: (node, segment) to node
    const slot_t* exacts              # plan: (host, path) to exact_t
    const slot_t* names               # plan: host to its place in `hosts`
    const host_node_t* hosts          # plan: 0 is any host
    const dfa_t* dfas                 # plan
    uint32_t edge_mask
    uint32_t exact_mask
    uint32_t name_mask
    uint32_t host_count               # besides the one for any
    uint32_t wildcard_shortest        # bytes of a wildcard name; more than the longest: none
    uint32_t wildcard_longest
