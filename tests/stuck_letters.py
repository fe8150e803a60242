"""Letters that are stuck, in somebody's own table: in every column stands whatever text somebody wrote."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, bindparam, text

from daper.domains.declared.domain import DeclaredDomain

HOSTILE: Final = (
    "x'); DROP TABLE letters; --",
    "x\"; UPDATE letters SET status = 'sent' WHERE '1'='1",
    "' OR 1=1 --",
    ":daper_ids :note %(note)s %s {0} $1 ? @x",
    "\\' \\\" \\\\ \\0 \\n",
    "r.status == 'stuck' || true",
    "{note} {id} {{title}} { } {0.__class__} {env:LETTERS_URL}",
    "env:LETTERS_URL",
    '[domain]\nname = "other"\n"""',
    "[[tool]]\nname='burn_letter'\nset={status=\"'burnt'\"}",
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "](javascript:alert(1)) ![x](http://evil.example/x.png) **bold** `code` | cell |",
    "\x1b[2J\x1b]0;owned\x07\r\nApproved: yes",
    "\u202egnp.exe \u200b\u2066hidden\u2069",
    "<% 7*7 %> {{7*7}} ${7*7} #{7*7}",
    "NULL",
    "",
    "   ",
    "ﬀ ß İ \u0301 \U0001f989",
    "long " * 200,
)
"""SQL, CEL, TOML, fields of sentences, markup, commands of terminals, and what cannot be seen."""

FILE: Final = """\
[domain]
name = "letters"
about = "Letters of the owl post."
database = "env:LETTERS_URL"

[records]
sql = "SELECT id, title, status, note, tries FROM letters"
key = "id"
title = "{title}"
status = "status"

[[rule]]
kind = "stuck"
when = "r.status == 'stuck' && r.tries < 3"
issue = "It is stuck: {note}."
facts = ["note", "title"]
fix = "release_letter"

[[tool]]
name = "release_letter"
does = "Lets the letter fly."
risk = "low"
table = "letters"
set = { status = "'open'", tries = "tries + 1", reply = ":reply" }
only = "status = 'stuck'"
args.reply = { sentence = 1200, default = "released" }
helped = "r.status == 'open'"
"""


class Letters:
    """The table, and the file that declares it. `texts`: by id, what stands in title and note."""

    def __init__(
        self, engine: Engine, url: str, folder: Path, texts: Sequence[str], *, ids: Sequence[str] = ()
    ) -> None:
        """As many letters as there are texts; `ids`: what they are called, else letter-1 and so on."""
        self.engine = engine
        self.url = url
        self.file = folder / "letters.toml"
        self.texts = {(ids[at] if ids else f"letter-{at}"): each for at, each in enumerate(texts)}
        folder.mkdir(parents=True, exist_ok=True)
        self.file.write_text(FILE, encoding="utf-8")
        with engine.begin() as db:
            db.execute(
                text(
                    "CREATE TABLE letters (id VARCHAR(700) PRIMARY KEY, title TEXT, status VARCHAR(40),"
                    " note TEXT, tries INTEGER, reply TEXT)"
                )
            )
            insert = text("INSERT INTO letters VALUES (:id, :text, 'stuck', :text, 0, NULL)")
            db.execute(insert, [{"id": each, "text": said} for each, said in self.texts.items()])
        self.domain().now().store.init()

    def domain(self) -> DeclaredDomain:
        """As a worker opens it."""
        return DeclaredDomain(self.file, variables={"LETTERS_URL": self.url}.get)

    def rows(self) -> dict[str, tuple[str, str, str, int, str | None]]:
        """Title, note, status, tries and reply of each, by id."""
        with self.engine.begin() as db:
            found = db.execute(text("SELECT id, title, note, status, tries, reply FROM letters"))
            return {row[0]: (row[1], row[2], row[3], row[4], row[5]) for row in found}

    def touch(self, record_id: str) -> None:
        """Somebody writes to one."""
        with self.engine.begin() as db:
            change = text("UPDATE letters SET note = 'touched' WHERE id = :id").bindparams(bindparam("id", record_id))
            db.execute(change)
