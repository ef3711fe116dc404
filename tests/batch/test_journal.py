"""The journal: a run that died goes on from what is on disk, without loss and without doubles."""

import pytest

from openpersonalize.batch.journal import OutputJournal
from openpersonalize.storage.buckets import ObjectInfo

FILES = [ObjectInfo("s3://b/one", "one", 10), ObjectInfo("s3://b/two", "two", 20)]


def begun(folder, seconds=1e9):
    return OutputJournal(folder, FILES, seconds)


def test_what_was_written_after_the_last_state_is_cut_off(tmp_path):
    journal = begun(tmp_path)
    journal.write(b"one\n")
    journal.reached(4, 1, 1)
    journal.save()
    journal.write(b"two\n")
    journal.reached(8, 1, 0)
    journal.close()  # what was appended is in the file, and nobody said so
    assert journal.output.read_bytes() == b"one\ntwo\n"
    again = begun(tmp_path)
    assert (again.at.read, again.at.lines, again.at.answers) == (4, 1, 1)
    again.write(b"TWO\n")
    again.reached(8, 1, 1)
    again.close()
    assert again.output.read_bytes() == b"one\nTWO\n"


@pytest.mark.parametrize("cut", [False, True])
def test_a_finished_file_is_not_read_again(tmp_path, cut):
    journal = begun(tmp_path)
    journal.write(b"one\n")
    journal.reached(10, 1, 0)
    journal.finish_file()
    if cut:  # it died before the output was emptied
        journal.output.write_bytes(b"one\n")
    journal.close()
    again = begun(tmp_path)
    assert (again.at.done, again.at.read, again.at.all_lines, again.at.unanswered) == (1, 0, 1, [0])
    again.write(b"two\n")
    again.reached(20, 1, 1)
    again.save()
    assert again.output.read_bytes() == b"two\n"
    again.close()


def test_another_input_begins_anew(tmp_path):
    journal = begun(tmp_path)
    journal.write(b"one\n")
    journal.reached(4, 1, 1)
    journal.save()
    journal.close()
    other = OutputJournal(tmp_path, FILES[:1])
    assert other.at.read == 0
    assert other.output.read_bytes() == b""
    other.close()
