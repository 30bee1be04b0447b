"""Start an installed pygw, have one request answered, stop it: the proof that a wheel is whole.

``python tests/tools/serve_once.py`` uses the ``pygw`` beside the interpreter that runs it, and
nothing but the standard library. Exit 0 if the answer was 200 and the stop was clean.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

START_S = 20
STOP_S = 20
BANNER = re.compile(r"proxy +(http://127\.0\.0\.1:\d+)")


def wait_for_address(process: subprocess.Popen[str]) -> str:
    """The address in the banner; exits if the process ends without one."""
    assert process.stderr is not None
    giving_up = threading.Timer(START_S, process.kill)
    giving_up.start()
    seen = ""
    try:
        for line in process.stderr:
            seen += line
            if match := BANNER.search(line):
                return match.group(1)
    finally:
        giving_up.cancel()
    sys.exit(f"pygw did not say where it listens:\n{seen}")


def main() -> int:
    """Run the whole life of one small gateway."""
    command = [str(Path(sys.executable).with_name("pygw")), "run", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            address = wait_for_address(process)
            with urllib.request.urlopen(f"{address}/hello", timeout=10) as answer:
                status, body = answer.status, answer.read()
            process.send_signal(signal.SIGTERM)
            ended = process.wait(STOP_S)
        finally:
            process.kill()
    print(f"{address}/hello answered {status} with {len(body)} bytes; pygw ended with {ended}")
    return 0 if status == 200 and body and ended == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
