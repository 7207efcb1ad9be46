"""Progress of a part within its whole, and where work may be stopped."""

import pytest

from gradlab.engine.progress import checkpoint, part_of, stopped_by


def test_a_part_reports_its_place_in_the_whole():
    """Three parts one after another, each reported from nothing to all: the whole rises evenly, without a gap."""
    heard = []
    for begin, end in ((0.0, 0.25), (0.25, 0.5), (0.5, 1.0)):
        part = part_of(heard.append, begin, end)
        for eighth in range(int((end - begin) * 8) + 1):
            part(eighth / ((end - begin) * 8))
    assert sorted({*heard}) == [eighth / 8 for eighth in range(9)]
    assert heard == sorted(heard)


def test_work_is_stopped_at_a_checkpoint_inside_alone():
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    with stopped_by(stop), pytest.raises(Stop):
        checkpoint()
    checkpoint()
