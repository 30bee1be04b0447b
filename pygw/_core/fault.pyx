# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the table of expected failures.
# Thread and GIL: filled at import, then read only.
# Never does: change after import.
# Read next: fault.pxd.
"""Expected failures of the data plane: ``faults()`` lists them for people and tests."""

cdef fault_t table[128]
cdef const char* names[128]


cdef void row(int error, const char* name, const fault_t f) noexcept nogil:
    table[-error] = f
    names[-error] = name


cdef fault_t down(int status, const char* label, const char* token,
                  const char* sentence) noexcept nogil:
    return fault_t(SIDE_DOWN, status, False, label, token, sentence)


cdef fault_t up(int status, bint retryable, const char* label, const char* token,
                const char* sentence) noexcept nogil:
    return fault_t(SIDE_UP, status, retryable, label, token, sentence)


cdef fault_t core(int status, const char* label, const char* token,
                  const char* sentence) noexcept nogil:
    return fault_t(SIDE_CORE, status, False, label, token, sentence)


cdef const fault_t* fault_get(int error) noexcept nogil:
    if error >= 0 or error <= E_LAST or table[-error].label == NULL:
        return &table[-E_CORE_INTERNAL]
    return &table[-error]


cdef void fill_down() noexcept nogil:
    cdef const char* bad = b"http_request_error"
    row(E_DOWN_LINE, b"E_DOWN_LINE",
        down(400, b"bad_request_line", bad, b"The request line is malformed."))
    row(E_DOWN_VERSION, b"E_DOWN_VERSION",
        down(505, b"bad_version", bad, b"Only HTTP/1.0 and HTTP/1.1 are served."))
    row(E_DOWN_METHOD, b"E_DOWN_METHOD",
        down(501, b"unknown_method", bad, b"The method is not known."))
    row(E_DOWN_TARGET, b"E_DOWN_TARGET",
        down(400, b"bad_target", bad, b"The request target is malformed."))
    row(E_DOWN_CONNECT, b"E_DOWN_CONNECT",
        down(405, b"connect_refused", bad, b"CONNECT is not served."))
    row(E_DOWN_LINE_LENGTH, b"E_DOWN_LINE_LENGTH",
        down(414, b"request_line_too_long", bad, b"The request line is too long."))
    row(E_DOWN_HEAD_LENGTH, b"E_DOWN_HEAD_LENGTH",
        down(431, b"head_too_large", bad, b"The request head is too large."))
    row(E_DOWN_HEADER_COUNT, b"E_DOWN_HEADER_COUNT",
        down(431, b"too_many_headers", bad, b"The request has too many header fields."))
    row(E_DOWN_HEADER, b"E_DOWN_HEADER",
        down(400, b"bad_header", bad, b"A header field is malformed."))
    row(E_DOWN_HOST, b"E_DOWN_HOST",
        down(400, b"bad_host", bad, b"The request needs exactly one valid Host."))
    row(E_DOWN_FRAMING, b"E_DOWN_FRAMING",
        down(400, b"bad_framing", bad, b"The length of the request body is ambiguous."))
    row(E_DOWN_CODING, b"E_DOWN_CODING",
        down(501, b"unknown_coding", bad, b"The transfer coding is not known."))
    row(E_DOWN_CHUNK, b"E_DOWN_CHUNK",
        down(400, b"bad_chunk", bad, b"The chunked request body is malformed."))
    row(E_DOWN_TRAILER, b"E_DOWN_TRAILER",
        down(400, b"bad_trailer", bad, b"The trailer section of the request is malformed."))
    row(E_DOWN_BODY_LENGTH, b"E_DOWN_BODY_LENGTH",
        down(413, b"body_too_large", bad, b"The request body is too large."))
    row(E_DOWN_EXPECT, b"E_DOWN_EXPECT",
        down(417, b"bad_expect", bad, b"Only the expectation 100-continue is known."))
    row(E_DOWN_HEAD_TIMEOUT, b"E_DOWN_HEAD_TIMEOUT",
        down(408, b"client_head_timeout", bad, b"The request head did not arrive in time."))
    row(E_DOWN_BODY_TIMEOUT, b"E_DOWN_BODY_TIMEOUT",
        down(408, b"client_body_timeout", bad, b"The request body did not arrive in time."))
    row(E_DOWN_SLOW_READER, b"E_DOWN_SLOW_READER",
        down(499, b"slow_reader", NULL, b"The client did not take the response in time."))
    row(E_DOWN_CLOSED, b"E_DOWN_CLOSED",
        down(499, b"client_closed", NULL, b"The client closed the connection."))
    row(E_DOWN_RESET, b"E_DOWN_RESET",
        down(499, b"client_reset", NULL, b"The client reset the connection."))
    row(E_DOWN_LOOP, b"E_DOWN_LOOP",
        down(508, b"loop", b"proxy_loop_detected", b"The request has passed here before."))


cdef void fill_up() noexcept nogil:
    cdef const char* protocol = b"http_protocol_error"
    cdef const char* section = b"http_response_header_section_size"
    row(E_UP_REFUSED, b"E_UP_REFUSED",
        up(502, True, b"connection_refused", b"connection_refused",
           b"The service refused the connection."))
    row(E_UP_UNREACHABLE, b"E_UP_UNREACHABLE",
        up(502, True, b"unreachable", b"destination_ip_unroutable",
           b"The service can not be reached."))
    row(E_UP_CONNECT_TIMEOUT, b"E_UP_CONNECT_TIMEOUT",
        up(504, True, b"connect_timeout", b"connection_timeout",
           b"The service did not accept a connection in time."))
    row(E_UP_NAME, b"E_UP_NAME",
        up(502, True, b"dns_error", b"dns_error", b"The name of the service does not resolve."))
    row(E_UP_CLOSED, b"E_UP_CLOSED",
        up(502, True, b"upstream_closed", b"connection_terminated",
           b"The service closed the connection before it answered."))
    row(E_UP_RESET, b"E_UP_RESET",
        up(502, True, b"upstream_reset", b"connection_terminated",
           b"The service reset the connection."))
    row(E_UP_PROTOCOL, b"E_UP_PROTOCOL",
        up(502, False, b"bad_response", protocol, b"The service did not answer with HTTP."))
    row(E_UP_HEADER, b"E_UP_HEADER",
        up(502, False, b"bad_response_header", protocol,
           b"A header field of the service's answer is malformed."))
    row(E_UP_FRAMING, b"E_UP_FRAMING",
        up(502, False, b"bad_response_framing", protocol,
           b"The length of the service's answer is ambiguous."))
    row(E_UP_CHUNK, b"E_UP_CHUNK",
        up(502, False, b"bad_response_chunk", protocol,
           b"The chunked body of the service's answer is malformed."))
    row(E_UP_TRAILER, b"E_UP_TRAILER",
        up(502, False, b"bad_response_trailer", b"http_response_trailer_section_size",
           b"The trailer section of the service's answer is malformed."))
    row(E_UP_HEAD_LENGTH, b"E_UP_HEAD_LENGTH",
        up(502, False, b"response_head_too_large", section,
           b"The head of the service's answer is too large."))
    row(E_UP_HEADER_COUNT, b"E_UP_HEADER_COUNT",
        up(502, False, b"response_too_many_headers", section,
           b"The service's answer has too many header fields."))
    row(E_UP_CODING, b"E_UP_CODING",
        up(502, False, b"response_unknown_coding", b"http_response_transfer_coding",
           b"The service's answer has a transfer coding that is not known."))
    row(E_UP_RESPONSE_TIMEOUT, b"E_UP_RESPONSE_TIMEOUT",
        up(504, False, b"response_timeout", b"http_response_timeout",
           b"The service did not answer in time."))
    row(E_UP_STALLED, b"E_UP_STALLED",
        up(504, False, b"upstream_stalled", b"connection_read_timeout",
           b"The service stopped in the middle of its answer."))
    row(E_UP_INCOMPLETE, b"E_UP_INCOMPLETE",
        up(502, False, b"response_incomplete", b"http_response_incomplete",
           b"The service's answer ended too early."))
    row(E_UP_UPGRADE, b"E_UP_UPGRADE",
        up(502, False, b"upgrade_unasked", b"http_upgrade_failed",
           b"The service switched protocols without being asked."))
    row(E_UP_INFORMATIONAL, b"E_UP_INFORMATIONAL",
        up(502, False, b"informational_flood", protocol,
           b"The service sent too many informational responses."))
    row(E_UP_BROKEN, b"E_UP_BROKEN",
        up(502, True, b"upstream_write_failed", b"connection_terminated",
           b"The request could not be sent to the service."))


cdef void fill_core() noexcept nogil:
    row(E_CORE_NO_ROUTE, b"E_CORE_NO_ROUTE",
        core(404, b"no_route", b"destination_not_found", b"No route matches."))
    row(E_CORE_METHOD, b"E_CORE_METHOD",
        core(405, b"method_refused", b"http_request_denied",
             b"This method is not served here."))
    row(E_CORE_NO_TARGET, b"E_CORE_NO_TARGET",
        core(503, b"no_target", b"destination_unavailable", b"No target is eligible."))
    row(E_CORE_QUEUE_FULL, b"E_CORE_QUEUE_FULL",
        core(503, b"queue_full", b"connection_limit_reached",
             b"Too many requests wait for the service."))
    row(E_CORE_QUEUE_TIMEOUT, b"E_CORE_QUEUE_TIMEOUT",
        core(503, b"queue_timeout", b"connection_limit_reached",
             b"No connection to the service became free in time."))
    row(E_CORE_TOTAL_TIMEOUT, b"E_CORE_TOTAL_TIMEOUT",
        core(504, b"total_timeout", b"http_response_timeout",
             b"The request took longer than its route allows."))
    row(E_CORE_MEMORY, b"E_CORE_MEMORY",
        core(503, b"out_of_memory", b"proxy_internal_error", b"The gateway is out of memory."))
    row(E_CORE_DENIED, b"E_CORE_DENIED",
        core(403, b"denied", b"http_request_denied", b"This address may not come here."))
    row(E_CORE_STOPPED, b"E_CORE_STOPPED",
        core(503, b"stopped", b"proxy_internal_response", b"The gateway is shutting down."))
    row(E_CORE_MAINTENANCE, b"E_CORE_MAINTENANCE",
        core(503, b"maintenance", b"destination_unavailable",
             b"The service is under maintenance."))
    row(E_CORE_INTERNAL, b"E_CORE_INTERNAL",
        core(500, b"internal_error", b"proxy_internal_error", b"Something unexpected happened."))
    row(E_HOOK_ABORTED, b"E_HOOK_ABORTED",
        fault_t(SIDE_HOOK, 500, False, b"hook_aborted", b"proxy_internal_response",
                b"A hook ended the request."))


cdef void fill_hooks() noexcept nogil:
    cdef const char* token = b"proxy_internal_error"
    row(E_HOOK_FAILED, b"E_HOOK_FAILED",
        fault_t(SIDE_HOOK, 500, False, b"hook_failed", token, b"A hook failed."))
    row(E_HOOK_LATE, b"E_HOOK_LATE",
        fault_t(SIDE_HOOK, 500, False, b"hook_late", token, b"A hook took too long."))
    row(E_HOOK_RESPONSE, b"E_HOOK_RESPONSE",
        fault_t(SIDE_HOOK, 502, False, b"hook_failed_on_response", token,
                b"A hook failed on the response of the service."))
    row(E_HOOK_BODY_LENGTH, b"E_HOOK_BODY_LENGTH",
        fault_t(SIDE_HOOK, 502, False, b"hook_body_too_large", b"http_response_body_size",
                b"The response is longer than a hook takes."))


fill_down()
fill_up()
fill_core()
fill_hooks()


def faults() -> dict[str, dict[str, object]]:
    """Every expected failure by its E_* name.

    Each value has ``number`` (negative), ``side`` (``down``, ``up``, ``core``, ``hook``),
    ``status`` (HTTP, RFC 9110; 499 when the client is gone), ``retryable``, ``label`` (the cause
    in the access log), ``proxy_error`` (RFC 9209 token or None) and ``sentence``.
    """
    sides = ("down", "up", "core", "hook")
    out = {}
    cdef int i
    for i in range(1, -E_LAST):
        if table[i].label == NULL:
            continue
        token = b"" if table[i].proxy_error == NULL else table[i].proxy_error
        out[names[i].decode()] = {
            "number": -i,
            "side": sides[table[i].side],
            "status": table[i].status,
            "retryable": bool(table[i].retryable),
            "label": table[i].label.decode(),
            "proxy_error": token.decode() or None,
            "sentence": table[i].sentence.decode(),
        }
    return out
