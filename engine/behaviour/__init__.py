"""Measured behaviour: what face and body do, in numbers and in words, by published rules."""

from engine.behaviour.baseline import Baseline
from engine.behaviour.measures import Series
from engine.behaviour.observer import Observer
from engine.behaviour.reader import Behaviour, BehaviourReader, Moment

__all__ = ["Baseline", "Behaviour", "BehaviourReader", "Moment", "Observer", "Series"]
