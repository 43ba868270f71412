"""From a document to one HTML file that needs nothing else: no script, no network."""

from __future__ import annotations

from importlib import resources

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from pipeline.report.blocks import Document


class _Packaged(BaseLoader):
    """Templates beside this module, also from a zipped wheel."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        """The text of a template."""
        file = resources.files("pipeline.report") / "templates" / template
        if not file.is_file():
            raise TemplateNotFound(template)
        return file.read_text(encoding="utf-8"), template, None


def render_html(document: Document) -> str:
    """The page. Everything in ``document`` is escaped."""
    environment = Environment(
        loader=_Packaged(),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(document=document)
