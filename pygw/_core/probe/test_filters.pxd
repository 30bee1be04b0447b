# Owns: filters that do what hooks will do, for tests: wait, hold, replace, emit, abort, reply.
# Thread and GIL: build half and doors hold the GIL; the run half is one loop, no GIL.
# Never does: load in a gateway unless a test imports it: importing registers the filters.
# Read next: test_filters.pyx.
#
# All take "phase": request | request_body | attempt | response | response_body; in a body phase
# "when": first | each | last (of the phase's calls; default first). Head phases act on each call.
#   test_wait   "ms": resumed after; null: never. "verdict": next | reply | abort. In a body phase
#               "take": true takes the body out for the wait and gives it back by exchange_hand.
#   test_hold   (body phases) keeps all body until the last call, then lets it go.
#   test_upper  (body phases) replaces every piece by an upper-case copy.
#   test_emit   (body phases) "prefix" before the first piece, "suffix" behind the last.
#   test_abort  answers ABORT.
#   test_lazy   (response_body) "edit": true changes the response: keeps its body until nothing more
#               is at hand, then lets it go with a "|" behind; false leaves it as it is.
#   test_reply  answers REPLY: "status" (default 299), the body "replied\n". So does "reply" above.
