"""Read from the header of a sound packet what a copy in MP4 states once for the whole track."""

from __future__ import annotations

FRAMED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3"})  # whose packets may have a header


def frame_parameters(codec: str, data: bytes) -> tuple[int, ...] | None:
    """Sample rate and channels of a packet, coded as in its header.

    Args:
        codec: FFmpeg's name of the codec.
        data: the packet, or its first bytes.

    Returns:
        Numbers that differ where the sample rate or the number of channels differs; None for a packet without a header.
    """
    if len(data) < 7:
        return None
    if codec == "aac" and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:  # ADTS, ISO/IEC 14496-3, 1.A.3.2
        return data[2] & 0xFD, data[3] >> 6
    if codec == "mp3" and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # ISO/IEC 11172-3, 2.4.1.3
        return data[1] & 0x1E, data[2] & 0x0C, int(data[3] >> 6 == 3)
    if codec == "ac3" and data[:2] == b"\x0b\x77":  # ETSI TS 102 366, 4.3 and 4.4
        return data[4] >> 6, data[6] >> 5
    if codec == "eac3" and data[:2] == b"\x0b\x77" and data[2] >> 6 != 1:  # ETSI TS 102 366, E.1.2; independent
        return data[4] >> 6, data[4] & 0x0F
    return None
