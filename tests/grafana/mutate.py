"""Change every alert in every small way, and see whether the cases notice: ``python -m tests.grafana.mutate [ALERT …]``.

Mutants of an expression are made by its text: thresholds and other numbers, operators, matchers, labels that
are kept; beside it the time that a condition has to hold and to last. Left out is what could not be
noticed: what reads native histograms, because promtool has no notation for them (the live tests execute it);
a matcher less, where the same series are named beside it with all of them; zeros for what is missing, because
both a zero and nothing are not above a threshold; the lengths of windows, which change how soon an alert fires
by less than the time it has to hold.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.grafana.cases import CASES
from tests.grafana.promtool import RULES, named, wrong

Rule = Mapping[str, Any]


class Mutant(NamedTuple):
    change: str
    rule: Rule


_NATIVE: Final = re.compile(
    r" or histogram_(?:count|sum)\((?:rate|increase)\([^()]*\)\)"
    r"| or histogram_count\(\(.*?\) or increase\([^()]*\)\)"
    r"| or histogram_quantile\([^()]*sum by \([^()]*\) \(rate\([^()]*\)\)\)"
    r"| or histogram_fraction\([^()]*rate\([^()]*\)\) \* \(histogram_count\(rate\([^()]*\)\) > 0\)"
)
_ZERO: Final = re.compile(r" or sum by \([^()]*\) \(rate\([^()]*\) or histogram_count\(rate\([^()]*\)\)\) \* 0")
_ALIKE: Final = re.compile(r"\([^()]* unless last_over_time\([^()]*\) and count_over_time\([^()]*\)")
_TOKEN: Final = re.compile(
    r'(?P<matcher>\w+(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*"(?:, )?)'
    r"|(?P<offset>(?<=offset )\d+[smhd])"
    r"|(?P<by>(?<=by \()[^)]*(?=\))|(?<=on \()[^)]*(?=\)))"
    r"|(?P<compare>(?<= )(?:>=|<=|==|>|<)(?= ))"
    r"|(?P<set>\b(?:and|unless|or)\b)"
    r"|(?P<arithmetic>(?<= )[-+*/](?= ))"
    r"|(?P<number>(?<!vector\()(?<![\w.:\"])\d+(?:\.\d+)?(?![\w.]))"
)
_COMPARE: Final = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!="}
_SET: Final = {"and": "or", "or": "and", "unless": "and"}
_ARITHMETIC: Final = {"+": "-", "-": "+", "*": "/", "/": "*"}
_MATCH: Final = {"=~": "!~", "!~": "=~", "!=": "=", "=": "!="}


def mutants(rule: Rule) -> Iterator[Mutant]:
    expression = str(rule["expr"])
    # Less traffic than before is what one alert is about: there a zero is below the threshold.
    spared = [_NATIVE] if rule["alert"] == "ASGITrafficDropped" else [_NATIVE, _ZERO]
    spans = [found.span() for pattern in spared for found in pattern.finditer(expression)]
    alike = [found.span() for found in _ALIKE.finditer(expression)]
    for token in _TOKEN.finditer(expression):
        if any(start <= token.start() < end for start, end in spans):
            continue
        for text in _changes(token):
            if not text and any(start <= token.start() < end for start, end in alike):
                continue
            changed = expression[: token.start()] + text + expression[token.end() :]
            around = expression[max(0, token.start() - 25) : token.start()].rpartition("\n")[2]
            yield Mutant(f"…{around}⟨{token[0]} → {text}⟩", {**rule, "expr": changed})
    for key in ("for", "keep_firing_for"):
        if rule.get(key, "0m") != "0m":
            for factor in (2.0, 0.5):
                yield Mutant(f"{key}: {rule[key]} × {factor:g}", {**rule, key: _longer(str(rule[key]), factor)})
    if rule["for"] == "0m":
        yield Mutant("for: 0m → 5m", {**rule, "for": "5m"})


def _changes(token: re.Match[str]) -> Iterator[str]:
    kind, text = str(token.lastgroup), token[0]
    if kind == "matcher":
        label, operator, value = re.match(r"(\w+)(=~|!~|!=|=)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
        yield f"{label}{_MATCH[operator]}{value}"
        yield ""
    elif kind == "offset":
        yield from (_longer(text, factor) for factor in (2, 0.5))
    elif kind == "by":
        labels = text.split(", ")
        yield from (", ".join(labels[:place] + labels[place + 1 :]) for place in range(len(labels)) if labels != ["le"])
    elif kind == "number":
        yield from (f"{float(text) * factor:.10g}" for factor in ((1.25, 0.8) if float(text) else ()))
    else:
        yield {"compare": _COMPARE, "set": _SET, "arithmetic": _ARITHMETIC}[kind][text]


def _longer(duration: str, factor: float) -> str:
    seconds = int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]
    return f"{round(seconds * factor)}s"


def survives(rule: Rule, mutant: Mutant) -> bool:
    """Whether no case of the alert notices."""
    alert = str(rule["alert"])
    rules = [mutant.rule if one is rule else one for one in named(alert)]
    with tempfile.TemporaryDirectory() as folder:
        return not wrong(Path(folder), [case for case in CASES if case.alert == alert], rules)


def main(alerts: list[str]) -> int:
    chosen = [(rule, mutant) for rule in RULES if not alerts or rule["alert"] in alerts for mutant in mutants(rule)]
    with ThreadPoolExecutor(2) as pool:
        survived = list(pool.map(lambda one: survives(*one), chosen))
    for (rule, mutant), lives in zip(chosen, survived, strict=True):
        if lives:
            print(f"{rule['alert']} ({rule['labels']['severity']}) survives {mutant.change}")
    killed = len(chosen) - sum(survived)
    print(f"{killed} of {len(chosen)} mutants noticed: {killed / len(chosen):.1%}")
    return 0 if killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
