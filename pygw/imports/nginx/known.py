"""What is said about directives that have no counterpart.

Owns: for each such directive the reason, and whether leaving it out changes anything.
Runs in: the process of the command.
Never does: carry anything over.
Read next: `servers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..draft import Draft
from .scope import unused
from .syntax import Directive

_INERT = {
    "sendfile tcp_nopush tcp_nodelay sendfile_max_chunk directio aio open_file_cache"
    " open_file_cache_valid open_file_cache_min_uses open_file_cache_errors output_buffers"
    " postpone_output": "pygw sends no files",
    "types default_type types_hash_max_size types_hash_bucket_size charset charset_types"
    " source_charset": "pygw does not guess types of files",
    "server_names_hash_bucket_size server_names_hash_max_size variables_hash_max_size"
    " variables_hash_bucket_size map_hash_max_size map_hash_bucket_size"
    " proxy_headers_hash_max_size proxy_headers_hash_bucket_size": "pygw sizes its tables itself",
    "proxy_buffering proxy_buffers proxy_buffer_size proxy_busy_buffers_size"
    " proxy_request_buffering proxy_max_temp_file_size proxy_temp_file_write_size"
    " proxy_temp_path client_body_temp_path client_body_buffer_size client_header_buffer_size"
    " client_body_in_file_only client_body_in_single_buffer": "pygw streams with bounded memory",
    "proxy_http_version proxy_socket_keepalive chunked_transfer_encoding": "pygw speaks HTTP/1.1 "
    "to services",
    "user pid daemon master_process worker_rlimit_nofile worker_cpu_affinity worker_priority"
    " worker_shutdown_timeout pcre_jit lock_file env working_directory thread_pool timer_resolution"
    " use multi_accept accept_mutex accept_mutex_delay load_module google_perftools_profiles"
    " debug_connection error_log log_not_found log_subrequest rewrite_log": "belongs to nginx's "
    "own process",
    "server_tokens server_name_in_redirect port_in_redirect absolute_redirect msie_padding"
    " etag if_modified_since max_ranges": "concerns answers that pygw does not make",
    "ignore_invalid_headers underscores_in_headers merge_slashes": "pygw has one documented rule",
    "reset_timedout_connection lingering_close lingering_time lingering_timeout": "pygw has its "
    "own bounds",
    "proxy_pass_header proxy_ignore_headers": "pygw passes all fields on and obeys none of them",
    "zone": "pygw shares nothing between its workers",
    "gzip_vary gzip_disable gzip_buffers gzip_http_version gzip_hash gzip_window"
    " postpone_gzipping gzip_no_buffer": "pygw decides this itself",
    "gzip_static brotli_static": "pygw sends no files",
}

_LOST = {
    "ssl_certificate ssl_certificate_key ssl_protocols ssl_ciphers ssl_prefer_server_ciphers"
    " ssl_session_cache ssl_session_timeout ssl_session_tickets ssl_session_ticket_key ssl_dhparam"
    " ssl_ecdh_curve ssl_stapling ssl_stapling_verify ssl_trusted_certificate ssl_buffer_size"
    " ssl_early_data ssl_conf_command ssl_reject_handshake ssl http2 http3 quic_retry"
    " ssl_client_certificate ssl_crl ssl_verify_depth ssl_password_file": "there is no TLS yet",
    "limit_req limit_req_zone limit_req_status limit_req_log_level limit_req_dry_run limit_conn"
    " limit_conn_zone limit_conn_status limit_conn_log_level limit_rate"
    " limit_rate_after": "there is no rate limiting yet",
    "proxy_cache proxy_cache_path proxy_cache_valid proxy_cache_key proxy_cache_bypass"
    " proxy_no_cache proxy_cache_use_stale proxy_cache_lock proxy_cache_methods"
    " proxy_cache_revalidate proxy_cache_background_update proxy_cache_min_uses proxy_store"
    " proxy_cache_lock_timeout slice": "there is no cache",
    "root alias try_files index autoindex empty_gif dav_methods": "pygw serves no files",
    "fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass fastcgi_param fastcgi_index"
    " fastcgi_split_path_info uwsgi_param grpc_set_header": "pygw speaks HTTP/1.1 to services only",
    "auth_basic auth_basic_user_file auth_request auth_request_set auth_jwt auth_jwt_key_file"
    " satisfy": "there is no such authentication yet",
    "ssl_verify_client": "there is no TLS yet",
    "proxy_pass_request_headers proxy_pass_request_body proxy_set_body proxy_method"
    " proxy_ignore_client_abort proxy_limit_rate proxy_bind proxy_force_ranges": "it has no "
    "counterpart",
    "stub_status": "there is no page of figures yet",
    "map geo split_clients set set_if_empty": "there are no variables of one's own",
    "error_page proxy_intercept_errors recursive_error_pages": "pygw's own answers are fixed",
    "sub_filter sub_filter_once sub_filter_types add_before_body add_after_body ssi"
    " addition_types image_filter xslt_stylesheet": "bodies are not edited",
    "proxy_ssl_verify proxy_ssl_server_name proxy_ssl_name proxy_ssl_certificate"
    " proxy_ssl_certificate_key proxy_ssl_trusted_certificate proxy_ssl_protocols"
    " proxy_ssl_ciphers proxy_ssl_session_reuse": "there is no TLS to services yet",
    "proxy_cookie_path proxy_cookie_domain proxy_cookie_flags": "Set-Cookie is not edited",
    "stream mail": "pygw is a gateway for HTTP",
    "resolver resolver_timeout": "pygw asks the system's resolver",
    "log_format": "there are the formats combined and json",
    "gunzip": "answers are not decompressed",
    "brotli brotli_types brotli_comp_level brotli_min_length zstd zstd_types": "answers are "
    "compressed with gzip only",
    "if": "a condition of this kind has no counterpart",
}


def _by_name(table: dict[str, str]) -> dict[str, str]:
    return {name: reason for names, reason in table.items() for name in names.split()}


_READ = _by_name(
    {
        "access_log worker_connections client_header_timeout client_body_timeout keepalive_timeout"
        " send_timeout large_client_header_buffers keepalive_requests set_real_ip_from"
        " real_ip_header real_ip_recursive worker_processes": "it can be set for the whole "
        "gateway only",
        "proxy_pass proxy_set_header proxy_hide_header proxy_connect_timeout proxy_read_timeout"
        " proxy_send_timeout proxy_redirect client_max_body_size allow deny add_header return"
        " rewrite server location listen server_name upstream limit_except gzip gzip_types"
        " gzip_min_length gzip_comp_level gzip_proxied mirror mirror_request_body expires": "it has"
        " no effect where it stands, or what it belongs to was not carried over",
    }
)

INERT = _by_name(_INERT)
"""Directives that a gateway of this kind does not need; the reason."""

LOST = _by_name(_LOST)
"""Directives whose absence a person must know of; the reason."""

_OFF = {"satisfy": "all"}

_LOCKS = """auth_basic auth_request auth_jwt auth_digest auth_ldap auth_pam auth_oidc auth_gss
ssl_verify_client satisfy secure_link secure_link_secret access_by_lua access_by_lua_block
access_by_lua_file rewrite_by_lua rewrite_by_lua_block rewrite_by_lua_file js_access
modsecurity"""

LOCKS = frozenset(_LOCKS.split())
"""Directives that keep somebody out: what they guard is not opened without them."""


def remark_unused(tree: Iterable[Directive], used: set[int], draft: Draft) -> None:
    """A remark on every directive that no other module has asked for."""
    for one in unused(tuple(tree), used):
        remark(one, draft)


def remark(one: Directive, draft: Draft) -> None:
    """A remark on one directive and, where it is a plain container, on what is in it."""
    if one.name in INERT:
        draft.note(one.place, f"{one.name} is left out: {INERT[one.name]}")
    elif "_by_lua" in one.name or one.name.startswith("js_"):
        draft.lose(one.place, f"{one.name}: write it as a hook of the route (docs/lua-hooks.md)")
    elif one.name in LOCKS and one.args[:1] == (_OFF.get(one.name, "off"),):
        draft.note(one.place, f"{one} is left out: it is the rule without it")
    elif one.name == "map" and one.args[:1] == ("$http_upgrade",):
        draft.note(one.place, f"{_shown(one)} is left out: pygw passes upgrades on by itself")
    else:
        reason = LOST.get(one.name) or _READ.get(one.name) or "the import does not know it"
        draft.lose(one.place, f"{_shown(one)}: {reason}")


def _shown(one: Directive, most: int = 60) -> str:
    text = " ".join((one.name, *one.args))
    return text if len(text) <= most else text[: most - 3] + "..."


def locks_of(levels: Sequence[Sequence[Directive]]) -> list[Directive]:
    """The directives that keep somebody out, of the innermost level that says so."""
    found: dict[str, Directive] = {}
    for level in levels:
        for one in level:
            if one.name in LOCKS:
                found[one.name] = one
    return [one for name, one in found.items() if one.args[:1] != (_OFF.get(name, "off"),)]
