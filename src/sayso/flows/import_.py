"""Import: opt-outs that somebody else's list says, each recorded like any other word; the same list twice changes nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from sayso.contracts.book import Act, Book, Judged, Key, Page, Scene, Written, readings_of
from sayso.contracts.ground import Ground
from sayso.flows.record import Said, act_of, key_of
from sayso.rules.ids import RANDOM_BYTES, uuid7
from sayso.rules.optouts import OptOut, Stop
from sayso.rules.state import EMPTY, At
from sayso.rules.statements import Choose, Locate, Row, Ruling, Voice
from sayso.rules.values import altered
from sayso.rules.view import choice_at

VOICE: Final = Voice("import", own=False, actor="c:operator:import", via="c:operator")
Became = Literal["new", "already_out", "newer_opt_in_stands"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list with the number of the line it begins on."""

    line: int
    said: OptOut = field(repr=False)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a list comes from: what people call it, and its file's name. Kept with each entry, encrypted."""

    name: str
    file: str


async def import_(rows: Sequence[Listed], origin: Origin, *, book: Book, ground: Ground, dry: bool = False) -> list[Became | Exception]:
    """What became of each row, or why it could not be kept. Call it with a few thousand rows at a time.

    `new`: it stops something that was not stopped; `already_out`; `newer_opt_in_stands`: it is kept, but the person came back after
    it. With `dry` nothing is written, and what would become is told.
    """
    acts = [[_act(row, stop, origin, ground) for stop in row.said.stops] for row in rows]
    flat = [act for group in acts for act in group]
    answers = iter(await _rehearsed(flat, book, ground) if dry else [_became(one) for one in await book.write_all(flat)])
    return [_united([next(answers) for _ in group]) for group in acts]


def _act(row: Listed, stop: Stop, origin: Origin, ground: Ground) -> Act:
    """The act of one statement. It leaves nothing where an earlier import said the same and that still stands."""
    said = row.said
    address = key_of(stop.address) if stop.address else None
    contact = Key("contact", stop.contact, stop.contact) if stop.contact else None
    words = (*((Locate(said.country),) if said.country else ()), *(Choose(scope, out=True) for scope in stop.scopes))
    personal = {"reason": said.reason or None, "list": origin.name or None, "file": origin.file, "line": row.line}
    ties = ((address, False),) if contact and address else ()
    spoken = Said(VOICE, words, contact, address, ties, said.at, personal)
    act = act_of(spoken, ground)

    def judge(scene: Scene) -> Judged:
        return Judged(Ruling((), {}, ())) if _is_known(scene.page, spoken, ground.window) else act.judge(scene)

    return altered(act, judge=judge)


def _is_known(page: Page, said: Said, window: int) -> bool:
    """Whether the registers hold these very words of an import already, not earlier than now said, and everything tied to them."""
    row = page.row(said.contact or said.address)
    assert row is not None  # the book locked it
    if any(page.keys[key] not in row.state.links for key, _ in said.ties):
        return False
    readings = readings_of(row, page.linked(row))
    for word in said.words:
        if isinstance(word, Locate) and (row.state.place is None or row.state.place.country != word.country):
            return False
        if isinstance(word, Choose):
            stamp = row.state.strong.get(At(word.scope, VOICE.actor, row.sub if said.contact else ""))
            if stamp is None or not stamp.out:
                return False
            # Words without a time mean now: they are known only while nobody came back.
            late = stamp.ts < said.given_ts if said.given_ts is not None else choice_at(readings, word.scope, window) != "opted_out"
            if late:
                return False
    return True


async def _rehearsed(acts: Sequence[Act], book: Book, ground: Ground) -> list[Became | Exception]:
    """What would become of the acts, one after the other, on the rows as they stand; rows that do not exist yet are imagined."""
    page = await book.read(list(dict.fromkeys(key for act in acts for key in act.keys)))
    keys, rows = dict(page.keys), dict(page.rows)
    imagined: dict[tuple[str, str], str] = {}
    now = ground.clock()
    ticks = iter(range(1, 1 << 62))
    found: list[Became | Exception] = []
    for act in acts:
        for key in act.keys:
            if key not in keys:
                keys[key] = sub = imagined.setdefault((key.kind, key.value), f"{len(imagined):032x}")
                rows.setdefault(sub, Row(sub, key.kind, EMPTY))
        scene = Scene(
            Page({key: keys[key] for key in act.keys}, rows), now, lambda _: str(uuid7(now + next(ticks), bytes(RANDOM_BYTES), 0))
        )
        ruling = act.judge(scene).ruling
        rows.update(ruling.rows)
        found.append(_of(ruling))
    return found


def _became(answer: Written | Exception) -> Became | Exception:
    if isinstance(answer, Exception):
        return answer
    assert answer.ruling is not None  # imports carry no key and no event id
    return _of(answer.ruling)


def _of(ruling: Ruling) -> Became:
    effects = {told.effect for told in ruling.told if isinstance(told.word, Choose)}
    return "new" if "applied" in effects else "newer_opt_in_stands" if "superseded" in effects else "already_out"


def _united(answers: Sequence[Became | Exception]) -> Became | Exception:
    """What became of a row of several statements: a failure, else the most that any of them did."""
    failed = next((one for one in answers if isinstance(one, Exception)), None)
    if failed is not None:
        return failed
    return "new" if "new" in answers else "newer_opt_in_stands" if "newer_opt_in_stands" in answers else "already_out"
