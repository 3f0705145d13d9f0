"""The bytes of an entry's leaf, written out at once: what `leaves.build` makes of `leaf_fields`, in a small part of the time.

Every write makes a leaf or several. Whatever is not plainly well shaped goes the long way, which refuses it by name.
"""

from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final

from sayso.rules import leaves
from sayso.rules.entries import Entry, leaf_fields
from sayso.rules.leaves import LEAF_BYTES_MAX
from sayso.rules.words import Scope

_END: Final = 10**18
_quoted: Final = lru_cache(maxsize=4_096)(encode_basestring)


def leaf_of(entry: Entry, *, ver: int, prev: str, commitment: str) -> bytes:
    """The canonical bytes of the entry's leaf. Raises LeafRefused for what is no leaf."""
    at, ts = entry.at, entry.ts
    if not (0 <= ts < _END and 0 <= at < _END and entry.effect) or (ver == 1) != (prev == ""):
        return leaves.build(leaf_fields(entry, ver=ver, prev=prev, commitment=commitment))
    plain = not (entry.x or entry.until or entry.since or entry.other or entry.other_kind or entry.primary)
    x = _few(entry.method, entry.old, entry.new) if plain else _extra(entry)
    text = (
        f'{{{_about(entry.about)}"act":{_quoted(entry.act)},"at":{at},"by":{_quoted(entry.by)},"d":"{commitment}",'
        f'"effect":{_quoted(entry.effect)},"id":"{entry.id}",{_OWN[entry.own]}"prev":"{prev}",{_rule(entry.rule)}{_scope(entry.scope)}'
        f'"src":{_quoted(entry.src)},{_STRONG[entry.strong]}"sub":"{entry.sub}",'
        f'"t":"{entry.kind}","ts":{ts},"v":1,"ver":{ver},"via":{_quoted(entry.via)}{x}}}'
    )
    try:
        leaf = text.encode()
    except UnicodeEncodeError as error:
        raise leaves.LeafRefused("a leaf is UTF-8, this text cannot be encoded") from error
    if len(leaf) > LEAF_BYTES_MAX:
        raise leaves.LeafRefused(f"a leaf has at most {LEAF_BYTES_MAX} bytes, this one has {len(leaf)}")
    return leaf


_OWN: Final = ("", '"own":1,')
_STRONG: Final = ("", '"strong":1,')


def _about(about: str) -> str:
    return f'"about":"{about}",' if about else ""


@lru_cache(maxsize=1_024)
def _rule(rule: str) -> str:
    return f'"rule":{encode_basestring(rule)},' if rule else ""


@lru_cache(maxsize=4_096)
def _scope(scope: Scope | None) -> str:
    if scope is None:
        return ""
    if "" in scope:
        raise leaves.LeafRefused("the leaf field scope has a value that does not fit it")
    return f'"scope":[{",".join(map(encode_basestring, scope))}],'


@lru_cache(maxsize=1_024)
def _few(method: str, old: str, new: str) -> str:
    return _written({name: text for name, text in (("method", method), ("new", new), ("old", old)) if text})


def _extra(entry: Entry) -> str:
    x = leaf_fields(entry, ver=1, prev="", commitment="").get("x", {})
    if not all(isinstance(value, str) or -_END < value < _END for value in x.values()):
        leaves.build(leaf_fields(entry, ver=1, prev="", commitment=""))
    return _written(dict(sorted(x.items())))


def _written(x: dict[str, str | int]) -> str:
    pairs = ",".join([f'"{name}":{_quoted(value) if isinstance(value, str) else value}' for name, value in x.items()])
    return f',"x":{{{pairs}}}' if pairs else ""
