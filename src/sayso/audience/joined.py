"""The join: rows of an audience against the decision snapshot. DuckDB joins; what codes mean is asked of the rules, once a combination."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sayso.audience.kept import FolderDraft, Held, Interned, read
from sayso.audience.keys import Keyer, country_of
from sayso.audience.reading import Opened, opened
from sayso.audience.rows import Chunk
from sayso.audience.writing import Writer, writer_of
from sayso.contracts.audience import Audience, Draft, Form, Line, Named, Run, Stand, Totals
from sayso.rules.audience import NOBODY, STRANGER, UNSURE, Answer, Profile, told
from sayso.rules.gate import Ask
from sayso.rules.subjects import parse_contact_id
from sayso.rules.values import altered
from sayso.rules.words import ANY

MEMORY: Final = "1GB"
"""What one screening's joins may take; beyond it DuckDB uses the disk."""
SMALL: Final = 1 << 24
"""Bytes of an input for which it does not pay to load the snapshot first."""
BRAND_LENGTH: Final = 255
PIECE: Final = 1 << 15


@dataclass(frozen=True, slots=True)
class DuckEngine:
    """Keeps snapshots in `folder`, and joins. `spill` is where DuckDB puts what does not fit into memory."""

    folder: Path
    spill: Path
    pepper: bytes = field(repr=False)
    memory: str = MEMORY

    def stand(self) -> Stand | None:
        """The snapshot in force."""
        held = read(self.folder)
        return held.stand if held else None

    def draft(self, fixed: Sequence[Profile], base: Stand | None) -> Draft:
        """A new snapshot, over a kept one where `base` is given."""
        return FolderDraft(self.folder, fixed, self._held(base) if base else None)

    def begin(self, audience: Audience, ask: Ask, stand: Stand, changed: Sequence[Line], default_country: str | None) -> Run:
        """A screening over a snapshot."""
        held = self._held(stand)
        came = opened(audience.source, audience.form, ask.channel)
        database: duckdb.DuckDBPyConnection | None = None
        try:
            database = duckdb.connect(config={"memory_limit": self.memory, "temp_directory": str(self.spill)})
            keyer = Keyer(self.pepper, ask.channel, default_country, ask.country)
            keyer.prepare(database)
            profiles = Interned(held.profiles)
            _lay(database, held, profiles.table(changed), is_small=audience.source.stat().st_size < SMALL)
            form = audience.form_out or came.form
            return _Run(database, keyer, profiles.all, ask, default_country, came, writer_of(form, audience.target, came), audience, form)
        except BaseException:
            came.close()
            if database is not None:
                database.close()
            raise

    def _held(self, stand: Stand) -> Held:
        held = read(self.folder, f"{stand.name}.json")
        if held is None:
            raise FileNotFoundError(2, "the decision snapshot is gone; screen again", str(self.folder))
        return held


def _lay(database: duckdb.DuckDBPyConnection, held: Held, changed: pa.Table, *, is_small: bool) -> None:
    """Makes `snap`: the snapshot with the changed lines over it, and `shadows`: those that may deny as look-alikes."""
    database.register("changed_lines", changed)
    columns = "k::UUID AS k, owner::UUID AS owner, owners, profile, shadow"  # 16 bytes join faster as one number than as a blob
    database.execute(f"CREATE TEMP TABLE changed AS SELECT {columns} FROM changed_lines")
    database.unregister("changed_lines")
    people = str(held.people).replace("'", "''")
    kept = f"SELECT {columns} FROM read_parquet('{people}')"
    both = f"SELECT * FROM ({kept}) b WHERE NOT EXISTS (SELECT 1 FROM changed c WHERE c.k = b.k) UNION ALL SELECT * FROM changed"
    database.execute(f"CREATE TEMP {'VIEW' if is_small else 'TABLE'} snap AS {both}")
    database.execute("CREATE TEMP TABLE shadows AS SELECT k FROM snap WHERE shadow")


EVERYDAY: Final = "SELECT *, '' AS fault, odd <> '' OR odd_contact <> '' AS is_odd FROM ({spelt})"
"""All rows in one pass; what an odd one stands for is not known yet."""
ODD: Final = """
    SELECT s.n, s.place, s.brand, s.at_address, s.at_contact, coalesce(s.k, a.k) AS k, coalesce(s.ck, c.k) AS ck,
        coalesce(s.look1, a.look1) AS look1, coalesce(s.look2, a.look2) AS look2, coalesce(a.fault, '') AS fault,
        CASE WHEN s.problem <> '' THEN s.problem ELSE coalesce(c.problem, '') END AS problem, false AS is_odd
    FROM spelt s
    LEFT JOIN read_addresses a ON a.raw = s.odd AND a.place = s.place
    LEFT JOIN read_contacts c ON c.contact = s.odd_contact"""
"""The odd rows, after the rules have read them."""
HITS: Final = f"""
WITH named AS ({{named}}), placed AS (
    SELECT m.*, p.k AS pk, p.owner, p.owners, p.profile, (l1.k IS NOT NULL OR l2.k IS NOT NULL) AS shadowed
    FROM named m LEFT JOIN snap p ON p.k = m.k
    LEFT JOIN shadows l1 ON l1.k = m.look1 LEFT JOIN shadows l2 ON l2.k = m.look2
)
SELECT m.n, m.place, m.brand, m.fault,
    CASE WHEN problem <> '' THEN 'unreadable: ' || problem
         WHEN NOT at_contact AND NOT at_address THEN 'invalid_address'
         WHEN NOT at_contact THEN fault ELSE '' END AS settled,
    CASE WHEN NOT at_contact THEN CASE WHEN shadowed THEN {UNSURE} ELSE coalesce(m.profile, {NOBODY}) END
         {{contact}}
         ELSE {UNSURE} END AS profile, is_odd
FROM placed m{{join}}"""
CONTACTS: Final = f"""
         WHEN NOT at_address THEN coalesce(o.profile, {STRANGER})
         WHEN fault <> '' OR shadowed THEN {UNSURE}
         WHEN m.owner = m.ck THEN m.profile
         WHEN o.k IS NULL AND m.pk IS NULL THEN {NOBODY}
         WHEN o.k IS NULL AND m.owners = 0 THEN m.profile"""
"""A contact and an address together: the address's profile says it where that contact is its only one; else the gate is asked."""
OUTCOMES: Final = """
SELECT o.id FROM hit h JOIN outcomes o ON o.profile = h.profile AND o.place = h.place AND o.brand = h.brand AND o.settled = h.settled
ORDER BY h.n"""
UNTOLD: Final = """
SELECT h.n, h.place, h.brand, h.fault FROM hit h
JOIN outcomes o ON o.profile = h.profile AND o.place = h.place AND o.brand = h.brand AND o.settled = h.settled
WHERE o.id IS NULL ORDER BY h.n"""
_COMBINED: Final = pa.schema(
    [("profile", pa.int32()), ("place", pa.string()), ("brand", pa.string()), ("settled", pa.string()), ("id", pa.int32())]
)


@dataclass(slots=True)
class _Run:
    """One screening under way; `form` is the form of the result."""

    database: duckdb.DuckDBPyConnection
    keyer: Keyer
    profiles: Sequence[Profile]
    ask: Ask
    default_country: str | None
    came: Opened
    writer: Writer
    audience: Audience
    form: Form
    asked: int = 0
    counts: Counter[Answer] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    numbers: dict[Answer, int] = field(default_factory=dict)
    chunk: Chunk | None = None
    ids: Any = None

    def step(self) -> Sequence[Named] | None:
        """Reads and joins a chunk; the rows of it that the gate has to judge."""
        self.chunk = next(self.came.chunks, None)
        if self.chunk is None:
            return None
        asked = self.chunk.asked
        numbers = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int32()), asked.num_rows), start=-1)
        self._hit(asked.append_column("n", numbers))
        self._tell()
        self.ids = self.database.sql(OUTCOMES).to_arrow_table().column("id").combine_chunks()
        rows = self.database.execute(UNTOLD).fetchall() if self.ids.null_count else []
        self.asked += len(rows)
        texts = asked.select(["address", "contact"]).take(pa.array([row[0] for row in rows], pa.int32())).to_pylist() if rows else []
        return [self._named(text["address"], text["contact"], *row[1:]) for text, row in zip(texts, rows, strict=True)]

    def _hit(self, numbered: pa.Table) -> None:
        """Makes `hit`, the profile of every row: everyday ones spelt and joined in one pass, then the odd ones in their places."""
        contacts = numbered.column("contact").null_count < numbered.num_rows
        more = {"contact": CONTACTS, "join": " LEFT JOIN snap o ON o.k = m.ck"} if contacts else {"contact": "", "join": ""}
        # DuckDB hands out an Arrow table batch by batch: one batch would keep one thread busy.
        self.database.register("chunk", pa.Table.from_batches(numbered.combine_chunks().to_batches(max_chunksize=PIECE)))
        everyday = HITS.format(named=EVERYDAY.format(spelt=self.keyer.spelt(contacts=contacts)), **more)
        self.database.execute(f"CREATE OR REPLACE TEMP TABLE hit AS {everyday}")
        odd = self.database.sql("SELECT n FROM hit WHERE is_odd ORDER BY n").to_arrow_table().column("n")
        if len(odd):
            self.database.register("chunk", numbered.take(odd))
            self.keyer.spell(self.database, contacts=contacts)
            self.database.execute("DELETE FROM hit WHERE is_odd")
            self.database.execute(f"INSERT INTO hit {HITS.format(named=ODD, **more)}")

    def settle(self, answers: Sequence[Answer]) -> tuple[int, int]:
        """Writes the chunk, the gate's answers in their places."""
        assert self.chunk is not None  # there was a step
        ids = self.ids
        if answers:
            ids = pc.replace_with_mask(ids, pc.is_null(ids), pa.array([self._number(one) for one in answers], pa.int32()))
        allowed = pa.array([one.allowed for one in self.answers], pa.bool_()).take(ids)
        reason = pa.array([one.reason for one in self.answers], pa.string()).take(ids)
        self.writer.write(self.chunk, allowed, reason)
        for found in pc.value_counts(ids).to_pylist():
            self.counts[self.answers[found["values"]]] += found["counts"]
        return self.came.done(), self.audience.source.stat().st_size

    def finish(self) -> Totals:
        """Closes the result and hashes what came and what goes."""
        self.writer.close()
        reasons: Counter[str] = Counter()
        for answer, count in self.counts.items():
            reasons[answer.reason.partition(":")[0]] += count
        allowed = sum(count for answer, count in self.counts.items() if answer.allowed)
        return Totals(self.counts.total(), allowed, self.asked, dict(reasons), _hash(self.audience.source), _hash(self.audience.target))

    def close(self) -> None:
        """Lets go of everything."""
        with suppress(pa.ArrowException, OSError, ValueError):
            self.writer.close()
        self.came.close()
        self.database.close()

    def _tell(self) -> None:
        """Makes `outcomes`: what every combination that occurs is told."""
        combined = self.database.execute("SELECT DISTINCT profile, place, brand, settled FROM hit").fetchall()
        rows = [(*one, self._told(*one)) for one in combined]
        columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
        self.database.register(
            "outcomes", pa.table([pa.array(c, f.type) for c, f in zip(columns, _COMBINED, strict=True)], schema=_COMBINED)
        )

    def _told(self, profile: int, place: str, brand: str, settled: str) -> int | None:
        if settled:
            return self._number(Answer(False, settled))
        if len(brand) > BRAND_LENGTH or not brand.isprintable():
            said = f"unreadable: business_unit has at most {BRAND_LENGTH} characters and no control characters"
            return self._number(Answer(False, said))
        found = told(self.profiles[profile], self._ask(place, brand), self.default_country)
        return self._number(found) if found else None

    def _ask(self, place: str, brand: str) -> Ask:
        named = (None if brand == ANY else brand) if brand else self.ask.brand
        return altered(self.ask, country=country_of(place) or self.ask.country, brand=named)

    def _number(self, answer: Answer) -> int:
        if answer not in self.numbers:
            self.numbers[answer] = len(self.answers)
            self.answers.append(answer)
        return self.numbers[answer]

    def _named(self, raw: str | None, contact: str | None, place: str, brand: str, fault: str) -> Named:
        raw = (raw or "").strip()
        address = self.keyer.address(raw, place)[0] if raw and not fault else None
        return Named(address, parse_contact_id(contact) if contact else None, altered(self._ask(place, brand), fault=fault))


def _hash(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
