# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: Lua's patterns, matched in bounded time.
# Thread and GIL: any; a leaf without Python.
# Never does: allocate, or read past the text or the pattern.
# Read next: lua_match.pxd for the contract.

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcmp
from pygw._core.check cimport unlikely
from pygw._core.limits cimport LUA_CAPTURES, LUA_MATCH_DEPTH, LUA_MATCH_STEPS

cdef extern from "<string.h>" nogil:
    void* memmem(const void* text, size_t size, const void* part, size_t part_size)

cdef extern from "<ctype.h>" nogil:
    int isalpha(int c)
    int iscntrl(int c)
    int isdigit(int c)
    int islower(int c)
    int ispunct(int c)
    int isspace(int c)
    int isupper(int c)
    int isalnum(int c)
    int isxdigit(int c)
    int tolower(int c)

ctypedef unsigned char byte

# One search. A function answers the end of its match, NULL for none; `error` ends everything.
cdef struct search_t:
    const byte* text                  # borrow(caller, until lua_match returns)
    const byte* end                   # borrow(caller, until lua_match returns)
    const byte* pattern_end           # borrow(caller, until lua_match returns)
    lua_match_t* m                    # borrow(caller, until lua_match returns)
    int depth
    int error


cdef inline const byte* fail(search_t* s, int error) noexcept nogil:
    s.error = error
    return NULL


cdef inline bint spent(search_t* s) noexcept nogil:
    s.m.steps += 1
    if unlikely(s.m.steps > LUA_MATCH_STEPS):
        s.error = MATCH_LONG
    return s.error != 0


# %a, %d and the like; upper case is the complement, anything else stands for itself.
cdef bint class_has(byte c, byte kind) noexcept nogil:
    cdef int low = tolower(kind)
    cdef bint found
    if low == c'a':
        found = isalpha(c) != 0
    elif low == c'c':
        found = iscntrl(c) != 0
    elif low == c'd':
        found = isdigit(c) != 0
    elif low == c'l':
        found = islower(c) != 0
    elif low == c'p':
        found = ispunct(c) != 0
    elif low == c's':
        found = isspace(c) != 0
    elif low == c'u':
        found = isupper(c) != 0
    elif low == c'w':
        found = isalnum(c) != 0
    elif low == c'x':
        found = isxdigit(c) != 0
    elif low == c'z':
        found = c == 0
    else:
        return kind == c
    return found != (isupper(kind) != 0)


# One past the single item that begins at p: a character, an escape or a set.
cdef const byte* item_end(search_t* s, const byte* p) noexcept nogil:
    cdef byte c = p[0]
    p += 1
    if c == c'%':
        return p + 1 if p < s.pattern_end else fail(s, MATCH_PATTERN)
    if c != c'[':
        return p
    if p < s.pattern_end and p[0] == c'^':
        p += 1
    while True:                                   # a first ']' stands for itself
        if p >= s.pattern_end:
            return fail(s, MATCH_PATTERN)
        c = p[0]
        p += 1
        if c == c'%':
            p += 1
        if p < s.pattern_end and p[0] == c']':
            return p + 1


# Whether the set from p ('[') up to `last` (its ']') has c.
cdef bint set_has(byte c, const byte* p, const byte* last) noexcept nogil:
    cdef bint yes = True
    p += 1
    if p[0] == c'^':
        yes = False
        p += 1
    while p < last:
        if p[0] == c'%' and p + 1 < last:
            if class_has(c, p[1]):
                return yes
            p += 2
        elif p + 2 < last and p[1] == c'-':
            if p[0] <= c <= p[2]:
                return yes
            p += 3
        else:
            if p[0] == c:
                return yes
            p += 1
    return not yes


cdef inline bint item_has(search_t* s, const byte* at, const byte* p,
                          const byte* past) noexcept nogil:
    if at >= s.end:
        return False
    if p[0] == c'.':
        return True
    if p[0] == c'%':
        return class_has(at[0], p[1])
    if p[0] == c'[':
        return set_has(at[0], p, past - 1)
    return p[0] == at[0]


cdef const byte* match_balance(search_t* s, const byte* at, const byte* p) noexcept nogil:
    cdef int64_t nested = 1
    if p + 1 >= s.pattern_end:
        return fail(s, MATCH_PATTERN)
    if at >= s.end or at[0] != p[0]:
        return NULL
    at += 1
    while at < s.end:
        if spent(s):
            return NULL
        if at[0] == p[1]:
            nested -= 1
            if nested == 0:
                return at + 1
        elif at[0] == p[0]:
            nested += 1
        at += 1
    return NULL


cdef const byte* match_most(search_t* s, const byte* at, const byte* p,
                            const byte* past) noexcept nogil:
    cdef int64_t i = 0
    cdef const byte* found
    while item_has(s, at + i, p, past):
        if spent(s):
            return NULL
        i += 1
    while i >= 0 and not spent(s):
        found = match_here(s, at + i, past + 1)
        if found != NULL or s.error:
            return found
        i -= 1
    return NULL


cdef const byte* match_least(search_t* s, const byte* at, const byte* p,
                             const byte* past) noexcept nogil:
    cdef const byte* found
    while not spent(s):
        found = match_here(s, at, past + 1)
        if found != NULL or s.error:
            return found
        if not item_has(s, at, p, past):
            return NULL
        at += 1
    return NULL


cdef const byte* capture_open(search_t* s, const byte* at, const byte* p,
                              int32_t kind) noexcept nogil:
    cdef lua_match_t* m = s.m
    cdef const byte* found
    if m.count >= LUA_CAPTURES:
        return fail(s, MATCH_CAPTURES)
    m.start[m.count] = <int32_t>(at - s.text)
    m.len[m.count] = kind
    m.count += 1
    found = match_here(s, at, p)
    if found == NULL:
        m.count -= 1
    return found


cdef const byte* capture_close(search_t* s, const byte* at, const byte* p) noexcept nogil:
    cdef lua_match_t* m = s.m
    cdef int64_t i = <int64_t>m.count - 1
    cdef const byte* found
    while i >= 0 and m.len[i] != CAPTURE_OPEN:
        i -= 1
    if i < 0:
        return fail(s, MATCH_PATTERN)
    m.len[i] = <int32_t>(at - s.text) - m.start[i]
    found = match_here(s, at, p)
    if found == NULL:
        m.len[i] = CAPTURE_OPEN
    return found


cdef const byte* match_back(search_t* s, const byte* at, byte digit) noexcept nogil:
    cdef int i = digit - c'1'
    cdef lua_match_t* m = s.m
    if i < 0 or i >= <int>m.count or m.len[i] == CAPTURE_OPEN:
        return fail(s, MATCH_PATTERN)
    if m.len[i] == CAPTURE_PLACE:
        return at
    m.steps += <uint32_t>(m.len[i] >> 3)
    if s.end - at >= m.len[i] and memcmp(s.text + m.start[i], at, m.len[i]) == 0:
        return at + m.len[i]
    return NULL


cdef bint frontier(search_t* s, const byte* at, const byte* p, const byte* past) noexcept nogil:
    cdef byte before = 0 if at == s.text else (at - 1)[0]
    cdef byte here = at[0] if at < s.end else 0
    return not set_has(before, p, past - 1) and set_has(here, p, past - 1)


# %b, %f and %1 to %9: `*next` is where the pattern goes on. False: p is an ordinary item.
cdef bint match_special(search_t* s, const byte** at, const byte** p) noexcept nogil:
    cdef byte kind = p[0][1] if p[0] + 1 < s.pattern_end else 0
    cdef const byte* past
    if kind == c'b':
        at[0] = match_balance(s, at[0], p[0] + 2)
        p[0] += 4
    elif kind == c'f':
        p[0] += 2
        if p[0] >= s.pattern_end or p[0][0] != c'[':
            at[0] = fail(s, MATCH_PATTERN)
            return True
        past = item_end(s, p[0])
        if past == NULL or not frontier(s, at[0], p[0], past):
            at[0] = NULL
        p[0] = past
    elif isdigit(kind):
        at[0] = match_back(s, at[0], kind)
        p[0] += 2
    else:
        return False
    return True


# A single item with what may follow it. True: `at` and `p` moved on; False: `*out` is the answer.
cdef bint match_item(search_t* s, const byte** at, const byte** p,
                     const byte** out) noexcept nogil:
    cdef const byte* past = item_end(s, p[0])
    cdef byte repeat
    out[0] = NULL
    if past == NULL:
        return False
    repeat = past[0] if past < s.pattern_end else 0
    if repeat == c'*':
        out[0] = match_most(s, at[0], p[0], past)
        return False
    if repeat == c'-':
        out[0] = match_least(s, at[0], p[0], past)
        return False
    if not item_has(s, at[0], p[0], past):
        if repeat != c'?':
            return False
        p[0] = past + 1
        return True
    if repeat == c'+':
        out[0] = match_most(s, at[0] + 1, p[0], past)
        return False
    if repeat == c'?':
        out[0] = match_here(s, at[0] + 1, past + 1)
        if out[0] != NULL or s.error:
            return False
        p[0] = past + 1
        return True
    at[0] += 1
    p[0] = past
    return True


cdef const byte* match_on(search_t* s, const byte* at, const byte* p) noexcept nogil:
    cdef const byte* out
    while True:
        if spent(s):
            return NULL
        if p >= s.pattern_end:
            return at
        if p[0] == c'(':
            if p + 1 < s.pattern_end and p[1] == c')':
                return capture_open(s, at, p + 2, CAPTURE_PLACE)
            return capture_open(s, at, p + 1, CAPTURE_OPEN)
        if p[0] == c')':
            return capture_close(s, at, p + 1)
        if p[0] == c'$' and p + 1 == s.pattern_end:
            return at if at == s.end else NULL
        if p[0] == c'%' and match_special(s, &at, &p):
            if at == NULL:
                return NULL
        elif not match_item(s, &at, &p, &out):
            return out


cdef const byte* match_here(search_t* s, const byte* at, const byte* p) noexcept nogil:
    cdef const byte* found
    if s.depth >= LUA_MATCH_DEPTH:
        return fail(s, MATCH_DEEP)
    s.depth += 1
    found = match_on(s, at, p)
    s.depth -= 1
    return found


cdef int captures_judge(lua_match_t* m) noexcept nogil:
    cdef uint32_t i
    for i in range(m.count):
        if m.len[i] == CAPTURE_OPEN:
            return MATCH_CAPTURES
    return MATCH_FOUND


cdef int lua_match(lua_match_t* m, const char* text, size_t size, const char* pattern,
                   size_t pattern_size) noexcept nogil:
    cdef search_t s
    cdef const byte* p = <const byte*>pattern
    cdef const byte* at = <const byte*>text + m.init
    cdef const byte* found
    cdef bint once = m.anchor and pattern_size and pattern[0] == c'^'
    s.text = <const byte*>text
    s.end = s.text + size
    s.pattern_end = p + pattern_size
    s.m = m
    s.depth = 0
    s.error = 0
    m.steps = 0
    if m.init > size:                     # the caller has looked; this reads memory
        return MATCH_NONE
    if once:
        p += 1
    while at <= s.end:
        m.count = 0
        found = match_here(&s, at, p)
        if s.error:
            return s.error
        if found != NULL:
            m.first = <int32_t>(at - s.text)
            m.last = <int32_t>(found - s.text)
            return captures_judge(m)
        if once:
            break
        at += 1
    return MATCH_NONE


cdef int32_t lua_find(const char* text, size_t size, const char* part, size_t part_size,
                      size_t init) noexcept nogil:
    cdef const char* found = NULL
    if init <= size:                      # as above
        found = <const char*>memmem(text + init, size - init, part, part_size)
    return <int32_t>(found - text) if found != NULL else -1
