"""Answers from a trace: which devices were used, when and how, and what the guest waited for."""

from hiperiso.trace.answers.session import answers_of_session

__all__ = ["answers_of_session"]
