"""The page in a real browser: what it shows, and that whatever comes from outside stays text."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.page.values import bad, image, many, shown, three_clusters, values

HOSTILE = "<img src=x onerror=document.title='hacked'><script>document.title='hacked'</script>"


def assets(page):
    return page.locator("table.assets tbody tr")


def clusters(page):
    return page.locator("table.clusters tbody tr")


def choose(page, **filters):
    for name, value in filters.items():
        field = page.locator(f".filters [name={name}]")
        if name == "changed":
            field.set_checked(value)
        elif name == "q":
            field.fill(value)
        else:
            field.select_option(value)


def test_the_verdict_stands_first(page):
    """In words; those that are not ready come first, with why, and a link to the log."""
    expect(page.locator(".headline")).to_have_text("✗1 of 3 clusters is not ready")
    expect(page.locator(".verdict")).to_contain_text("3 clusters, 14 assets")
    names = [x.split(".")[0] for x in clusters(page).locator("th button").all_inner_texts()]
    assert names == ["broken", "stale", "ready"]
    broken = clusters(page).first
    expect(broken.locator(".badge")).to_have_text("✗Not ready")
    expect(broken.locator(".problems li")).to_have_count(3)
    expect(broken.locator(".problems")).to_contain_text("answered 404 MANIFEST_UNKNOWN")
    href = broken.get_by_role("link", name="log of registry.k8s.io/image003:v1")
    assert (
        href.get_attribute("href") == "../dags/nightly/runs/scheduled__2/tasks/copy_image/mapped/3"
    )
    expect(clusters(page).nth(1)).to_contain_text("not verified lately")


def test_what_the_last_run_changed(page):
    """Folded, until somebody wants to know."""
    details = clusters(page).first.locator("details")
    expect(details.locator("summary")).to_have_text("4 assets")
    details.locator("summary").click()
    expect(details.locator("li")).to_have_text(
        [f"lost image registry.k8s.io/image00{x}:v1" for x in (3, 4, 5)]
        + ["added image registry.k8s.io/image006:v1"]
    )


def test_the_rest_of_the_problems(page):
    """A click shows all of them among the assets."""
    clusters(page).first.get_by_role("button", name="and 1 more").click()
    expect(assets(page)).to_have_count(4)
    expect(page.locator("#count")).to_have_text("4 of 14 assets")
    expect(page.locator("#assets")).to_be_focused()


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 14),
        ({"q": "image003"}, 2),
        ({"q": "IMAGE003 broken"}, 1),
        ({"q": "manifest_unknown"}, 4),
        ({"q": f"{2:064x}"}, 2),
        ({"q": "nothing like that"}, 0),
        ({"cluster": "ready.example.com"}, 6),
        ({"state": "problems"}, 5),
        ({"state": "failed"}, 4),
        ({"kind": "image", "changed": True}, 4),
        ({"changed": True, "q": "image006"}, 1),
    ],
)
def test_filters(page, filters, count):
    """Several words must all be found; the count says of how many; a reload keeps them."""
    choose(page, **filters)
    expect(assets(page)).to_have_count(count)
    expect(page.locator("#count")).to_have_text(
        "14 assets" if count == 14 else f"{count} of 14 assets"
    )
    page.reload()
    expect(assets(page)).to_have_count(count)


def test_filters_are_cleared(page):
    """By the button, and all is there again."""
    choose(page, q="image003", state="problems", changed=True)
    page.get_by_role("button", name="Clear filters").click()
    expect(assets(page)).to_have_count(14)
    assert "#" not in page.url


def test_an_asset_has_all_that_is_known(page):
    """Problems come first; what is long has the rest as its tooltip."""
    choose(page, q="image002 ready")
    row = assets(page).first
    expect(row).to_contain_text("→ mirror.example.com/kops/image002:v1")
    expect(row.locator("code")).to_have_text("sha256:000000000000")
    assert row.locator("code").get_attribute("title") == f"sha256:{2:064x}"
    expect(row).to_contain_text("3.0 MB")
    assert row.get_by_role("link", name="log of").get_attribute("href").endswith("/mapped/2")
    run = row.get_by_role("link", name="run scheduled__2")
    assert run.get_attribute("href") == "../dags/nightly/runs/scheduled__2"


def test_what_comes_from_outside_stays_text(tab, server):
    """Names, errors and clusters: nothing of them runs, and nothing becomes a link."""
    name = {"name": f"javascript:alert(1)//{HOSTILE}"}
    outcomes = [image(1, **name), bad(2, reason=HOSTILE, **name)]
    server.values = values(shown(HOSTILE, outcomes, remark=HOSTILE))
    tab.goto(server.home)
    expect(assets(tab)).to_have_count(2)
    expect(assets(tab).first).to_contain_text(HOSTILE)
    expect(clusters(tab).first).to_contain_text(HOSTILE)
    assert tab.title() == "kOps assets"
    assert tab.locator("img, main script").count() == 0
    hrefs = tab.locator("main a").evaluate_all("all => all.map(x => x.getAttribute('href'))")
    assert all(x.startswith("../dags/") for x in hrefs)


def test_the_picture_has_its_figures_as_a_table(page):
    """Of all clusters, or of the one that is chosen."""
    expect(page.locator("figure")).to_have_count(2)
    page.locator("#history summary").click()
    expect(page.locator("table.days tbody tr")).to_have_count(1)
    expect(page.locator("table.days tbody")).to_contain_text("14")
    choose(page, cluster="ready.example.com")
    expect(page.locator("table.days tbody td").nth(1)).to_have_text("6")
    expect(page.locator("figcaption").nth(1)).to_have_text("Assets: 6 of 6 are there, 21 MB")


def test_a_hundred_rows_at_a_time(tab, server):
    """All of them at once would take a browser seconds."""
    server.values = many(20, 50)
    tab.goto(server.home)
    expect(tab.locator("#count")).to_have_text("1,000 assets")
    expect(assets(tab)).to_have_count(100)
    tab.get_by_role("button", name="Show 100 more of 900").click()
    expect(assets(tab)).to_have_count(200)
    expect(assets(tab).nth(100)).to_be_focused()


def test_a_refresh_keeps_what_is_shown(page, server):
    """What was open, chosen and shown; and the newest data."""
    choose(page, state="problems")
    clusters(page).first.locator("summary").click()
    server.values = three_clusters()
    server.values["clusters"][0]["kops_version"] = "1.37.0"
    page.get_by_role("button", name="Refresh").click()
    expect(clusters(page).nth(2)).to_contain_text("1.37.0")
    expect(clusters(page).first.locator("details")).to_have_attribute("open", "")
    expect(assets(page)).to_have_count(5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (401, "You are not logged in any more"),
        (403, "You may not read this"),
        ((500, {"detail": "database is locked"}), "could not tell: database is locked"),
    ],
)
def test_what_cannot_be_loaded(page, server, answer, words):
    """It says why, and what is there stays."""
    server.values = answer
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(assets(page)).to_have_count(14)
    server.values = three_clusters()
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_be_empty()


def test_nothing_was_mirrored_yet(tab, server):
    """It says what to do."""
    server.values = values()
    tab.goto(server.home)
    expect(tab.locator(".verdict")).to_contain_text("No run has mirrored a cluster yet")
    expect(tab.locator(".verdict")).to_contain_text("kops_copy_assets_nightly")
    expect(tab.locator("#assets")).to_be_hidden()


def test_all_are_ready(tab, server):
    """The verdict of most mornings."""
    server.values = values(*(shown(f"{x}.example.com", [image(1)]) for x in "ab"))
    tab.goto(server.home)
    expect(tab.locator(".headline")).to_have_text("✓All 2 clusters are ready")
