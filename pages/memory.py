"""The curse of memory: a unit that remembers long reacts violently to its weight, though no gradient explodes."""

from gradlab.ui.parts import following, memory

memory.choose()
shown = following.of("memory")
shown.sentence(0)
shown.sentence(1)
shown.figure()
