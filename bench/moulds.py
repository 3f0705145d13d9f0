"""Rows as recording and sequencing leave them, cast by the thousand: the rules make one person's, all others are cast after that one.

Leaves, states and chains are what the rules gave with the ids, times and hashes of each person in their places; names and details are
sealed under keys of their own, and commitments bind them. What comes out verifies, opens and can be erased.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from struct import pack

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sayso.keys import Keys
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.ids import uuid7_bytes
from sayso.rules.leaves import SALT_BYTES, build, commitment
from sayso.rules.state import EMPTY, State, fold, to_bytes
from sayso.rules.subjects import subject_id
from sayso.rules.values import altered
from sayso.store.rows import bound
from sayso.store.vault import Vault

COLUMNS = {
    "subject": ("shard", "id", "kind", "pseudonym", "sealed", "version", "length", "head", "last_at", "state"),
    "subject_key": ("shard", "pseudonym", "wrapped"),
    "entry": ("shard", "id", "sub", "ver", "at", "kind", "act", "brand", "channel", "category", "src", "effect", "leaf"),
    "detail": ("shard", "entry", "sealed"),
    "log_entry": ("log", "seq", "shard", "entry"),
}
BEGIN, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
"""What stands before and after the rows of a binary COPY."""


def text(value: str | None) -> bytes:
    """A value of a binary COPY with its length before it; None is NULL."""
    return raw(value.encode()) if value is not None else b"\xff\xff\xff\xff"


def raw(value: bytes) -> bytes:
    """Bytes with their length before them."""
    return pack(">i", len(value)) + value


def sub_mark(n: int) -> str:
    """What stands for the pseudonym of a person's n-th subject until a person is cast."""
    return f"{0xA0A0A0A0 + n:032x}"


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of a mould: whose chain, and its bytes with the marks in them."""

    subject: int
    ver: int
    leaf: bytes
    middle: bytes
    """The columns between the time and the leaf, which are everybody's."""


class Mould:
    """What everybody of a kind of person has: subjects by kind, and entries in the order they were said.

    `said` are (subject, entry) with `sub_mark` where a pseudonym belongs; `id`, `sub`, `at` and `ts` are set here.
    """

    def __init__(self, kinds: Sequence[str], said: Sequence[tuple[int, Entry]]) -> None:
        self.kinds, self.said = kinds, list[Said]()
        states, lengths = [EMPTY] * len(kinds), [0] * len(kinds)
        marks = {sub_mark(n).encode(): b"%%(s%d)b" % n for n in range(len(kinds))}
        for n, (subject, given) in enumerate(said):
            one, at, d, prev = f"{n:08x}-0000-7000-8000-a0a0a0a0a0a0", 7_000_000_000_000_000 + n, f"{n + 1:064x}", f"{(n + 1) << 128:064x}"
            entry = altered(given, id=one, sub=sub_mark(subject), at=at, ts=at)
            lengths[subject] += 1
            first = lengths[subject] == 1
            leaf = build(leaf_fields(entry, ver=lengths[subject], prev="" if first else prev, commitment=d))
            states[subject] = fold(states[subject], entry)
            marks |= {one.encode(): b"%%(e%d)b" % n, b"%d" % at: b"%%(t%d)b" % n, d.encode(): b"%(d)b", prev.encode(): b"%(prev)b"}
            scope = entry.scope or (None, None, None)
            columns = (entry.kind, entry.act, *scope, entry.src, entry.effect)
            self.said.append(Said(subject, lengths[subject], marked(leaf, marks), b"".join(map(text, columns))))
        self.states: list[State] = states
        self.written = [marked(to_bytes(state), marks) for state in states]
        self.last = [max(n for n, one in enumerate(self.said) if one.subject == subject) for subject in range(len(kinds))]


def marked(text: bytes, marks: dict[bytes, bytes]) -> bytes:
    """The text as a pattern for `%`, with each mark a name in it."""
    text = text.replace(b"%", b"%%")
    for mark, name in marks.items():
        text = text.replace(mark, name)
    return text


@dataclass(slots=True)
class Person:
    """Somebody being cast: ids, pseudonyms and data keys of their subjects, and what stands in the places of the marks."""

    mould: Mould
    subjects: list[bytes]
    subs: list[bytes]
    keys: list[AESGCM]
    detail: bytes
    places: dict[bytes, bytes]
    heads: list[bytes]
    rows: list[bytes] = field(default_factory=list)


class Caster:
    """Casts people; their entries go on at place `seq` of the log, and were said a microsecond apart from `at` on."""

    def __init__(self, keys: Keys, chance: random.Random, at: int, seq: int) -> None:
        self.pepper, self.chance, self.at, self.seq = keys.pepper, chance.randbytes, at, seq
        self.vault = Vault(keys.kek_ring.secrets, keys.kek_ring.current, self.chance)
        self.ring = AESGCM(keys.kek_ring.secrets[keys.kek_ring.current])
        kid = keys.kek_ring.current.encode()
        self.kid = bytes([len(kid)]) + kid
        self.hashes: list[bytes] = []
        self.rows: dict[str, list[bytes]] = {table: [] for table in COLUMNS}

    def cast(self, people: Sequence[tuple[Mould, Sequence[str], bytes]]) -> None:
        """People of these moulds, with the names of their subjects and what their details say; they speak in turns."""
        cast = [self._begun(*one) for one in people]
        for turn in range(max(len(one.mould.said) for one in cast)):
            for person in cast:
                if turn < len(person.mould.said):
                    self._say(person, turn)
        for person in cast:
            self._end(person)

    def _begun(self, mould: Mould, names: Sequence[str], detail: bytes) -> Person:
        chance = self.chance
        subjects = [subject_id(self.pepper, kind, name) for kind, name in zip(mould.kinds, names, strict=True)]
        person = Person(mould, subjects, [], [], detail, {}, [b""] * len(subjects))
        for n, (subject, kind, name) in enumerate(zip(subjects, mould.kinds, names, strict=True)):
            sub, key, shard = subject[:1] + chance(15), chance(32), pack(">ih", 2, subject[0])
            cipher, nonce = AESGCM(key), chance(12)
            wrapped = self.kid + nonce + self.ring.encrypt(nonce, key, bound("subject_key", sub))
            self.rows["subject_key"].append(b"\0\3" + shard + raw(sub) + raw(wrapped))
            sealed = self.vault.seal(cipher, name.encode(), bound("subject", sub))
            person.rows.append(b"\0\x0a" + shard + raw(subject) + text(kind) + raw(sub) + raw(sealed))
            person.subs.append(sub)
            person.keys.append(cipher)
            person.places[b"s%d" % n] = sub.hex().encode()
        return person

    def _say(self, person: Person, turn: int) -> None:
        said, chance, places = person.mould.said[turn], self.chance, person.places
        n, self.at = said.subject, self.at + 1
        sub, cipher = person.subs[n], person.keys[n]
        one = uuid7_bytes(self.at, chance(10), sub[0])
        hexed = one.hex()
        salt = chance(SALT_BYTES)
        places[b"e%d" % turn] = f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}".encode()
        places[b"t%d" % turn] = b"%d" % self.at
        places[b"d"], places[b"prev"] = commitment(salt, person.detail).hex().encode(), person.heads[n].hex().encode()
        leaf = said.leaf % places
        head = person.heads[n] = sha256(b"\0" + leaf).digest()
        self.hashes.append(head)
        nonce, shard, rows = chance(12), pack(">ih", 2, sub[0]), self.rows
        entry = b"\0\0\0\x10" + one
        sealed = nonce + cipher.encrypt(nonce, salt + person.detail, _DETAIL + one)
        times = pack(">iqiq", 8, said.ver, 8, self.at)
        rows["entry"].append(b"".join((b"\0\x0d", shard, entry, b"\0\0\0\x10", sub, times, said.middle, pack(">i", len(leaf)), leaf)))
        rows["detail"].append(b"\0\3" + shard + entry + raw(sealed))
        rows["log_entry"].append(b"\0\4\0\0\0\2\0\0\0\0\0\x08" + pack(">q", self.seq) + shard + entry)
        self.seq += 1

    def _end(self, person: Person) -> None:
        places, mould = person.places, person.mould
        for n, state in enumerate(mould.states):
            last = int(places[b"t%d" % mould.last[n]])
            counts = pack(">iqiq", 8, state.version, 8, state.length) + raw(person.heads[n]) + pack(">iq", 8, last)
            self.rows["subject"].append(person.rows[n] + counts + raw(mould.written[n] % places))

    async def copy(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Keeps everything that was cast since the last time."""
        for table, rows in self.rows.items():
            source = BytesIO(b"".join((BEGIN, *rows, END)))
            await connection.copy_to_table(table, source=source, columns=COLUMNS[table], format="binary", timeout=600)
            rows.clear()


_DETAIL = bound("detail", bytes(16))[:-16]
