"""`pygw.imports`: the corpus of both importers, and nginx's grammar and rules one by one."""

from __future__ import annotations

import ipaddress
import itertools
import random
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from pygw.config.expressions import compile_expression
from pygw.config.load import check_object
from pygw.explain.report import Explainer
from pygw.explain.request import read_request
from pygw.imports import Draft, ImportFailed
from pygw.imports.draft import Place
from pygw.imports.nginx import import_nginx
from pygw.imports.nginx.access import ip_filter
from pygw.imports.nginx.conditions import read_condition, whole
from pygw.imports.nginx.patterns import Untranslatable, path_forms
from pygw.imports.nginx.rules import ROUTES_MAX
from pygw.imports.nginx.scope import read_bytes, read_ms
from pygw.imports.nginx.servers import read_listen, read_names
from pygw.imports.nginx.syntax import DEPTH_MAX, FILES_MAX, Directive, read_nginx

from .imported import cases, expected, written

NOWHERE = Place("x", 1)


@pytest.mark.parametrize(("kind", "name"), cases())
def test_corpus_becomes_what_is_expected(kind: str, name: str) -> None:
    assert written(kind, name) == expected(kind, name).read_text()


# --- grammar ---


def parse(tmp_path: Path, text: str) -> list[tuple[object, ...]]:
    (tmp_path / "a.conf").write_text(text)
    return [shape(one) for one in read_nginx(str(tmp_path / "a.conf"), Draft())]


def shape(one: Directive) -> tuple[object, ...]:
    inner = () if one.block is None else ([shape(d) for d in one.block],)
    return (one.place.line, one.name, *one.args, *inner)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", []),
        ("# only a comment; {\n", []),
        ("a b;", [(1, "a", "b")]),
        ("a\n  b\n;c;", [(1, "a", "b"), (3, "c")]),
        ("a b#c;", [(1, "a", "b#c")]),
        ("a 'b c' \"d;{}e\";", [(1, "a", "b c", "d;{}e")]),
        (r'a "x\"y" \"z\";', [(1, "a", 'x"y', '"z"')]),
        (r"a ^/\.(\d+)\\x$;", [(1, "a", r"^/\.(\d+)\x$")]),
        ("a ${b}c$d;", [(1, "a", "${b}c$d")]),
        ("a b { c; d { } }", [(1, "a", "b", [(1, "c"), (1, "d", [])])]),
        ("a x{\nb;}", [(1, "a", "x", [(2, "b")])]),
        (
            "x_by_lua_block {\n -- }\n s = '}' .. [[ } ]] --[[ } ]]\n if a then b = {} end\n}\nc;",
            [(1, "x_by_lua_block"), (6, "c")],
        ),
    ],
)
def test_grammar(tmp_path: Path, text: str, tree: list[tuple[object, ...]]) -> None:
    assert parse(tmp_path, text) == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b", 'a.conf:1: "a" has no closing ";"'),
        ("a {\n b;\n", 'a.conf:1: "a" has no closing "}"'),
        ("a;\n}", 'a.conf:2: "}" without "{"'),
        ("a {\n b }", 'a.conf:2: "b" has no closing ";"'),
        (";", 'a.conf:1: unexpected ";"'),
        ("\n{", 'a.conf:2: unexpected "{"'),
        ("a 'b;", 'a.conf:1: "\'b;" has no closing quote'),
        ("x_by_lua_block { {", "a.conf:1: the block of Lua has no end"),
        ("a {" * (DEPTH_MAX + 1), f"a.conf:1: blocks are nested deeper than {DEPTH_MAX}"),
    ],
)
def test_broken_grammar_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ImportFailed) as caught:
        parse(tmp_path, text)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message


def test_include_of_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.conf").write_text("include a.conf;")
    with pytest.raises(ImportFailed, match=r"include a\.conf: includes itself"):
        parse(tmp_path, "include b.conf;")


def test_number_of_included_files_is_bounded(tmp_path: Path) -> None:
    for number in range(FILES_MAX):
        (tmp_path / f"{number}.inc").write_text("")
    with pytest.raises(ImportFailed, match=f"more than {FILES_MAX} files are included"):
        parse(tmp_path, "include *.inc;")


def test_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="cannot read: No such file or directory"):
        import_nginx(str(tmp_path / "none.conf"))
    (tmp_path / "a.conf").write_bytes(b"a;\nb \xff;")
    with pytest.raises(ImportFailed, match=r"a\.conf:2: not valid UTF-8"):
        import_nginx(str(tmp_path / "a.conf"))


# --- values ---


@pytest.mark.parametrize(
    ("text", "ms"),
    [("60", 60_000), ("1m30s", 90_000), ("500ms", 500), ("1h", 3_600_000), ("0", 0), ("x", None)],
)
def test_times(text: str, ms: int | None) -> None:
    assert read_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "size"), [("8192", 8192), ("8k", 8192), ("1M", 1 << 20), ("1g", 1 << 30), ("1t", None)]
)
def test_sizes(text: str, size: int | None) -> None:
    assert read_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("80", "0.0.0.0:80"),
        ("*:8080", "0.0.0.0:8080"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("127.0.0.1:81", "127.0.0.1:81"),
        ("localhost:81", "127.0.0.1:81"),
        ("[::]:80", "[::]:80"),
        ("[::1]", "[::1]:80"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
    ],
)
def test_listen_addresses(text: str, bind: str) -> None:
    assert str(read_listen(text)) == bind


def test_server_names() -> None:
    assert read_names("Example.COM") == ["example.com"]
    assert read_names(".example.com") == ["example.com", "*.example.com"]
    assert read_names("*.example.com") == ["*.example.com"]
    for name in ("www.example.*", "~^a$", "$hostname", "a*.b"):
        with pytest.raises(ValueError):
            read_names(name)


# --- expressions ---


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("^/", ["/*"]),
        ("^/api/", ["/api/*"]),
        ("^/api$", ["/api"]),
        ("^/api", ["/api*"]),
        (r"^/a\.b/c$", ["/a.b/c"]),
        ("^/a/?$", ["/a", "/a/"]),
        ("^/a(/.*)?$", ["/a", "/a/*"]),
        ("^/a(/|$)", ["/a", "/a/*"]),
        ("^/a/(.*)$", ["/a/{rest*}"]),
        ("^/a/.*", ["/a/*"]),
        (r"^/u/(\d+)$", ["/u/{p1:int}"]),
        (r"^/u/(?<id>\d+)/x$", ["/u/{id:int}/x"]),
        ("^/u/([^/]+)/(?P<b>[a-z-]+)$", ["/u/{p1}/{b:[a-z-]+}"]),
        ("^/(a|b)/c$", ["/a/c", "/b/c"]),
        ("^/(?:a|b)/c/", ["/a/c/*", "/b/c/*"]),
    ],
)
def test_expression_with_paths_of_the_same_meaning(expression: str, paths: list[str]) -> None:
    assert [form.path for form in path_forms(expression)] == paths


@pytest.mark.parametrize(
    "expression",
    [
        r"\.php$",
        "/api/",
        "^/a.b$",
        "^/a+$",
        r"^/v(\d+)/",
        r"^/(\d+)",
        "^/([^/]*)$",
        "^/(a|b)?/c$",
        "^/(a(b))$",
        "^/[^a]+$",
        "^api$",
        "^(?!/x)/",
        "^/" + "(a|b)/" * 6,
        "^/a{2}$",
    ],
)
def test_expression_without_a_path_is_refused_not_approximated(expression: str) -> None:
    with pytest.raises(Untranslatable):
        path_forms(expression)


def test_expression_that_ignores_case_needs_to_be_free_of_letters() -> None:
    assert path_forms(r"^/(\d+)$", ignore_case=True)
    with pytest.raises(Untranslatable, match="ignores case"):
        path_forms("^/a$", ignore_case=True)


# --- conditions ---


@pytest.mark.parametrize(
    "expression",
    [
        "ab",
        "^ab",
        "ab$",
        "^ab$",
        "a|b$",
        "(a|b)c",
        "^(?:a|ab)c*?$",
        "[a-c]b",
        "[^ab]c",
        r"a\.b",
        "a.c",
    ],
)
@pytest.mark.parametrize("ignore_case", [False, True])
def test_expression_of_a_condition_takes_what_nginx_finds(
    expression: str, ignore_case: bool
) -> None:
    chance = random.Random(expression)
    ours = compile_expression(whole(expression, ignore_case))
    nginx = re.compile(expression, re.IGNORECASE if ignore_case else 0)
    for _ in range(400):
        text = "".join(chance.choice("abcABC.x") for _ in range(chance.randrange(1, 6)))
        assert ours.takes(text.encode()) == (nginx.search(text) is not None), text


@pytest.mark.parametrize(
    "expression", ["(?!a)b", r"\bbot", "a(^b)", r"(a)\1", "a*", "x" * 300, "["]
)
def test_expression_of_a_condition_without_one_of_ours_is_refused(expression: str) -> None:
    with pytest.raises(Untranslatable):
        whole(expression)


@pytest.mark.parametrize(
    ("text", "match", "negated"),
    [
        ("($http_x_a = 1)", {"headers": {"x-a": "1"}}, False),
        ("($http_x_a != '1')", {"headers": {"x-a": "1"}}, True),
        ("($http_x_a)", {"headers": {"x-a": {"present": True}}}, False),
        ('($http_x_a = "")', {"headers": {"x-a": {"present": False}}}, False),
        ('($http_x_a != "")', {"headers": {"x-a": {"present": True}}}, False),
        ("($arg_a ~ ^b)", {"query": {"a": {"regex": "b.*"}}}, False),
        ("($remote_addr = 192.0.2.1)", {"client": ["192.0.2.1"]}, False),
        ("($request_method !~ ^(GET|PUT)$)", {"methods": ["GET", "PUT"]}, True),
        ("($host = a.example)", {"host": "a.example"}, False),
    ],
)
def test_condition_of_an_if(text: str, match: dict[str, object], negated: bool) -> None:
    found = read_condition(Directive("if", tuple(text.split(" ")), NOWHERE))
    assert (found.match, found.negated) == (match, negated)


@pytest.mark.parametrize("value", ["a=1", "x=2; a=1", "a=1; x=2", "x=2;a=1;y=3"])
def test_condition_on_a_cookie_finds_it_anywhere_among_others(value: str) -> None:
    found = read_condition(Directive("if", ("($cookie_a = 1)",), NOWHERE))
    ours = compile_expression(found.match["headers"]["cookie"]["regex"])
    assert ours.takes(value.encode())
    assert not ours.takes(value.replace("a=1", "a=12").encode())
    assert not ours.takes(value.replace("a=1", "ba=1").encode())


# --- access ---


def admitted_by_nginx(rules: list[Directive], client: ipaddress.IPv4Address) -> bool:
    for rule in rules:
        if rule.args == ("all",) or client in ipaddress.ip_network(rule.args[0]):
            return rule.name == "allow"
    return True


def test_allow_and_deny_admit_the_same_clients_in_any_order() -> None:
    chance = random.Random(1)
    for _ in range(300):
        rules = []
        for _ in range(chance.randrange(1, 6)):
            bits = chance.randrange(24, 33)
            base = ipaddress.ip_network(f"10.0.0.{chance.randrange(256)}/{bits}", strict=False)
            rules.append(Directive(chance.choice(("allow", "deny")), (str(base),), NOWHERE))
        if chance.random() < 0.5:
            rules.append(Directive(chance.choice(("allow", "deny")), ("all",), NOWHERE))
        found = ip_filter(rules) or {}
        allow, deny = (
            [ipaddress.ip_network(one) for one in found.get(key, ())] for key in ("allow", "deny")
        )
        for last in (*range(256), 300):
            client = ipaddress.IPv4Address(0x0A000000 + last)
            ours = not any(client in one for one in deny if one.version == 4) and (
                not allow or any(client in one for one in allow if one.version == 4)
            )
            assert ours == admitted_by_nginx(rules, client), (rules, client)


# --- what must never happen in silence ---


def remarks(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / "a.conf").write_text(text)
    draft = import_nginx(str(tmp_path / "a.conf"))
    return [str(one).replace(f"{tmp_path}/", "") for one in draft.remarks]


def test_every_directive_is_carried_over_or_remarked_on(tmp_path: Path) -> None:
    for name in ("nobody_knows_this", "limit_req", "sub_filter", "proxy_cache", "auth_delay"):
        text = f"server {{ listen 80;\nlocation / {{ {name} x;\nproxy_pass http://a; }} }}"
        assert [one for one in remarks(tmp_path, text) if one.startswith("a.conf:2:")], name


def test_what_guards_a_location_is_never_left_out_with_the_location_open(tmp_path: Path) -> None:
    for lock in (
        "auth_basic x;",
        "auth_request /a;",
        "satisfy any;",
        "allow unix:; deny all;",
        "access_by_lua_file a.lua;",
        "if ($blocked) { return 403; }",
        "if ($http_a ~ (?!x)) { return 444; }",
        'if ($cookie_auth = "") { return 302 /login; }',
        'if ($cookie_auth = "") { return https://login.example$request_uri; }',
        'if ($cookie_auth = "") { rewrite ^ /login redirect; }',
    ):
        for text in (
            f"server {{ listen 80; {lock} location / {{ proxy_pass http://a; }} }}",
            f"server {{ listen 80; location / {{ {lock} proxy_pass http://a; }} }}",
        ):
            (tmp_path / "a.conf").write_text(text)
            draft = import_nginx(str(tmp_path / "a.conf"))
            (route,) = draft.routes
            assert "upstream" not in route, lock
            assert route["middleware"][-1]["respond"]["status"] == 501


def test_step_to_tls_that_is_not_carried_over_shuts_nothing(tmp_path: Path) -> None:
    step = 'if ($scheme = "http") { return 301 https://$host$request_uri; }'
    (tmp_path / "a.conf").write_text(
        f"server {{ listen 80; location / {{ {step} proxy_pass http://a; }} }}"
    )
    (route,) = import_nginx(str(tmp_path / "a.conf")).routes
    assert "upstream" in route


CONDITIONS = {
    "$remote_addr = 192.0.2.66": 451,
    "$arg_x = 1": 452,
    "$http_x_block = 1": 453,
    "$request_method = POST": 454,
}


def asked(explainer: Explainer, holding: Sequence[str]) -> int:
    """The status of a request for which these conditions hold, and no other."""
    names = [one.split(" ")[0] for one in holding]
    request = read_request(
        "POST" if "$request_method" in names else "GET",
        "http://a/?x=1" if "$arg_x" in names else "http://a/",
        ["X-Block: 1"] if "$http_x_block" in names else [],
        "192.0.2.66" if "$remote_addr" in names else "192.0.2.1",
        "localhost",
    )
    status: int = explainer.report(request)["status"]
    return status


@pytest.mark.parametrize("order", list(itertools.permutations(CONDITIONS)))
def test_first_condition_that_holds_decides_in_any_order(
    order: tuple[str, ...], tmp_path: Path
) -> None:
    rules = "".join(f"if ({one}) {{ return {CONDITIONS[one]}; }}\n" for one in order)
    (tmp_path / "a.conf").write_text(
        f"server {{ listen 80; location / {{ {rules} return 418; }} }}"
    )
    explainer = Explainer(check_object(import_nginx(str(tmp_path / "a.conf")).data(), "test"))
    try:
        for size in range(len(order) + 1):
            for holding in itertools.combinations(order, size):
                first = CONDITIONS[holding[0]] if holding else 418
                assert asked(explainer, holding) == first, holding
    finally:
        explainer.close()


def test_routes_that_conditions_become_are_bounded(tmp_path: Path) -> None:
    values = "".join(f"if ($arg_x = {n}) {{ return 403; }}\n" for n in range(ROUTES_MAX // 2))
    last = "if ($http_beta = 1) { proxy_pass http://b; }"
    text = f"server {{ listen 80; location / {{ {values} {last} proxy_pass http://a; }} }}"
    told = remarks(tmp_path, text)
    assert any(f"more than {ROUTES_MAX} routes" in one for one in told)


def test_expressions_are_not_joined_across_another_answer(tmp_path: Path) -> None:
    text = (
        "server { listen 80; location / { if ($http_a ~ ^x) { proxy_pass http://b; }\n"
        "if ($arg_q = 1) { return 403; }\n"
        "if ($http_a ~ ^y) { proxy_pass http://b; } proxy_pass http://a; } }"
    )
    assert any("a.conf:3:" in one and "no order" in one for one in remarks(tmp_path, text))


@pytest.mark.parametrize(
    ("condition", "gap"),
    [
        ("$arg_debug = 1", "where debug comes twice, or where it is written in other case"),
        ("$arg_debug", "where it is written in other case"),
        ("$http_user_agent ~ ^evil", "where user-agent comes twice"),
        ("$cookie_a = 1", "where cookie comes twice"),
        ("$http_user_agent != good", None),
        ("$http_x_a", None),
        ("$remote_addr = 192.0.2.1", None),
    ],
)
def test_refusal_by_a_value_that_several_values_escape_is_listed(
    condition: str, gap: str | None, tmp_path: Path
) -> None:
    guard = f"if ({condition}) {{ return 403; }}"
    for text in (
        f"server {{ listen 80; {guard} location / {{ proxy_pass http://a; }} }}",
        f"server {{ listen 80; location / {{ {guard} proxy_pass http://a; }} }}",
    ):
        lost = [one for one in remarks(tmp_path, text) if "it lets requests pass" in one]
        assert len(lost) == (gap is not None)
        assert all(f"pass {gap};" in one and "not carried over" in one for one in lost)


def test_server_that_another_hides_is_told(tmp_path: Path) -> None:
    text = (
        "server { listen 80; location / { proxy_pass http://a; } }\n"
        "server { listen 81; location / { proxy_pass http://b; } }\n"
    )
    told = remarks(tmp_path, text)
    assert any("takes every host at its own address" in one for one in told)
