"""A document as PDF, by the typesetter `typst`. Both it and what reads its fonts are an optional extra."""

import json
from datetime import UTC
from pathlib import Path

from daper.core.errors import SettingError
from daper.documents.blocks import Document

_TEMPLATE = Path(__file__).parent / "page.typ"


def to_pdf(document: Document) -> bytes:
    """The whole document as PDF; the same document gives the same bytes. It takes a while: call it in a thread.

    Raises SettingError where the extra is not installed.
    """
    try:
        import typst

        from daper.documents.fonts import FOLDER, Coverage, families
        from daper.documents.typesetting import Typesetting
    except ImportError as error:
        raise SettingError(
            "a PDF needs the extra 'pdf', which is not installed: pip install 'daper[pdf]'; or take --format html"
        ) from error
    fonts = typst.Fonts(font_paths=[str(FOLDER)])
    names = families(fonts.fonts())
    faces = [face for name in names for face in fonts.fonts() if face.family == name]
    page = Typesetting(Coverage(faces)).document(document)

    def compiled(*, accessible: bool) -> bytes:
        return typst.compile(
            str(_TEMPLATE),
            root=str(_TEMPLATE.parent),
            font_paths=fonts,
            sys_inputs={"report": json.dumps({**page, "fonts": names})},
            timestamp=document.made_at.astimezone(UTC).replace(microsecond=0),
            pdf_standards="ua-1" if accessible else [],
        )

    try:
        return compiled(accessible=True)
    except typst.TypstError:
        # An installed font may lack what it claims to have. A page with an empty box is better than no page.
        return compiled(accessible=False)
