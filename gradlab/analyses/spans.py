"""Spans: the steps of a batch over which states are carried, from where a sequence begins, or begins anew, to its end.

Without resets a sequence is one span. No gradient passes from one span into another, so each has a way back that is its
own: from its last loss to its first step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy import ndarray

from gradlab.engine import Cotangents, Episodes
from gradlab.words.languages import N_


@dataclass(frozen=True, eq=False)
class Spans:
    """E spans, ordered by sequence and step. Arrays [E]."""

    sequence: ndarray
    begin: ndarray  # first step
    end: ndarray  # the step behind the last one
    steps: int  # T
    sequences: int  # B

    @classmethod
    def of(cls, episodes: Episodes | None, steps: int, sequences: int) -> Spans:
        """The spans between resets and lengths; one a sequence where there are none."""
        if episodes is None:
            ends = np.full(sequences, steps)
            return cls(np.arange(sequences), np.zeros(sequences, int), ends, steps, sequences)
        begins = episodes.resets & (np.arange(steps)[:, None] < episodes.lengths)
        begins[0] = True
        sequence, begin = np.nonzero(begins.T)
        end = np.append(begin[1:], 0)
        last = np.append(sequence[1:] != sequence[:-1], True)
        end[last] = episodes.lengths
        return cls(sequence, begin, end, steps, sequences)

    @property
    def are_sequences(self) -> bool:
        """Whether each sequence is one span."""
        return len(self.sequence) == self.sequences

    @property
    def kind(self) -> str:
        """What a sentence calls them."""
        return N_("sequences") if self.are_sequences else N_("episodes")

    @cached_property
    def index(self) -> ndarray:
        """The span of every step and sequence, [T, B]; behind a sequence's end that of its last one."""
        begins = np.zeros((self.steps, self.sequences), np.int64)
        begins[self.begin, self.sequence] = 1
        first = np.searchsorted(self.sequence, np.arange(self.sequences))
        return begins.cumsum(axis=0) - 1 + first

    def at(self, cotangents: Cotangents) -> ndarray:
        """The span of every entry of cotangents that have one row a sequence, [m]."""
        return cotangents.at if self.are_sequences else self.index[cotangents.steps, cotangents.at]

    def of_steps(self, of_spans: ndarray) -> ndarray:
        """What is known of spans, [E], by steps and sequences: [T, B], or [B] where each sequence is one span."""
        return of_spans if self.are_sequences else of_spans[self.index]

    def end_with(self, of_sequences: ndarray) -> ndarray:
        """What holds of the last states of sequences, [B], by spans: those are the states of their last spans, [E]."""
        is_last = np.append(self.sequence[1:] != self.sequence[:-1], True)
        return is_last & of_sequences[self.sequence]

    @cached_property
    def exists(self) -> ndarray | None:
        """Which steps the sequences have, [T, B]; None where these are all."""
        lengths = np.zeros(self.sequences, int)
        np.maximum.at(lengths, self.sequence, self.end)
        return None if (lengths == self.steps).all() else np.arange(self.steps)[:, None] < lengths

    def without_padding(self, values: ndarray) -> ndarray:
        """Values by step and sequence, [..., T, B, S], with NaN where a sequence has no such step."""
        return values if self.exists is None else np.where(self.exists[..., None], values, np.nan)
