"""The example programs, run as their READMEs say: a web shop in a real browser, e-mails, a bank."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from browser import Browser, chromium
from live import Server, free_port, make_clients

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REGION = "eu-west-3"


@dataclass
class Place:
    """A server, the port of the shop, and the folder where the examples' files are.

    Attributes:
        environment: what `openpersonalize env` would set.
    """

    server: Server
    port: int
    folder: Path
    environment: dict[str, str]

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *words: str) -> str:
        return ended(self.start(*words))


def ended(process: subprocess.Popen[str]) -> str:
    """What a program printed, once it ended well."""
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    return out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Shop and bank, prepared side by side. About 20 s of two cores: three small trainings."""
    folder, port = tmp_path_factory.mktemp("examples"), free_port()
    shutil.copytree(
        EXAMPLES, folder / "examples", ignore=shutil.ignore_patterns("node_modules", "*.bundle.js", "recipes")
    )
    server = Server(
        folder / "data", ("--allowed-origins", f"http://localhost:{port}", "--s3", "local")
    ).start()
    services = ("PERSONALIZE", "PERSONALIZE_RUNTIME", "PERSONALIZE_EVENTS", "S3")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **clean,
        **{f"AWS_ENDPOINT_URL_{service}": server.endpoint for service in services},
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    made = Place(server, port, folder / "examples", environment)
    both = [made.start("web-shop/shop.py", "prepare"), made.start("bank/bank.py", "prepare")]
    assert [ended(one).strip() for one in both] == ["web-shop is ready: for-you, related", "bank is ready"]
    yield made
    server.stop()


def test_a_letter_for_everybody(place: Place) -> None:
    said = place.run("campaign-mail/mail.py", "campaign-mail/recipients.csv", "letters")
    assert said == "4 letters are in letters\n"
    letters = {path.stem: path.read_text() for path in (place.folder / "letters").glob("*.txt")}
    assert set(letters) == {"customer-7", "customer-12", "customer-31", "nobody-yet"}
    assert all(letter.count("  * ") == 3 for letter in letters.values())
    assert letters["customer-7"].startswith("To: ada@mail.example\nSubject: Ada, we kept these for you\n")
    assert letters["customer-7"] != letters["nobody-yet"].replace("Alan", "Ada").replace("alan", "ada")


def test_a_bank_offers_what_a_customer_needs(place: Place) -> None:
    topics = {"open-savings-plan": 0, "gold-card": 1, "travel-insurance": 1, "mortgage-talk": 2}
    first = [place.run("bank/bank.py", "ask", f"customer-{number}") for number in (3, 4, 5)]
    offers = [[line.split() for line in said.splitlines()] for said in first]
    assert [topics[one[0][1]] for one in offers] == [0, 1, 2]
    assert all(float(one[0][0]) > 0.4 > float(one[-1][0]) for one in offers)
    place.run("bank/bank.py", "took", "customer-3", "open-savings-plan")
    after = place.run("bank/bank.py", "ask", "customer-3")
    assert "open-savings-plan" not in after
    assert len(after.splitlines()) == 3


def test_a_program_without_its_data_says_what_to_do(place: Place) -> None:
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "eu-west-1")
    elsewhere = Place(place.server, place.port, place.folder, {**place.environment, **region})
    for words, said in (
        (("bank/bank.py", "ask", "customer-3"), "python bank.py prepare"),
        (("campaign-mail/mail.py", "campaign-mail/recipients.csv", "none"), "make the web shop first"),
        (("web-shop/shop.py", "serve", "0"), "python shop.py prepare"),
    ):
        process = elsewhere.start(*words)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said in out


@pytest.fixture(scope="module")
def shop(place: Place) -> Iterator[str]:
    """The shop's address, with its pages built."""
    if shutil.which("npm") is None:
        pytest.skip("There is no npm: the pages of examples/web-shop were not tried.")
    folder = place.folder / "web-shop"
    quick = ("--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0", "--fetch-timeout=10000")
    found = subprocess.run(("npm", "ci", *quick), cwd=folder, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"npm found no packages: examples/web-shop was not tried. {found.stderr[-300:]}")
    built = subprocess.run(("npm", "run", "build"), cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    process = place.start("web-shop/shop.py", "serve", str(place.port))
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix("The shop: ").strip()
    yield address
    process.terminate()
    process.communicate(timeout=10)


def test_the_shop_in_a_browser(place: Place, shop: str, tmp_path: Path) -> None:
    """A visitor looks around, fills a cart, logs in and buys."""
    program = chromium()
    if program is None:
        pytest.skip("There is no Chromium: the pages of examples/web-shop were not tried.")
    runtime = make_clients(place.server.endpoint, REGION).runtime
    with Browser(program, tmp_path / "profile") as page:
        page.open(shop)
        page.until("document.body?.dataset.ready === 'yes'")
        titles = "[...document.querySelectorAll('#{} li')].map((one) => one.textContent)"
        assert len(page.run(titles.format("everything"))) == 48
        before = page.run(titles.format("for-you"))
        assert len(before) == 6
        # Looking at cheese, with what goes with it beside.
        for number in (1, 4, 6):
            page.run(f"location.hash = 'cheese-{number:02d}'")
            page.until(f"document.getElementById('title').textContent === 'Cheese no. {number}'")
            related = page.until(
                f"document.querySelectorAll('#related li').length === 6 && {titles.format('related')}"
            )
            assert f"Cheese no. {number}" not in related
            page.run("document.getElementById('add').click()")
            page.until(f"JSON.parse(sessionStorage.cart).includes('cheese-{number:02d}')")
        page.until(f"{titles.format('for-you')}.filter((one) => one.startsWith('Cheese')).length >= 3")
        session = page.run("sessionStorage.session")
        assert session.startswith("visit-")
        assert met(runtime, place, session, "cart") == {"cheese-01", "cheese-04", "cheese-06"}
        # The customer logs in, and buys.
        page.run("document.querySelector('#login input').value = 'customer-new'")
        page.run("document.querySelector('#login button').click()")
        page.until("document.getElementById('who').textContent === 'customer-new'")
        page.run("document.getElementById('buy').click()")
        page.until("document.getElementById('buy').disabled")
        page.until(f"!{titles.format('for-you')}.includes('Cheese no. 1')")
        assert met(runtime, place, "customer-new", "purchase") == {"cheese-01", "cheese-04", "cheese-06"}


def met(runtime: Any, place: Place, user: str, kind: str) -> set[str]:
    """What somebody did with which products, as a filter knows it."""
    personalize = make_clients(place.server.endpoint, REGION).personalize
    [group] = [one for one in personalize.list_dataset_groups()["datasetGroups"] if one["name"] == "web-shop"]
    arn = personalize.create_filter(
        name=f"only-{kind}",
        datasetGroupArn=group["datasetGroupArn"],
        filterExpression=f'INCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("{kind}")',
    )["filterArn"]
    while personalize.describe_filter(filterArn=arn)["filter"]["status"] != "ACTIVE":
        pass
    campaigns = {one["name"]: one["campaignArn"] for one in personalize.list_campaigns()["campaigns"]}
    answer = runtime.get_recommendations(
        campaignArn=campaigns["web-shop-for-you"], userId=user, filterArn=arn, numResults=25
    )
    return {one["itemId"] for one in answer["itemList"]}
