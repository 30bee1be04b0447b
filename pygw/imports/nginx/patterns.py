"""From nginx's regular expressions to the paths of routes.

Owns: the expressions that have a path of ours with the same meaning: a literal beginning, whole
segments, a tail. Everything else is refused with a reason; nothing is approximated.
Runs in: the process of the command.
Never does: run an expression of the input, but for a single class of characters.
Read next: `locations`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

FORMS_MAX = 32
"""Most paths that one expression may become: its alternatives multiply."""

_LITERAL = re.compile(r"(?:[A-Za-z0-9/_~%!,:;=@&-]|\\[^A-Za-z0-9])")
_END = re.compile(r"\$\Z|\Z")
_TAIL = re.compile(r"(?P<open>\((?:\?P?<(?P<name>\w+)>)?)?\.[*+](?(open)\))\$?\Z")
_OPTIONAL_TAIL = re.compile(r"(?:\((?:\?:)?/\.\*\)\?\$?|\((?:\?:)?/\|\$\)|\((?:\?:)?\$\|/\))\Z")
_GROUP = re.compile(r"\((?:\?P?<(?P<name>\w+)>|(?P<bare>\?:))?(?P<inner>[^()]*)\)")
_CLASS = re.compile(r"(?:\[(?:\\.|[^\]\\])+\]|\\[dw])(?:[+*]|\{[0-9,]+\})?")
_PARAM = re.compile(r"\{\w+(?::(.*))?\}")
_DIGITS = ("\\d+", "[0-9]+")
_SEGMENT = "[^/]+"


class Untranslatable(ValueError):
    """There is no form of ours; the text says why, and reads well behind the original."""


@dataclass(frozen=True)
class PathForm:
    """A path of ours, and which of its parameters each group of the expression became."""

    path: str
    groups: tuple[tuple[str, str], ...] = ()

    @property
    def literal(self) -> str:
        """The path up to its first parameter or wildcard."""
        return re.split(r"[{*]", self.path, maxsplit=1)[0]

    @property
    def whole(self) -> bool:
        """Whether it takes everything that begins with its literal."""
        rest = self.path[len(self.literal) :]
        return rest == "*" or re.fullmatch(r"\{\w+\*\}", rest) is not None

    def overlaps(self, prefix: str) -> bool:
        """Whether a path that begins with `prefix`, longer than the literal, may be taken."""
        if not prefix.startswith(self.literal) or prefix == self.literal:
            return False
        own, other = self.path.split("/"), prefix.split("/")
        for mine, theirs in zip(own, other[:-1], strict=False):
            if mine.endswith(("*", "*}")):
                return True
            match = _PARAM.fullmatch(mine)
            if match is None:
                if mine != theirs:
                    return False
            elif match[1] is not None and not re.fullmatch(
                "[0-9]+" if match[1] == "int" else match[1], theirs
            ):
                return False
        return len(other) <= len(own) or own[-1].endswith(("*", "*}"))


def to_path(decoded: str) -> str:
    """A path as nginx compares it, decoded, in the form it has in a URL."""
    return quote(decoded, safe="/-._~!$&'()+,=:@")


def path_forms(expression: str, ignore_case: bool = False) -> list[PathForm]:
    """The paths that together match exactly what the expression does.

    Untranslatable when there are none such.
    """
    if not expression.startswith("^"):
        raise Untranslatable("it may begin anywhere in the path; a route's path begins with /")
    if ignore_case and re.search(r"[A-Za-z]", re.sub(r"\\.|\?P?<\w+>", "", expression)):
        raise Untranslatable("it ignores case; a route's path does not")
    text = expression[1:]
    if text in ("", "/", "(.*)", "(.*)$", ".*", ".*$", "(.+)$", "(.+)"):
        return [_everything(text)]
    return _Reader(text).read()


def _everything(text: str) -> PathForm:
    # `^(.*)$` holds the slash, too, which a parameter cannot.
    return PathForm("/*", (("1", ""),) if "(" in text else ())


@dataclass
class _State:
    """One alternative so far."""

    path: str = ""
    groups: tuple[tuple[str, str], ...] = ()

    def literal(self, text: str) -> _State:
        return _State(self.path + to_path(text), self.groups)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.group = 0
        self.states = [_State()]
        self.done: list[PathForm] = []

    def read(self) -> list[PathForm]:
        while self.states:
            self._step()
            if len(self.states) + len(self.done) > FORMS_MAX:
                raise Untranslatable(f"it has more than {FORMS_MAX} alternatives")
        for form in self.done:
            if not form.path.startswith("/"):
                raise Untranslatable("it does not begin with /")
        return list(dict.fromkeys(self.done))

    def _step(self) -> None:
        if self._read_end() or self._read_tail() or self._read_group():
            return
        match = _LITERAL.match(self.text, self.at)
        if match is None:
            found = _CLASS.match(self.text, self.at)
            if found is None:
                shown = self.text[self.at : self.at + 12]
                raise Untranslatable(f'there is no form of a path for its part "{shown}"')
            self.at = found.end()
            self._segment(found[0], None)
            return
        self.at = match.end()
        character = match[0][-1]
        if self.text.startswith("?", self.at):
            self.at += 1
            self.states += [state.literal(character) for state in self.states]
        else:
            self.states = [state.literal(character) for state in self.states]

    def _read_end(self) -> bool:
        if not _END.match(self.text, self.at):
            return False
        open_end = not self.text.startswith("$", self.at)
        for state in self.states:
            if open_end and not state.path.endswith("/") and "{" in state.path.rpartition("/")[2]:
                raise Untranslatable("it may end within a segment; end it with $")
            self.done.append(PathForm(state.path + ("*" if open_end else ""), state.groups))
        self.states = []
        return True

    def _read_tail(self) -> bool:
        if _OPTIONAL_TAIL.match(self.text, self.at):
            for state in self.states:
                self.done.append(PathForm(state.path, state.groups))
                self.done.append(PathForm(state.path + "/*", state.groups))
            self.states = []
            return True
        match = _TAIL.match(self.text, self.at)
        if match is None:
            return False
        if not all(state.path.endswith("/") for state in self.states):
            raise Untranslatable("its tail begins within a segment")
        for state in self.states:
            if match["open"] is None:
                self.done.append(PathForm(state.path + "*", state.groups))
            else:
                self.group += 1
                groups = self._named(state, match["name"], "rest")
                self.done.append(PathForm(state.path + "{rest*}", groups))
                self.group -= 1
        self.states = []
        return True

    def _read_group(self) -> bool:
        match = _GROUP.match(self.text, self.at)
        if match is None:
            return False
        self.at = match.end()
        if self.text[self.at : self.at + 1] in ("?", "*", "+", "{"):
            raise Untranslatable(f"its group {match[0]} may come any number of times")
        inner = match["inner"]
        if match["bare"] is None:
            self.group += 1
        words = inner.split("|")
        if all(re.fullmatch(r"(?:[A-Za-z0-9/_~-]|\\[.\-/])+", word) for word in words):
            self._words([word.replace("\\", "") for word in words], match)
        else:
            self._segment(inner, match)
        return True

    def _words(self, words: list[str], match: re.Match[str]) -> None:
        # What a group of literals holds is known in each alternative: it needs no parameter.
        fresh = []
        for state in self.states:
            for word in words:
                groups = state.groups
                if match["bare"] is None:
                    groups = (*groups, (str(self.group), f"={word}"))
                if match["name"]:
                    groups = (*groups, (match["name"], f"={word}"))
                fresh.append(_State(state.path + to_path(word), groups))
        self.states = fresh

    def _segment(self, inner: str, match: re.Match[str] | None) -> None:
        behind = self.text[self.at : self.at + 1]
        before = all(state.path.endswith("/") for state in self.states)
        if not before or behind not in ("/", "$", ""):
            raise Untranslatable(f'its part "{inner}" is no whole segment of the path')
        number = len(re.findall(r"\{", self.states[0].path)) + 1
        name = match["name"] if match is not None and match["name"] else f"p{number}"
        kind = _segment_kind(inner)
        for index, state in enumerate(self.states):
            groups = state.groups
            if match is not None and match["bare"] is None:
                groups = self._named(state, match["name"], name)
            self.states[index] = _State(f"{state.path}{{{name}{kind}}}", groups)

    def _named(self, state: _State, name: str | None, param: str) -> tuple[tuple[str, str], ...]:
        own = ((str(self.group), param),)
        return (*state.groups, *own, *(((name, param),) if name else ()))


def _segment_kind(inner: str) -> str:
    """The type of a parameter that takes what `inner` does within one segment."""
    if inner == _SEGMENT:
        return ""
    if inner in _DIGITS:
        return ":int"
    if not _CLASS.fullmatch(inner):
        raise Untranslatable(f'there is no form of a path for its part "{inner}"')
    if not inner.endswith("+") or _takes_slash(inner):
        raise Untranslatable(f'its part "{inner}" may hold more or less than one segment')
    return f":{inner}"


def _takes_slash(expression: str) -> bool:
    """Whether a class of characters, once or more, takes a slash. It holds no repetition that
    could take long, so it is safe to run."""
    try:
        return re.fullmatch(expression, "/") is not None
    except re.error:
        return True
