"""The whole state of a device as a flat list of facts, so that two devices can be compared fact by fact.

A fact is a path and a text: `notes/1700000000000` and the row, `decks/1/desc` and its value. What each device keeps for
itself (`usn`, when it synced last) is left out. Numbers of decks, options, notetypes and cards' extra data are rounded to
four decimals: some releases pass them through 32-bit floats.
"""

import json

import changes

NOTE = "id, guid, mid, mod, tags, flds, sfld, csum, flags, data"
CARD = "id, nid, did, ord, mod, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data"
REVIEW = "id, cid, ease, ivl, lastIvl, factor, time, type"


def dump(col):
    facts = []
    facts.append(["col/crt", str(col.db.scalar("select crt from col"))])
    facts.append(["col/scm", str(col.db.scalar("select scm from col"))])
    for note_id, *row in col.db.all(f"select {NOTE} from notes"):
        facts.append([f"notes/{note_id}", text(row)])
    for card_id, *row, data in col.db.all(f"select {CARD} from cards"):
        facts.append([f"cards/{card_id}", text(row)])
        facts.extend(flat(f"cards/{card_id}/data", parsed(data)))
    for review_id, *row in col.db.all(f"select {REVIEW} from revlog"):
        facts.append([f"reviews/{review_id}", text(row)])
    unsent = {table: col.db.scalar(f"select count() from {table} where usn = -1") for table in ("notes", "cards", "revlog", "graves")}
    objects = {
        "decks": col.decks.all(),
        "options": changes.pick(col.decks, "all_config", "allConf")(),
        "notetypes": col.models.all(),
    }
    for kind, found in objects.items():
        unsent[kind] = sum(1 for one in found if one.get("usn") == -1)
        for one in found:
            values = {key: value for key, value in one.items() if key != "usn"}
            values["id"] = int(one["id"])  # the Python client makes texts of some
            facts.extend(flat(f"{kind}/{one['id']}", values))
    facts.extend([f"tags/{tag}", ""] for tag in col.tags.all())
    facts.extend(flat("config", changes.config(col)))
    facts.extend([f"media/{name}", digest] for name, digest in changes.media_files(col).items())
    return {"facts": facts, "unsent": {kind: count for kind, count in unsent.items() if count}}


def flat(path, value):
    if isinstance(value, dict):
        for key in value:
            yield from flat(f"{path}/{key}", value[key])
    elif isinstance(value, list):
        yield [f"{path}/length", str(len(value))]
        for index, element in enumerate(value):
            yield from flat(f"{path}/{index}", element)
    else:
        yield [path, text(round(value, 4) if isinstance(value, float) else value)]


def text(value):
    # 1 and 1.0 are the same number to everyone but Python.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)


def parsed(data):
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return {"text": data}
