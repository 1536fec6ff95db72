"""Every sentence of the page's lists is kept in `report.json`; a wrong digit in one is found, on either side."""

import re

from _report_html import Reader
from _report_sentences import planted, unsaid
from skald_report.verify import verify_report
from skald_specs.files import read_json, write_json


def test_a_wrong_digit_in_a_remark_of_the_numbers_is_found(whole_report, tmp_path):
    inputs, folder = whole_report
    report = read_json(folder / "report.json")
    changed = set()
    for subject, found in report["remarks"].items():
        for at, sentence in enumerate(found):
            digit = re.search(r"\d", sentence)
            if digit is not None:
                other = str((int(digit[0]) + 5) % 10)
                found[at] = sentence[: digit.start()] + other + sentence[digit.end() :]
                changed.add(f"remarks/{subject}")
    assert {"remarks/noise", "remarks/cost", "remarks/published_gaps"} < changed
    write_json(tmp_path / "report.json", report)
    found = verify_report(tmp_path, {"core": inputs.evaluations[0]})
    assert {one.item for one in found.changed} == changed


def test_a_wrong_digit_in_a_sentence_of_the_page_is_found(whole_report):
    _, folder = whole_report
    report = read_json(folder / "report.json")
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert unsaid(Reader(text), report) == []
    wrong = list(planted(text))
    assert len(wrong) > 20
    for item in wrong:
        (said,) = Reader(item).claims
        assert said in unsaid(Reader(item), report)
    assert unsaid(Reader(text.replace('class="claims"', 'class="no"')), report)
