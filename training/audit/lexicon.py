"""Emotion words: naming a state rather than showing what can be seen.

Words of behaviour (smile, frown, tears, clenched, relaxed) are not here: they are what a
description is for. The lists are ours, with inflections and synonyms, for English.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_FAMILIES = {
    "neutral": """
        neutral neutrally neutrality emotionless unemotional expressionless impassive impassively
        unaffected indifferent indifferently nonchalant nonchalantly
    """,
    "joy": """
        joy joys joyful joyfully joyous joyously happy happier happiest happily happiness glad
        gladly gladness cheer cheerful cheerfully cheerfulness delight delighted delightedly
        delightful pleased pleasure amused amusedly amusement gleeful gleefully glee elated
        elation jubilant merry merrily blissful overjoyed enjoy enjoys enjoying enjoyment
        upbeat playful playfully
    """,
    "excitement": """
        excited excitedly excitement exciting thrilled thrilling enthusiastic enthusiastically
        enthusiasm eager eagerly eagerness exhilarated exhilaration ecstatic
    """,
    "surprise": """
        surprise surprised surprisedly surprising surprisingly astonished astonishment astounded
        amazed amazement shock shocked stunned startled disbelief disbelieving incredulous
        incredulously incredulity bewildered bewilderment dumbfounded flabbergasted
    """,
    "anger": """
        anger angry angrier angrily angered mad madly furious furiously fury rage raging enraged
        irate wrath outraged outrage hostile hostility aggressive aggressively aggression
        livid infuriated seething resentful resentment indignant indignantly indignation
    """,
    "frustration": """
        frustrated frustratedly frustrating frustration annoyed annoyance annoyingly irritated
        irritably irritation irritable exasperated exasperatedly exasperation impatient
        impatiently impatience aggravated displeased displeasure dissatisfied dissatisfaction
    """,
    "sadness": """
        sad sadder sadly sadness sorrow sorrowful sorrowfully unhappy unhappily unhappiness
        miserable miserably misery depressed depression dejected dejectedly dejection despair
        despairing grief grieving mournful mournfully melancholy melancholic gloomy gloomily
        heartbroken hurt disappointed disappointment downcast upset distressed distress
        despondent regretful regret lonely
    """,
    "disgust": """
        disgust disgusted disgustedly disgusting revulsion repulsed repulsion revolted loathing
        distaste distasteful contempt contemptuous contemptuously aversion disdain disdainful
        disdainfully nauseated sickened
    """,
    "fear": """
        fear fears feared fearing fearful fearfully fearfulness afraid scared scaring scary
        frightened fright frightening terrified terror panic panicked panicking panicky dread
        horror horrified anxious anxiously anxiety nervous nervously nervousness worried worriedly
        worry worrying apprehensive apprehensively apprehension alarmed alarm uneasy uneasily
        unease
    """,
    "peace": """
        peaceful peacefully peacefulness peace calm calmly calmness serene serenely serenity
        tranquil tranquilly contented contentedly contentment relief relieved
        loving lovingly affection affectionate affectionately tender tenderly tenderness
        thoughtful thankful grateful gratefully
    """,
    "power": """
        powerful powerfully confident confidently confidence proud proudly pride assertive
        assertively triumphant triumphantly triumph determined determination assured
        assuredly empowered
    """,
}

_LABELS = {
    "neutral": "neutral",
    **dict.fromkeys(("joy", "happy", "joyful"), "joy"),
    "excited": "excitement",
    "surprise": "surprise",
    **dict.fromkeys(("anger", "angry", "mad"), "anger"),
    "frustrated": "frustration",
    **dict.fromkeys(("sadness", "sad"), "sadness"),
    "disgust": "disgust",
    **dict.fromkeys(("fear", "scared"), "fear"),
    "peaceful": "peace",
    "powerful": "power",
}

FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {name: frozenset(text.split()) for name, text in _FAMILIES.items()}
)
"""Words in lower case by family of emotions; no word is in two."""

EMOTION_WORDS = frozenset().union(*FAMILIES.values())
"""All of them."""


def words_of(label: str) -> frozenset[str]:
    """Words that name a label; of a label that no known corpus has, the label itself."""
    family = _LABELS.get(label)
    return FAMILIES[family] if family else frozenset({label})
