"""What a statement becomes: the entries it leaves in each row it is kept in, and what the speaker is told.

Only decides; reading, locking and keeping are the store's. Losers are kept too: both attempts and the rule are in the ledger.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sayso.rules import view
from sayso.rules.conflict import RESTORED, SPREAD
from sayso.rules.entries import Entry
from sayso.rules.state import At, State, fold
from sayso.rules.statements import Block, Choose, Locate, Restore, Row, Ruling, Statement, Suspend, Tie, Told, Word
from sayso.rules.values import altered
from sayso.rules.view import Reading
from sayso.rules.words import ANY, SECOND_HAND, Choice, Effect, Scope, is_strong, method_of

AHEAD: Final = 300_000_000
"""How far ahead of us a statement's own time may lie: five minutes."""
SPREADS_TO: Final = ("ads", "social")
"""Channels that a whole-company e-mail opt-out reaches too (policy of the first rulebook)."""

Readings = Callable[[Mapping[str, Row]], tuple[Reading, ...]]
NewId = Callable[[str], str]
"""Gives a fresh entry id for the pseudonym of the subject it is about."""


def decide(said: Statement, rows: Mapping[str, Row], *, readings: Readings, now: int, new_id: NewId, window: int) -> Ruling:
    """The ruling on one statement, given the rows it is kept in and how those are read together.

    `now` is the database's clock; times of a subject never stand still: max(now, last + 1 µs).
    """
    hand = _Hand(said, dict(rows), readings, now, new_id, window)
    for word in said.words:
        if not said.refused or isinstance(word, Choose):
            hand.take(word)
    return Ruling(tuple(hand.entries), hand.rows, tuple(hand.told))


class _Hand:
    """The rows while a statement is being decided, word by word. Lives within one call of `decide`."""

    def __init__(self, said: Statement, rows: dict[str, Row], readings: Readings, now: int, new_id: NewId, window: int) -> None:
        self.said, self.rows, self.readings, self.now, self.new_id, self.window = said, rows, readings, now, new_id, window
        self.entries: list[Entry] = []
        self.told: list[Told] = []
        self.heard = 0
        self.read: tuple[Reading, ...] | None = None
        self.about = rows[said.contact].sub if said.contact else ""
        self.speakers = tuple([key for key in (said.contact, said.address) if key])

    def as_read(self) -> tuple[Reading, ...]:
        """The rows as they are read together now."""
        if self.read is None:
            self.read = self.readings(self.rows)
        return self.read

    def actor(self) -> str:
        """Own words are the person's, as the contact, or the address, that spoke."""
        if not self.said.voice.own:
            return self.said.voice.actor
        return f"p:{self.rows[self.said.contact or self.said.address].sub}"

    def take(self, word: Word) -> None:
        self.heard = max([row.last_at for reading in self.as_read() for row in reading.rows], default=0)
        match word:
            case Choose():
                self.choose(word)
            case Restore():
                self.restore(word)
            case Tie():
                self.tie(word)
            case Block():
                self.fact(word, self.at_address(), "block", word.name, "set" if word.on else "lifted")
            case Suspend():
                self.suspend(word)
            case Locate():
                self.fact(word, self.speakers, "place", "place", word.country)
            case _:
                self.fact(word, self.at_address(), "event", word.name, "", effect="stored")

    def suspend(self, word: Suspend) -> None:
        held = self.rows[self.speakers[0]].state.pauses.get(word.brand)
        if word.instead_of and (held is None or held.entry != word.instead_of):
            self.told.append(Told(word, "superseded", "newer_statement_stands", "", ()))
            return
        self.fact(word, self.speakers, "pause", "pause", "", scope=Scope(word.brand, ANY, ANY), until=word.until or 0)

    def at_address(self) -> tuple[str, ...]:
        """Facts about deliverability belong to the address when one is known, else to the contact."""
        return (self.said.address or self.said.contact,)

    def choose(self, word: Choose) -> None:
        effect, rule, became, written = self.say(word.scope, out=word.out, rule=word.rule)
        if not word.out and word.scope.channel == ANY and word.scope.category == ANY:
            for channel in self.channels_out(word.scope.brand):
                written += self.say(Scope(word.scope.brand, channel, ANY), out=False, rule="opt_in_to_all")[3]
        if not word.out and self.said.voice.own and effect in ("applied", "unchanged"):
            self.revive(self.speakers)
        self.told.append(Told(word, effect, rule, became, written))

    def restore(self, word: Restore) -> None:
        """The speaker's word before one they take back, where they said nothing newer; what others said is weighed as ever."""
        said = self.rows[self.speakers[0]].state.strong.get(At(word.scope, self.actor(), self.about))
        if said is None or said.entry != word.entry:
            self.told.append(Told(word, "superseded", "newer_statement_stands", self.seen(word.scope), ()))
            return
        was = word.before
        entry = Entry(
            id="~", sub="", kind="choice", at=0, ts=self.received(), act="choice", src=self.said.voice.src, by=self.actor(),
            via=self.said.voice.via, scope=word.scope, own=self.said.voice.own, strong=True, method=was.method if was else RESTORED,
            rule="undo", about=self.about, old=self.seen(word.scope), since=was.said_at if was else 0,
            new="not_set" if was is None else "opted_out" if was.out else "opted_in",
        )  # fmt: skip
        keys = (*self.speakers, *self.said.lookalikes)
        written = self.keep(entry, keys)
        if word.scope == Scope(ANY, "email", ANY):
            self.spread(entry, keys)
        self.told.append(Told(word, "applied", "undo", self.seen(word.scope), written))

    def say(self, scope: Scope, *, out: bool, rule: str) -> tuple[Effect, str, Choice, tuple[str, ...]]:
        """One choice: kept in the speaker's rows, an opt-out also at look-alikes of the address; then spread as policy says."""
        voice = self.said.voice
        ts, ahead = self.time(out=out)
        method = method_of(voice.method, out=out, own=voice.own, outright=voice.outright)
        strong = is_strong(out=out, method=method, source=voice.src, granted=voice.granted, relay_only=voice.relay_only)
        said = view.heard(self.as_read())
        before = view.choice_among(said, scope, self.window)
        # By places: every write makes one, and naming two dozen takes as long as making it.
        entry = Entry(
            "~", "", "choice", 0, ts, "choice", voice.src, self.actor(), voice.via, "quarantined" if ahead else "applied",
            scope, voice.own, strong, method, rule, self.about, before, "opted_out" if out else "opted_in",
        )  # fmt: skip
        keys = (*self.speakers, *(self.said.lookalikes if out else ()))
        if self.said.refused:
            rule = self.said.refused
            return "refused", rule, before, self.keep(entry, keys, "refused", rule)
        if ahead:
            return "quarantined", "opt_in_from_the_future", before, self.keep(entry, keys, "quarantined", "opt_in_from_the_future")
        after: Choice = "opted_out"
        effect: Effect = "unchanged" if before == after else "applied"
        why = ""
        if not out or any(one.outs is None for one in said):  # where nobody ever opted in nothing stands against an opt-out
            trial = {**self.rows, **{key: altered(self.rows[key], state=fold(self.rows[key].state, entry)) for key in keys}}
            after = view.choice_at(self.readings(trial), scope, self.window)
            effect, why = self.judged(entry, scope, before, after, trial)
        written = self.keep(entry, keys, effect, rule or why)
        if strong and scope == Scope(ANY, "email", ANY):
            self.spread(entry, keys)
        return effect, rule or why, after, written

    def seen(self, scope: Scope) -> Choice:
        return view.choice_at(self.as_read(), scope, self.window)

    def channels_out(self, brand: str) -> tuple[str, ...]:
        """Channels with a register of their own that is out, for an opt-in to everything to lift as well."""
        stamps = [at for reading in self.as_read() for row in reading.rows for at, stamp in row.strong.items() if stamp.out]
        named = {at.scope.channel for at in stamps if at.scope.brand == brand and at.scope.category == ANY} - {ANY}
        return tuple(sorted(c for c in named if view.is_out(self.as_read(), brand, c, self.window)))

    def judged(self, entry: Entry, scope: Scope, before: Choice, after: Choice, trial: Mapping[str, Row]) -> tuple[Effect, str]:
        """The effect of a choice on what stands, and the rule that made it so ("" when nothing was in its way)."""
        if entry.new == "opted_out":
            effect: Effect = "superseded" if after != "opted_out" else "unchanged" if before == after else "applied"
            return effect, "newer_statement_stands" if effect == "superseded" else ""
        stands = [out for _, out in view.standing_at(self.readings(trial), scope, self.window)]
        if not entry.strong and after == "opted_out":
            return "superseded", "weak_opt_in_never_lifts"
        broader = [out for out in stands if out.at.scope != scope]
        if stands and len(broader) == len(stands) and scope.category != ANY:
            effect = "superseded" if after == "opted_out" else "unchanged" if before == after else "applied"
            return effect, "covered_by_broader_opt_out"
        if after == "opted_out":
            newer = any(out.stamp.ts > entry.ts for out in stands)
            return "superseded", "newer_statement_stands" if newer else "most_restrictive_within_window"
        return ("unchanged" if before == after else "applied"), ""

    def spread(self, entry: Entry, keys: tuple[str, ...]) -> None:
        """Policy: (*, email, *) reaches ads and social; what lifts it lifts what was spread, no more."""
        for channel in SPREADS_TO:
            scope = Scope(ANY, channel, ANY)
            copy = altered(entry, scope=scope, by=entry.by + SPREAD, old=self.seen(scope))
            self.keep(copy, keys, "applied", "spread_from_email")

    def tie(self, word: Tie) -> None:
        contact, address = self.said.contact, word.address
        one, other = self.rows[contact], self.rows[address]
        known = one.state.links.get(other.sub)
        newest = max((link.primary for link in one.state.links.values()), default=0)
        if known is not None and (not word.primary or (known.primary == newest and known.primary > 0)):
            self.told.append(Told(word, "unchanged", "", "", ()))
            return
        first = self.link(contact, other, word.primary)
        twin = () if known is not None else self.link(address, one, primary=False, twin=first[0])
        if self.said.voice.src not in SECOND_HAND:
            self.revive((contact, address))
        self.told.append(Told(word, "applied", "", "", (*first, *twin)))

    def revive(self, keys: tuple[str, ...]) -> None:
        """Ends what a completed erasure blocks, because somebody deals with the person anew; what they had refused stays refused."""
        voice = self.said.voice
        for key in keys:
            if (mark := self.rows[key].state.blocks.get("erased")) and mark.on:
                entry = Entry(
                    id="", sub="", kind="block", at=0, ts=self.received(), act="erased", src=voice.src, by=self.actor(), via=voice.via,
                    own=voice.own, rule="spoken_anew", about=self.about, old="set", new="lifted",
                )  # fmt: skip
                self.keep(entry, (key,))

    def link(self, key: str, other: Row, primary: bool, twin: str = "") -> tuple[str, ...]:
        voice = self.said.voice
        entry = Entry(
            id="", sub="", kind="link", at=0, ts=self.received(), act="link", src=voice.src, by=self.actor(), via=voice.via, own=voice.own,
            other=other.sub, other_kind=other.kind, primary=primary, x=(("twin", twin),) if twin else (),
        )  # fmt: skip
        return self.keep(entry, (key,))

    def fact(
        self, word: Word, keys: tuple[str, ...], kind: str, act: str, new: str, *,
        scope: Scope | None = None, until: int = 0, effect: Effect = "applied",
    ) -> None:  # fmt: skip
        voice = self.said.voice
        before = self.rows[keys[0]].state
        ts, _ = self.time(out=True)
        entry = Entry(
            id="", sub="", kind=kind, at=0, ts=ts, act=act, src=voice.src, by=self.actor(), via=voice.via, own=voice.own,
            scope=scope, new=new, until=until, about=self.about, effect=effect, old=_old(word, before),
        )  # fmt: skip
        written = self.keep(entry, keys)
        changed = _shown(word, self.rows[keys[0]].state) != _shown(word, before)
        told: Effect = effect if effect == "stored" else "applied" if changed else "unchanged"
        self.told.append(Told(word, told, "", new, written))

    def time(self, *, out: bool) -> tuple[int, bool]:
        """The statement's time, and whether an opt-in claims to come from the future."""
        received = self.received()
        given = self.said.given_ts
        if given is None:
            return received, False
        return min(given, received), not out and given > received + AHEAD

    def received(self) -> int:
        """The database's clock, but never standing still for the rows that speak, nor behind those they are judged with."""
        last = self.heard
        for key in self.speakers:
            last = max(last, self.rows[key].state.last_at)
        return max(self.now, last + 1)

    def keep(self, entry: Entry, keys: tuple[str, ...], effect: Effect | None = None, rule: str = "") -> tuple[str, ...]:
        """Appends the entry to each row, with what it did where that is known by now; copies in further rows name the first as their twin."""
        ids: list[str] = []
        became, why = (effect, rule) if effect else (entry.effect, entry.rule)
        self.read = None
        for key in keys:
            row = self.rows[key]
            x = (*entry.x, ("twin", ids[0])) if ids else entry.x
            at = max(self.received(), row.state.last_at + 1)
            kept = altered(entry, id=self.new_id(row.sub), sub=row.sub, at=at, ts=min(entry.ts, at), effect=became, rule=why, x=x)
            self.rows[key] = Row(row.sub, row.kind, fold(row.state, kept))
            self.entries.append(kept)
            ids.append(kept.id)
        return tuple(ids)


def _shown(word: Word, state: State) -> object:
    match word:
        case Block():
            return view.blocks_of(state)
        case Suspend():
            pause = state.pauses.get(word.brand)
            return pause.until if pause else 0
        case Locate():
            return state.place.country if state.place else ""
    return None


def _old(word: Word, state: State) -> str:
    match word:
        case Block():
            return "set" if word.name in view.blocks_of(state) else ""
        case Locate():
            return state.place.country if state.place else ""
    return ""
