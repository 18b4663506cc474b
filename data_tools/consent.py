"""Consent: what a speaker is told, in words for anyone, and that they agreed.

A text is never changed once somebody has agreed to it: a new wording is a new version.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from data_tools.clip import Consent
from data_tools.dataset import Dataset, DatasetError

VERSION = "1"
SCOPE = "train and test wake phrase models"
AGREED = ("y", "yes", "예", "네")  # what a speaker types
REFUSED = ("n", "no", "아니요", "아니오")


@dataclass(frozen=True)
class ConsentText:
    """What is shown before the first recording."""

    title: str
    points: tuple[str, ...]
    question: str
    answers: str  # as they are typed: one of AGREED, one of REFUSED


# (version, language) -> text. Every language of one version says the same.
TEXTS = {
    ("1", "en"): ConsentText(
        title="May we record your voice?",
        points=(
            "You will be asked to say a few short sentences. Each one is recorded.",
            "The recordings teach a computer to recognise a phrase. "
            "They are kept with a name that you choose; it need not be your real one.",
            "They may be used, also in products, to train and test such programs. "
            "The program that comes out can't play your voice back.",
            "You may stop at any time. You may have your recordings deleted at any time: "
            "ask whoever invited you, or use the delete button where there is one. "
            "Programs that were trained before that stay as they are.",
            "If you are under 18, a parent or guardian must agree with you.",
        ),
        question="Do you agree?",
        answers="yes/no",
    ),
    ("1", "ko"): ConsentText(
        title="목소리를 녹음해도 될까요?",
        points=(
            "짧은 문장 몇 개를 말해 달라고 부탁드립니다. 말씀하신 문장은 각각 녹음됩니다.",
            "녹음은 컴퓨터가 특정한 말을 알아듣도록 가르치는 데 쓰입니다. "
            "녹음은 직접 고른 이름으로 보관되며, 본명이 아니어도 됩니다.",
            "녹음은 그런 프로그램을 훈련하고 시험하는 데 쓰이며, 제품에 쓰일 수도 있습니다. "
            "완성된 프로그램으로 목소리를 다시 들을 수는 없습니다.",
            "언제든지 그만둘 수 있습니다. 언제든지 녹음을 삭제할 수 있습니다. "
            "초대한 사람에게 말씀하시거나, 삭제 버튼이 있으면 눌러 주세요. "
            "그 전에 이미 훈련된 프로그램은 그대로 남습니다.",
            "18세 미만이면 부모님이나 보호자도 함께 동의해야 합니다.",
        ),
        question="동의하십니까?",
        answers="예/아니요",
    ),
}


def consent_text(language: str = "en", version: str = VERSION) -> ConsentText:
    """The text in a language, in English where there is no translation."""
    text = TEXTS.get((version, language)) or TEXTS.get((version, "en"))
    if text is None:
        known = ", ".join(sorted({v for v, _ in TEXTS}))
        raise DatasetError(f"no consent text of version {version!r}; known versions: {known}")
    return text


def agree(version: str = VERSION) -> Consent:
    """The record that a speaker agrees, now."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Consent(version=version, at=now, scope=SCOPE)


def given_consent(dataset: Dataset, speaker: str) -> Consent | None:
    """What this speaker agreed to earlier, if it was the dataset's present text."""
    for clip in dataset.clips():
        consent = clip.consent if clip.speaker == speaker else None
        if consent and consent.version == dataset.info.consent_version:
            return consent
    return None
