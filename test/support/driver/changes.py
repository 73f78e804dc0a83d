"""What a user does to a collection, as far as it does not need a server.

The library renamed nearly everything on its way from 2.1.15 to today; `pick` takes the newest name that is there.
"""

import base64
import hashlib
import json
import os
import random
import time

import anki.collection  # noqa: F401  (before all other parts, which import each other)
from anki.notes import Note

QUESTIONS = {}
CHANGES = {}


def question(function):
    QUESTIONS[function.__name__] = function
    return function


def change(function):
    CHANGES[function.__name__] = function
    return function


def pick(owner, *names):
    for name in names:
        if name in dir(type(owner)) or name in vars(owner):
            return getattr(owner, name)
    raise AttributeError(f"{type(owner).__name__} has none of {names}")


# ---- notes and cards


def notetype_named(col, name):
    found = pick(col.models, "by_name", "byName")(name)
    if found is None:
        raise KeyError(f"no notetype {name}")
    return found


def new_note(col, notetype, fields, tags, deck_id, guid):
    note = Note(col, notetype)
    for index, text in enumerate(fields):
        note.fields[index] = text
    note.tags = list(tags)
    if guid is not None:
        note.guid = guid
    if hasattr(col, "add_note"):
        col.add_note(note, deck_id)
    else:
        usual, notetype["did"] = notetype["did"], deck_id
        if not col.addNote(note):
            raise ValueError("the note makes no card")
        notetype["did"] = usual
    return note.id


@change
def add_notes(col, notes):
    """Adds notes in this order. Returns the ids of notes and of their cards."""
    added = []
    for wish in notes:
        notetype = notetype_named(col, wish.get("notetype", "Basic"))
        deck_id = col.decks.id(wish.get("deck", "Default"))
        note_id = new_note(col, notetype, wish["fields"], wish.get("tags", []), deck_id, wish.get("guid"))
        added.append({"note": note_id, "cards": card_ids(col, note_id)})
        if not hasattr(col, "add_note"):
            time.sleep(0.002)  # ids are milliseconds, and this release does not look whether one is taken
    return added


@question
def card_ids(col, note):
    return col.db.list("select id from cards where nid = ? order by ord", note)


@question
def find_notes(col, search):
    return sorted(pick(col, "find_notes", "findNotes")(search))


@question
def note(col, note):
    found = pick(col, "get_note", "getNote")(note)
    return {"fields": list(found.fields), "tags": list(found.tags), "guid": found.guid}


@question
def card(col, card):
    names = ["nid", "did", "ord", "type", "queue", "due", "ivl", "factor", "reps", "lapses", "odue", "odid", "flags"]
    return dict(zip(names, col.db.first(f"select {', '.join(names)} from cards where id = ?", card)))


@change
def edit_note(col, note, fields=None, tags=None):
    found = pick(col, "get_note", "getNote")(note)
    for index, text in (fields or {}).items():
        found.fields[int(index)] = text
    if tags is not None:
        found.tags = list(tags)
    if hasattr(col, "update_note"):
        col.update_note(found)
    else:
        found.flush()


@change
def remove_notes(col, notes):
    pick(col, "remove_notes", "remNotes")(notes)


@change
def remove_cards(col, cards):
    pick(col, "remove_cards_and_orphaned_notes", "remCards")(cards)


@change
def edit_card(col, card, values):
    """Sets columns of a card, as the browser's and the add-ons' way of changing one."""
    found = pick(col, "get_card", "getCard")(card)
    for name, value in values.items():
        setattr(found, name, value)
    if hasattr(col, "update_card"):
        col.update_card(found)
    else:
        found.flush()


# ---- studying


@change
def use_newest_common_scheduler(col):
    """Scheduler 2, which all releases of the suite understand: the newer ones refuse to study with scheduler 1."""
    version = pick(col, "sched_ver", "schedVer")()
    if version == 1:
        if hasattr(col, "upgrade_to_v2_scheduler"):
            col.upgrade_to_v2_scheduler()
        else:
            col.changeSchedulerVer(2)


@change
def use_scheduler_3(col):
    col.set_v3_scheduler(True)


@change
def answer(col, card, ease):
    """Shows the card and presses a button, 1 to 4, or the last one there is. Returns the row of the review history."""
    if hasattr(col.sched, "reset"):
        col.sched.reset()
    found = pick(col, "get_card", "getCard")(card)
    pick(found, "start_timer", "startTimer")()
    buttons = col.sched.answerButtons(found) if hasattr(col.sched, "answerButtons") else 4
    col.sched.answerCard(found, min(ease, buttons))
    time.sleep(0.002)  # the id of a review is a millisecond
    return col.db.scalar("select max(id) from revlog where cid = ?", card)


@change
def next_card(col, deck):
    """The card that the review screen of this deck would show, or null. Opening a deck is a change: it is remembered."""
    col.decks.select(col.decks.id(deck))
    if hasattr(col.sched, "reset"):
        col.sched.reset()
    found = pick(col.sched, "getCard")()
    return None if found is None else found.id


@change
def suspend(col, cards):
    pick(col.sched, "suspend_cards", "suspendCards")(cards)


@change
def unsuspend(col, cards):
    pick(col.sched, "unsuspend_cards", "unsuspendCards")(cards)


@change
def bury(col, cards):
    pick(col.sched, "bury_cards", "buryCards")(cards)


@change
def unbury(col, deck):
    col.decks.select(col.decks.id(deck))
    if hasattr(col.sched, "unbury_deck"):
        col.sched.unbury_deck(col.decks.id(deck))
    else:
        col.sched.unburyCardsForDeck()


@change
def flag(col, cards, colour):
    pick(col, "set_user_flag_for_cards", "setUserFlag")(colour, cards)


@change
def forget(col, cards):
    pick(col.sched, "schedule_cards_as_new", "forgetCards")(cards)


@change
def make_older(col, days):
    """As if the collection had been made earlier, which is all that Anki counts days by. Needs a restart to be seen."""
    col.db.execute("update col set crt = crt - ?", days * 86400)
    if "crt" in vars(col):  # written back when an early release closes the collection
        col.crt -= days * 86400


# ---- decks and their options


@change
def add_deck(col, name):
    return col.decks.id(name)


@question
def deck_names(col):
    return sorted(deck["name"] for deck in col.decks.all())


@change
def rename_deck(col, deck, name):
    col.decks.rename(col.decks.get(deck), name)


@change
def edit_deck(col, deck, values):
    found = col.decks.get(deck)
    found.update(values)
    col.decks.save(found)


@change
def remove_deck(col, deck):
    if hasattr(col.decks, "remove"):
        col.decks.remove([deck])
    else:
        col.decks.rem(deck, cardsToo=True)


@change
def add_options(col, name):
    return pick(col.decks, "add_config_returning_id", "confId")(name)


@change
def edit_options(col, options, values):
    """`values` maps paths such as `new/perDay` to what stands there from now on."""
    found = pick(col.decks, "get_config", "getConf")(options)
    for path, value in values.items():
        *parents, last = path.split("/")
        place = found
        for parent in parents:
            place = place[parent]
        place[last] = value
    col.decks.save(found)


@change
def choose_options(col, deck, options):
    pick(col.decks, "set_config_id_for_deck_dict", "setConf")(col.decks.get(deck), options)


@change
def remove_options(col, options):
    """Breaks the schema."""
    pick(col.decks, "remove_config", "remConf")(options)


@change
def add_filtered_deck(col, name, search, limit=100, order=5):
    """Order 5 is the order in which cards were added, which has no chance in it."""
    deck_id = pick(col.decks, "new_filtered", "newDyn")(name)
    found = col.decks.get(deck_id)
    found["terms"] = [[search, limit, order]]
    col.decks.save(found)
    pick(col.sched, "rebuild_filtered_deck", "rebuildDyn")(deck_id)
    return deck_id


@change
def rebuild_filtered_deck(col, deck):
    pick(col.sched, "rebuild_filtered_deck", "rebuildDyn")(deck)


@change
def empty_filtered_deck(col, deck):
    pick(col.sched, "empty_filtered_deck", "emptyDyn")(deck)


# ---- notetypes


def save_notetype(col, notetype):
    if hasattr(col.models, "update_dict"):
        col.models.update_dict(notetype)
    else:
        col.models.save(notetype, templates=True)


@change
def add_notetype(col, name, fields, templates=1):
    models = col.models
    notetype = models.new(name)
    for field in fields:
        pick(models, "add_field", "addField")(notetype, pick(models, "new_field", "newField")(field))
    for number in range(templates):
        template = pick(models, "new_template", "newTemplate")(f"Card {number + 1}")
        template["qfmt"] = f"{number + 1}: {{{{{fields[0]}}}}}"
        template["afmt"] = f"{{{{FrontSide}}}}<hr>{{{{{fields[-1]}}}}}"
        pick(models, "add_template", "addTemplate")(notetype, template)
    models.add(notetype)
    return notetype_named(col, name)["id"]


@question
def notetype_names(col):
    return sorted(notetype["name"] for notetype in col.models.all())


@change
def edit_notetype(col, notetype, values=None, fields=None, templates=None):
    """Changes values of the notetype itself, of its fields and of its templates (by number). Keeps the schema."""
    found = notetype_named(col, notetype)
    found.update(values or {})
    for part, wishes in (("flds", fields), ("tmpls", templates)):
        for index, wish in (wishes or {}).items():
            found[part][int(index)].update(wish)
    save_notetype(col, found)


@change
def add_field(col, notetype, name):
    """Breaks the schema, as all of the following do."""
    found = notetype_named(col, notetype)
    pick(col.models, "add_field", "addField")(found, pick(col.models, "new_field", "newField")(name))
    save_notetype(col, found)


@change
def remove_field(col, notetype, name):
    found = notetype_named(col, notetype)
    field = next(field for field in found["flds"] if field["name"] == name)
    pick(col.models, "remove_field", "remField")(found, field)
    save_notetype(col, found)


@change
def add_template(col, notetype, name, question):
    found = notetype_named(col, notetype)
    template = pick(col.models, "new_template", "newTemplate")(name)
    template["qfmt"], template["afmt"] = question, "{{FrontSide}}"
    pick(col.models, "add_template", "addTemplate")(found, template)
    save_notetype(col, found)


@change
def remove_template(col, notetype, name):
    found = notetype_named(col, notetype)
    template = next(template for template in found["tmpls"] if template["name"] == name)
    pick(col.models, "remove_template", "remTemplate")(found, template)
    save_notetype(col, found)


@change
def remove_notetype(col, notetype):
    found = notetype_named(col, notetype)
    if hasattr(col.models, "remove"):
        col.models.remove(found["id"])
    else:
        col.models.rem(found)


@change
def change_notetype(col, notes, notetype):
    """Gives notes another notetype; fields and cards keep their numbers."""
    new = notetype_named(col, notetype)
    old = pick(col, "get_note", "getNote")(notes[0])
    old = pick(old, "note_type", "model")()
    fields = {index: index if index < len(new["flds"]) else None for index in range(len(old["flds"]))}
    cards = {index: index if index < len(new["tmpls"]) else None for index in range(len(old["tmpls"]))}
    col.models.change(old, notes, new, fields, cards)


@change
def break_schema(col):
    """What "Force one-way sync" does."""
    pick(col, "mod_schema", "modSchema")(check=False)


# ---- tags and settings


@change
def add_tags(col, notes, tags):
    pick(col.tags, "bulk_add", "bulkAdd")(notes, tags)


@change
def remove_tags(col, notes, tags):
    pick(col.tags, "bulk_remove", "bulkRem")(notes, tags)


@change
def rename_tag(col, old, new):
    """Renames a tag in all notes."""
    if hasattr(col.tags, "rename"):
        col.tags.rename(old, new)
    else:
        notes = find_notes(col, f"tag:{old}")
        add_tags(col, notes, new)
        remove_tags(col, notes, old)


@change
def clear_unused_tags(col):
    pick(col.tags, "clear_unused_tags", "registerNotes")()


@question
def tags(col):
    return sorted(col.tags.all())


@change
def set_config(col, key, value):
    if hasattr(col, "set_config"):
        col.set_config(key, value)
    else:
        col.conf[key] = value
        col.setMod()


@change
def remove_config(col, key):
    if hasattr(col, "remove_config"):
        col.remove_config(key)
    else:
        del col.conf[key]
        col.setMod()


@question
def sql(col, query, arguments=()):
    """Rows of a question in SQL."""
    return [list(row) for row in col.db.all(query, *arguments)]


@change
def change_by_sql(col, statement, arguments=()):
    """What an add-on does that writes into the database itself; it has to raise `mod` and set `usn` too."""
    col.db.execute(statement, *arguments)


# ---- media: clients notice changes by the times of files and folder, the early ones by whole seconds


def times():
    """Times never used before, in this process or another; zip files know none before 1980."""
    second = 400_000_000 + (os.getpid() % 50_000) * 20_000 + random.randrange(5_000)
    while True:
        second += 2
        yield second


TIMES = times()


def media_folder(col):
    return col.media.dir()


@change
def write_media(col, name, text=None, data=None, seed=None, size=None):
    """Adds a file or replaces one. The contents are a text, base64, or `size` bytes that follow from `seed`."""
    if text is not None:
        content = text.encode()
    elif data is not None:
        content = base64.b64decode(data)
    else:
        content = random.Random(seed).randbytes(size)
    path = os.path.join(media_folder(col), name)
    with open(path, "wb") as file:
        file.write(content)
    touch(path)
    touch(media_folder(col))
    return hashlib.sha1(content).hexdigest()


@change
def remove_media(col, name):
    os.unlink(os.path.join(media_folder(col), name))
    touch(media_folder(col))


def touch(path):
    second = next(TIMES)
    os.utime(path, (second, second))


@question
def media_files(col):
    """Name to SHA-1 of everything in the folder."""
    files = {}
    folder = media_folder(col)
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            files[name] = hashlib.sha1(file.read()).hexdigest()
    return files


@question
def config(col):
    if hasattr(col, "all_config"):
        return col.all_config()
    backend = getattr(col, "backend", None)
    if backend is not None and hasattr(backend, "get_all_config"):
        return json.loads(backend.get_all_config())
    return col.conf
