"""Behaviour descriptions: what a teacher sees a speaker do while speaking (paper, stage 1)."""
