"""The documents are true as far as a program can tell: names they should have, links that lead somewhere."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from command_center_ui.settings import FeedSettings, PagesSettings
from dispatcher.desk.settings import DeskSettings
from dispatcher.settings import DispatcherSettings
from infra.local.cli import SUBCOMMANDS
from ingest.settings import IngestSettings

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = (PROJECT / "docs", PROJECT / "infra" / "decisions")
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "CHANGELOG.md",
    *sorted(path for folder in FOLDERS for path in folder.glob("*.md")),
]
OPERATIONS = PROJECT / "docs" / "operations.md"
ROOMS = (IngestSettings, DispatcherSettings, DeskSettings, FeedSettings, PagesSettings)
METRICS = (
    "infra.metrics",
    "ingest.metrics",
    "dispatcher.metrics",
    "dispatcher.desk.metrics",
    "command_center_ui.metrics",
)


def test_every_metric_is_documented() -> None:
    for module in METRICS:
        import_module(module)
    names = {
        sample.name.removesuffix("_bucket").removesuffix("_created").removesuffix("_total")
        for family in REGISTRY.collect()
        for sample in family.samples
        if family.name.startswith("patriot_")
    } | {family.name for family in REGISTRY.collect() if family.name.startswith("patriot_")}
    text = (PROJECT / "docs" / "operations.md").read_text("utf-8")
    documented = {name.removesuffix("_total") for name in re.findall(r"`(patriot_\w+)`", text)}
    families = {name for name in names if not name.endswith(("_sum", "_count"))}
    assert families - documented == set()
    assert documented - families == set()


def test_every_setting_is_documented() -> None:
    text = (PROJECT / "docs" / "operations.md").read_text("utf-8")
    documented = set(re.findall(r"\| `PATRIOT_(\w+)` \|", text))
    names = {name.upper() for room in ROOMS for name in room.model_fields}
    assert names == documented


def test_every_command_is_in_the_readme() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    assert [name for name in SUBCOMMANDS if f"`patriot {name}" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


def test_the_tests_that_are_named_exist() -> None:
    named = [
        (document, name, target)
        for document in DOCUMENTS
        for name, target in re.findall(r"\[`(test_\w+)`\]\(([^)]+\.py)\)", document.read_text("utf-8"))
    ]
    assert len(named) >= 8  # each promise of the README names one
    missing = [
        name for document, name, target in named if f"def {name}(" not in (document.parent / target).read_text("utf-8")
    ]
    assert missing == []


LIMITS = re.findall(
    r"^\| [^|]+ \| `([\w.]+)` \| ([\d.]+)(?: (s|KiB|MiB))? \|", OPERATIONS.read_text("utf-8"), re.MULTILINE
)
UNITS = {"": 1, "s": 1, "KiB": 1024, "MiB": 1024**2}


@pytest.mark.parametrize(("name", "number", "unit"), LIMITS, ids=[name for name, *_ in LIMITS])
def test_a_limit_is_what_the_document_says(name: str, number: str, unit: str) -> None:
    if name.startswith("PATRIOT_"):
        field = name.removeprefix("PATRIOT_").lower()
        assert {room.model_fields[field].default for room in ROOMS if field in room.model_fields} == {float(number)}
    else:
        module, _, constant = name.rpartition(".")
        assert getattr(import_module(module), constant) == float(number) * UNITS[unit]


def test_limits_are_listed() -> None:
    assert len(LIMITS) > 40
