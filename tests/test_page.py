"""The page for people, in a real browser: a form is filled in, a text is written, a digit is drawn."""

import math
import shutil

import httpx
import pytest

from tests.deployed import BAD, GOOD, http_server

SEVEN = [[(0.22, 0.1), (0.78, 0.1), (0.42, 0.93)]]
ONE = [[(0.35, 0.25), (0.52, 0.08), (0.52, 0.92)]]
FOUR = [[(0.45, 0.08), (0.2, 0.55), (0.8, 0.55)], [(0.62, 0.3), (0.62, 0.93)]]
NOUGHT = [[(0.5 + 0.28 * math.sin(turn / 4), 0.5 - 0.42 * math.cos(turn / 4)) for turn in range(26)]]
PHONE = {"width": 360, "height": 740}
MILLISECONDS = 300_000
"""So long a browser may take for what it is asked to do."""


@pytest.fixture(scope="module")
def address(deployed):
    with http_server(deployed) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    if not (chromium := shutil.which("chromium")):
        pytest.skip("no Chromium is installed (Debian's package chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=MILLISECONDS)
        yield found
        found.close()


@pytest.fixture
def complaints():
    """Give what a browser complains of while pages are open: a script that failed, a policy that was broken."""
    found = []
    yield found
    assert found == []


@pytest.fixture
def opened(browser, address, complaints):
    """Give a function that opens a page."""
    contexts = []

    def open_(path, **settings):
        contexts.append(browser.new_context(**settings))
        contexts[-1].set_default_timeout(MILLISECONDS)
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}{path}")
        return page

    yield open_
    for context in contexts:
        context.close()


def estimate(page):
    page.get_by_role("button", name="Estimate").click()
    page.locator("#answer:not([aria-busy]) .estimate").wait_for()  # an answer before this one still stands meanwhile
    return page.locator("#answer").inner_text()


def draw(page, strokes, left=0.1, top=0.1, size=0.8):
    box = page.locator("#canvas").bounding_box()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + box["width"] * (left + size * x), box["y"] + box["height"] * (top + size * y))
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def test_what_is_in_production_is_listed_with_its_scores(opened):
    page = opened("/")
    assert page.get_by_role("heading", level=2).all_inner_texts() == ["Digits", "Houses", "Reviews"]
    card = page.get_by_role("link", name="Houses").inner_text()
    assert "What a house costs." in card
    assert "Version 2 in production" in card
    assert "Version 1 the one before" in card
    assert "RMSE 1.000 (0.000 to 2.000) on 60 test rows" in card
    page.get_by_role("link", name="Houses").click()
    page.wait_for_url("**/problems/houses")
    assert page.title() == "Houses · Salamander"


def test_a_form_is_filled_in_and_answered_with_an_interval(opened):
    page = opened("/problems/houses")
    page.get_by_label("Area").fill("100")
    page.get_by_label("Rooms").fill("4")
    page.get_by_label("Garden").select_option("no")
    page.get_by_label("Place").select_option("shore")
    text = estimate(page)
    price = float(page.locator(".estimate").inner_text().replace(",", ""))
    assert 160_000 < price < 200_000
    assert f"{price - 12_345:,.0f} to {price + 12_345:,.0f} in 90 of 100 such cases" in text
    assert "Answered by version 2." in text


def test_a_form_begins_with_values_that_work_and_goes_back_to_them(opened):
    page = opened("/problems/houses")
    area = page.get_by_label("Area").input_value()
    first = estimate(page)
    page.get_by_label("Area").fill("41")
    assert estimate(page) != first
    page.get_by_role("button", name="Start again").click()
    assert page.get_by_label("Area").input_value() == area
    assert page.locator("#answer").inner_text() == "The model's estimate will stand here."


def test_the_version_before_may_be_asked(opened):
    page = opened("/problems/houses")
    page.get_by_label("Version", exact=True).select_option("1, the one before")
    assert "Answered by version 1." in estimate(page)


def test_what_is_not_known_may_be_left_open_where_training_had_such_rows(opened):
    page = opened("/problems/houses")
    page.get_by_label("Place").select_option("not known")
    assert "Answered by version 2." in estimate(page)
    page.get_by_label("Area").fill("")
    page.get_by_role("button", name="Estimate").click()
    assert page.locator("#answer").inner_text().count("Answered") == 1
    assert page.get_by_label("Area").evaluate("field => field.validity.valueMissing")


def test_what_the_model_has_never_seen_is_answered_and_said(opened):
    page = opened("/problems/houses")
    page.get_by_label("Area").fill("900")
    assert "area = 900 is outside what the model has seen (40 to 136)." in estimate(page)


def test_a_refusal_is_shown_as_the_sentence_that_it_is(opened, complaints):
    page = opened("/problems/houses")
    page.get_by_label("Place").evaluate("field => field.options[1].value = 'moon'")
    page.get_by_label("Place").select_option("moon")
    with page.expect_console_message():
        page.get_by_role("button", name="Estimate").click()
    page.locator("#answer .trouble").wait_for()
    sentence = page.locator("#answer").inner_text()
    assert sentence.startswith("instances[0].place is \"moon\", but 'place' takes one of 'hill', 'shore'")
    assert "status of 400" in complaints.pop()


def test_a_server_that_is_gone_is_said(opened, complaints):
    page = opened("/problems/houses")
    page.route("**:predict", lambda route: route.abort())
    with page.expect_console_message():
        page.get_by_role("button", name="Estimate").click()
    page.get_by_text("The server did not answer. Is it still running?").wait_for()
    assert "ERR_FAILED" in complaints.pop()


@pytest.mark.parametrize(("text", "expected"), [(GOOD, "pos"), (BAD, "neg")])
def test_a_text_is_written_and_answered_with_probabilities(opened, text, expected):
    page = opened("/problems/reviews")
    page.get_by_label("Review").fill(text)
    estimate(page)
    assert page.locator(".estimate").inner_text() == expected
    assert page.locator(".chances li").count() == 2
    assert page.locator(".chances .first").inner_text().startswith(expected)


@pytest.mark.parametrize(("digit", "strokes"), [("0", NOUGHT), ("1", ONE), ("4", FOUR), ("7", SEVEN)])
@pytest.mark.parametrize("place", [(0.1, 0.1, 0.8), (0.5, 0.45, 0.4)], ids=["large", "small and in a corner"])
def test_a_digit_is_drawn_and_read(opened, digit, strokes, place):
    page = opened("/problems/digits")
    draw(page, strokes, *place)
    estimate(page)
    assert page.locator(".estimate").inner_text() == digit


def test_a_drawing_is_answered_by_itself_and_can_be_cleared(opened):
    page = opened("/problems/digits")
    draw(page, SEVEN)
    page.locator("#answer .estimate").wait_for()
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#answer").inner_text() == "The model's estimate will stand here."
    page.get_by_role("button", name="Estimate").click()
    assert page.locator("#answer").inner_text() == "Draw something first."


def test_a_digit_is_drawn_with_the_keyboard_alone(opened):
    page = opened("/problems/digits")
    for _ in range(3):  # past the link to the content, home and the link for programs
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "canvas"
    page.keyboard.press("Space")
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    assert page.locator("#pen").inner_text() == "Pen down"
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("#answer:not([aria-busy]) .estimate").wait_for()
    assert page.locator(".estimate").inner_text() == "1"


def test_a_form_is_answered_with_the_keyboard_alone(opened):
    page = opened("/problems/houses")
    page.get_by_label("Area").focus()
    page.keyboard.press("Enter")
    page.locator("#answer .estimate").wait_for()


@pytest.mark.parametrize("path", ["/", "/problems/houses", "/problems/digits", "/problems/reviews"])
def test_a_phone_shows_it_without_scrolling_sideways(opened, path):
    page = opened(path, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("path", ["/", "/problems/houses", "/problems/digits", "/problems/reviews"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, path, scheme):
    """WCAG 2, level AA: a contrast of 4.5."""
    page = opened(path, color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert found
    assert {words: round(contrast, 2) for words, contrast in found if contrast < 4.5} == {}


CONTRASTS = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const texts = [...document.body.querySelectorAll("*")].filter((each) => own(each) && each.checkVisibility());
  return texts.map((each) => {
    const [one, other] = [light(getComputedStyle(each).color), light(behind(each))];
    return [each.textContent.trim(), (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)];
  });
}"""


def test_every_field_has_a_name_for_who_cannot_see_it(opened):
    for path in ("/problems/houses", "/problems/digits", "/problems/reviews"):
        page = opened(path)
        for field in page.locator("input, select, textarea, button, canvas").all():
            assert field.evaluate("f => f.labels?.[0]?.textContent || f.textContent.trim() || f.ariaLabel")


def test_a_model_that_is_not_there_is_a_sentence(address):
    answer = httpx.get(f"{address}/problems/ducks", timeout=300)
    assert answer.status_code == 404
    assert "There is no model &#39;ducks&#39; here" in answer.text
    assert httpx.get(f"{address}/assets/secrets.txt", timeout=300).status_code == 404
    assert httpx.get(f"{address}/assets/..%2fpage.py", timeout=300).status_code == 404


def test_no_script_or_style_stands_in_a_page_and_none_comes_from_elsewhere(address):
    for path in ("/", "/problems/houses", "/problems/digits", "/problems/reviews"):
        answer = httpx.get(f"{address}{path}", timeout=300)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "style=" not in answer.text
        assert "http" not in answer.text.replace("http-equiv", "")


def test_where_a_token_is_asked_for_the_browser_asks_for_it_and_sends_it_with_every_question(browser, deployed):
    """As the password of a user of any name, which a browser asks for by itself."""
    with http_server(deployed, token="open sesame") as address:  # noqa: S106 - of the test's own server
        assert httpx.get(f"{address}/", timeout=300).status_code == 401
        context = browser.new_context(http_credentials={"username": "me", "password": "open sesame"})
        context.set_default_timeout(MILLISECONDS)
        page = context.new_page()
        page.goto(f"{address}/problems/houses")
        assert "Answered by version 2." in estimate(page)
        context.close()
