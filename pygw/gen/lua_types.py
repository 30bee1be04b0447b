"""The Lua API of hooks as annotations for editors (LuaLS), from the prelude's own lines.

Owns: the form of a line that says what a name of the API is, and the file that editors read.
Runs in: `make docs`, which writes `pygw/include/lua/pygw.lua`; the file is what is installed.
Never does: run Lua.
Read next: `pygw/_core/runtimes/prelude/api.lua`.

A line stands above what it is about:

    --: gw.kv.get(key: string): string|number|boolean|nil  What is kept in this worker.
    --: req.path: string  Written too; as it came, escapes and all.

Names begin with gw, req, resp, or head for what req and resp both have. Parameters that may be left
out end in ?; two spaces stand before the sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PRELUDE = Path(__file__).parents[1] / "_core" / "runtimes" / "prelude"

_LINE = re.compile(
    r" *--: (?P<name>[a-z][\w.]*)(?P<call>\((?P<args>[^)]*)\))?(?:: (?P<type>\S.*?))?"
    r"  (?P<text>\S.*)"
)
_CLASSES = {"req": "pygw.Request", "resp": "pygw.Response", "head": "pygw.Head"}


@dataclass(frozen=True)
class Member:
    """A function or a value of the API."""

    name: str
    text: str
    type: str | None
    """Of a value, or what a function returns."""
    parameters: tuple[tuple[str, str], ...] | None
    """Name, with ? where it may be left out, and type; None for a value."""


def read_members(folder: Path = PRELUDE) -> list[Member]:
    """Every member that the prelude's files tell of; ValueError for a line that tells nothing."""
    found = []
    for file in sorted(folder.glob("*.lua")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if line.lstrip().startswith("--:"):
                match = _LINE.fullmatch(line)
                if match is None:
                    raise ValueError(f"{file.name}:{number}: tells nothing of the API: {line}")
                found.append(_member(match))
    return found


def _member(match: re.Match[str]) -> Member:
    parameters: tuple[tuple[str, str], ...] | None = None
    if match["call"] is not None:
        pairs = [one.partition(": ") for one in re.split(r", (?=\w+\??: )", match["args"]) if one]
        parameters = tuple((name, kind) for name, _, kind in pairs)
    return Member(match["name"], match["text"], match["type"], parameters)


def render_lua_types(members: list[Member]) -> str:
    """The file for editors."""
    lines = [HEADER]
    for head, title in (("head", "What req and resp both have."), ("req", ""), ("resp", "")):
        base = "" if head == "head" else ": pygw.Head"
        if title:
            lines.append(f"---{title}")
        lines.append(f"---@class {_CLASSES[head]}{base}")
        lines += [_field(one) for one in members if one.name.startswith(f"{head}.")]
        lines.append("")
    lines += ["---What a hook calls.", "gw = {}"]
    lines += [f"gw.{name} = {{}}" for name in ("base64", "json", "kv")]
    for member in members:
        if member.name.startswith("gw."):
            lines += ["", *_global(member)]
    return "\n".join([*lines, "", FOOTER])


def _field(member: Member) -> str:
    name = member.name.partition(".")[2]
    if member.parameters is None:
        return f"---@field {name} {member.type} {member.text}"
    arguments = ", ".join(f"{arg}: {kind}" for arg, kind in member.parameters)
    returns = f": {member.type}" if member.type else ""
    return f"---@field {name} fun({arguments}){returns} {member.text}"


def _global(member: Member) -> list[str]:
    if member.parameters is None:
        value = "{}" if (member.type or "").startswith("table") else "nil"
        return [f"---{member.text}", f"---@type {member.type}", f"{member.name} = {value}"]
    lines = [f"---{member.text}"]
    lines += [f"---@param {name} {kind}" for name, kind in member.parameters]
    if member.type:
        lines.append(f"---@return {member.type}")
    names = ", ".join(name.rstrip("?") for name, _ in member.parameters)
    return [*lines, f"function {member.name}({names}) end"]


HEADER = """\
---@meta
-- What Lua hooks of pygw see, for editors with LuaLS: generated from the gateway's own API.
-- It is never run. `pygw hook types` writes the newest.

---@class pygw.Rule
---@field type "string"|"number"|"integer"|"boolean"|"list"|"map"
---@field required? boolean
---@field default? any
---@field enum? any[]
---@field min? number Of a number; of a text, list or map: its length.
---@field max? number
---@field items? "string"|"number"|"integer"|"boolean"|"list"|"map" Of a list.
---@field description? string

---@class pygw.Fetch
---@field method? string GET, or POST with a body, unless said.
---@field path? string With its query; / unless said.
---@field headers? table<string,string|string[]>
---@field body? string
---@field timeout? number Seconds; 5 unless said.

---@class pygw.Fetched
---@field status integer
---@field body string
---@field header fun(name: string): string?
---@field headers fun(name?: string): string[][]

---What a hook's file returns, unless it returns a function, which is `request`.
---@class pygw.Hook
---@field config? table<string, pygw.Rule> What `config:` of its entry may hold.
---@field init? fun(config: table<string, any>) Once, when a worker has loaded it.
---@field wait? boolean Whether it may wait; a file that names `sleep` or `fetch` may.
---@field request? fun(req: pygw.Request) Before the service is asked.
---@field request_body? fun(req: pygw.Request) With the request's body, whole or by piece.
---@field attempt? fun(req: pygw.Request) Before each try at a target.
---@field response? fun(req: pygw.Request, resp: pygw.Response) Before the client is answered.
---@field response_body? fun(req: pygw.Request, resp: pygw.Response) With the response's body.
---@field log? fun(req: pygw.Request, resp: pygw.Response) When it is over.
"""

FOOTER = """\
-- --- specs, for `pygw hook test` ---

---@class pygw.Seen
---@field method string
---@field target string
---@field path string
---@field query string
---@field headers table<string, string> By name in any case: the first value.
---@field fields string[][] All fields in order, each {name, value}.
---@field body string
---@field chunks string[]
---@field upstream string Where the gateway sent it.
---@field json fun(): any

---@class pygw.Run
---@field hook string
---@field phase string
---@field outcome "next"|"reply"|"abort"|"failed"|"wait"|"cancelled"
---@field error string
---@field fault string
---@field waited boolean
---@field seconds number

---@class pygw.Line
---@field level string
---@field hook string
---@field text string

---@class pygw.Answer
---@field status integer 0: the connection ended without an answer.
---@field headers table<string, string> By name in any case: the first value.
---@field fields string[][] All fields in order, each {name, value}.
---@field trailers table<string, string>
---@field body string
---@field chunks string[]
---@field complete boolean
---@field origin pygw.Seen? The request as the service got it last.
---@field seen pygw.Seen[]
---@field hooks pygw.Run[]
---@field log pygw.Line[]
---@field vars table<string, string>
---@field route string
---@field cause string
---@field json fun(): any
---@field outcome fun(hook?: string, phase?: string): string?

---@class pygw.Parts
---@field headers? table<string, string|string[]>
---@field body? string
---@field json? any
---@field chunks? string[]
---@field host? string
---@field client? string
---@field listener? integer

---@class pygw.Origin
---@field answer fun(answer?: integer|string|table|function, parts?: table) From now on.
---@field next fun(...: integer|string|table) The next answers.
---@field refuse fun(reason?: string) Connects fail.
---@field silent fun() It never answers.
---@field requests fun(): pygw.Seen[]

---@class pygw.Gateway
---@field get fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field head fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field post fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field put fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field patch fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field delete fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field options fun(target?: string, parts?: pygw.Parts): pygw.Answer
---@field request fun(method: string, target?: string, parts?: pygw.Parts): pygw.Answer
---@field origin pygw.Origin
---@field upstream fun(address: string): pygw.Origin
---@field advance fun(seconds: number)
---@field now fun(): number
---@field log fun(): string[]

pygw = {}

---A gateway with this hook on a route for everything.
---@param place string
---@param config? table<string, any>
---@param options? table<string, any>
---@return pygw.Gateway
function pygw.hook(place, config, options) end

---A gateway with a whole configuration: its file, or a table that says the same.
---@param config string|table
---@param options? table<string, any>
---@return pygw.Gateway
function pygw.gateway(config, options) end

---@param title string
---@param body fun()
function describe(title, body) end

---@param title string
---@param body fun()
function context(title, body) end

---@param title string
---@param body fun()
function it(title, body) end

---@param body fun()
function before_each(body) end

---@param body fun()
function after_each(body) end

---@class pygw.Assert
---@overload fun(value: any, message?: string): any
---@field equal fun(expected: any, got: any)
---@field not_equal fun(unexpected: any, got: any)
---@field same fun(expected: any, got: any) Tables by what is in them.
---@field is_true fun(value: any)
---@field is_false fun(value: any)
---@field is_nil fun(value: any)
---@field is_not_nil fun(value: any)
---@field truthy fun(value: any)
---@field falsy fun(value: any)
---@field near fun(expected: number, got: number, by: number)
---@field matches fun(pattern: string, text: string)
---@field has_error fun(call: fun(), pattern?: string)
---@field has_no_error fun(call: fun())
---@field are pygw.Assert
---@field is pygw.Assert
---@field has pygw.Assert
---@field are_not pygw.Assert
---@field is_not pygw.Assert
---@type pygw.Assert
assert = nil
"""
