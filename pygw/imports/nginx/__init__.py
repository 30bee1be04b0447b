"""An nginx configuration as a draft.

Owns: the order of reading; each noun of nginx has a module here.
Runs in: the process of the command.
Never does: run nginx, or judge what `nginx -t` judges.
Read next: `syntax`, `scope`, `servers`, `locations`.
"""

from __future__ import annotations

from ..draft import Draft
from .known import remark_unused
from .scope import Scope
from .servers import read_servers
from .settings import read_settings
from .syntax import read_nginx
from .upstreams import Upstreams

__all__ = ["import_nginx"]


def import_nginx(path: str) -> Draft:
    """The draft of the file and all it includes; ImportFailed when it cannot be read.

    A fragment, such as a file of `conf.d`, is read as the inside of `http`.
    """
    draft = Draft()
    tree = read_nginx(path, draft)
    main = Scope((tree,))
    blocks = main.here("http")
    # One level for `http` in any case: what stands outside of it holds for nginx as a whole.
    inside = tuple(one for block in blocks for one in block.block or ()) if blocks else tree
    http = Scope((inside,), main.used)
    read_settings(main, http, draft)
    upstreams = Upstreams(draft, http)
    read_servers(http, upstreams, draft)
    remark_unused(tree, main.used, draft)
    return draft
