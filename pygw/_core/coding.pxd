# Owns: what a client and a response say of content codings: Accept-Encoding, and entity tags.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: compress, or decide by anything but these fields.
# Read next: filters/gzip.pxd.
#
# A strong entity tag is a promise about bytes, which compression changes: it becomes a weak one
# with a mark, "abc" > W/"abc~gzip" (RFC 9110 8.8.1, 8.8.3.3: another coding, another tag). When a
# client sends that back, in If-None-Match or If-Match, the service gets its own "abc" again. Weak
# tags stay: what they promise still holds.

from pygw._core.types.header cimport headers_t, span_t
from pygw._core.types.memory cimport arena_t

# Whether the Accept-Encoding fields admit gzip, and do not prefer identity (RFC 9110 12.5.3). No
# field: False, for who does not ask may not understand.
cdef bint coding_accepts_gzip(headers_t* hs) noexcept nogil
# Whether a list of directives has no-transform (RFC 9111 5.2.1.6, 5.2.2.6).
cdef bint coding_no_transform(headers_t* hs) noexcept nogil

# The tag as it stands on a compressed response: `tag` itself when it is weak, an empty span when it
# is none at all. False: out of memory.
cdef bint coding_mark_tag(arena_t* arena, span_t tag, span_t* out) noexcept nogil
# Whether `value`, a list of tags, has the one that coding_mark_tag makes of the strong `tag`.
cdef bint coding_has_marked(span_t value, span_t tag) noexcept nogil
# Takes the marks off all tags of `value`; *changed tells whether there were any. A list that is
# malformed stays as it is. False: out of memory.
cdef bint coding_unmark_tags(arena_t* arena, span_t value, span_t* out,
                             bint* changed) noexcept nogil
