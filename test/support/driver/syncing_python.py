"""The calls around a sync in Anki 2.1.15: sync version 9, all in Python. See syncing.py."""

import os
from contextlib import contextmanager

import anki.sync

# A proxy of the machine is not for servers under test.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


class ClientError(Exception):
    """An outcome that the window shows as an error."""


class PythonSync:
    def __init__(self, device):
        self.device = device
        self.url = self.key = None
        self.client = anki.sync.AnkiRequestsClient()

    @property
    def col(self):
        return self.device.col

    def opened(self):
        pass

    def save(self):
        self.col.setMod()
        self.col.save()

    # -- the server

    def connect(self, url, key):
        self.url, self.key = url, key

    def remote(self):
        # The library fills in the number of a host, which is empty here, and adds `sync/` or `msync/`.
        anki.sync.SYNC_BASE = self.url.replace("%", "%%") + "%s"
        remote = anki.sync.RemoteServer(self.key, hostNum=None)
        remote.client = self.client
        return remote

    def login(self, user, password):
        key = self.remote().hostKey(user, password)
        if not key:
            raise ClientError("user name or password is wrong")
        self.key = key
        return key

    def status(self):
        raise ClientError("this release has no status check")

    # -- syncs: each closes the collection and opens it again, as the window does

    def sync(self, media=False):
        with self.reopened():
            syncer = anki.sync.Syncer(self.col, self.remote())
            outcome = syncer.sync()
        if outcome == "badAuth":
            raise ClientError("user name or password is wrong")
        if outcome == "sanityCheckFailed":
            raise ClientError("the count check failed: Check Database")
        names = {"noChanges": "no changes", "success": "normal", "fullSync": "full"}
        if outcome not in names:
            raise ClientError(f"{outcome}: {syncer.syncMsg}")
        return {"outcome": names[outcome], "message": syncer.syncMsg, "mediaUsn": None}

    @contextmanager
    def reopened(self):
        """A sync that broke off leaves no trace: the collection is closed without saving."""
        try:
            yield
        finally:
            if self.col.db:
                self.col.close(save=False)
            self.device.open(self.device.path)

    def upload(self, media_usn=None):
        with self.reopened():
            if not self.full().upload():
                raise ClientError("the server refused the collection")

    def download(self, media_usn=None):
        with self.reopened():
            problem = self.full().download()
        if problem is not None:
            raise ClientError(problem)

    def full(self):
        self.remote()
        return anki.sync.FullSyncer(self.col, self.key, self.client, hostNum=None)

    def media_sync(self):
        self.remote()
        server = anki.sync.RemoteMediaServer(self.col, self.key, self.client, hostNum=None)
        outcome = anki.sync.MediaSyncer(self.col, server).sync()
        if outcome not in ("OK", "noChanges"):
            raise ClientError(f"media: {outcome}")

    def check(self):
        """What Check Database finds, line by line."""
        text, fine = self.col.fixIntegrity()
        findings = [line for line in text.split("<br>") if line and "Database rebuilt" not in line]
        return findings if fine or findings else ["collection is corrupt"]
