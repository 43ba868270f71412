"""What models were asked, what they answered and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipeline.report.blocks import Block, Note, Section, Table, number, share, words
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.run.status import StageStatus

_OUTCOMES = ("ok", "length", "content_filter", "refusal", "malformed", "failed")


def models(run: Run) -> Section | None:
    """Requests, tokens and money; None for a run without a stage that asks."""
    asking = {stage["name"] for stage in run.recipe["stages"] if stage.get("backend")}
    if not asking:
        return None
    rows = [row for row in run.rows if row.usage.get("requests")]
    if not rows:
        kinds = {
            run.recipe["backends"][s["backend"]]["kind"]
            for s in run.recipe["stages"]
            if s.get("backend") in run.recipe.get("backends", {})
        }
        by_rules = kinds <= {"rules"}
        text = (
            "No model was asked: the rules answered in its place."
            if by_rules
            else ("No model has been asked yet.")
        )
        return Section("models", "Models", [Note(text)])
    blocks: list[Block] = [
        Plot(
            "Tokens by stage",
            [row.stage for row in rows],
            [Panel([_tokens(row) for row in rows])],
            [(0, "prompt"), (1, "completion")],
        ),
        _usage(rows),
    ]
    if not any(row.usage.get("money") for row in rows):
        blocks.append(Note("Money is not known: the recipe gives the backend no prices."))
    blocks += _replies(run)
    blocks += _reading(run)
    again = {name: len(m["rounds"]) for name, m in run.manifests.items() if m.get("rounds")}
    if again:
        said = ", ".join(f"{count:,} of {name}" for name, count in again.items())
        blocks.append(Note(f"Rejected records that retry put back to work: {said}."))
    return Section("models", "Models", blocks)


def _tokens(row: StageStatus) -> Bar:
    prompt, completion = row.usage.get("prompt_tokens", 0), row.usage.get("completion_tokens", 0)
    return Bar([(prompt, 0), (completion, 1)], number(prompt + completion))


def _usage(rows: list[StageStatus]) -> Table:
    columns = ["stage", "rows", "replies", "replies per row", "prompt tokens", "from cache",
               "completion tokens", "replies/s"]  # fmt: skip
    names = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "money")
    total: Counter[str] = Counter()
    cells = []
    for row in rows:
        usage = {name: row.usage.get(name, 0) for name in names}
        total.update(usage)
        requests = usage["requests"]
        rate = f"{requests / row.seconds:,.1f}" if row.seconds else ""
        per_row = f"{requests / row.done:.2f}" if row.done else ""
        cells.append([row.stage, number(row.done), *_spent(usage, per_row), rate])
    last = ["all", "", *_spent(total, ""), ""]
    if total["money"]:
        columns.append("money")
        for line, row in zip(cells, rows, strict=True):
            line.append(f"{row.usage.get('money', 0):,.2f}")
        last.append(f"{total['money']:,.2f}")
    return Table("What was asked", columns, cells, total=last if len(rows) > 1 else ())


def _spent(usage: Mapping[str, float], per_row: str) -> list[str]:
    tokens = (usage[f"{name}_tokens"] for name in ("prompt", "cached", "completion"))
    return [number(usage["requests"]), per_row, *map(number, tokens)]


def _replies(run: Run) -> list[Block]:
    found = {name: one for name, one in run.replies.items() if one.replies}
    if not found:
        return [Note("The journal of replies is not there any more: outcomes are not shown.")]
    seen = [o for o in _OUTCOMES if any(one.outcomes[o] for one in found.values())]
    rows = [
        [
            name,
            number(one.replies),
            *(number(one.outcomes[o]) if one.outcomes[o] else "0" for o in seen),
        ]
        for name, one in found.items()
    ]
    blocks: list[Block] = [
        Table("Outcomes of replies", ["stage", "replies", *map(words, seen)], rows),
        Note(
            "length: cut at the token limit. malformed: no answer in it. Attempts that failed on "
            "the way and were sent again are not replies and are not counted."
        ),
    ]
    named: Counter[tuple[str, str]] = Counter()
    for name, one in found.items():
        named.update({(model or "not said", name): count for model, count in one.models.items()})
    columns = ["model as the server named it", "stage", "replies"]
    cells = [[model, name, number(count)] for (model, name), count in sorted(named.items())]
    blocks.append(Table("Models that answered", columns, cells, left=["stage"]))
    return blocks


def _reading(run: Run) -> list[Block]:
    rows = []
    for name in run.complete("keyinfo", "labels"):
        if not run.row(name).usage.get("requests"):
            continue
        states = run.counts[name]["replies"]
        if run.uses[name] == "labels":
            states = states.get(run.manifests[name]["params"].get("reader", "model"), {})
        reasons = run.row(name).reasons
        total = run.row(name).done
        rows += [[name, words(s), number(n), share(n, total)] for s, n in states.items()]
        rows += [
            [name, f"rejected: {words(r)}", number(n), share(n, total)] for r, n in reasons.items()
        ]
    if not rows:
        return []
    columns = ["stage", "reply", "rows", "share"]
    return [Table("How replies could be read", columns, rows, left=["reply"])]
