"""axe on a page as it is shown now."""

from collections.abc import Sequence
from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

#: With every rule that it knows, those that it leaves off by default too.
_RUN: Final = """axe.run(document, {
  resultTypes: ['violations'],
  rules: Object.fromEntries(axe.getRules().map(({ ruleId }) => [ruleId, { enabled: true }])),
})"""
_GRAVE: Final = ("serious", "critical")
_OTHER_LANGUAGE: Final = {"id": "English", "en": "Indonesia"}
#: Chromium changes the scheme of an open page a frame later, and now and then leaves the old colour on what inherits it
#: until its style is reckoned again; people see the change too rarely to judge a page by it.
_SETTLE: Final = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const everything = new CSSStyleSheet();
  everything.replaceSync('* { --settled: 1 }');
  document.adoptedStyleSheets.push(everything);
  await frame();
  await frame();
  document.adoptedStyleSheets.pop();
  await frame();
}"""

BOTH: Final = ("id", "en")
#: While a dialog is open the button for the other language is out of reach.
INDONESIAN: Final = ("id",)


async def grave_findings(page: Page, view: str, languages: Sequence[str] = BOTH) -> list[str]:
    """Serious and critical ones, in both colour schemes and each language; the page ends in Indonesian as it began."""
    found: list[str] = []
    for language in languages:
        for scheme in ("dark", "light"):
            await page.emulate_media(color_scheme=scheme)
            await page.evaluate(_SETTLE)
            if not await page.evaluate("'axe' in window"):
                await page.evaluate(Axe().axe_script)
            results = await page.evaluate(_RUN)
            found += [f"{view}, {language}, {scheme}: {told}" for told in _told(results["violations"])]
        if len(languages) > 1:
            await page.get_by_role("button", name=_OTHER_LANGUAGE[language]).click()
    return found


def _told(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{violation['id']} ({violation['impact']}) {node['html'][:200]} {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in _GRAVE
        for node in violation["nodes"]
    ]
