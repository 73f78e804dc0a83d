"""One Anki client without its window, told what to do over a pipe.

One process is one device. Each line on standard input is a command, `{"id": 1, "do": "sync", "with": {…}}`; each line on
standard output is its answer, `{"id": 1, "ok": true, "result": …}` or `{"id": 1, "ok": false, "error": {…}}`. The process
ends when its input ends. Run by the Python that the wanted release is installed in, 3.9 or later.

usage: device.py GENERATION     (python, A, B or C: how a sync is asked for, see syncing.py)
"""

import json
import os
import sys
import traceback

# The libraries print; the pipe is for answers only.
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.stdout = sys.stderr
if sys.argv[1] == "A":
    # The protobuf of that time has no compiled form for today's Python.
    os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"

import changes  # noqa: E402
import state  # noqa: E402
import syncing  # noqa: E402


class Device:
    """An open collection, and the server that it syncs with."""

    def __init__(self, generation):
        self.path = None
        self.col = None
        self.sync_calls = syncing.for_generation(generation, self)

    def open(self, path):
        self.path = path
        self.col = syncing.Collection(path)
        self.sync_calls.opened()

    def close(self):
        if self.col is not None:
            self.col.close()
            self.col = None
        os.chdir("/")  # early releases work inside the media folder, which may be deleted now

    def save(self):
        """Makes a change durable and visible to the next sync, which early releases do not do by themselves."""
        self.sync_calls.save()


def commands(device):
    """Name to function. Functions that change the collection are followed by a save."""
    table = {
        "open": device.open,
        "close": device.close,
        "state": lambda: state.dump(device.col),
        "check": device.sync_calls.check,
    }
    for name in ("connect", "login", "status", "sync", "upload", "download", "media_sync"):
        table[name] = getattr(device.sync_calls, name)
    for name, change in changes.QUESTIONS.items():
        table[name] = lambda change=change, **arguments: change(device.col, **arguments)
    for name, change in changes.CHANGES.items():
        table[name] = lambda change=change, **arguments: saved(device, change, arguments)
    return table


def saved(device, change, arguments):
    result = change(device.col, **arguments)
    device.save()
    return result


def main():
    device = Device(sys.argv[1])
    table = commands(device)
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            answer.update(ok=True, result=table[request["do"]](**request["with"]))
        except Exception as problem:
            traceback.print_exc()
            answer.update(ok=False, error=syncing.describe(problem))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    device.close()


main()
