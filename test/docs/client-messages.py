"""What the newest Anki says: its translations, and what it shows for each HTTP status.

Arguments: a language, then statuses. Prints one JSON object.
"""

import json
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anki._fluent
import anki.lang
from anki import sync_pb2
from anki.collection import Collection

LANGUAGE, STATUSES = sys.argv[1], [int(text) for text in sys.argv[2:]]


class Refusing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 0

    def do_POST(self):
        while size := int(self.rfile.readline(), 16):  # Clients send in chunks.
            self.rfile.read(size + 2)
        self.rfile.readline()
        self.send_response(Refusing.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


def without_marks(text):
    return re.sub("[\u2066-\u2069]", "", text)


def shown(backend, url):
    request = sync_pb2.SyncLoginRequest(username="ann", password="secret", endpoint=url)
    try:
        backend.sync_login(request)
    except Exception as problem:
        return without_marks(str(problem))
    return "no error"


def translations():
    tr = anki.lang.current_i18n
    found = []
    names = [name for name in dir(anki._fluent.GeneratedTranslations) if re.match("sync_|network_|preferences_", name)]
    for name in names:
        method = getattr(anki._fluent.GeneratedTranslations, name)
        words = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        found.append(without_marks(method(tr_of(tr), **{word: "…" for word in words})))
    return found


def tr_of(backend):
    class Translations(anki._fluent.GeneratedTranslations):
        def _translate(self, module, message, args):
            return backend.translate(module_index=module, message_index=message, **args)

    return Translations()


anki.lang.set_lang(LANGUAGE)
server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
with tempfile.TemporaryDirectory() as folder:
    backend = Collection(f"{folder}/collection.anki2")._backend
    by_status = {}
    for Refusing.status in STATUSES:
        by_status[Refusing.status] = shown(backend, url)
    others = {
        "nobody": shown(backend, "http://127.0.0.1:1/"),
        "no address": shown(backend, "127.0.0.1:8080"),
        "a page": None,
    }
    Refusing.status = 200
    others["a page"] = shown(backend, url)
print(json.dumps({"translations": translations(), "byStatus": by_status, "others": others}))
