"""From a template to an answer: escaped, without script, and with a policy that lets a browser load nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from airflow_provider_sfjwt.ui import wording

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["style"] = Markup(_style())  # our own file
    made.filters.update(number=wording.number, size=wording.size, duration=wording.duration, moment=wording.moment)
    return made


def _policy() -> str:
    """One style sheet, known by its hash, and nothing else. Only Airflow's own pages may frame a page."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


def page(template: str, *, base: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page.

    :param template: name of its file, without the ending.
    :param base: the path of Airflow's UI, without a slash at its end.
    :param status: of HTTP.
    :param values: for the template.
    """
    content = _environment().get_template(f"{template}.html").render(base=base, **values)
    headers = {
        "Content-Security-Policy": _policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(content, status_code=status, headers=headers)
