"""`location` blocks: which paths each one takes, and the routes that come of it.

Owns: nginx's search (exact, the longest prefix, expressions in their order) against the order of
precedence of routes, and what a location answers with.
Runs in: the process of the command.
Never does: know hosts or listeners: `servers` adds them.
Read next: `answers`, `proxy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .. import shapes
from ..draft import Draft, Json, Place
from . import answers, proxy
from .compression import gzip_of
from .conditions import Condition, read_condition
from .known import LOST, locks_of
from .mirrors import mirrors_of
from .patterns import PathForm, Untranslatable, path_forms, to_path
from .rules import Rule, Rules
from .scope import Scope
from .syntax import Directive
from .upstreams import Upstreams

ALL = PathForm("/*")


@dataclass(frozen=True)
class Location:
    """One block. `modifier` is `=`, `^~`, `~`, `~*` or empty."""

    modifier: str
    path: str
    place: Place
    scope: Scope

    @property
    def by_expression(self) -> bool:
        """Whether it is found by a regular expression."""
        return self.modifier in ("~", "~*")

    def forms(self) -> list[PathForm]:
        """Its paths."""
        if self.by_expression:
            return path_forms(self.path, ignore_case=self.modifier == "~*")
        if self.modifier == "=":
            return [PathForm(to_path(self.path))]
        return [PathForm(to_path(self.path) + "*")]


@dataclass
class Routes:
    """The routes of one server, still without hosts."""

    draft: Draft
    upstreams: Upstreams
    defaults: Json
    methods: list[str] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    """What the server's own conditions say."""
    locations: list[Location] = field(default_factory=list)
    named: dict[str, Location] = field(default_factory=dict)
    """`location @name`, until something leads there."""
    dead: set[Place] = field(default_factory=set)
    """Where the locations stand that nginx never chooses."""
    inside: list[Location] = field(default_factory=list)
    """Those that are internal, until something leads there."""
    reached: set[Place] = field(default_factory=set)
    """Where the named and internal locations stand that something leads to."""
    out: list[tuple[Json, Place]] = field(default_factory=list)

    def add_server(self, scope: Scope) -> None:
        """The routes of a server block."""
        whole = scope.here("return")
        if whole:
            self._add(ALL, whole[0].place, self.answer(whole[0], scope))
            for one in scope.here("location"):
                self.draft.lose(one.place, f"{one}: the server's return answers before it")
                scope.used.update(id(inner) for inner in _all_in(one))
            return
        self.locations = list(self._find(scope, ""))
        self.dead = self._dead()
        for rewrite in scope.here("rewrite"):
            self._server_rewrite(rewrite, scope)
        for location in self.locations:
            if location.place in self.dead:
                self._drop(location, "an expression takes all its paths")
            else:
                self._add_location(location)
        for location in self.named.values():
            if location.place not in self.reached:
                self._drop(location, "nothing that is carried over leads there")
        for location in self.inside:
            if location.place not in self.reached:
                self._drop(location, "it is internal: no client reaches it")

    # --- which location takes which path ---

    def _find(self, scope: Scope, outer: str) -> Iterator[Location]:
        for one in scope.here("location"):
            inner = scope.inner(one.block)
            modifier, path = ("", *one.args) if len(one.args) == 1 else one.args[:2] or ("", "")
            if path.startswith("@"):
                self.named[path] = Location("", path, one.place, inner)
                continue
            if modifier == "" and path[:1] in ("=", "~", "^"):
                modifier = next(m for m in ("^~", "~*", "~", "=") if path.startswith(m) or m == "=")
                path = path.removeprefix(modifier)
            yield Location(modifier, path, one.place, inner)
            yield from self._find(inner, path)

    def _dead(self) -> set[Place]:
        """Prefix locations within the whole of an expression's paths: nginx never chooses them."""
        wide: list[tuple[Location, str]] = []
        for location in self.locations:
            if location.by_expression:
                try:
                    wide += [(location, form.literal) for form in location.forms() if form.whole]
                except Untranslatable:
                    continue
        return {
            one.place
            for one in self.locations
            if one.modifier == ""
            and any(to_path(one.path).startswith(literal) for _, literal in wide)
        }

    def _reached(self, location: Location, form: PathForm) -> bool:
        """Whether nginx ever asks the expression for these paths; remarks on unlike precedence."""
        best = ""
        stop = None
        for other in self.locations:
            path = to_path(other.path)
            if other.modifier not in ("", "^~"):
                continue
            if form.literal.startswith(path) and len(path) > len(best):
                best, stop = path, other if other.modifier == "^~" else None
            if other.modifier == "" and other.place not in self.dead and form.overlaps(path):
                self.draft.note(
                    location.place,
                    f"location {other.path} ({other.place}) is longer: it takes its paths from "
                    f"this expression, which nginx asks first",
                )
        if stop is not None:
            self.draft.lose(
                location.place, f"{form.path}: location ^~ {stop.path} ({stop.place}) comes first"
            )
        return stop is None and not self._hidden(location, form)

    def _hidden(self, location: Location, form: PathForm) -> bool:
        """Whether an earlier expression takes all its paths; remarks when it takes some."""
        for other in self.locations:
            if other is location:
                return False
            if not other.by_expression:
                continue
            try:
                forms = other.forms()
            except Untranslatable:
                continue
            for rival in forms:
                if rival.path == form.path or not form.literal.startswith(rival.literal):
                    continue
                if rival.whole:
                    self.draft.lose(
                        location.place, f"{form.path}: the expression of {other.place} comes first"
                    )
                    return True
                self.draft.note(
                    location.place,
                    f"{form.path}: the expression of {other.place} comes first in nginx; here the "
                    f"more specific path does",
                )
        return False

    # --- what a location becomes ---

    def _add_location(self, location: Location) -> None:
        scope, place = location.scope, location.place
        if scope.here("internal"):
            self.inside.append(location)
            return
        try:
            forms = location.forms()
        except Untranslatable as error:
            end = ", which this one refuses" if answers.keeps_out(location.scope.levels[-1]) else ""
            self._drop(location, f"{error}; other locations take its paths{end}")
            return
        if location.by_expression:
            forms = [form for form in forms if self._reached(location, form)]
            if not forms:
                scope.used.update(id(inner) for one in scope.levels[-1] for inner in _all_in(one))
        if location.modifier == "~*":
            self.draft.note(
                place, "the expression ignores case; it holds no letters, so nothing changes"
            )
        for form in forms:
            methods, rules = self.methods, self.rules.copy()
            for one in scope.here("if"):
                methods = self._condition(one, form, location, rules, methods)
            for one in scope.here("limit_except"):
                methods = self._limit(one, form, location, rules, methods)
            self._add_form(location, form, methods, rules)

    def _add_form(
        self, location: Location, form: PathForm, methods: list[str], rules: Rules
    ) -> None:
        scope, place = location.scope, location.place
        for one in scope.here("return", "rewrite"):
            if one.name == "return":
                self._add(form, one.place, self.answer(one, scope, form), methods, rules)
                for rule in scope.here("allow", "deny"):
                    self.draft.note(rule.place, f"{rule} is left out: return answers before it")
                return
            if self._location_rewrite(one, location, form, methods, rules):
                return
        self._add(form, place, self._content(location, form), methods, rules)

    def answer(self, one: Directive, scope: Scope, form: PathForm = ALL) -> Json:
        """What a route does for `return`."""
        try:
            kind = answers.media_type(scope, form.literal)
            entry = answers.return_entry(one, dict(form.groups), kind)
        except Untranslatable as error:
            self.draft.lose(one.place, f"{one}: {error}")
            entry = shapes.unserved("this answer")
        return {"middleware": [*self._response(scope), entry]}

    def _response(self, scope: Scope) -> list[Json]:
        edits = proxy.response_edits(scope, self.draft)
        return [shapes.headers({}, edits)] if edits else []

    def _content(self, location: Location, form: PathForm, path: list[Json] | None = None) -> Json:
        """What a location does with a request; `path` is a rewrite that came before."""
        location = self._served_by(location)
        scope, place = location.scope, location.place
        passes = next(reversed(scope.here("proxy_pass")), None)
        if passes is None:
            what = next((one for one in scope.levels[-1] if one.name in LOST), None)
            self.draft.lose(
                place,
                f"location {location.path} leads to no service over HTTP"
                f"{f' ({what.name})' if what else ''}; "
                f"it answers {shapes.UNSERVED}",
            )
            return {"middleware": [shapes.unserved("this location")]}
        locks = locks_of(scope.levels)
        scope.used.update(id(one) for one in locks)
        try:
            if locks:
                raise Untranslatable(f"{locks[0].name} would be missing")
            address, uri = proxy.read_pass(passes)
            upstream = self.upstreams.find(address, passes.place)
            self.upstreams.retry(upstream, scope)
            guards = proxy.guards(scope, self.draft)
            if path is None:
                path = proxy.replace_prefix(form, uri, passes.place, self.draft)
        except (Untranslatable, ValueError) as error:
            self.draft.lose(passes.place, f"{passes}: {error}; it answers {shapes.UNSERVED}")
            return {"middleware": [shapes.unserved("this location")]}
        edits = shapes.headers(
            proxy.request_edits(scope, address, self.draft),
            proxy.response_edits(scope, self.draft),
        )
        if uri is not None:
            self._redirects(scope, passes)
        out: Json = {}
        waits = proxy.timeouts(scope, self.defaults, self.draft)
        if waits:
            out["timeouts"] = waits
        gzip = gzip_of(scope, self.draft)
        middleware = [*guards, *gzip, *([edits] if edits["headers"] else []), *path]
        if middleware:
            out["middleware"] = middleware
        mirrors = mirrors_of(scope, upstream, self.upstreams, self._led_to)
        if mirrors:
            out["mirror"] = mirrors[0] if len(mirrors) == 1 else mirrors
        return out | {"upstream": upstream}

    def _served_by(self, location: Location) -> Location:
        """The location whose service answers: its own, or the last resort of try_files."""
        for one in location.scope.here("try_files"):
            named = self.named.get(one.args[-1]) if one.args else None
            if location.scope.here("proxy_pass"):
                self.draft.lose(one.place, f"{one}: pygw looks for no files")
            elif named is not None:
                self.reached.add(named.place)
                self.draft.note(
                    one.place, f"{one}: pygw serves no files, every request goes to {named.path}"
                )
                return named
        return location

    def _redirects(self, scope: Scope, passes: Directive) -> None:
        one = scope.last("proxy_redirect")
        if one is None or one.args[:1] != ("off",):
            self.draft.note(
                (one or passes).place,
                "Location fields of the service are passed on unchanged (proxy_redirect)",
            )

    def _limit(
        self, one: Directive, form: PathForm, location: Location, rules: Rules, methods: list[str]
    ) -> list[str]:
        """The methods of `limit_except`; what holds for all others becomes a route of its own."""
        scope, left = location.scope, self.allowed(list(one.args), methods)
        if [(d.name, d.args) for d in one.block or ()] == [("deny", ("all",))]:
            scope.inner(one.block).here("deny")
            self.draft.note(one.place, "other methods get 405, not 403")
            return left
        others = [name for name in methods if name not in left]
        if others or not methods:
            # For them its block stands in the place of what the location says.
            inside = {d.name for d in one.block or ()} & {"allow", "deny"}
            own = (d for d in scope.levels[-1] if not (inside and d.name in ("allow", "deny")))
            inner = Scope((*scope.levels[:-1], (*own, *(one.block or ()))), scope.used)
            route = self._content(replace(location, scope=inner), form)
            self._add(form, one.place, route, others, rules)
        return left

    @staticmethod
    def allowed(words: list[str], methods: list[str]) -> list[str]:
        """Those of `methods`, empty for all, that are among the words."""
        words = list(dict.fromkeys([*words, *(["HEAD"] if "GET" in words else [])]))
        return [one for one in words if not methods or one in methods]

    # --- rewrites and conditions ---

    def _location_rewrite(
        self,
        one: Directive,
        location: Location,
        form: PathForm,
        methods: list[str],
        rules: Rules,
    ) -> bool:
        """The route of a rewrite in a location; True when it takes all the location's paths."""
        try:
            rewrite = answers.read_rewrite(one)
            whole = False
            for inner in rewrite.forms:
                inner = _within(inner, form)
                route = self._rewritten(rewrite, inner, location)
                self._add(inner, one.place, route, methods, rules)
                whole |= inner.whole and inner.literal == form.literal
            return whole
        except Untranslatable as error:
            self.draft.lose(one.place, f"{one}: {error}")
            return False

    def _server_rewrite(self, one: Directive, scope: Scope) -> None:
        try:
            rewrite = answers.read_rewrite(one)
            for form in rewrite.forms:
                route = self._rewritten(rewrite, form, Location("", "/", one.place, scope))
                self._add(form, one.place, route)
        except Untranslatable as error:
            self.draft.lose(one.place, f"{one}: {error}")

    def _rewritten(self, rewrite: answers.Rewrite, form: PathForm, location: Location) -> Json:
        template = answers.filled(rewrite.replacement, form)
        if rewrite.status:
            to = f"{template}?{answers.filled(rewrite.query, form)}" if rewrite.query else template
            entry = shapes.redirect(to, rewrite.status, rewrite.keeps_query)
            return {"middleware": [*self._response(location.scope), entry]}
        goal = self._goal(template) if rewrite.last else location
        path = [shapes.rewrite(template)]
        prefix, tail = form.literal, template.removesuffix("{rest}")
        if form.path == prefix + "{rest*}" and template != tail and prefix.endswith(tail):
            path = [shapes.strip_prefix(prefix.removesuffix(tail))]
        path += answers.rewritten_query(rewrite, form)
        passes = goal.scope.here("proxy_pass")
        if goal is not location and passes and proxy.read_pass(passes[-1])[1] is not None:
            raise Untranslatable("the location it leads to changes the path once more")
        return self._content(goal, form, path)

    def _led_to(self, uri: str) -> Location:
        """The location of a URI that nginx asks itself."""
        goal = self._goal(uri)
        self.reached.add(goal.place)
        return goal

    def _goal(self, template: str) -> Location:
        """The location that takes the paths a template makes, when that is beyond doubt."""
        literal = template.partition("{")[0]
        for one in self.locations:
            if one.modifier == "=" and literal == template == to_path(one.path):
                return one
        best: Location | None = None
        for one in self.locations:
            path = to_path(one.path)
            if one.by_expression or (path.startswith(literal) and path != literal):
                raise Untranslatable("which location takes the new path depends on the request")
            fits = literal == path if one.modifier == "=" else literal.startswith(path)
            if fits and (best is None or len(path) > len(to_path(best.path))):
                best = one
        if best is None:
            raise Untranslatable("no location takes the new path")
        return best

    def _condition(
        self, one: Directive, form: PathForm, location: Location, rules: Rules, methods: list[str]
    ) -> list[str]:
        """Adds what an `if` of a location says to the rules; the methods that are left."""
        answer = answers.answer_in(one.block)
        inner = location.scope.inner(one.block)
        try:
            found = read_condition(one)
            if "host" in found.match:
                raise Untranslatable("a condition on the host has a counterpart in a server only")
            if found.negated and "methods" in found.match and answer is not None:
                inner.here("return", "add_header")
                self.draft.note(one.place, "other methods get 405")
                return self.allowed(found.match["methods"], methods)
            if answer is not None:
                inner.here("return", "add_header")
                route = self.answer(answer, inner, form)
            elif [d.name for d in one.block or ()] == ["proxy_pass"]:
                route = self._content(replace(location, scope=inner), form)
            else:
                raise Untranslatable("only a return or a proxy_pass in it has a counterpart")
            rules.add(Rule(found, route, one.place))
            self.remark_on_gap(one, found)
        except Untranslatable as error:
            self.lose_condition(one, error, rules)
        return methods

    def remark_on_gap(self, one: Directive, found: Condition) -> None:
        """A guard that is carried over but for requests that escape a route's conditions."""
        gap = found.passed_by() if answers.guards(one) else None
        if gap is not None:
            self.draft.lose(one.place, f"{one}: it lets requests pass {gap}; in nginx it does not")

    def lose_condition(self, one: Directive, error: Exception, rules: Rules) -> None:
        """An `if` without a counterpart; what it would refuse is not served without it."""
        end = ""
        if answers.guards(one):
            rules.shut = True
            end = f"; what it guards answers {shapes.UNSERVED}"
        self.draft.lose(one.place, f"{one}: {error}{end}")
        self.upstreams.scope.used.update(id(inner) for inner in _all_in(one))

    def _add(
        self,
        form: PathForm,
        place: Place,
        route: Json,
        methods: list[str] | None = None,
        rules: Rules | None = None,
    ) -> None:
        path = form.path
        if path == f"{form.literal}*" and any(
            one.get("rewrite", {}).get("path", "").endswith("{rest}")
            for one in route.get("middleware", ())
        ):
            path = form.literal + "{rest*}"  # the tail that the rewrite puts behind
        full: Json = {"path": path}
        if methods is None:
            methods = self.methods
        if methods:
            full["methods"] = methods
        for match, found, where in (rules or self.rules).spread(full, route, place):
            self.out.append(({"match": match} | found, where))

    def _drop(self, location: Location, reason: str) -> None:
        shown = f"{location.modifier} {location.path}".strip()
        self.draft.lose(location.place, f"location {shown}: {reason}")
        location.scope.used.update(
            id(inner) for one in location.scope.levels[-1] for inner in _all_in(one)
        )


def _within(inner: PathForm, form: PathForm) -> PathForm:
    """The paths of a rewrite inside a location's: equal to the rewrite's when it lies in there."""
    if inner.literal.startswith(form.literal) and (form.whole or inner.path == form.path):
        return inner
    if inner.path == "/*":
        return PathForm(form.path, inner.groups)
    raise Untranslatable("its paths are not within the location's")


def _all_in(one: Directive) -> Iterator[Directive]:
    yield one
    for inner in one.block or ():
        yield from _all_in(inner)
