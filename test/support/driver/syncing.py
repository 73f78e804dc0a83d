"""The calls around a sync, which changed from generation to generation.

| generation | releases        | protocol | how                                                                            |
| python     | 2.1.0–2.1.26    | 8, 9     | classes of `anki.sync`; the address is a variable of that module               |
| A          | 2.1.28–2.1.56   | 10       | backend calls; the address comes from the environment; Python holds a transaction |
| B          | 2.1.57–2.1.66   | 11       | the same, but the address is part of the credentials                           |
| C          | 23.10 and later | 11       | one call for both full syncs, media in the background, no transaction in Python   |
"""

import os
import time
from contextlib import contextmanager

try:
    from anki.collection import Collection
except ImportError:
    from anki import Collection

OUTCOMES = {
    "NO_CHANGES": "no changes",
    "NORMAL_SYNC": "normal",
    "FULL_SYNC": "full",
    "FULL_DOWNLOAD": "download only",
    "FULL_UPLOAD": "upload only",
}


def for_generation(generation, device):
    if generation == "python":
        from syncing_python import PythonSync

        return PythonSync(device)
    return {"A": SyncA, "B": SyncB, "C": SyncC}[generation](device)


def describe(problem):
    """What a user would see, sorted by what the user can do about it."""
    text = str(problem)
    kind = "other"
    if type(problem).__name__ == "NetworkError":
        kind = "network"
    if "Only one copy of Anki" in text or "code: 409" in text:
        kind = "conflict"
    elif "Check Database" in text or "code: 400" in text:
        kind = "check database"
    elif is_auth(problem) or "403" in text:
        kind = "auth"
    return {"kind": kind, "type": type(problem).__name__, "text": text[:2000]}


def is_auth(problem):
    if hasattr(problem, "is_auth_error"):
        return problem.is_auth_error()
    return "AUTH" in str(getattr(problem, "kind", "")) or "password" in str(problem)


class SyncA:
    def __init__(self, device):
        self.device = device
        self.url = self.key = None

    @property
    def col(self):
        return self.device.col

    @property
    def backend(self):
        return getattr(self.col, "_backend", None) or self.col.backend

    @property
    def messages(self):
        try:
            import anki.sync_pb2 as messages
        except ImportError:
            try:
                import anki._backend.backend_pb2 as messages
            except ImportError:
                import anki.backend_pb2 as messages
        return messages

    # -- the server

    def connect(self, url, key):
        self.url, self.key = url, key
        # Read at each request.
        os.environ["SYNC_ENDPOINT"] = url + "sync/"
        os.environ["SYNC_ENDPOINT_MEDIA"] = url + "msync/"

    def auth(self):
        return self.messages.SyncAuth(hkey=self.key, host_number=0)

    def login(self, user, password):
        """Asks the server for the key and keeps it."""
        self.key = self.ask_for_key(user, password).hkey
        return self.key

    def ask_for_key(self, user, password):
        return self.backend.sync_login(username=user, password=password)

    # -- transactions: these libraries keep one open in Python, in which the backend cannot begin its own

    @contextmanager
    def outside_transaction(self):
        self.col.save(trx=False)
        try:
            yield
        finally:
            self.col.db.begin()

    def opened(self):
        pass

    def save(self):
        db = self.col.db
        # A change in the same millisecond as the last save would be taken for none, and rolled back by a sync.
        if hasattr(db, "modified_in_python"):
            db.modified_in_python = True
        else:
            db.mod = True
        self.col.save()

    # -- syncs

    def sync(self, media=False):
        """One press of the sync button, without the window that asks about full syncs."""
        before = self.position()
        with self.outside_transaction():
            answer = self.sync_collection(media)
        self.forget_caches()
        outcome = OUTCOMES[answer.ChangesRequired.Name(answer.required)]
        if outcome == "no changes" and self.position() != before:
            outcome = "normal"  # after one that went well nothing is left to do, and that is what the library says
        return {"outcome": outcome, "message": answer.server_message, "mediaUsn": getattr(answer, "server_media_usn", None)}

    def forget_caches(self):
        """What the window does after a sync: the library would show notetypes as they were before."""
        if hasattr(self.col.models, "_clear_cache"):
            self.col.models._clear_cache()

    def position(self):
        return self.col.db.first("select usn, ls from col")

    def sync_collection(self, media):
        return self.backend.sync_collection(self.auth())

    def status(self):
        with self.outside_transaction():
            answer = self.backend.sync_status(self.auth())
        return answer.Required.Name(answer.required) if hasattr(answer, "required") else str(answer)

    def upload(self, media_usn=None):
        self.full(True, media_usn)

    def download(self, media_usn=None):
        self.full(False, media_usn)

    def full(self, upload, media_usn):
        self.col.close_for_full_sync()
        try:
            self.full_sync(upload, media_usn)
        finally:
            self.col.reopen(after_full_sync=True)
            self.forget_caches()
            for name in ("_load_scheduler", "_loadScheduler"):
                if name in dir(type(self.col)):
                    getattr(self.col, name)()
                    break

    def full_sync(self, upload, media_usn):
        (self.backend.full_upload if upload else self.backend.full_download)(self.auth())

    def media_sync(self):
        with self.outside_transaction():
            self.backend.sync_media(self.auth())
            self.wait_for_media()

    def wait_for_media(self):
        pass  # the call has waited

    def check(self):
        """What Check Database finds, line by line."""
        with self.outside_transaction():
            return list(self.backend.check_database())


class SyncB(SyncA):
    def connect(self, url, key):
        self.url, self.key = url, key

    def auth(self):
        return self.messages.SyncAuth(hkey=self.key, endpoint=self.url, io_timeout_secs=60)

    def ask_for_key(self, user, password):
        return self.backend.sync_login(self.messages.SyncLoginRequest(username=user, password=password, endpoint=self.url))


class SyncC(SyncB):
    @contextmanager
    def outside_transaction(self):
        yield

    def save(self):
        pass

    def sync_collection(self, media):
        answer = self.backend.sync_collection(auth=self.auth(), sync_media=media)
        if media:
            self.wait_for_media()
        return answer

    def full_sync(self, upload, media_usn):
        self.backend.full_upload_or_download(
            self.messages.FullUploadOrDownloadRequest(auth=self.auth(), server_usn=media_usn, upload=upload)
        )

    def full(self, upload, media_usn):
        super().full(upload, media_usn)
        if media_usn is not None:
            self.wait_for_media()  # with the number, media follow in the background

    def wait_for_media(self):
        """An error of the media sync is raised by the call that asks how far it is."""
        deadline = time.monotonic() + 120
        while self.backend.media_sync_status().active:
            if time.monotonic() > deadline:
                raise TimeoutError("the media sync does not end")
            time.sleep(0.02)
