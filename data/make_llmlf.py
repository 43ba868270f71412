#!/usr/bin/env python3
"""Make ``llmlf/reports.csv``: descriptions of Chinese chest films and their impressions.

    python data/make_llmlf.py --out data/llmlf

Everything is synthetic: sentences written for this project, put together by a seeded generator;
they describe nobody. The layout and the words around a description are those of LLMLF's files.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from pathlib import Path

SEED = 20261125
ROWS = 120
PREFIX = "根据下面一段胸部X线的影像描述："
SUFFIX = "生成一份对应的诊断意见："
SIDES = ("左", "右")

FINDINGS = (
    ("{s}侧肋膈角变钝，可见弧形液性密度影", "{s}侧少量胸腔积液"),
    ("{s}侧胸腔大量积液，纵隔向对侧移位", "{s}侧大量胸腔积液"),
    ("{s}下肺野见斑片状模糊影，边界不清", "{s}下肺炎症，建议治疗后复查"),
    ("{s}上肺野见条索状高密度影及散在钙化灶", "{s}上肺陈旧性病变"),
    ("{s}中肺野见直径约{d}mm结节影，边缘光滑", "{s}中肺结节，建议CT进一步检查"),
    ("{s}侧胸腔见无肺纹理透亮区，可见压缩肺边缘", "{s}侧气胸"),
    ("{s}肺下叶体积缩小，可见楔形致密影", "{s}下肺不张"),
    ("{s}侧第{n}肋骨见线状透亮影，断端无明显错位", "{s}侧第{n}肋骨骨折"),
    ("{s}肺门影增大增浓", "{s}肺门增大，请结合CT检查"),
    ("{s}膈面抬高", "{s}侧膈肌抬高"),
    ("{s}侧胸膜增厚粘连", "{s}侧胸膜增厚"),
)
WHOLE = (
    ("心影轻度增大", "心影轻度增大"),
    ("心影明显增大，呈普大型", "心影增大"),
    ("主动脉迂曲，弓部可见钙化", "主动脉硬化"),
    ("双肺透亮度增加，膈面低平，肋间隙增宽", "双肺肺气肿"),
    ("双肺纹理增多、模糊，肺门周围见片状模糊影", "肺水肿征象，请结合临床"),
    ("双侧肋膈角变钝", "双侧少量胸腔积液"),
    ("胸椎侧弯，椎体缘见骨质增生", "胸椎退行性变"),
    ("气管插管末端位于隆突上约{d}mm", "气管插管位置如上"),
    ("右侧颈内静脉置管末端位于上腔静脉", "右侧颈内静脉置管术后"),
)
NORMAL = (
    "双肺纹理清晰", "未见实变影", "心影大小正常", "纵隔居中", "双侧膈面光滑",
    "双侧肋膈角锐利", "未见气胸", "所见骨质未见异常", "双肺门影不大",
)  # fmt: skip
CLASHES = {
    "双肺纹理清晰": ("肺炎", "炎症", "水肿", "不张", "陈旧", "气肿", "结节", "气胸"),
    "未见实变影": ("炎症", "不张", "水肿"),
    "心影大小正常": ("心影",),
    "纵隔居中": ("大量",),
    "双侧膈面光滑": ("膈", "积液", "气肿", "胸膜"),
    "双侧肋膈角锐利": ("积液", "胸膜"),
    "未见气胸": ("气胸",),
    "所见骨质未见异常": ("骨折", "退行"),
    "双肺门影不大": ("肺门", "水肿"),
}
"""Normal sentence -> what must not be in the impression beside it."""
HEALTHY = ("心肺未见明显异常", "胸部未见明显异常", "双肺及心影未见明显异常")


def report(rng: random.Random) -> tuple[str, str]:
    """Description and impression of one film."""
    chosen = [] if rng.random() < 0.2 else rng.sample(FINDINGS + WHOLE, rng.choice((1, 1, 2, 2, 3)))
    said, meant = [], []
    for description, impression in chosen:
        values = {"s": rng.choice(SIDES), "d": rng.randint(6, 28), "n": rng.randint(4, 9)}
        said.append(description.format(**values))
        meant.append(impression.format(**values))
    found = "".join(meant)
    fitting = [one for one in NORMAL if not any(word in found for word in CLASHES[one])]
    said += rng.sample(fitting, min(len(fitting), rng.randint(3, 5)))
    if not meant:
        return "。".join(said) + "。", rng.choice(HEALTHY) + "。"
    if len(meant) == 1:
        return "。".join(said) + "。", meant[0] + "。"
    return "。".join(said) + "。", "".join(f"{n}．{one}。" for n, one in enumerate(meant, start=1))


def table() -> str:
    """The CSV: every cell quoted, as LLMLF's files are; a patient has one to three films."""
    rng = random.Random(SEED)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(("PATIENT_ID", "INSTRUCTION", "RESPONSE"))
    patient, left, seen = 0, 0, set()
    while len(seen) < ROWS:
        description, impression = report(rng)
        if description in seen:
            continue
        seen.add(description)
        if not left:
            patient, left = patient + 1, rng.choice((1, 1, 2, 3))
        left -= 1
        writer.writerow((f"P{patient:03}", PREFIX + description + SUFFIX, impression))
    # What real tables hold too: a row said twice, an empty answer, an empty question.
    writer.writerow((f"P{patient:03}", PREFIX + description + SUFFIX, impression))
    writer.writerow((f"P{patient + 1:03}", PREFIX + "双肺纹理清晰。" + SUFFIX, ""))
    writer.writerow((f"P{patient + 2:03}", "", HEALTHY[0] + "。"))
    return text.getvalue()


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reports.csv").write_text(table(), encoding="utf-8")
    (folder / "DATA_CLASS").write_text("synthetic\n", encoding="utf-8")


if __name__ == "__main__":
    main()
