"""Cyclic redundancy checks of 32 and 64 bits, `Crc`: CRC-32C and CRC-64/NVME for data of any size.

The standard library knows CRC-32 only. A register without its initial value is linear over GF(2), so a block
is cut into lanes that NumPy works on side by side, and the lanes' registers are joined in a tree: the left
half is advanced over as many zero bytes as the right half has, and added. The same advance joins the checks
of the parts of an upload. About 200 MB/s on one core.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_LANE = 64
_MOST_LANES = 4096
_POWERS = 46
"""Texts up to 2 ** 46 bytes can be joined; the tables of one CRC take 0.7 MB."""

Table = NDArray[np.uint64]


class Crc:
    """One reflected CRC whose register begins with ones and is inverted at the end.

    Attributes:
        width: bits of the check, 32 or 64.
    """

    def __init__(self, width: int, polynomial: int) -> None:
        """Args:
        polynomial: reflected, without its leading one.
        """
        self.width = width
        self._ones = (1 << width) - 1
        values = np.arange(256, dtype=np.uint64)
        for _ in range(8):
            low = values & np.uint64(1)
            values = (values >> np.uint64(1)) ^ (low * np.uint64(polynomial))
        self._bytes: Table = values
        self._bytes_list: list[int] = values.tolist()
        self._powers: list[Table] = [self._advance_one()]
        for _ in range(_POWERS - 1):
            last = self._powers[-1]
            self._powers.append(_applied(last, last.ravel()).reshape(8, 256))

    def update(self, data: bytes | memoryview, check: int = 0) -> int:
        """The check of everything that `check` is of, followed by `data`."""
        register = check ^ self._ones
        array = np.frombuffer(data, np.uint8)
        at = 0
        while len(array) - at >= _LANE:
            lanes = min(_MOST_LANES, 1 << ((len(array) - at) // _LANE).bit_length() - 1)
            block = array[at : at + lanes * _LANE]
            register = self._advanced(register, len(block)) ^ self._block(block, lanes)
            at += len(block)
        for byte in array[at:].tolist():
            register = self._bytes_list[(register ^ byte) & 0xFF] ^ (register >> 8)
        return register ^ self._ones

    def joined(self, left: int, right: int, right_size: int) -> int:
        """The check of two texts one after the other, from the checks of both."""
        return self._advanced(left, right_size) ^ right

    def _block(self, block: NDArray[np.uint8], lanes: int) -> int:
        """The register after a block of `lanes` lanes, beginning with zero."""
        columns = np.ascontiguousarray(block.reshape(lanes, _LANE).T)
        state = np.zeros(lanes, np.uint64)
        low, byte = np.uint64(0xFF), np.uint64(8)
        for column in columns:
            state = self._bytes[(state ^ column) & low] ^ (state >> byte)
        power = _LANE.bit_length() - 1
        while len(state) > 1:
            state = _applied(self._powers[power], state[0::2]) ^ state[1::2]
            power += 1
        return int(state[0])

    def _advanced(self, register: int, zeros: int) -> int:
        """The register after so many zero bytes."""
        power = 0
        while zeros:
            if zeros & 1:
                register = int(_applied(self._powers[power], np.array([register], np.uint64))[0])
            zeros >>= 1
            power += 1
        return register

    def _advance_one(self) -> Table:
        """How one zero byte changes a register, by the register's byte and that byte's value."""
        rows = [self._bytes]
        rows += [np.arange(256, dtype=np.uint64) << np.uint64(8 * (place - 1)) for place in range(1, 8)]
        return np.stack(rows)


def _applied(table: Table, registers: Table) -> Table:
    """A linear map, given by the images of each byte in each place, of many registers."""
    low = np.uint64(0xFF)
    image: Table = table[0][registers & low]
    for place in range(1, 8):
        image = image ^ table[place][(registers >> np.uint64(8 * place)) & low]
    return image


@cache
def crc32c() -> Crc:
    """CRC-32C (Castagnoli)."""
    return Crc(32, 0x82F63B78)


@cache
def crc64nvme() -> Crc:
    """CRC-64/NVME."""
    return Crc(64, 0x9A6C9329AC4BC9B5)


@cache
def crc32() -> Crc:
    """CRC-32 as in zip, for joining; zlib is faster to compute it."""
    return Crc(32, 0xEDB88320)
