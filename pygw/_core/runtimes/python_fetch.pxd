# Owns: requests that Python hooks make: what is asked, and the future that becomes its answer.
# Thread and GIL: holds the GIL, on the loop's thread; `done` takes it.
# Never does: go anywhere but to the upstreams that the hook's `fetch` names.
# Read next: hook_fetch.pxd, python_view.pyx for the door.

from pygw._core.runtimes.python_scope cimport Scope

# A future of a Fetched. Raises Refused for what cannot be asked, Gone, FetchError for a bound.
cdef object fetch_begin(Scope of, str upstream, object line, object headers, object body,
                        object timeout)
