"""`python -m local.email_templates`: compile the e-mail templates, check them, or look at them.

Without arguments it rewrites the compiled files that are stale. `--check` only names those, and fails.
`--preview DIRECTORY` writes each e-mail in each language, filled with sample data, as HTML and text to open in a browser.
"""

import argparse
import sys
from pathlib import Path

from local.email_templates.compiler import stale_templates

_SHARED_LAYER = Path(__file__).resolve().parents[2] / "layers/shared"


def main() -> int:
    """The exit code says whether the compiled files are now right."""
    parser = argparse.ArgumentParser(prog="python -m local.email_templates", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a compiled file is stale")
    parser.add_argument("--preview", type=Path, metavar="DIRECTORY", help="write each e-mail with sample data there")
    arguments = parser.parse_args()
    sys.path.insert(0, str(_SHARED_LAYER))  # the layer is not installed
    stale = stale_templates()
    for target, html in stale.items():
        if arguments.check:
            print(f"{target} is stale: run python -m local.email_templates", file=sys.stderr)
        else:
            target.write_text(html, encoding="utf-8")
            print(f"Compiled {target.name}")
    if arguments.preview:
        _preview(arguments.preview)
    return 1 if stale and arguments.check else 0


def _preview(directory: Path) -> None:
    from local.email_templates import samples
    from remit.adapters.email.formatting import LANGUAGES
    from remit.adapters.email.rendering import render

    for language in LANGUAGES:
        (directory / language).mkdir(parents=True, exist_ok=True)
        for name, (template, model) in samples.emails(language).items():
            rendered = render(template, model, language)
            (directory / language / f"{name}.html").write_text(rendered.html, encoding="utf-8")
            text = f"Subject: {rendered.subject}\n\n{rendered.text}"
            (directory / language / f"{name}.txt").write_text(text, encoding="utf-8")
    print(f"Wrote the e-mails to {directory}")


if __name__ == "__main__":
    sys.exit(main())
