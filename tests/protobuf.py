"""protobuf - as much of protobuf, snappy and remote write as tests send by hand."""
import struct


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(data):
    """The whole as literals: valid, if not small."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def series(labels, *samples):
    """A TimeSeries within a WriteRequest: labels of bytes, samples of (value, time in ms)."""
    pairs = b"".join(field(1, field(1, name) + field(2, text)) for name, text in sorted(labels.items()))
    points = b"".join(field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time_ms)) for value, time_ms in samples)
    return field(1, pairs + points)
