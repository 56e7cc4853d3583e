"""The page for programmers: what it shows, and that it loads nothing from elsewhere."""

import re
import shutil
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
MILLISECONDS = 300_000
"""So long a browser may take for what it is asked to do."""


def test_it_shows_columns_values_and_examples_and_loads_nothing_from_elsewhere(serving_at, version_of):
    address = serving_at(version_of("DecisionTreeClassifier"))
    found = requests.get(f"{address}/docs", timeout=60)
    assert found.status_code == 200
    assert "script-src 'self'" in found.headers["Content-Security-Policy"]
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", found.text)
    for text in (
        "houses",
        "<code>place</code>",
        "one of &#39;hill&#39;, &#39;shore&#39;",
        "POST /v1/models/houses:predict",
    ):
        assert text in found.text
    assert f"curl -d @rows.json {address}/v1/models/houses:predict" in found.text
    for asset in re.findall(r"(?:src|href)=\"\./(assets/[^\"]+)\"", found.text):
        assert requests.get(f"{address}/{asset}", timeout=60).status_code == 200


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=MILLISECONDS)
        found = browser.new_page()
        found.set_default_timeout(MILLISECONDS)
        yield found
        browser.close()


def test_an_example_can_be_sent_from_the_page(serving_at, version_of, page):
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{serving_at(version_of('DecisionTreeClassifier'))}/docs")
    page.get_by_role("button", name="Send").first.click()
    answer = page.locator("form.example pre").first
    answer.filter(has_text="200").wait_for()
    assert '"predictions"' in answer.inner_text()
    page.get_by_label("Rows by name").fill("junk")
    page.get_by_role("button", name="Send").first.click()
    answer.filter(has_text="400").wait_for()
    assert "The body is not JSON" in answer.inner_text()
    assert all("400" in text for text in said), said  # of the last one; the policy forbade nothing
