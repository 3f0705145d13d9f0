"""The two functions for Spark, called on Arrow batches as Spark would, with the join between them done here."""

from pathlib import Path

import duckdb
import pyarrow as pa

from hub import PEPPER
from sayso.audience.kept import FolderDraft
from sayso.contracts.audience import Line, Revision
from sayso.rules.audience import Facet, Reach, nobody, recipe_of, stranger
from sayso.rules.catalogue import DEFAULT
from sayso.rules.gate import Ask
from sayso.rules.subjects import subject_id
from sayso.spark import ASK_THE_GATE, answers, keys, profiles_of

RECIPE = recipe_of(DEFAULT, 10_000_000)
OUT = ("category_opted_out",)


def line(email: str, *, out: bool = False, shadow: bool = False, unsure: bool = False) -> Line:
    facets = tuple((where, Facet(OUT, OUT) if out else facet) for where, facet in nobody(RECIPE)[0].facets)
    return Line(subject_id(PEPPER, "email", email), b"", 0, () if unsure else (Reach((), facets),), shadow)


def test_batches_are_keyed_joined_and_answered(tmp_path: Path) -> None:
    draft = FolderDraft(tmp_path / "snapshot", (nobody(RECIPE), stranger(RECIPE), ()), None)
    draft.add([line("out@example.com", out=True), line("shade@gmail.com", shadow=True), line("odd@example.com", unsure=True)])
    stand = draft.keep(RECIPE.key(), Revision(0, 7, "e", 1))
    draft.close()
    emails = ["OUT@example.com", "new@example.com", "nonsense", "s.hade@gmail.com", "odd@example.com", None, "fr@example.com"]
    batch = pa.record_batch({"email": emails, "country": ["US", "us", None, "US", "US", "US", "FR"]})
    [keyed] = keys(PEPPER, "email")([batch])
    with duckdb.connect() as database:
        database.register("keyed", pa.Table.from_batches([keyed]).append_column("n", pa.array(range(len(emails)))))
        database.sql(f"CREATE VIEW people AS SELECT * FROM read_parquet('{tmp_path}/snapshot/{stand.name}.parquet')")
        joined = database.sql(
            "SELECT d.email, d.country, d.fault, p.profile, "
            "EXISTS (SELECT 1 FROM people l WHERE l.shadow AND l.k IN (d.look1, d.look2)) AS shadowed "
            "FROM keyed d LEFT JOIN people p ON p.k = d.k ORDER BY n"
        ).to_arrow_table()
    said = answers(profiles_of(tmp_path / "snapshot"), Ask("email", DEFAULT.get("promotional")))
    told = [row for answered in said(joined.to_batches()) for row in answered.to_pylist()]
    assert [(row["allowed"], row["reason"]) for row in told] == [
        (False, "category_opted_out"), (True, "allowed_by_regime"), (False, "invalid_address"), (False, ASK_THE_GATE), (False, ASK_THE_GATE),
        (False, "invalid_address"), (False, "no_consent"),
    ]  # fmt: skip
    assert [row["email"] for row in told] == emails
