"""Files as people and programs really leave them: nothing is dropped silently, nothing takes more memory than one line."""

import codecs
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sayso.commands.csv_file import LINE_LENGTH, BadFile, Numbered, reading


def rows(place: Path) -> list[Numbered]:
    with reading(place) as file:
        return list(file.rows)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        ("email,name\nada@example.com,Zoë\n".encode(), "utf-8-sig"),
        (codecs.BOM_UTF8 + "email,name\nada@example.com,Zoë\n".encode(), "utf-8-sig"),
        ("email,name\nada@example.com,Zoë\n".encode("utf-16"), "utf-16"),
        ("email,name\nada@example.com,Zoë\n".encode("utf-16-le"), "utf-16-le"),
        ("email,name\nada@example.com,Zoë\n".encode("utf-16-be"), "utf-16-be"),
        ("email,name\nada@example.com,Zoë\n".encode("latin-1"), "latin-1"),
        ("email,name\r\nada@example.com,Zoë\r\n".encode(), "utf-8-sig"),
        ("email,name\rada@example.com,Zoë\r".encode(), "utf-8-sig"),
        ("email,name\nada@example.com,Zoë".encode(), "utf-8-sig"),
    ],
)
def test_every_encoding_and_line_end_says_the_same(place: Path, raw: bytes, encoding: str) -> None:
    place.write_bytes(raw)
    with reading(place) as file:
        assert file.shape.encoding == encoding
        assert [row.cells for row in file.rows] == [["email", "name"], ["ada@example.com", "Zoë"]]


def test_an_accent_far_behind_still_makes_the_file_latin_1(place: Path) -> None:
    place.write_bytes(b"email,name\n" + b"ada@example.com,Ada\n" * 200_000 + "ben@example.com,Zoë\n".encode("latin-1"))
    with reading(place) as file:
        assert file.shape.encoding == "latin-1"
        last = list(file.rows)[-1]
    assert (last.line, last.cells) == (200_002, ["ben@example.com", "Zoë"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(place: Path, delimiter: str) -> None:
    place.write_text(delimiter.join(["email", '"a,b;c"', "x"]) + "\n" + delimiter.join(["ada@example.com", '"1;2,3"', ""]) + "\n")
    with reading(place) as file:
        assert file.shape.delimiter == delimiter
        assert [len(row.cells) for row in file.rows] == [3, 3]


def test_excel_says_its_delimiter_in_a_line_of_its_own(place: Path) -> None:
    place.write_text("sep=;\nemail;a,b,c\nada@example.com;1\n")
    assert [(row.line, row.cells) for row in rows(place)] == [(2, ["email", "a,b,c"]), (3, ["ada@example.com", "1"])]


def test_line_breaks_in_quotes_belong_to_their_row(place: Path) -> None:
    place.write_text('email,note\nada@example.com,"one\ntwo ""quoted"""\nben@example.com,x\n')
    assert [(row.line, row.cells[-1]) for row in rows(place)] == [(1, "note"), (2, 'one\ntwo "quoted"'), (4, "x")]


def test_a_quote_that_is_never_closed_costs_its_own_row_only(place: Path) -> None:
    place.write_text("email,note\n" + 'ada@example.com,"open\n' + "".join(f"p{n}@example.com,x\n" for n in range(1_000)))
    found = rows(place)
    assert [row.line for row in found if row.problem] == [2]
    assert [row.cells[0] for row in found if not row.problem][1:] == [f"p{n}@example.com" for n in range(1_000)]


def test_a_line_that_is_too_long_costs_its_own_row_only(place: Path) -> None:
    place.write_text("email\n" + "x" * (3 * LINE_LENGTH) + "\nada@example.com\n")
    found = rows(place)
    assert [(row.line, bool(row.problem)) for row in found] == [(1, False), (2, True), (3, False)]
    assert len(found[1].cells[0]) < 1_000


def test_a_field_that_is_too_long_costs_its_own_row_only(place: Path) -> None:
    place.write_text("email,note\nada@example.com," + "x" * 200_000 + "\nben@example.com,\n")
    assert [(row.line, bool(row.problem)) for row in rows(place)] == [(1, False), (2, True), (3, False)]


@pytest.mark.slow
def test_one_endless_line_is_read_in_bounded_memory(place: Path) -> None:
    with place.open("wb") as file:
        file.write(b"email\n")
        file.truncate(1 << 30)  # a gigabyte of NUL characters that takes no room
    code = (
        "import resource, sys; from pathlib import Path; from sayso.commands.csv_file import reading\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with reading(Path(sys.argv[1])) as file: found = list(file.rows)\n"
        "assert [bool(row.problem) for row in found] == [False, True], found\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 64 * 1_024, "kilobytes"


def test_ragged_empty_and_odd_lines_are_rows_or_nothing(place: Path) -> None:
    place.write_bytes(b"email,a,b\n\n   \n,,\nada@example.com\nben@example.com,1,2,3,4\n\x00nul\x00,x,y\n")
    assert [(row.line, len(row.cells)) for row in rows(place)] == [(1, 3), (5, 1), (6, 5), (7, 3)]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is empty"), (b"\x1f\x8b\x08\0", "gzip"), (b"PK\x03\x04rest", "ZIP"), (b"%PDF-1.7", "PDF"), (b"\xd0\xcf\x11\xe0\xa1", "workbook"),
        (b"\xfd7zXZ\0", "xz"), (b"BZh91AY", "bzip2"), (b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"\x28\xb5\x2f\xfd\0", "zstd"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused_by_name(place: Path, raw: bytes, words: str) -> None:
    place.write_bytes(raw)
    with pytest.raises(BadFile, match=words):
        rows(place)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    place = tmp_path / "bomb.csv"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("list.csv", b"\0" * 50_000_000)
    with pytest.raises(BadFile, match="unpack"):
        rows(place)


def test_folders_pipes_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, words in ((tmp_path, "a folder"), (tmp_path / "pipe", "no regular file"), (tmp_path / "none.csv", "No such file")):
        with pytest.raises(BadFile, match=words):
            rows(place)


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root may read everything")
def test_a_file_that_may_not_be_read_is_named(place: Path) -> None:
    place.write_text("email\n")
    place.chmod(0)
    with pytest.raises(BadFile, match="Permission"):
        rows(place)


def test_whatever_a_file_holds_it_is_read_to_its_end(place: Path) -> None:
    chance = random.Random(7)
    pieces = [b'"', b"\n", b",", b";", b"\r", b"\0", b"\xff", b"ada@example.com", b'""', b"\xe2\x80", b" ", b"x" * 300, "é".encode()]
    for _ in range(300):
        place.write_bytes(b"e" + b"".join(chance.choice(pieces) for _ in range(chance.randrange(1, 120))))
        lines = [row.line for row in rows(place)]
        assert lines == sorted(lines)
